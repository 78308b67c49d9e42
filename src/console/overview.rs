//! A line a tenant: whether its events come, and what was found.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::console::desk::{Desk, Seen, Tone};
use crate::console::export::{self, Format};
use crate::console::view;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::model::finding::Severity;
use crate::ports::chain;

/// A tenant without events for so long is silent.
const SILENT: SignedDuration = SignedDuration::from_hours(12);
/// A detector that has not run for so long is late: it runs hourly.
const LATE: SignedDuration = SignedDuration::from_hours(3);

/// A tenant at a glance.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Line {
    pub tenant: String,
    pub integration: String,
    /// `None` where it could not be looked at.
    pub seen: Option<Seen>,
    /// Open findings.
    pub open: u64,
    pub gravest: Option<Severity>,
    pub state: State,
    /// What is the matter; empty where nothing is.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No events come.
    Silent,
    /// Something else is the matter.
    Attention,
    Ok,
}

/// The lines of those tenants that the reader may see, with what needs a look first.
async fn lines(visit: &Visit) -> Vec<Line> {
    let now = visit.console.now();
    let desks = visit.console.seen_by(&visit.visitor);
    let mut lines = futures::future::join_all(desks.map(|desk| line(desk, now))).await;
    lines.sort_by(|a, b| a.state.cmp(&b.state).then_with(|| a.tenant.cmp(&b.tenant)));
    lines
}

async fn line(desk: &Arc<Desk>, now: Timestamp) -> Line {
    let (seen, index) = futures::join!(desk.seen(now), desk.findings(now));
    let mut problems = Vec::new();
    let seen = seen
        .map_err(|error| problems.push(chain(&error)))
        .ok()
        .map(|seen| (*seen).clone());
    let (mut open, mut gravest) = (0, None);
    match index {
        Ok(index) => {
            for known in index.open(now) {
                open += 1;
                gravest = gravest.max(Some(known.severity));
            }
        }
        Err(error) => problems.push(chain(&error)),
    }
    let (state, why) = match &seen {
        Some(seen) if problems.is_empty() => judge(seen, now),
        _ => {
            tracing::warn!(
                tenant = desk.tenant.as_str(),
                "cannot be looked at: {}",
                problems.join("; ")
            );
            (
                State::Attention,
                "it could not be looked at: the console's log says why".to_owned(),
            )
        }
    };
    Line {
        tenant: desk.tenant.to_string(),
        integration: desk.integration.id.clone(),
        seen,
        open,
        gravest,
        state,
        why,
    }
}

/// The first thing that is the matter.
fn judge(seen: &Seen, now: Timestamp) -> (State, String) {
    let sight = &seen.sight;
    let attention = |why: String| (State::Attention, why);
    match sight.last_event {
        None => return (State::Silent, "no event has come yet".to_owned()),
        Some(at) if now.duration_since(at) > SILENT => {
            let hours = now.duration_since(at).as_hours();
            return (State::Silent, format!("no event for {hours} hours"));
        }
        Some(_) => {}
    }
    for (what, stand) in [
        ("partner event source", &sight.source),
        ("log stream", &sight.stream),
        ("stack", &sight.stack),
    ] {
        if stand.tone == Tone::Bad {
            return attention(format!("the {what} is {}", stand.word));
        }
    }
    if let Some(depth) = sight.queue.filter(|depth| depth.dead > 0) {
        return attention(format!("{} dead letters", depth.dead));
    }
    match seen.detected {
        None => attention("no run of the detector is known".to_owned()),
        Some(_) if seen.has_failed => attention("the detector has failed: its runs say why".to_owned()),
        Some(at) if now.duration_since(at) > LATE => attention("the detector is late".to_owned()),
        Some(_) => (State::Ok, String::new()),
    }
}

pub fn api(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&lines(&visit).await) })
}

pub fn download(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let format = Format::of(&visit);
        let columns = ["tenant", "state", "why", "open", "gravest", "integration", "seen"];
        Ok(export::whole("tenants", format, &columns, lines(&visit).await))
    })
}

pub fn page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let row = |line: Line| {
            let seen = line.seen.as_ref();
            let sight = seen.map(|seen| &seen.sight);
            let unknown = || json!({ "word": "unknown", "tone": "idle" });
            let stand = |stand: Option<&crate::console::desk::Stand>| {
                stand.map_or_else(unknown, |stand| json!({ "word": stand.word, "tone": stand.tone }))
            };
            let depth = sight.and_then(|sight| sight.queue);
            json!({
                "href": view::href(&line.tenant, "findings"),
                "integration_href": view::integration_href(&line.integration),
                "findings_href": view::href(&line.tenant, "findings"),
                "source": stand(sight.map(|sight| &sight.source)),
                "stack": stand(sight.map(|sight| &sight.stack)),
                "queue": json!({
                    "waiting": depth.map_or(0, |depth| depth.visible + depth.in_flight),
                    "dead": depth.map_or(0, |depth| depth.dead),
                    "oldest_minutes": sight.and_then(|sight| sight.oldest_seconds).map(|seconds| seconds / 60),
                    "tone": if depth.is_some_and(|depth| depth.dead > 0) { "bad" } else { "idle" },
                }),
                "last_event": sight.and_then(|sight| sight.last_event),
                "detected": seen.and_then(|seen| seen.detected),
                "compacted": seen.and_then(|seen| seen.compacted),
                "findings": json!({ "open": line.open, "gravest": line.gravest }),
                "state": line.state,
                "why": line.why,
                "tenant": line.tenant,
            })
        };
        let rows: Vec<_> = lines(&visit).await.into_iter().map(row).collect();
        let downloads = json!({ "csv": "/tenants.csv", "jsonl": "/tenants.jsonl" });
        view::page(
            &visit,
            ("overview", "Overview"),
            "overview.html",
            &json!({ "rows": rows, "downloads": downloads }),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::desk::{Sight, Stand};
    use crate::ports::QueueDepth;

    fn seen(last_event: Option<&str>, dead: u64, source: Tone) -> Seen {
        Seen {
            sight: Sight {
                source: Stand::new("x", source),
                stream: Stand::new("ACTIVE", Tone::Good),
                stack: Stand::new("UPDATE_COMPLETE", Tone::Good),
                queue: Some(QueueDepth {
                    dead,
                    ..QueueDepth::default()
                }),
                oldest_seconds: None,
                last_event: last_event.map(|at| at.parse().unwrap()),
            },
            detected: "2026-11-24T12:30:00Z".parse().ok(),
            has_failed: false,
            compacted: None,
        }
    }

    #[test]
    fn silence_stands_before_everything_else() {
        let now = "2026-11-24T13:00:00Z".parse().unwrap();
        let fresh = Some("2026-11-24T12:00:00Z");
        for (seen, state) in [
            (seen(None, 0, Tone::Good), State::Silent),
            (seen(Some("2026-11-24T00:59:00Z"), 3, Tone::Bad), State::Silent),
            (seen(fresh, 0, Tone::Bad), State::Attention),
            (seen(fresh, 1, Tone::Good), State::Attention),
            (seen(fresh, 0, Tone::Warn), State::Ok),
        ] {
            assert_eq!(judge(&seen, now).0, state, "{seen:?}");
        }
    }
}
