//! A log stream that says nothing. What is not sent matches no rule, so the analysis makes an event of the silence, which rules
//! are held against as against any other.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::model::finding::Finding;
use crate::runtime::analysis::found_in;
use crate::runtime::detect::{Memory, OktaEvent, RuleSet};

/// A shorter silence is none.
const LEAST: SignedDuration = SignedDuration::from_hours(1);

/// What the rules say of nothing having come since `heard`. The event has the time at which the silence began, so that each run
/// finds the same of one silence.
pub fn findings(tenant: &str, rules: &RuleSet, memory: &mut Memory, heard: Timestamp, now: Timestamp) -> Vec<Finding> {
    let silent = now.duration_since(heard);
    if silent < LEAST {
        return Vec::new();
    }
    let hours = silent.as_hours();
    let event = json!({
        "uuid": format!("silence-{}", heard.as_millisecond()),
        "published": heard.to_string(),
        "eventType": "oort.stream.silent",
        "version": "0",
        "severity": "WARN",
        "displayMessage": format!("No event for {hours} hours"),
        "actor": {"id": "oort", "type": "SystemPrincipal", "alternateId": "oort", "displayName": "Oort"},
        "outcome": {"result": "FAILURE"},
        "target": [],
        "oort": {"silentHours": hours, "lastHeard": heard.to_string()},
    })
    .to_string();
    found_in(tenant, rules, memory, &OktaEvent::new(event.as_bytes()), &event).unwrap_or_default()
}
