//! What a run of a task did, as it is kept for those who ask later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Done,
    /// What failed is kept and tried again by the next.
    PartlyFailed,
    Failed,
}

/// One run of a task of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Run {
    /// Unique among all runs.
    pub id: String,
    /// The verb, as in `detect`.
    pub role: String,
    pub began: Timestamp,
    pub ended: Timestamp,
    pub state: Ended,
    /// What went in and what came out, by what is counted.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Why it failed, with causes, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Every number of a report that is above zero, by its name; those of a part of it by both names, as in `gaps.filled`.
pub fn counts(report: &Value) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    collect("", report, &mut counts);
    counts
}

fn collect(before: &str, value: &Value, counts: &mut BTreeMap<String, u64>) {
    let Some(fields) = value.as_object() else { return };
    for (name, value) in fields {
        let name = if before.is_empty() {
            name.clone()
        } else {
            format!("{before}.{name}")
        };
        match value.as_u64() {
            Some(0) => {}
            Some(count) => drop(counts.insert(name, count)),
            None => collect(&name, value, counts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_counted_by_name() {
        let report =
            json!({"landed": 3, "set_aside": 0, "ok": true, "gaps": {"filled": 2, "left": 0}, "new": {"a.b": 1}});
        let counted: Vec<(String, u64)> = counts(&report).into_iter().collect();
        assert_eq!(
            counted,
            [("gaps.filled", 2), ("landed", 3), ("new.a.b", 1)].map(|(name, count)| (name.to_owned(), count))
        );
    }
}
