//! What a detection found, and the notification that tells of it.
//!
//! Identities derive from their cause, so finding the same thing again changes nothing.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::directory::Person;
use crate::model::planted::{self, Mistake, is_planted};

/// How much a finding matters, in Sigma's own levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
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
    /// The event as it was received; of several, the one with which it was found.
    pub event: serde_json::Value,
    /// The events that it tells of. It grows as more of them come; findings of older builds tell of one event and have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<Episode>,
    /// The users whom the event names, as the directory knew them when the finding was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<Person>,
    #[serde(default)]
    pub status: Status,
    /// What became of it since it was found, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Change>,
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nobody was told of it yet.
    #[default]
    New,
    /// At least one route took its notification.
    Notified,
    /// Kept, and nobody is told of it, however it grows.
    Muted,
    /// Somebody looked into it. Events that come after that open it again.
    Closed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Notified => "notified",
            Self::Muted => "muted",
            Self::Closed => "closed",
        }
    }
}

/// Who changes findings where nobody does.
pub const OORT: &str = "oort";

/// One step in the life of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Change {
    pub at: Timestamp,
    pub to: Status,
    /// A person's name, or `oort`.
    pub by: String,
    pub why: String,
    /// Of a mute: when it ends. One without an end lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// The events that a finding names; its count goes no further where nothing else tells how many there were.
pub const MOST_EVENTS: usize = 1_000;

/// Events that are one finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Episode {
    /// Whose events they are, as the rule groups them; empty for the tenant's.
    pub entity: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub count: u64,
    /// The uuids of its events, of many the first that came.
    pub events: Vec<String>,
}

impl Episode {
    /// Takes in what another telling of the same finding knows; taking it in again changes nothing.
    pub fn merge(&mut self, other: &Self) {
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        let mut known: HashSet<&str> = self.events.iter().map(String::as_str).collect();
        let more = other.events.iter().filter(|event| known.insert(event.as_str()));
        let more: Vec<String> = more.cloned().collect();
        let room = MOST_EVENTS.saturating_sub(self.events.len());
        self.events.extend(more.into_iter().take(room));
        self.count = self.count.max(other.count).max(self.events.len() as u64);
    }
}

impl Finding {
    /// Takes in more of the same finding's events. One that was closed before the newest of them is opened again, and so is one
    /// whose mute has ended before.
    pub fn grow(&mut self, more: &Self) {
        let Some(episode) = &more.episode else { return };
        match &mut self.episode {
            Some(own) => own.merge(episode),
            None => self.episode = Some(episode.clone()),
        }
        let last = self.history.last().filter(|change| change.to == self.status);
        let quiet = match (self.status, last) {
            (Status::Closed, Some(closed)) => Some((closed.at, "it went on after it was closed")),
            (Status::Muted, Some(muted)) => muted.until.map(|until| (until, "it went on after its mute had ended")),
            _ => None,
        };
        if let Some((until, why)) = quiet
            // What is closed itself is history of what is closed already.
            && more.status != Status::Closed
            && episode.last_seen > until
        {
            self.change(Change {
                at: episode.last_seen,
                to: Status::New,
                by: OORT.to_owned(),
                why: why.to_owned(),
                until: None,
            });
        }
    }

    /// When its mute ends; `None` for one that lasts, and for what is not muted.
    pub fn muted_until(&self) -> Option<Timestamp> {
        let last = self.history.last().filter(|_| self.status == Status::Muted);
        last?.until
    }

    /// Where it stands at a time: a mute that has ended keeps nobody from looking, although nothing has come since. It is then as
    /// it was before.
    pub fn stands(&self, now: Timestamp) -> Status {
        match self.muted_until() {
            Some(until) if until <= now => {
                let mut before = self.history.iter().rev().map(|change| change.to);
                before.find(|to| *to != Status::Muted).unwrap_or_default()
            }
            _ => self.status,
        }
    }

    pub fn change(&mut self, change: Change) {
        self.status = change.to;
        self.history.push(change);
    }

    /// What one telling of it is known by: its id, and of one that was opened again how often, as in `…-1`.
    pub fn telling(&self) -> String {
        match self.reopened() {
            0 => self.id.clone(),
            times => format!("{}-{times}", self.id),
        }
    }

    /// Whether a run told of it last, and not a person who said that it goes on.
    pub fn was_told(&self) -> bool {
        let last = self.history.last();
        last.is_some_and(|change| change.to == Status::Notified && change.by == OORT)
    }

    /// How often it was opened again.
    pub fn reopened(&self) -> usize {
        self.history.iter().filter(|change| change.to == Status::New).count()
    }
}

/// The id of what `rule_id` found of `tenant`, known by `name`: the first 32 hex digits of a SHA-256 over the three.
pub fn finding_id(tenant: &str, rule_id: &str, name: &str) -> String {
    let mut digest = Sha256::new();
    if is_planted(Mistake::NondeterministicId) {
        digest.update(planted::another().to_be_bytes());
    }
    for part in [tenant, rule_id, name] {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    format!("{:x}", digest.finalize())[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn finding(last_seen: &str, events: &[&str]) -> Finding {
        serde_json::from_value(json!({
            "id": "f", "tenant": "acme", "rule_id": "r", "title": "t", "severity": "high", "tags": [], "fields": [],
            "published": "2026-11-01T00:00:00Z", "event_uuid": "a", "event_type": "e", "actor": "ann", "event": null,
            "episode": {"entity": "ann", "first_seen": "2026-11-01T00:00:00Z", "last_seen": last_seen, "count": events.len(), "events": events},
        }))
        .unwrap()
    }

    fn muted(until: Option<&str>) -> Finding {
        let mut finding = finding("2026-11-01T00:00:00Z", &["a"]);
        for (to, until) in [(Status::Notified, None), (Status::Muted, until)] {
            finding.change(Change {
                at: at("2026-11-02T00:00:00Z"),
                to,
                by: "ann".to_owned(),
                why: "known".to_owned(),
                until: until.map(at),
            });
        }
        finding
    }

    #[test]
    fn a_mute_ends_and_what_comes_after_it_opens_the_finding_again() {
        let until = at("2026-11-09T00:00:00Z");
        let quiet = muted(Some("2026-11-09T00:00:00Z"));
        assert_eq!(quiet.stands(at("2026-11-08T23:59:59Z")), Status::Muted);
        assert_eq!(quiet.stands(until), Status::Notified, "as it was before");
        for (last_seen, status) in [
            ("2026-11-08T00:00:00Z", Status::Muted),
            ("2026-11-09T00:00:01Z", Status::New),
        ] {
            let mut grown = quiet.clone();
            grown.grow(&finding(last_seen, &["a", "b"]));
            assert_eq!((grown.status, grown.episode.unwrap().count), (status, 2), "{last_seen}");
        }
        let mut for_ever = muted(None);
        for_ever.grow(&finding("2030-01-01T00:00:00Z", &["a", "b"]));
        assert_eq!(
            (for_ever.status, for_ever.stands(Timestamp::MAX)),
            (Status::Muted, Status::Muted)
        );
        let mut never_told = finding("2026-11-01T00:00:00Z", &["a"]);
        never_told.change(Change {
            at: at("2026-11-02T00:00:00Z"),
            to: Status::Muted,
            by: "ann".to_owned(),
            why: "known".to_owned(),
            until: Some(until),
        });
        assert_eq!(never_told.stands(until), Status::New);
    }
}
