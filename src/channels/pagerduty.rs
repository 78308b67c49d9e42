//! `PagerDuty`: Events API v2. What has the same key is one incident there. Source: `PagerDuty`'s description of the API.

use serde_json::json;

use crate::channels::clip;
use crate::channels::http::Request;
use crate::model::finding::Severity;
use crate::model::notification::Alert;

const ADDRESS: &str = "https://events.pagerduty.com/v2/enqueue";
/// The longest summary.
const SUMMARY: usize = 1_024;
/// An event takes 512 KB.
const MOST_DETAILS: usize = 20;

pub fn request(alert: &Alert, address: Option<&str>, routing_key: &str) -> Request {
    let first = alert.notifications.first();
    let severity = match alert.severity() {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    };
    let event = json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": alert.key,
        "payload": {
            "summary": clip(&alert.headline(), SUMMARY),
            "source": format!("okta/{}", alert.tenant),
            "severity": severity,
            "timestamp": first.map(|one| one.last_seen.to_string()),
            "component": first.map(|one| one.event_type.as_str()),
            "group": alert.tenant,
            "class": first.map(|one| one.rule_id.as_str()),
            "custom_details": {"findings": alert.notifications.iter().take(MOST_DETAILS).collect::<Vec<_>>()},
        },
    });
    Request::post(address.unwrap_or(ADDRESS), &event).keeps(routing_key)
}
