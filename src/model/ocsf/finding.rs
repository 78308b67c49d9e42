//! A finding: Detection Finding (2004).

use serde_json::{Value, json};

use super::{Class, VERSION, base, event, object, set};
use crate::model::finding::{Finding, Severity, Status};
use crate::model::notification::Advice;

const DETECTION: Class = Class {
    uid: 2004,
    name: "Detection Finding",
    category_uid: 2,
    category: "Findings",
};

/// A finding in OCSF, with what its rule adds. Its `finding_info.uid` is the finding's id, whatever became of it since.
pub fn finding(finding: &Finding, advice: &Advice) -> Value {
    let episode = finding.episode.as_ref();
    let (first, last) = seen(finding);
    let last_change = finding.history.last();
    let changed = last_change.map(|change| change.at.as_millisecond());
    let is_single = episode.is_none_or(|episode| episode.count <= 1);
    let activity = match finding.status {
        Status::Closed => (3, "Close"),
        _ if finding.history.is_empty() && is_single => (1, "Create"),
        _ => (2, "Update"),
    };
    let (severity_id, severity) = severity(finding.matched.severity);
    let (status_id, status) = status(finding.status);
    let mut map = base(DETECTION, activity, changed.unwrap_or(last));
    for (key, value) in [
        ("severity_id", json!(severity_id)),
        ("severity", json!(severity)),
        ("status_id", json!(status_id)),
        ("status", json!(status)),
        ("status_detail", json!(last_change.map(|change| &change.why))),
        (
            "comment",
            json!(last_change.map(|change| format!("{}: {}", change.by, change.why))),
        ),
        ("message", json!(finding.matched.title)),
        (
            "is_alert",
            json!(matches!(finding.status, Status::New | Status::Notified)),
        ),
        ("start_time", json!(first)),
        ("end_time", json!(last)),
        ("count", json!(episode.map_or(1, |episode| episode.count))),
        ("finding_info", info(finding, advice, changed)),
        ("evidences", evidences(&finding.event)),
    ] {
        set(&mut map, key, value);
    }
    set(
        &mut map,
        "metadata",
        json!({
            "version": VERSION,
            "uid": finding.id,
            "tenant_uid": finding.tenant,
            "product": {"name": "Oort Log Streams", "vendor_name": "Oort"},
        }),
    );
    let remediation = (!advice.response.is_empty()).then(|| json!({"desc": advice.response.join("\n")}));
    set(&mut map, "remediation", remediation);
    let resources = (!finding.actor.is_empty()).then(|| json!([{"name": finding.actor, "type": "User"}]));
    set(&mut map, "resources", resources);
    let fields = finding
        .matched
        .fields
        .iter()
        .cloned()
        .collect::<serde_json::Map<_, _>>();
    let entity = json!(episode.map(|episode| &episode.entity));
    set(
        &mut map,
        "unmapped",
        object([("matched", fields.into()), ("entity", entity)]),
    );
    Value::Object(map)
}

/// When its first and its last event happened, in milliseconds since 1970.
fn seen(finding: &Finding) -> (i64, i64) {
    let at = finding.published;
    let (first, last) = finding
        .episode
        .as_ref()
        .map_or((at, at), |episode| (episode.first_seen, episode.last_seen));
    (first.as_millisecond(), last.as_millisecond())
}

fn severity(severity: Severity) -> (u32, &'static str) {
    match severity {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

fn status(status: Status) -> (u32, &'static str) {
    match status {
        Status::New => (1, "New"),
        Status::Notified => (2, "In Progress"),
        Status::Muted => (3, "Suppressed"),
        Status::Closed => (4, "Resolved"),
    }
}

fn info(finding: &Finding, advice: &Advice, changed: Option<i64>) -> Value {
    let events: Vec<&str> = match &finding.episode {
        Some(episode) => episode.events.iter().map(String::as_str).collect(),
        None => vec![&finding.event_uuid],
    };
    let (first, last) = seen(finding);
    let mut info = json!({
        "uid": finding.id,
        "title": finding.matched.title,
        "types": finding.matched.tags,
        "created_time": finding.published.as_millisecond(),
        "first_seen_time": first,
        "last_seen_time": last,
        "analytic": {"uid": finding.matched.rule_id, "name": finding.matched.title, "type_id": 1, "type": "Rule"},
        "attacks": finding.matched.tags.iter().filter_map(|tag| attack(tag)).collect::<Vec<_>>(),
        "related_events": events.iter().map(|uid| json!({"uid": uid})).collect::<Vec<_>>(),
        "data_sources": ["Okta System Log"],
    });
    if !advice.description.is_empty() {
        info["desc"] = json!(advice.description);
    }
    if let Some(changed) = changed {
        info["modified_time"] = json!(changed);
    }
    info
}

/// `attack.t1078.004`; `None` for a tag that names no technique.
fn attack(tag: &str) -> Option<Value> {
    let name = tag.to_ascii_uppercase();
    let technique = name.strip_prefix("ATTACK.")?;
    let number = technique.strip_prefix('T')?;
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(match technique.split_once('.') {
        Some((main, _)) => json!({"technique": {"uid": main}, "sub_technique": {"uid": technique}}),
        None => json!({"technique": {"uid": technique}}),
    })
}

fn evidences(okta: &Value) -> Value {
    let mapped = event(okta);
    let part = |key: &str| mapped.get(key).cloned().unwrap_or_default();
    let evidence = object([
        ("actor", part("actor")),
        ("src_endpoint", part("src_endpoint")),
        ("user", part("user")),
        ("data", okta.clone()),
    ]);
    json!(evidence.into_iter().collect::<Vec<_>>())
}
