use insta::assert_snapshot;
use serde_json::json;

use super::*;
use crate::model::finding::Severity;
use crate::model::notification::Notification;

fn notification(id: &str) -> Notification {
    let at: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    Notification {
        id: id.to_owned(),
        finding_id: id.to_owned(),
        tenant: "acme".to_owned(),
        severity: Severity::High,
        rule_id: "0b1c2d3e-0000-4000-8000-000000000001".to_owned(),
        title: "Password spray".to_owned(),
        tags: vec!["attack.t1110.003".to_owned()],
        actor: "ann@example.com".to_owned(),
        who: Vec::new(),
        entity: "198.51.100.7".to_owned(),
        event_type: "user.session.start".to_owned(),
        published: at,
        first_seen: at,
        last_seen: "2026-11-23T10:20:00Z".parse().unwrap(),
        count: 12,
        evidence: vec![
            ("client.ipAddress".to_owned(), json!("198.51.100.7")),
            // What a stranger may write into an event.
            (
                "client.userAgent".to_owned(),
                json!("<!channel> [free](https://evil.example) *x* & \"y\""),
            ),
        ],
        description: "One address\ntried many users.".to_owned(),
        response: vec![
            "Block the address".to_owned(),
            "Look who signed in: reset them".to_owned(),
        ],
    }
}

/// One message for one finding, and one for three.
fn alerts() -> [Alert; 2] {
    let lesser = Notification {
        severity: Severity::Low,
        ..notification("f2")
    };
    let graver = Notification {
        severity: Severity::Critical,
        ..notification("f3")
    };
    let many = Alert::several("bundle".to_owned(), vec![lesser, notification("f1"), graver]).unwrap();
    [Alert::single(notification("f1")), many]
}

/// A request as a receiver sees it.
fn shown(request: &Request) -> String {
    let body: serde_json::Value = request
        .body
        .as_deref()
        .map_or(json!(null), |body| serde_json::from_str(body).unwrap());
    let headers: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}: {value}
"
            )
        })
        .collect();
    let headers = headers.concat();
    format!("{} {}\n{headers}\n{body:#}\n", request.method, request.url)
}

#[test]
fn every_receiver_is_told_in_its_own_words() {
    let now: Timestamp = "2026-11-23T11:00:00Z".parse().unwrap();
    for (name, alert) in ["one", "many"].into_iter().zip(alerts()) {
        let site = jira::Site {
            endpoint: "https://acme.atlassian.example/",
            project: "SEC",
            issue_type: "Task",
            credentials: "bot@acme.example:token",
        };
        let requests = [
            ("slack", slack::request(&alert, "https://hooks.slack.example/T/B/x")),
            ("teams", teams::request(&alert, "https://flow.example/sig")),
            (
                "webhook",
                webhook::request(&alert, "https://siem.example/in", "whsec_c2VjcmV0", now),
            ),
            ("pagerduty", pagerduty::request(&alert, None, "key")),
            ("jira-search", site.search(&alert)),
            ("jira", site.create(&alert)),
            (
                "servicenow-search",
                servicenow::search(&alert, "https://acme.service-now.example", "u:p"),
            ),
            (
                "servicenow",
                servicenow::create(&alert, "https://acme.service-now.example", "u:p"),
            ),
        ];
        for (receiver, request) in requests {
            assert_snapshot!(format!("{receiver}-{name}"), shown(&request));
        }
    }
}

#[test]
fn a_message_of_very_many_findings_is_no_longer_than_a_receiver_takes() {
    let many = (0..5_000).map(|number| notification(&format!("f{number}"))).collect();
    let alert = Alert::several("bundle".to_owned(), many).unwrap();
    let body = |request: Request| request.body.unwrap();
    let slack: serde_json::Value = serde_json::from_str(&body(slack::request(&alert, "https://x.example"))).unwrap();
    assert!(slack["blocks"].as_array().unwrap().len() <= 50);
    assert!(body(teams::request(&alert, "https://x.example")).len() < 28_000);
    assert!(body(pagerduty::request(&alert, None, "key")).len() < 512_000);
    let long = Notification {
        description: "é".repeat(50_000),
        evidence: (0..50)
            .map(|number| (format!("field{number}"), json!("v".repeat(1_000))))
            .collect(),
        response: vec!["s".repeat(9_000); 30],
        title: "t".repeat(2_000),
        ..notification("f1")
    };
    let alert = Alert::single(long);
    let slack: serde_json::Value = serde_json::from_str(&body(slack::request(&alert, "https://x.example"))).unwrap();
    for block in slack["blocks"].as_array().unwrap() {
        let text = block["text"]["text"].as_str().unwrap_or_default();
        let most = if block["type"] == "header" { 150 } else { 3_000 };
        assert!(text.chars().count() <= most, "{}", block["type"]);
        assert!(block["fields"].as_array().is_none_or(|fields| fields.len() <= 10));
    }
    assert!(body(teams::request(&alert, "https://x.example")).len() < 28_000);
    assert!(body(pagerduty::request(&alert, None, "key")).len() < 512_000);
}
