//! `ServiceNow`: an incident a message, known by its correlation ID, so that a message that comes twice makes one. Source:
//! `ServiceNow`'s Table API.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::channels::http::Request;
use crate::channels::{clip, password};
use crate::model::finding::Severity;
use crate::model::notification::Alert;

/// The longest short description.
const SUMMARY: usize = 160;
const TABLE: &str = "/api/now/table/incident";

/// Asks for the incident of a message.
pub fn search(alert: &Alert, endpoint: &str, credentials: &str) -> Request {
    let address = format!(
        "{}{TABLE}?sysparm_query=correlation_id%3D{}&sysparm_limit=1&sysparm_fields=sys_id",
        endpoint.trim_end_matches('/'),
        alert.key
    );
    signed(Request::get(address), credentials)
}

pub fn create(alert: &Alert, endpoint: &str, credentials: &str) -> Request {
    // 1 is high, 2 medium, 3 low.
    let urgency = match alert.severity() {
        Severity::Critical | Severity::High => "1",
        Severity::Medium => "2",
        Severity::Low | Severity::Informational => "3",
    };
    let incident = json!({
        "short_description": clip(&alert.headline(), SUMMARY),
        "description": alert.text(),
        "correlation_id": alert.key,
        "correlation_display": "Oort",
        "urgency": urgency,
        "impact": urgency,
    });
    let address = format!("{}{TABLE}", endpoint.trim_end_matches('/'));
    signed(Request::post(address, &incident), credentials)
}

fn signed(request: Request, credentials: &str) -> Request {
    let basic = BASE64_STANDARD.encode(credentials);
    request
        .header("authorization", format!("Basic {basic}"))
        .header("accept", "application/json")
        .keeps(basic)
        .keeps(password(credentials))
}
