//! Runs of a tenant's tasks, newest first.

use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::console::export::{self, Format};
use crate::console::problem::Problem;
use crate::console::view;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::model::run::{Ended, Run};
use crate::runtime::runs::newest;

const SHOWN: usize = 50;
const MOST: usize = 1_000;
pub const ROLES: [&str; 5] = ["detect", "compact", "reconcile", "maintain", "refresh"];

/// Runs that were asked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Page {
    /// Newest first.
    pub runs: Vec<Run>,
    /// For `after`, to get those that follow; `None` on the last page.
    pub next: Option<String>,
}

/// The role that is asked for; empty for every one.
fn role(visit: &Visit) -> Result<&str, Problem> {
    let role = visit.asked("role");
    if role.is_empty() || ROLES.contains(&role) {
        return Ok(role);
    }
    Err(Problem::bad_request(format!("`role` is one of {}.", ROLES.join(", "))))
}

async fn page_of(visit: &Visit, limit: usize) -> Result<Page, Problem> {
    let role = role(visit)?;
    let after = Some(visit.asked("after")).filter(|after| !after.is_empty());
    let objects = &*visit.desk()?.objects;
    let mut found = newest(objects, role, after, visit.console.now(), limit + 1).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|(key, _)| key.clone());
    Ok(Page {
        runs: found.into_iter().map(|(_, run)| run).collect(),
        next,
    })
}

pub fn api_list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let limit = visit.number("limit", SHOWN, MOST)?;
        Answer::json(&page_of(&visit, limit).await?)
    })
}

pub fn list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let page = page_of(&visit, SHOWN).await?;
        let href = view::href(visit.desk()?.tenant.as_str(), "runs");
        let role = visit.asked("role");
        let row = |run: &Run| {
            let (word, tone) = match run.state {
                Ended::Done => ("done", "good"),
                Ended::PartlyFailed => ("partly failed", "warn"),
                Ended::Failed => ("failed", "bad"),
            };
            json!({
                "role": run.role,
                "began": run.began,
                "seconds": run.ended.duration_since(run.began).as_secs(),
                "state": json!({ "word": word, "tone": tone }),
                "counts": run.counts.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
                "error": run.error,
            })
        };
        let download = |ending| view::with_query(&format!("{href}.{ending}"), &[("role", role)]);
        let next = page
            .next
            .as_ref()
            .map(|after| view::with_query(&href, &[("role", role), ("after", after)]));
        let content = json!({
            "role": role,
            "roles": ROLES,
            "runs": page.runs.iter().map(row).collect::<Vec<_>>(),
            "next": next,
            "downloads": json!({ "csv": download("csv"), "jsonl": download("jsonl") }),
        });
        view::page(&visit, ("runs", "Runs"), "runs.html", &content)
    })
}

/// All of them, read and sent a page at a time.
pub fn download(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let format = Format::of(&visit);
        let (desk, role) = (Arc::clone(visit.desk()?), role(&visit)?.to_owned());
        let (name, now) = (format!("{}-runs", desk.tenant), visit.console.now());
        let pages = futures::stream::try_unfold(Some(None::<String>), move |place| {
            let (desk, role) = (Arc::clone(&desk), role.clone());
            async move {
                let Some(after) = place else { return Ok(None) };
                let page = newest(&*desk.objects, &role, after.as_deref(), now, MOST).await?;
                let rest = (page.len() == MOST).then(|| page.last().map(|(key, _)| key.clone()));
                let runs: Vec<Run> = page.into_iter().map(|(_, run)| run).collect();
                Ok::<_, crate::ports::Error>(Some((runs, rest)))
            }
        });
        let columns = ["began", "ended", "role", "state", "counts", "error", "id"];
        Ok(export::download(&name, format, columns.to_vec(), pages))
    })
}
