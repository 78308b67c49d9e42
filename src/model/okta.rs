//! What Okta's management API tells of an org's log streams, users and factors, as far as the product reads it.

use serde::{Deserialize, Serialize};

/// The kind of log stream that sends to a partner event source.
pub const EVENTBRIDGE: &str = "aws_eventbridge";

/// The tenant's secret that is an API token.
pub const TOKEN_SECRET: &str = "okta-token";
/// The tenant's secret that is an application's private key, as PEM: RSA or P-256.
pub const KEY_SECRET: &str = "okta-key";

/// How a tenant signs in to its org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignIn {
    /// By the secret [`TOKEN_SECRET`].
    Token,
    /// By the secret [`KEY_SECRET`], as this application. `key_id` is the key's `kid` where the application has several.
    Key { client_id: String, key_id: Option<String> },
}

/// A tenant's org, and how it is asked: what a tenant's task is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Org {
    /// As in `https://acme.okta.com`.
    pub address: String,
    /// The partner event source.
    pub source: String,
    /// Where the tenant's log stream sends.
    pub place: StreamSettings,
    pub sign_in: SignIn,
    /// The part of each of the org's rate limits that tasks may use.
    pub rate_limit_percent: u8,
    /// How far back the System Log is compared, and so how much of a new tenant's history is loaded.
    pub history_days: u32,
    /// Whether a stream that Okta switched off is set going again.
    pub reactivates: bool,
}

impl Org {
    /// The secret that it is asked with.
    pub fn secret(&self) -> &'static str {
        match self.sign_in {
            SignIn::Token => TOKEN_SECRET,
            SignIn::Key { .. } => KEY_SECRET,
        }
    }

    /// Source, account and region of the envelopes of its events.
    pub fn envelope(&self) -> (&str, &str, &str) {
        (&self.source, &self.place.account_id, &self.place.region)
    }
}

/// A log stream. Source: Okta's management API, `LogStream`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogStream {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// Those of another kind of stream have other fields.
    #[serde(default)]
    pub settings: StreamSettings,
}

/// Where a log stream sends; never changed after it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StreamSettings {
    pub account_id: String,
    pub event_source_name: String,
    pub region: String,
}

/// A log stream that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewLogStream {
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Unique in the org, 1 to 100 characters.
    pub name: String,
    pub settings: StreamSettings,
}

impl LogStream {
    pub fn is_active(&self) -> bool {
        self.status == "ACTIVE"
    }

    /// Whether it sends to this place.
    pub fn sends_to(&self, place: &StreamSettings) -> bool {
        self.kind == EVENTBRIDGE && self.settings == *place
    }
}

/// A user. Source: Okta's management API, `User`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct User {
    pub id: String,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub profile: Profile,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Profile {
    pub login: String,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub department: Option<String>,
    pub title: Option<String>,
    pub manager: Option<String>,
}

/// What kind of administrator somebody is. Source: Okta's management API, role assignments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub status: String,
}
