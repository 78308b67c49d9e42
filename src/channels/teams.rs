//! Microsoft Teams: an Adaptive Card to a workflow's webhook. Source: Microsoft's reference of Adaptive Cards in workflows.

use serde_json::{Value, json};

use crate::channels::clip;
use crate::channels::http::Request;
use crate::model::finding::Severity;
use crate::model::notification::{Alert, Notification, plain};
use crate::model::shown::printable;

/// A message takes 28 KB.
const TEXT: usize = 1_000;
const STEP: usize = 400;
const VALUE: usize = 200;
const MOST_FACTS: usize = 12;
const MOST_STEPS: usize = 8;
const MOST_LINES: usize = 40;

pub fn request(alert: &Alert, address: &str) -> Request {
    let body = match alert.notifications.as_slice() {
        [one] => of_one(one),
        many => of_many(alert, many),
    };
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    });
    let message = json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    });
    Request::post(address, &message).keeps_address()
}

fn of_one(one: &Notification) -> Vec<Value> {
    let mut facts = vec![
        fact("Tenant", &one.tenant),
        fact("First seen", &one.first_seen.to_string()),
        fact("Events", &one.count.to_string()),
        fact("Event type", &one.event_type),
    ];
    if !one.actor.is_empty() {
        facts.push(fact("Actor", &one.actor));
    }
    facts.extend(one.evidence.iter().map(|(name, value)| fact(name, &plain(value))));
    facts.truncate(MOST_FACTS);
    let mut body = vec![title(&one.headline(), one.severity)];
    if !one.description.is_empty() {
        body.push(text(&one.description));
    }
    body.push(json!({"type": "FactSet", "facts": facts}));
    let steps = one.response.iter().take(MOST_STEPS).enumerate();
    body.extend(steps.map(|(index, step)| text(&clip(&format!("{}. {step}", index + 1), STEP))));
    body.push(text(&one.footer()));
    body
}

fn of_many(alert: &Alert, many: &[Notification]) -> Vec<Value> {
    let mut body = vec![title(&alert.headline(), alert.severity())];
    body.extend(
        many.iter()
            .take(MOST_LINES)
            .map(|one| text(&clip(&one.headline(), VALUE))),
    );
    if many.len() > MOST_LINES {
        body.push(text(&format!("and {} more", many.len() - MOST_LINES)));
    }
    body
}

fn title(headline: &str, severity: Severity) -> Value {
    let colour = match severity {
        Severity::Critical | Severity::High => "attention",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "default",
    };
    json!({
        "type": "TextBlock", "text": clip(&escaped(headline), VALUE), "weight": "bolder", "size": "medium", "wrap": true,
        "color": colour,
    })
}

fn text(text: &str) -> Value {
    json!({"type": "TextBlock", "text": clip(&escaped(text), TEXT), "wrap": true})
}

fn fact(name: &str, value: &str) -> Value {
    json!({"title": name, "value": clip(&escaped(value), VALUE)})
}

/// Without what a card takes for a link or for emphasis.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for letter in printable(&one_line).chars() {
        if matches!(letter, '\\' | '[' | ']' | '*' | '_' | '`' | '<' | '>') {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}
