//! Which events of one rule are one finding. They are those of the same values in the same part of the day (UTC), so that it
//! depends on nothing but the events themselves: not on their order, not on which came before, and not on what is remembered.
//! A rule says it with a key of its own. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::OktaEvent;
use super::correlation::{SEPARATOR, text};

const KEY: &str = "one_finding";
const HOUR: i64 = 3_600_000;

/// What makes two events of a rule one finding.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// The fields that are equal. One that is missing is equal where it is missing too.
    #[serde(default = "default_per")]
    per: Vec<String>,
    /// Into parts of so many hours a day is divided.
    #[serde(default = "default_hours")]
    hours: i64,
}

fn default_per() -> Vec<String> {
    vec!["actor.id".to_owned(), "target.id".to_owned()]
}

fn default_hours() -> i64 {
    24
}

impl Default for Grouping {
    fn default() -> Self {
        Self {
            per: default_per(),
            hours: default_hours(),
        }
    }
}

impl Grouping {
    /// What a rule's own keys say; why it cannot be used, with the key.
    pub fn read<T: Serialize>(attributes: &HashMap<String, T>) -> Result<Self, (&'static str, String)> {
        let Some(written) = attributes.get(KEY) else {
            return Ok(Self::default());
        };
        let failed = |why: String| (KEY, format!("`{KEY}`: {why}"));
        let value = serde_json::to_value(written).map_err(|error| failed(error.to_string()))?;
        let read: Self = serde_json::from_value(value).map_err(|error| failed(error.to_string()))?;
        if !(1..=24).contains(&read.hours) || 24 % read.hours != 0 {
            return Err(failed("`hours` is 1, 2, 3, 4, 6, 8, 12 or 24".to_owned()));
        }
        Ok(read)
    }

    /// What the finding of an event is known by. `at` is in milliseconds since 1970.
    pub fn identity(&self, event: &OktaEvent<'_>, at: i64) -> String {
        let part = at.div_euclid(self.hours * HOUR);
        let values = self.per.iter().map(|field| text(event, field).unwrap_or_default());
        let values: Vec<String> = values.collect();
        format!("{}{SEPARATOR}{part}", values.join(SEPARATOR))
    }
}
