//! Jira: an issue a message, known by a label, so that a message that comes twice makes one. Source: Jira Cloud's REST API v3.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::channels::http::Request;
use crate::channels::{clip, password};
use crate::model::notification::Alert;

/// The longest summary, and the longest text that a description takes.
const SUMMARY: usize = 255;
const DESCRIPTION: usize = 30_000;

/// A project of a Jira site.
pub struct Site<'a> {
    /// As in `https://acme.atlassian.net`.
    pub endpoint: &'a str,
    pub project: &'a str,
    pub issue_type: &'a str,
    /// `login:api-token`.
    pub credentials: &'a str,
}

impl Site<'_> {
    /// Asks for the issue of a message.
    pub fn search(&self, alert: &Alert) -> Request {
        let jql = format!("project = \"{}\" AND labels = \"{}\"", self.project, label(alert));
        self.post(
            "/rest/api/3/search/jql",
            &json!({"jql": jql, "maxResults": 1, "fields": ["id"]}),
        )
    }

    pub fn create(&self, alert: &Alert) -> Request {
        let text = clip(&alert.text(), DESCRIPTION);
        let paragraphs: Vec<Value> = text.lines().map(paragraph).collect();
        let fields = json!({
            "project": {"key": self.project},
            "issuetype": {"name": self.issue_type},
            "summary": clip(&alert.headline(), SUMMARY),
            "labels": ["oort", label(alert)],
            "description": {"type": "doc", "version": 1, "content": paragraphs},
        });
        self.post("/rest/api/3/issue", &json!({"fields": fields}))
    }

    fn post(&self, path: &str, body: &Value) -> Request {
        let basic = BASE64_STANDARD.encode(self.credentials);
        Request::post(format!("{}{path}", self.endpoint.trim_end_matches('/')), body)
            .header("authorization", format!("Basic {basic}"))
            .keeps(basic)
            .keeps(password(self.credentials))
    }
}

fn label(alert: &Alert) -> String {
    format!("oort-{}", alert.key)
}

/// A text node cannot be empty.
fn paragraph(line: &str) -> Value {
    let text = (!line.is_empty()).then(|| json!({"type": "text", "text": line}));
    json!({"type": "paragraph", "content": text.into_iter().collect::<Vec<_>>()})
}
