//! The shape of a `LogEvent` on the wire, types that differ from event to event included.
#![expect(clippy::struct_field_names, reason = "the names are Okta's")]

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::Serializer;

use super::debug::Debug;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogEvent<'a> {
    pub actor: Party<'a>,
    pub client: Client<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device<'a>>,
    pub authentication_context: Authentication<'a>,
    pub display_message: &'a str,
    pub event_type: &'a str,
    pub outcome: Outcome<'a>,
    pub published: String,
    pub security_context: Security<'a>,
    pub severity: &'a str,
    pub debug_context: DebugContext<'a>,
    pub legacy_event_type: Option<&'a str>,
    pub transaction: Transaction,
    pub uuid: String,
    pub version: Loose<'a>,
    pub request: Request<'a>,
    #[serde(skip_serializing_if = "Targets::is_absent")]
    pub target: Targets<'a>,
}

/// Nothing, `null` or a list, at Okta's pleasure.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Targets<'a> {
    Absent,
    Null,
    List(Vec<Party<'a>>),
}

impl Targets<'_> {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// An actor or a target.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Party<'a> {
    pub id: Cow<'a, str>,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub alternate_id: Cow<'a, str>,
    pub display_name: Cow<'a, str>,
    pub detail_entry: Option<Pairs<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_details: Option<Changes<'a>>,
}

#[derive(Serialize)]
pub struct Changes<'a> {
    pub from: Change<'a>,
    pub to: Change<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Change<'a> {
    Text(&'a str),
    Object(Pairs<'a>),
}

/// A value whose type differs from event to event.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Loose<'a> {
    Text(&'a str),
    Whole(i64),
    Broken(f64),
    Nothing,
}

/// A small object.
pub struct Pairs<'a>(pub Vec<(&'a str, &'a str)>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Client<'a> {
    pub user_agent: Option<UserAgent<'a>>,
    pub zone: Option<&'a str>,
    pub device: Option<&'a str>,
    pub id: Option<&'a str>,
    pub ip_address: Option<&'a str>,
    pub geographical_context: Option<Geography<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserAgent<'a> {
    pub raw_user_agent: &'a str,
    pub os: &'a str,
    pub browser: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Geography<'a> {
    pub city: &'a str,
    pub state: Option<&'a str>,
    pub country: &'a str,
    pub postal_code: Loose<'a>,
    pub geolocation: Point<'a>,
}

#[derive(Serialize)]
pub struct Point<'a> {
    pub lat: Loose<'a>,
    pub lon: Loose<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub struct Device<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub os_platform: &'a str,
    pub managed: bool,
    pub registered: bool,
    pub device_integrator: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authentication<'a> {
    pub authentication_provider: Option<&'a str>,
    pub credential_provider: Option<&'a str>,
    pub credential_type: Option<&'a str>,
    pub issuer: Option<&'a str>,
    pub interface: Option<&'a str>,
    pub authentication_step: u8,
    pub root_session_id: Option<&'a str>,
    pub external_session_id: Cow<'a, str>,
}

#[derive(Serialize)]
pub struct Outcome<'a> {
    pub result: &'a str,
    pub reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Security<'a> {
    pub as_number: Option<u32>,
    pub as_org: Option<&'a str>,
    pub isp: Option<&'a str>,
    pub domain: Option<&'a str>,
    pub is_proxy: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DebugContext<'a> {
    pub debug_data: Debug<'a>,
}

#[derive(Serialize)]
pub struct Transaction {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub id: String,
    pub detail: Pairs<'static>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    pub ip_chain: Vec<Hop<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hop<'a> {
    pub ip: &'a str,
    pub geographical_context: Option<Geography<'a>>,
    pub version: &'a str,
    pub source: Option<&'a str>,
}
