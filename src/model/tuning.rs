//! What a tenant has otherwise than the rules' files say, as its files name it and as its task definition carries it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::model::finding::Severity;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tuning {
    /// One a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleTuning>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
}

/// What is otherwise for one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleTuning {
    /// The rule's id, or its file's name without the ending.
    pub rule: String,
    /// Whether anybody is told of it. One that is switched off goes on learning, and being counted by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    #[serde(flatten)]
    pub thresholds: Thresholds,
}

/// Numbers that a rule is made of; those that it has no use for are told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Of a correlation: how many events or values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Of a correlation: within how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// Of `first_seen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_days: Option<u32>,
    /// Of `first_seen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_days: Option<u32>,
    /// Of `returns_after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_days: Option<u32>,
    /// Of `impossible_travel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kmh: Option<u32>,
    /// Of `impossible_travel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_km: Option<u32>,
}

/// Events that a rule's findings are kept of, and nobody is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// The rule's id, or its file's name without the ending.
    pub rule: String,
    /// A field of the event, as in `actor.alternateId`.
    pub field: String,
    /// One of these, in any letter case, or a network that holds the field's address.
    pub values: Vec<String>,
    /// The last day, by the event's own time (UTC).
    pub until: Date,
    pub reason: String,
}

impl Tuning {
    /// Whether anybody is told of what a rule finds: `always` or `never`. A rule is known by its id, or by its file's name
    /// without the ending.
    pub fn told(&self, id: &str, stem: &str) -> &'static str {
        let own = self.rules.iter().find(|rule| rule.rule == id || rule.rule == stem);
        match own.and_then(|rule| rule.enabled) {
            Some(false) => "never",
            _ => "always",
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.exceptions.is_empty()
    }

    /// The names of rules that are spoken of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().map(|rule| rule.rule.as_str());
        rules.chain(self.exceptions.iter().map(|exception| exception.rule.as_str()))
    }
}

impl RuleTuning {
    /// This, over what the layer below says of the same rule.
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        let (own, under) = (self.thresholds, below.thresholds);
        Self {
            rule: self.rule,
            enabled: self.enabled.or(below.enabled),
            severity: self.severity.or(below.severity),
            thresholds: Thresholds {
                count: own.count.or(under.count),
                minutes: own.minutes.or(under.minutes),
                learning_days: own.learning_days.or(under.learning_days),
                memory_days: own.memory_days.or(under.memory_days),
                away_days: own.away_days.or(under.away_days),
                kmh: own.kmh.or(under.kmh),
                least_km: own.least_km.or(under.least_km),
            },
        }
    }
}
