//! A tenant's integration: what its Okta admin types in, whether all holds, and the gaps by hour.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::console::problem::Problem;
use crate::console::view;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::model::ledger::{Hour, HourState, Outage};
use crate::model::prerequisite::Line;
use crate::runtime::{ledger, stream};

const HOURS: usize = 7 * 24;

/// What came, hour by hour, and what Okta has of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Gaps {
    pub hours: Vec<GapHour>,
    pub outages: Vec<Outage>,
}

/// One hour.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct GapHour {
    #[schemars(with = "String")]
    pub hour: Hour,
    #[serde(flatten)]
    pub state: HourState,
    /// Events that Okta has and that are not here; `None` before it was asked.
    pub missing: Option<u64>,
}

async fn gaps(visit: &Visit, hours: usize) -> Result<Gaps, Problem> {
    let desk = visit.desk()?;
    let now = visit.console.now();
    let known = ledger::state(&*desk.objects).await?.hours;
    Ok(Gaps {
        hours: last_hours(&known, now, hours),
        outages: stream::outages(&*desk.objects).await?,
    })
}

/// The last hours, oldest first; the one that goes on is the last.
fn last_hours(known: &BTreeMap<Hour, HourState>, now: Timestamp, hours: usize) -> Vec<GapHour> {
    let back = SignedDuration::from_hours(i64::try_from(hours.saturating_sub(1)).unwrap_or(0));
    let first = Hour::of(now.saturating_sub(back).unwrap_or(now));
    let all = std::iter::successors(Some(first), |hour| Some(hour.next()));
    all.take_while(|hour| hour.start() <= now)
        .map(|hour| {
            let state = known.get(&hour).copied().unwrap_or_default();
            GapHour {
                hour,
                state,
                missing: state.missing(),
            }
        })
        .collect()
}

impl GapHour {
    fn tone(&self) -> &'static str {
        match (self.missing, self.state.filled, self.state.received) {
            (Some(missing), ..) if missing > 0 => "bad",
            (_, filled, _) if filled > 0 => "warn",
            (None, _, 0) => "idle",
            _ => "good",
        }
    }

    fn label(&self) -> String {
        let HourState {
            received,
            filled,
            expected,
            ..
        } = self.state;
        let compared = match (expected, self.missing) {
            (Some(expected), Some(0)) => format!("Okta has {expected}, none missing"),
            (Some(expected), missing) => format!("Okta has {expected}, {} missing", missing.unwrap_or(0)),
            (None, _) => "not compared yet".to_owned(),
        };
        let fetched = if filled > 0 {
            format!(", {filled} fetched later")
        } else {
            String::new()
        };
        format!(
            "{}:00 UTC: {received} came{fetched}; {compared}",
            self.hour.to_string().replace('T', " ")
        )
    }
}

pub fn api_gaps(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let hours = visit.number("hours", 48, 100 * 24)?;
        Answer::json(&gaps(&visit, hours).await?)
    })
}

pub fn api_integration(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&visit.desk()?.integration) })
}

pub fn api_checks(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&visit.desk()?.outside.checks().await?) })
}

pub fn checks(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let checks = visit.desk()?.outside.checks().await?;
        let line = |line: &Line| json!({ "title": line.title, "verdict": line.verdict, "seen": line.seen, "to_do": line.to_do });
        let checks: Vec<_> = checks.iter().map(line).collect();
        let content = json!({ "checks": checks, "at": visit.console.now() });
        view::page(&visit, ("integration", "Prerequisites"), "_checks.html", &content)
    })
}

pub fn page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let desk = visit.desk()?;
        let now = visit.console.now();
        let (seen, gaps) = futures::join!(desk.seen(now), gaps(&visit, HOURS));
        let (seen, gaps) = (seen?, gaps?);
        let own = &desk.integration;
        let copies = [
            ("Name", &own.stream_name),
            ("AWS Event Source Name", &own.id),
            ("AWS account ID", &own.account_id),
            ("AWS region", &own.region),
        ];
        let copies = copies.map(|(label, value)| json!({ "label": label, "value": value }));
        let hour = |hour: &GapHour| json!({ "tone": hour.tone(), "label": hour.label() });
        let mut days: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for one in &gaps.hours {
            let day = one.hour.start().strftime("%Y-%m-%d").to_string();
            days.entry(day).or_default().push(hour(one));
        }
        let sum = |count: fn(&HourState) -> u64| gaps.hours.iter().map(|hour| count(&hour.state)).sum::<u64>();
        let content = json!({
            "integration": json!({
                "id": own.id,
                "tenant": desk.tenant.as_str(),
                "copies": copies,
                "source": seen.sight.source,
                "stream": seen.sight.stream,
                "stack": seen.sight.stack,
                "checks_href": format!("{}/checks", view::integration_href(&own.id)),
            }),
            "steps": desk.steps,
            "strip": gaps.hours.iter().map(|one| json!({
                "hour": one.hour.start(), "tone": one.tone(), "label": one.label(),
            })).collect::<Vec<_>>(),
            "days": days.into_iter().map(|(day, hours)| json!({ "day": day, "hours": hours })).collect::<Vec<_>>(),
            "totals": json!({
                "received": sum(|state| state.received),
                "filled": sum(|state| state.filled),
                "missing": gaps.hours.iter().filter_map(|hour| hour.missing).sum::<u64>(),
                "compared_hours": gaps.hours.iter().filter(|hour| hour.state.checked.is_some()).count(),
            }),
            "outages": gaps.outages.iter().rev().take(20).map(|outage| json!({
                "from": outage.from, "to": outage.to, "what": outage.what, "reactivated": outage.was_reactivated,
            })).collect::<Vec<_>>(),
        });
        view::page(&visit, ("integration", "Integration"), "integration.html", &content)
    })
}
