//! What must be true for a tenant's events to come, and how it stands.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Passed,
    Failed,
    /// It could not be learned.
    Unknown,
}

/// A prerequisite and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Line {
    pub id: &'static str,
    pub title: &'static str,
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do; empty where it holds.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to_do: String,
}
