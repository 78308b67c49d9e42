//! Slack: an incoming webhook with Block Kit. Source: Slack's reference of blocks and of incoming webhooks.

use serde_json::{Value, json};

use crate::channels::clip;
use crate::channels::http::Request;
use crate::model::notification::{Alert, Notification, plain};
use crate::model::shown::printable;

/// The longest header, section, and field; and the most fields that a section takes.
const HEADER: usize = 150;
const SECTION: usize = 3_000;
const FIELD: usize = 2_000;
const FIELDS: usize = 10;
/// A message takes 50 blocks.
const MOST_LINES: usize = 40;

pub fn request(alert: &Alert, address: &str) -> Request {
    let blocks = match alert.notifications.as_slice() {
        [one] => of_one(one),
        many => of_many(alert, many),
    };
    let text = clip(&escaped(&alert.headline()), SECTION);
    Request::post(address, &json!({"text": text, "blocks": blocks})).keeps_address()
}

fn of_one(one: &Notification) -> Vec<Value> {
    let mut facts = vec![
        ("Tenant", one.tenant.clone()),
        ("Severity", one.severity.as_str().to_owned()),
        ("First seen", one.first_seen.to_string()),
        ("Events", one.count.to_string()),
        ("Event type", one.event_type.clone()),
    ];
    if !one.actor.is_empty() {
        facts.push(("Actor", one.actor.clone()));
    }
    let evidence = one.evidence.iter().map(|(name, value)| (name.as_str(), plain(value)));
    facts.extend(evidence.filter(|(_, value)| !value.is_empty()));
    let field =
        |(name, value): &(&str, String)| mrkdwn(&format!("*{}*\n{}", escaped(name), escaped(&printable(value))), FIELD);
    let mut blocks = vec![header(&one.headline())];
    if !one.description.is_empty() {
        blocks.push(section(&escaped(&one.description)));
    }
    for part in facts.chunks(FIELDS).take(2) {
        blocks.push(json!({"type": "section", "fields": part.iter().map(field).collect::<Vec<_>>()}));
    }
    if !one.response.is_empty() {
        let steps = one.response.iter().enumerate();
        let steps: Vec<String> = steps
            .map(|(index, step)| format!("{}. {}", index + 1, escaped(step)))
            .collect();
        blocks.push(section(&format!("*What to do*\n{}", steps.join("\n"))));
    }
    blocks.push(json!({"type": "context", "elements": [mrkdwn(&escaped(&one.footer()), FIELD)]}));
    blocks
}

fn of_many(alert: &Alert, many: &[Notification]) -> Vec<Value> {
    let mut blocks = vec![header(&alert.headline())];
    blocks.extend(
        many.iter()
            .take(MOST_LINES)
            .map(|one| section(&escaped(&one.headline()))),
    );
    if many.len() > MOST_LINES {
        blocks.push(section(&format!("and {} more", many.len() - MOST_LINES)));
    }
    blocks
}

fn header(text: &str) -> Value {
    json!({"type": "header", "text": {"type": "plain_text", "text": clip(text, HEADER), "emoji": false}})
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text, SECTION)})
}

fn mrkdwn(text: &str, most: usize) -> Value {
    json!({"type": "mrkdwn", "text": clip(text, most), "verbatim": true})
}

/// Without what Slack takes for a link, a mention or a channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
