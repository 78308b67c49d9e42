//! A tenant's integration: what its Okta admin types in, whether all holds, and the gaps by hour.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde_json::json;

use crate::console::export::{self, Format};
use crate::console::problem::Problem;
use crate::console::view;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::model::ledger::HourState;
use crate::model::prerequisite::Line;
use crate::runtime::ledger::{self, GapHour, Gaps};

/// Whole days that are shown before the one that goes on.
const DAYS: u32 = 6;
const MOST_HOURS: usize = 100 * 24;

async fn gaps(visit: &Visit, hours: u32) -> Result<Gaps, Problem> {
    Ok(ledger::gaps(&*visit.desk()?.objects, visit.console.now(), hours).await?)
}

/// How an hour is shown.
fn tone(hour: &GapHour) -> &'static str {
    match (hour.missing, hour.state.filled, hour.state.received) {
        (Some(missing), ..) if missing > 0 => "bad",
        (_, filled, _) if filled > 0 => "warn",
        (None, ..) => "idle",
        _ => "good",
    }
}

fn label(hour: &GapHour) -> String {
    let HourState {
        received,
        filled,
        expected,
        ..
    } = hour.state;
    let compared = match (expected, hour.missing) {
        (Some(expected), Some(0)) => format!("Okta has {expected}, none missing"),
        (Some(expected), missing) => format!("Okta has {expected}, {} missing", missing.unwrap_or(0)),
        (None, _) => "not compared yet".to_owned(),
    };
    let fetched = if filled > 0 {
        format!(", {filled} fetched later")
    } else {
        String::new()
    };
    let start = hour.hour.start().strftime("%Y-%m-%d %H:%M UTC");
    format!("{start}: {received} came{fetched}; {compared}")
}

/// From the beginning of the first day that is shown (UTC) to now.
fn hours_shown(visit: &Visit) -> u32 {
    let of_today = visit.console.now().as_second().rem_euclid(86_400) / 3_600;
    DAYS * 24 + u32::try_from(of_today).unwrap_or(0) + 1
}

fn hours_asked(visit: &Visit) -> Result<u32, Problem> {
    let hours = visit.number("hours", 48, MOST_HOURS)?;
    Ok(u32::try_from(hours).unwrap_or(u32::MAX))
}

pub fn download(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let format = Format::of(&visit);
        let columns = ["hour", "received", "expected", "filled", "missing", "checked"];
        let hours = gaps(&visit, hours_shown(&visit)).await?.hours;
        Ok(export::whole(
            &format!("{}-gaps", visit.desk()?.tenant),
            format,
            &columns,
            hours,
        ))
    })
}

pub fn api_gaps(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&gaps(&visit, hours_asked(&visit)?).await?) })
}

pub fn api_integration(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&visit.desk()?.integration) })
}

pub fn api_checks(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        visit.asks_okta()?;
        Answer::json(&visit.desk()?.outside.checks().await?)
    })
}

pub fn checks(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        visit.asks_okta()?;
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
        let (seen, gaps) = futures::join!(desk.seen(now), gaps(&visit, hours_shown(&visit)));
        let (seen, gaps) = (seen?, gaps?);
        let own = &desk.integration;
        let copies = [
            ("Name", &own.stream_name),
            ("AWS Event Source Name", &own.id),
            ("AWS account ID", &own.account_id),
            ("AWS region", &own.region),
        ];
        let copies = copies.map(|(label, value)| json!({ "label": label, "value": value }));
        let hour = |hour: &GapHour| json!({ "tone": tone(hour), "label": label(hour) });
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
            "downloads": json!({
                "csv": format!("{}/gaps.csv", view::integration_href(&own.id)),
                "jsonl": format!("{}/gaps.jsonl", view::integration_href(&own.id)),
            }),
            "steps": desk.steps,
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
