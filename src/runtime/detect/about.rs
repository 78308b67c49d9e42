//! What a rule says of itself to people: its meaning, and what to do when it fires. Pure.

use std::collections::{BTreeSet, HashMap};

use rsigma_parser::{CorrelationRule, Detection, DetectionItem, Level, SigmaRule, SigmaValue, Status};
use serde::Serialize;

use super::severity;
use crate::model::finding::Severity;

/// A key that Sigma leaves to its users: what to do next, as a list.
const RESPONSE: &str = "response";

/// A rule, for whoever decides about it or has to act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct About {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    /// As in `test`; absent when the file names none.
    pub status: Option<&'static str>,
    pub description: String,
    pub tags: Vec<String>,
    pub false_positives: Vec<String>,
    /// What to do when it fires, in order.
    pub response: Vec<String>,
    pub references: Vec<String>,
    /// The event types that it asks for by name.
    pub event_types: BTreeSet<String>,
    pub path: String,
    /// Of the rule in its file, from 1.
    pub line: usize,
}

impl About {
    pub fn of(rule: &SigmaRule, path: &str, line: usize) -> Self {
        Self {
            id: rule.id.clone().unwrap_or_default(),
            title: rule.title.clone(),
            severity: severity(rule.level.unwrap_or(Level::Medium)),
            status: rule.status.map(status),
            description: rule.description.clone().unwrap_or_default().trim().to_owned(),
            tags: rule.tags.clone(),
            false_positives: rule.falsepositives.clone(),
            response: response(&rule.custom_attributes),
            references: rule.references.clone(),
            event_types: rule.detection.named.values().flat_map(event_types).collect(),
            path: path.to_owned(),
            line,
        }
    }

    pub fn of_correlation(rule: &CorrelationRule, path: &str, line: usize) -> Self {
        Self {
            id: rule.id.clone().unwrap_or_default(),
            title: rule.title.clone(),
            severity: severity(rule.level.unwrap_or(Level::Medium)),
            status: rule.status.map(status),
            description: rule.description.clone().unwrap_or_default().trim().to_owned(),
            tags: rule.tags.clone(),
            false_positives: rule.falsepositives.clone(),
            response: response(&rule.custom_attributes),
            references: rule.references.clone(),
            event_types: BTreeSet::new(),
            path: path.to_owned(),
            line,
        }
    }

    /// Its file's name without folder and ending.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    /// MITRE ATT&CK techniques, as in `T1078.004`.
    pub fn techniques(&self) -> BTreeSet<String> {
        let of_attack = self.tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
        let techniques = of_attack.filter(|name| is_technique(name));
        techniques.map(str::to_ascii_uppercase).collect()
    }
}

/// `t`, four digits, and perhaps a dot and three more.
fn is_technique(name: &str) -> bool {
    let Some(number) = name.strip_prefix(['t', 'T']) else {
        return false;
    };
    let (main, sub) = number.split_once('.').unwrap_or((number, "000"));
    let is_number = |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(main, 4) && is_number(sub, 3)
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Stable => "stable",
        Status::Test => "test",
        Status::Experimental => "experimental",
        Status::Deprecated => "deprecated",
        Status::Unsupported => "unsupported",
    }
}

fn response<T: Serialize>(attributes: &HashMap<String, T>) -> Vec<String> {
    let written = attributes.get(RESPONSE);
    let Some(Ok(written)) = written.map(serde_json::to_value) else {
        return Vec::new();
    };
    match written {
        serde_json::Value::String(one) => vec![one],
        serde_json::Value::Array(all) => {
            let texts = all.iter().filter_map(serde_json::Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn event_types(detection: &Detection) -> Vec<String> {
    match detection {
        Detection::AllOf(items) => items.iter().flat_map(named_by).collect(),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().flat_map(event_types).collect(),
        Detection::ArrayMatch { body, .. } => event_types(body),
        Detection::Conditional { named, .. } => named.values().flat_map(event_types).collect(),
        Detection::Keywords(_) => Vec::new(),
    }
}

fn named_by(item: &DetectionItem) -> Vec<String> {
    let is_type = |name: &str| name.eq_ignore_ascii_case("eventType");
    if !item.field.name.as_deref().is_some_and(is_type) {
        return Vec::new();
    }
    let text = |value: &SigmaValue| match value {
        SigmaValue::String(text) => Some(text.original.clone()),
        _ => None,
    };
    item.values.iter().filter_map(text).collect()
}
