//! Rules: what is looked for, what shows that it works, and how often it fired.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::console::export::{self, Format};
use crate::console::problem::Problem;
use crate::console::rulebook::{Entry, Example};
use crate::console::view;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::runtime::detect::About;

/// A rule in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Line {
    #[serde(flatten)]
    pub about: About,
    /// `event`, `correlation` or `habit`.
    pub kind: &'static str,
    /// MITRE ATT&CK techniques, as in `T1078.004`.
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
    /// The whole file.
    pub source: String,
    pub examples: Vec<Example>,
}

fn line(entry: &Entry, fired: &BTreeMap<&str, (u64, Timestamp)>) -> Line {
    let fired = fired.get(entry.about.id.as_str()).copied();
    Line {
        about: entry.about.clone(),
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
    let fired = index.fired(now);
    let mut lines: Vec<Line> = entries.map(|entry| line(entry, &fired)).collect();
    lines.sort_by(|a, b| {
        b.fired
            .cmp(&a.fired)
            .then(b.about.severity.cmp(&a.about.severity))
            .then_with(|| a.about.title.cmp(&b.about.title))
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
    Ok(Whole {
        line: line(entry, &index.fired(now)),
        source: entry.source.clone(),
        examples: entry.examples.clone(),
    })
}

pub fn download(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let format = Format::of(&visit);
        let columns = [
            "title",
            "severity",
            "kind",
            "techniques",
            "told",
            "fired",
            "last_fired",
            "path",
            "id",
        ];
        let rules = lines(&visit).await?;
        Ok(export::whole(
            &format!("{}-rules", visit.desk()?.tenant),
            format,
            &columns,
            rules,
        ))
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
            let href = view::href(&tenant, &format!("rules/{}", view::encoded(&line.about.id)));
            json!({
                "href": href, "id": line.about.id, "title": line.about.title, "severity": line.about.severity, "kind": line.kind,
                "techniques": line.techniques, "fired": line.fired, "told": line.told,
            })
        };
        let rules: Vec<_> = lines(&visit).await?.into_iter().map(row).collect();
        let href = view::href(&tenant, "rules");
        let download = |ending| view::with_query(&format!("{href}.{ending}"), &[("q", visit.asked("q"))]);
        let downloads = json!({ "csv": download("csv"), "jsonl": download("jsonl") });
        let content = json!({ "rules": rules, "q": visit.asked("q"), "downloads": downloads });
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
                "id": line.about.id,
                "title": line.about.title,
                "severity": line.about.severity,
                "kind": line.kind,
                "description": line.about.description,
                "techniques": line.techniques.iter().map(technique).collect::<Vec<_>>(),
                "false_positives": line.about.false_positives,
                "response": line.about.response,
                "source": whole.source,
                "file": line.about.path,
                "fired": line.fired,
                "last_fired": line.last_fired,
            }),
            "tests": whole.examples.iter().enumerate().map(test).collect::<Vec<_>>(),
            "findings_href": view::with_query(&view::href(&tenant, "findings"), &[("rule", &line.about.id)]),
        });
        view::page(&visit, ("rules", &line.about.title), "rule.html", &content)
    })
}
