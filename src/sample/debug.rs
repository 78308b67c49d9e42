//! An event's `debugData`: a free map whose values, and which itself, come in several forms.

use std::borrow::Cow;
use std::fmt::Write;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::dice::Dice;
use super::kind::{Facts, Kind};
use super::people::Person;
use super::plan::{From, Planned};

/// `debugData` as it goes into an event.
pub enum Debug<'a> {
    Map(Entries<'a>),
    /// The same as text: `{key=value, key=value}`.
    Text(Entries<'a>),
}

type Entries<'a> = Vec<(&'a str, Datum<'a>)>;

/// A value of `debugData`.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Datum<'a> {
    Text(Cow<'a, str>),
    List(Vec<String>),
    Map(Verdicts),
}

/// Behaviours with their verdicts, as a map.
pub struct Verdicts([(&'static str, &'static str); 7]);

impl Serialize for Verdicts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0)
    }
}

impl Serialize for Debug<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Text(entries) => serializer.serialize_str(&as_text(entries)),
        }
    }
}

fn as_text(entries: &Entries<'_>) -> String {
    let mut text = String::from("{");
    for (index, (key, value)) in entries.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let written = match value {
            Datum::Text(value) => write!(text, "{comma}{key}={value}"),
            Datum::List(members) => write!(text, "{comma}{key}=[{}]", members.join(", ")),
            Datum::Map(verdicts) => write!(text, "{comma}{key}={}", verdicts.text()),
        };
        debug_assert!(written.is_ok(), "a String takes any text");
    }
    text.push('}');
    text
}

const BEHAVIORS: [&str; 7] = [
    "New Geo-Location",
    "New Device",
    "New IP",
    "New State",
    "New Country",
    "Velocity",
    "New City",
];

impl Verdicts {
    fn new(unusual: bool, dice: &mut Dice) -> Self {
        // A new address alone is an ordinary day.
        let new_ip = dice.once_in(9);
        Self(BEHAVIORS.map(|name| {
            let positive = unusual || (new_ip && name == "New IP");
            (name, if positive { "POSITIVE" } else { "NEGATIVE" })
        }))
    }

    fn text(&self) -> String {
        format!("{{{}}}", self.pairs().join(", "))
    }

    fn pairs(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(name, verdict)| format!("{name}={verdict}"))
            .collect()
    }
}

/// The data that fits the event; as text now and then.
pub fn debug_data<'a>(event: &Planned, facts: &Facts, user: &'a Person, dice: &mut Dice) -> Debug<'a> {
    let mut entries: Entries<'a> = vec![("requestId", text(dice.hex("a", 31)))];
    if event.from != From::Inside {
        entries.push(("dtHash", text(dice.hex("", 64))));
        entries.push(("requestUri", Datum::Text(Cow::Borrowed(facts.uri))));
        entries.push(("url", text(format!("{}?stateToken={}", facts.uri, dice.id("02.", 40)))));
        entries.push((
            "threatSuspected",
            Datum::Text(Cow::Borrowed(if event.kind == Kind::ThreatDetected {
                "true"
            } else {
                "false"
            })),
        ));
    }
    match event.kind {
        Kind::SignOnAllowed | Kind::SignOnChallenged | Kind::SessionStart => {
            entries.extend([
                ("behaviors", behaviors(event.unusual, dice)),
                ("risk", Datum::Text(Cow::Borrowed(risk(event.unusual, dice)))),
                ("logOnlySecurityData", log_only(event.unusual, dice)),
                ("deviceFingerprint", text(dice.hex("", 32))),
                ("authnRequestId", text(dice.id("", 22))),
            ]);
            if event.hidden {
                let tunnels = r#"[{"anonymous":true,"operator":"EXAMPLE_PRIVACY_VPN","type":"VPN"}]"#;
                entries.push(("tunnels", Datum::Text(Cow::Borrowed(tunnels))));
            }
        }
        Kind::MfaPassed | Kind::MfaRejected | Kind::PushDenied | Kind::PushSent | Kind::FactorActivated => {
            entries.push(("factor", Datum::Text(Cow::Borrowed("OKTA_VERIFY_PUSH"))));
            entries.push(("factorIntent", Datum::Text(Cow::Borrowed("AUTHENTICATION"))));
            entries.push(("deviceFingerprint", text(dice.hex("", 32))));
        }
        Kind::Sso => {
            entries.push(("initiationType", Datum::Text(Cow::Borrowed("SP_INITIATED"))));
            entries.push(("signOnMode", Datum::Text(Cow::Borrowed("SAML 2.0"))));
            entries.push(("authnRequestId", text(dice.id("", 22))));
        }
        Kind::AuthorizeCode | Kind::AccessToken | Kind::IdToken | Kind::ServiceToken => {
            entries.push((
                "grantedScopes",
                Datum::Text(Cow::Borrowed("openid, profile, email, offline_access")),
            ));
            entries.push(("grantType", Datum::Text(Cow::Borrowed("authorization_code"))));
            entries.push(("clientAuthType", Datum::Text(Cow::Borrowed("client_secret_basic"))));
        }
        Kind::PrivilegeGranted => entries.push(("privilegeGranted", Datum::Text(Cow::Borrowed("Super administrator")))),
        Kind::SuspiciousReport => entries.push((
            "suspiciousActivityEventType",
            Datum::Text(Cow::Borrowed("user.mfa.factor.activate")),
        )),
        Kind::ThreatDetected => entries.push((
            "threatDetections",
            Datum::Text(Cow::Borrowed("{Login failures=HIGH, Password Spray=HIGH}")),
        )),
        _ => entries.push(("targetLogin", Datum::Text(Cow::Borrowed(&user.login)))),
    }
    if dice.once_in(20) {
        Debug::Text(entries)
    } else {
        Debug::Map(entries)
    }
}

fn text<'a>(value: String) -> Datum<'a> {
    Datum::Text(Cow::Owned(value))
}

fn behaviors<'a>(unusual: bool, dice: &mut Dice) -> Datum<'a> {
    let verdicts = Verdicts::new(unusual, dice);
    match dice.below(8) {
        0 => Datum::List(verdicts.pairs()),
        1 => Datum::Map(verdicts),
        _ => text(verdicts.text()),
    }
}

fn risk(unusual: bool, dice: &mut Dice) -> &'static str {
    if unusual {
        return "{reasons=Anomalous Location, Anomalous Device, level=HIGH}";
    }
    match dice.below(12) {
        0 => "{reasons=Anomalous Device, New IP in org, level=LOW}",
        1 => "{reasons=Anomalous Location, level=MEDIUM}",
        _ => "{level=LOW}",
    }
}

fn log_only<'a>(unusual: bool, dice: &mut Dice) -> Datum<'a> {
    let level = if unusual { "HIGH" } else { "LOW" };
    let verdicts = Verdicts::new(unusual, dice);
    match dice.below(8) {
        0 => Datum::List(verdicts.pairs()),
        1 => Datum::Map(verdicts),
        _ => {
            let behaviors: Vec<String> = verdicts
                .0
                .iter()
                .map(|(name, verdict)| format!(r#""{name}":"{verdict}""#))
                .collect();
            text(format!(
                r#"{{"risk":{{"level":"{level}"}},"behaviors":{{{}}}}}"#,
                behaviors.join(",")
            ))
        }
    }
}
