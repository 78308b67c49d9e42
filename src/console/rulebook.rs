//! The rules as a tenant runs them, for who reads about them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::notification::Advice;
use crate::runtime::detect::About;

/// A rule, where it stands, and what shows that it works.
#[derive(Debug, Clone)]
pub struct Entry {
    pub about: About,
    /// The whole file.
    pub source: String,
    /// What stands beside it: the events that it must find, and those that it must leave alone.
    pub examples: Vec<Example>,
    /// As in `always`, or `never`.
    pub told: String,
}

/// Events by which a rule is tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Example {
    pub must_match: bool,
    /// One event, or a list of them as they came, as JSON.
    pub events: String,
}

impl Entry {
    /// `event`, or what of several events it looks at.
    pub fn kind(&self) -> &'static str {
        if self.source.contains("\ncorrelation:") {
            "correlation"
        } else if ["first_seen", "returns_after", "impossible_travel"]
            .iter()
            .any(|habit| self.source.contains(habit))
        {
            "habit"
        } else {
            "event"
        }
    }
}

/// Every rule of a tenant.
pub struct Rulebook {
    pub entries: Vec<Entry>,
    advice: BTreeMap<String, Advice>,
}

impl Rulebook {
    pub fn new(entries: Vec<Entry>, advice: BTreeMap<String, Advice>) -> Self {
        Self { entries, advice }
    }

    pub fn find(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.about.id == id)
    }

    pub fn advice(&self, id: &str) -> Advice {
        self.advice.get(id).cloned().unwrap_or_default()
    }
}

/// The examples of a rule's `<rule>.events.json`; none where it cannot be read, which `oort rules test` tells.
pub fn examples(text: &str) -> Vec<Example> {
    #[derive(serde::Deserialize)]
    struct File<'a> {
        #[serde(borrow, rename = "match")]
        matching: Vec<&'a RawValue>,
        #[serde(borrow, rename = "no_match")]
        others: Vec<&'a RawValue>,
    }
    let Ok(file) = serde_json::from_str::<File<'_>>(text) else {
        return Vec::new();
    };
    let of = |must_match: bool| {
        move |event: &RawValue| {
            let value: serde_json::Value = serde_json::from_str(event.get()).unwrap_or_default();
            Example {
                must_match,
                events: serde_json::to_string_pretty(&value).unwrap_or_else(|_| event.get().to_owned()),
            }
        }
    };
    let matching = file.matching.into_iter().map(of(true));
    matching.chain(file.others.into_iter().map(of(false))).collect()
}
