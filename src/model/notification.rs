//! What is told of findings: the words of one notification, and the messages that carry them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::directory::Person;
use crate::model::finding::{Finding, Severity};
use crate::model::shown::printable;

/// What a route is told of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The idempotency key: [`Finding::telling`].
    pub id: String,
    pub finding_id: String,
    pub tenant: String,
    pub severity: Severity,
    pub rule_id: String,
    pub title: String,
    /// Sigma tags, such as `attack.t1078.004`.
    pub tags: Vec<String>,
    pub actor: String,
    /// The users whom the event names, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
    /// Whose events they are, as the rule groups them.
    pub entity: String,
    pub event_type: String,
    /// Of the event with which it was found.
    pub published: Timestamp,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Events so far.
    pub count: u64,
    /// The fields that made the rule match, each with the event's value.
    pub evidence: Vec<(String, serde_json::Value)>,
    /// What the rule means.
    pub description: String,
    /// What to do next, in order.
    pub response: Vec<String>,
}

/// Receivers take messages of some length only; a finding has all of it.
const MOST_FIELDS: usize = 50;
const MOST_LETTERS: usize = 1_000;

fn clipped((name, value): &(String, serde_json::Value)) -> (String, serde_json::Value) {
    let text = plain(value);
    let value = match text.char_indices().nth(MOST_LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => value.clone(),
    };
    (name.clone(), value)
}

/// What a rule adds to a notification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advice {
    pub description: String,
    pub response: Vec<String>,
}

impl Notification {
    pub fn of(finding: &Finding, advice: Advice) -> Self {
        let episode = finding.episode.as_ref();
        Self {
            id: finding.telling(),
            finding_id: finding.id.clone(),
            tenant: finding.tenant.clone(),
            severity: finding.matched.severity,
            rule_id: finding.matched.rule_id.clone(),
            title: finding.matched.title.clone(),
            tags: finding.matched.tags.clone(),
            actor: finding.actor.clone(),
            who: finding.who.iter().map(Person::line).collect(),
            entity: episode.map_or(&finding.actor, |episode| &episode.entity).clone(),
            event_type: finding.event_type.clone(),
            published: finding.published,
            first_seen: episode.map_or(finding.published, |episode| episode.first_seen),
            last_seen: episode.map_or(finding.published, |episode| episode.last_seen),
            count: episode.map_or(1, |episode| episode.count),
            evidence: finding.matched.fields.iter().take(MOST_FIELDS).map(clipped).collect(),
            description: advice.description,
            response: advice.response,
        }
    }

    /// One line, as in `[high] Password spray: 198.51.100.7 (12 events)`.
    pub fn headline(&self) -> String {
        let whom = if self.entity.is_empty() {
            String::new()
        } else {
            format!(": {}", printable(&self.entity))
        };
        let count = match self.count {
            0 | 1 => String::new(),
            count => format!(" ({count} events)"),
        };
        format!("[{}] {}{whom}{count}", self.severity.as_str(), self.title)
    }

    /// Everything that a person needs to begin, as lines of plain text. What an event says begins no line of its own.
    pub fn text(&self) -> String {
        let mut lines = vec![self.headline(), format!("Tenant: {}", self.tenant)];
        lines.push(if self.first_seen == self.last_seen {
            format!("Seen: {}", self.first_seen)
        } else {
            format!("Seen: {} to {}", self.first_seen, self.last_seen)
        });
        if !self.actor.is_empty() && self.actor != self.entity {
            lines.push(format!("Actor: {}", printable(&self.actor)));
        }
        lines.extend(self.who.iter().map(|who| format!("Who: {}", printable(who))));
        lines.push(format!("Event: {}", printable(&self.event_type)));
        for (field, value) in &self.evidence {
            lines.push(format!("{field}: {}", printable(&plain(value))));
        }
        if !self.description.is_empty() {
            lines.extend([
                String::new(),
                self.description.split_whitespace().collect::<Vec<_>>().join(" "),
            ]);
        }
        if !self.response.is_empty() {
            lines.extend([String::new(), "What to do:".to_owned()]);
            let steps = self.response.iter().enumerate();
            lines.extend(steps.map(|(index, step)| format!("{}. {step}", index + 1)));
        }
        lines.extend([String::new(), self.footer()]);
        lines.join("\n")
    }

    /// Where to read on.
    pub fn footer(&self) -> String {
        format!(
            "Finding {}: oort findings show {0} --tenant {}",
            self.finding_id, self.tenant
        )
    }
}

/// A value without the quotes of JSON.
pub fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// One message to one route: of one finding, or of several at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The idempotency key: the same for every attempt to deliver the same message.
    pub key: String,
    pub tenant: String,
    /// At least one, the gravest first.
    pub notifications: Vec<Notification>,
}

impl Alert {
    /// A message of its own for one finding.
    pub fn single(notification: Notification) -> Self {
        Self {
            key: notification.id.clone(),
            tenant: notification.tenant.clone(),
            notifications: vec![notification],
        }
    }

    /// One message for several findings, under a key that was settled before; `None` for no finding.
    pub fn several(key: String, mut notifications: Vec<Notification>) -> Option<Self> {
        notifications.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.id.cmp(&b.id)));
        Some(Self {
            key,
            tenant: notifications.first()?.tenant.clone(),
            notifications,
        })
    }

    /// The key of a message that tells a route of these.
    pub fn key_of<'a>(route: &str, ids: impl Iterator<Item = &'a str>) -> String {
        let mut digest = Sha256::new();
        digest.update(route.as_bytes());
        for id in ids {
            digest.update([0]);
            digest.update(id.as_bytes());
        }
        format!("{:x}", digest.finalize())[..32].to_owned()
    }

    /// Of the gravest finding.
    pub fn severity(&self) -> Severity {
        let severities = self.notifications.iter().map(|notification| notification.severity);
        severities.max().unwrap_or(Severity::Informational)
    }

    /// One line.
    pub fn headline(&self) -> String {
        match self.notifications.as_slice() {
            [one] => one.headline(),
            many => format!(
                "[{}] {} findings of tenant {}",
                self.severity().as_str(),
                many.len(),
                self.tenant
            ),
        }
    }

    /// The whole message as lines of plain text.
    pub fn text(&self) -> String {
        match self.notifications.as_slice() {
            [one] => one.text(),
            many => {
                let mut lines = vec![self.headline(), String::new()];
                lines.extend(many.iter().map(Notification::headline));
                lines.extend([
                    String::new(),
                    format!("Read on: oort findings --tenant {}", self.tenant),
                ]);
                lines.join("\n")
            }
        }
    }
}
