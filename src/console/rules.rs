//! Rules: what is looked for, what shows that it works, and how often it fired.

use futures::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::console::index::Index;
use crate::console::problem::Problem;
use crate::console::rulebook::{Entry, Example};
use crate::console::view;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::model::finding::Severity;

/// A rule in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Line {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    /// `event`, `correlation` or `habit`.
    pub kind: &'static str,
    pub techniques: Vec<String>,
    /// Of whose findings somebody is told: `always`, `never`, or as the tenant's file says.
    pub told: String,
    /// Findings of the last 30 days.
    pub fired: u64,
    pub last_fired: Option<Timestamp>,
}

/// All of a rule.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Whole {
    #[serde(flatten)]
    pub line: Line,
    pub description: String,
    pub false_positives: Vec<String>,
    pub response: Vec<String>,
    pub references: Vec<String>,
    pub file: String,
    /// The whole file.
    pub source: String,
    pub examples: Vec<Example>,
}

fn line(entry: &Entry, index: &Index, now: Timestamp) -> Line {
    let fired = index.fired(now).get(entry.about.id.as_str()).copied();
    Line {
        id: entry.about.id.clone(),
        title: entry.about.title.clone(),
        severity: entry.about.severity,
        kind: entry.kind(),
        techniques: entry.about.techniques().into_iter().collect(),
        told: entry.told.clone(),
        fired: fired.map_or(0, |(count, _)| count),
        last_fired: fired.map(|(_, last)| last),
    }
}

async fn lines(visit: &Visit) -> Result<Vec<Line>, Problem> {
    let (desk, now) = (visit.desk()?, visit.console.now());
    let index = desk.findings(now).await?;
    let words: Vec<String> = visit.asked("q").split_whitespace().map(str::to_lowercase).collect();
    let is_found = |entry: &&Entry| {
        let about = &entry.about;
        let text = format!("{} {} {}", about.title, about.id, about.tags.join(" ")).to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    };
    let entries = desk.rules.entries.iter().filter(is_found);
    let mut lines: Vec<Line> = entries.map(|entry| line(entry, &index, now)).collect();
    lines.sort_by(|a, b| {
        b.fired
            .cmp(&a.fired)
            .then(b.severity.cmp(&a.severity))
            .then_with(|| a.title.cmp(&b.title))
    });
    Ok(lines)
}

async fn whole(visit: &Visit) -> Result<Whole, Problem> {
    let (desk, now) = (visit.desk()?, visit.console.now());
    let entry = desk
        .rules
        .find(visit.param("rule"))
        .ok_or_else(|| Problem::not_found("rule"))?;
    let index = desk.findings(now).await?;
    let about = &entry.about;
    Ok(Whole {
        line: line(entry, &index, now),
        description: about.description.clone(),
        false_positives: about.false_positives.clone(),
        response: about.response.clone(),
        references: about.references.clone(),
        file: about.path.clone(),
        source: entry.source.clone(),
        examples: entry.examples.clone(),
    })
}

pub fn api_list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&lines(&visit).await?) })
}

pub fn api_rule(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&whole(&visit).await?) })
}

pub fn list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let tenant = visit.desk()?.tenant.to_string();
        let row = |line: Line| {
            let href = view::href(&tenant, &format!("rules/{}", view::encoded(&line.id)));
            json!({
                "href": href, "id": line.id, "title": line.title, "severity": line.severity, "kind": line.kind,
                "techniques": line.techniques, "fired": line.fired, "told": line.told,
            })
        };
        let rules: Vec<_> = lines(&visit).await?.into_iter().map(row).collect();
        let content = json!({ "rules": rules, "q": visit.asked("q") });
        view::page(&visit, ("rules", "Rules"), "rules.html", &content)
    })
}

pub fn page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let whole = whole(&visit).await?;
        let tenant = visit.desk()?.tenant.to_string();
        let line = &whole.line;
        let technique = |id: &String| {
            // Source: the addresses of MITRE ATT&CK's techniques.
            json!({ "id": id, "href": format!("https://attack.mitre.org/techniques/{}/", id.replace('.', "/")) })
        };
        let test = |(place, example): (usize, &Example)| {
            json!({
                "name": format!("Example {}", place + 1),
                "expected": if example.must_match { "matches" } else { "does not match" },
                "json": example.events,
            })
        };
        let content = json!({
            "rule": json!({
                "id": line.id,
                "title": line.title,
                "severity": line.severity,
                "kind": line.kind,
                "description": whole.description,
                "techniques": line.techniques.iter().map(technique).collect::<Vec<_>>(),
                "false_positives": whole.false_positives,
                "response": whole.response,
                "source": whole.source,
                "file": whole.file,
                "fired": line.fired,
                "last_fired": line.last_fired,
            }),
            "tests": whole.examples.iter().enumerate().map(test).collect::<Vec<_>>(),
            "findings_href": view::with_query(&view::href(&tenant, "findings"), &[("rule", &line.id)]),
        });
        view::page(&visit, ("rules", &line.title), "rule.html", &content)
    })
}
