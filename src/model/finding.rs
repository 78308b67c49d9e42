//! What a detection found, and the notification that tells of it.
//!
//! Identities derive from their cause, so finding the same thing again changes nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How much a finding matters, in Sigma's own levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// The word that Sigma files and routes use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What one rule says of one event, before it is tied to a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleMatch {
    /// The Sigma file's `id`.
    pub rule_id: String,
    pub title: String,
    pub severity: Severity,
    /// Sigma tags, such as `attack.t1078.004`.
    pub tags: Vec<String>,
    /// The fields that made the rule match, each with the event's value.
    pub fields: Vec<(String, serde_json::Value)>,
}

/// A rule that matched an event of a tenant, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// See [`finding_id`].
    pub id: String,
    pub tenant: String,
    #[serde(flatten)]
    pub matched: RuleMatch,
    /// The event's own time, never the time of the run.
    pub published: Timestamp,
    pub event_uuid: String,
    pub event_type: String,
    /// The actor's `alternateId`, or its id, or empty.
    pub actor: String,
    /// The event as it was received; of several, the one that made it a finding.
    pub event: serde_json::Value,
    /// Where the finding tells of several events. It grows as more of them come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Episode>,
}

/// Several events that are one finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Whose events they are, as the rule groups them; empty for the tenant's.
    pub entity: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub count: u64,
    /// The uuids of its events, of many the first fifty.
    pub events: Vec<String>,
}

/// The id of what `rule_id` found in the event `event_uuid` of `tenant`: the first 32 hex digits of a SHA-256 over the three.
pub fn finding_id(tenant: &str, rule_id: &str, event_uuid: &str) -> String {
    let mut digest = Sha256::new();
    for part in [tenant, rule_id, event_uuid] {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    format!("{:x}", digest.finalize())[..32].to_owned()
}

/// What a route is told of a finding. `id` is the finding's id and serves as the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    pub id: String,
    pub tenant: String,
    pub severity: Severity,
    pub rule_id: String,
    pub title: String,
    pub actor: String,
    pub event_type: String,
    pub published: Timestamp,
}

impl Finding {
    pub fn notification(&self) -> Notification {
        Notification {
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            severity: self.matched.severity,
            rule_id: self.matched.rule_id.clone(),
            title: self.matched.title.clone(),
            actor: self.actor.clone(),
            event_type: self.event_type.clone(),
            published: self.published,
        }
    }
}
