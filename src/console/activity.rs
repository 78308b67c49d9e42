//! A user's Activity table: pages, filters, single events, and downloads.

use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::console::desk::Desk;
use crate::console::export::{self, Format};
use crate::console::people::user_href;
use crate::console::problem::Problem;
use crate::console::view;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::lake::page::{ActivityPage, Cursor, Filter, page as read_page, row as read_row};
use crate::model::activity::ActivityRow;

/// Rows of a page for people.
const SHOWN: usize = 50;
/// Rows of a page of the API, and of a download while it is made.
const MOST: usize = 1_000;
/// Outcomes that a reader chooses from. Source: Okta's management API, `LogOutcome`.
const OUTCOMES: [&str; 7] = ["SUCCESS", "FAILURE", "ALLOW", "DENY", "CHALLENGE", "SKIPPED", "UNKNOWN"];

/// What a reader asks for; a wrong time is said.
fn filter(visit: &Visit) -> Result<Filter, Problem> {
    Ok(Filter {
        from: moment("from", visit.asked("from"))?,
        to: moment("to", visit.asked("to"))?,
        event_type: visit.asked("type").trim().to_owned(),
        outcome: visit.asked("outcome").trim().to_owned(),
        ip: visit.asked("ip").trim().to_owned(),
        application: visit.asked("application").trim().to_owned(),
        // A page opens them one by one.
        has_events: visit.is_api(),
    })
}

/// A time stamp, a day, or what a browser's own field writes; all UTC.
fn moment(name: &str, text: &str) -> Result<Option<Timestamp>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let of_time = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    let of_day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok();
    let found = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| Some(of_time().or_else(of_day)?.timestamp()));
    let why = || {
        Problem::bad_request(format!(
            "`{name}` is a time such as 2026-11-24T13:00:00Z, or a day; not {text:?}."
        ))
    };
    found.map(Some).ok_or_else(why)
}

fn cursor(visit: &Visit) -> Result<Option<Cursor>, Problem> {
    match visit.asked("after") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(Problem::bad_request),
    }
}

/// The newest rows of a user.
pub async fn newest(desk: &Desk, user: &str, filter: &Filter, limit: usize) -> Result<Vec<ActivityRow>, Problem> {
    let Some(lake) = &desk.lake else { return Ok(Vec::new()) };
    Ok(read_page(lake, user, filter, None, limit).await?.rows)
}

async fn asked(visit: &Visit, user: &str, limit: usize) -> Result<ActivityPage, Problem> {
    let Some(lake) = &visit.desk()?.lake else {
        return Ok(ActivityPage::default());
    };
    Ok(read_page(lake, user, &filter(visit)?, cursor(visit)?.as_ref(), limit).await?)
}

/// A row as `_activity.html` shows it.
pub fn row(tenant: &str, row: &ActivityRow, is_new: bool) -> Value {
    let place = [row.column("client_city"), row.column("client_country")];
    let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
    let outcome = row.column("outcome_result");
    let tone = match outcome {
        "SUCCESS" | "ALLOW" => "good",
        "FAILURE" | "DENY" => "bad",
        "CHALLENGE" | "RATE_LIMIT" | "ABANDONED" | "UNANSWERED" => "warn",
        _ => "idle",
    };
    let at = row.published.as_microsecond();
    let event = format!(
        "{}/events/{at}/{}",
        user_href(tenant, &row.user_id),
        view::encoded(&row.event_uuid)
    );
    json!({
        "published": row.published,
        "role": row.column("user_role"),
        "event_type": row.column("event_type"),
        "message": row.column("display_message"),
        "outcome": json!({ "word": outcome, "tone": tone }),
        "actor": row.column("actor_login"),
        "ip": row.column("client_ip"),
        "place": place.join(", "),
        "application": row.column("application"),
        "arrival": row.column("arrival"),
        "is_new": is_new,
        "href": event,
    })
}

/// What `user.html` and `_activity.html` need of a user's rows.
pub async fn content(visit: &Visit, user: &str) -> Result<Value, Problem> {
    let found = asked(visit, user, SHOWN).await?;
    let desk = visit.desk()?;
    let tenant = desk.tenant.as_str();
    let job = desk.jobs.get(visit.asked("new")).filter(|job| job.user == user);
    let is_new = |row: &ActivityRow| job.as_ref().is_some_and(|job| job.new.contains(&row.event_uuid));
    let rows: Vec<Value> = found.rows.iter().map(|one| row(tenant, one, is_new(one))).collect();
    let filters = ["from", "to", "type", "outcome", "ip", "application"].map(|name| (name, visit.asked(name)));
    let href = user_href(tenant, user);
    let after = found.next.as_ref().map(ToString::to_string);
    let next = after.map(|after| {
        let mut pairs = filters.to_vec();
        pairs.push(("after", &after));
        view::with_query(&href, &pairs)
    });
    let download = |format| view::with_query(&format!("{href}/activity.{format}"), &filters);
    Ok(json!({
        "rows": rows,
        "next": next,
        "first": visit.asked("after").is_empty(),
        "filters": filters.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "outcomes": OUTCOMES,
        "downloads": json!({ "csv": download("csv"), "jsonl": download("jsonl") }),
    }))
}

/// The next rows alone, which a script puts at the end of the page.
pub async fn part(visit: &Visit, user: &str) -> Outcome {
    view::page(
        visit,
        ("users", "Activity"),
        "_activity.html",
        &content(visit, user).await?,
    )
}

pub fn api_list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let limit = visit.number("limit", SHOWN, MOST)?;
        Answer::json(&asked(&visit, visit.param("user"), limit).await?)
    })
}

async fn event(visit: &Visit) -> Result<ActivityRow, Problem> {
    let at = visit.param("at").parse().ok();
    let at = at.and_then(|at| Timestamp::from_microsecond(at).ok());
    let (at, lake) = at
        .zip(visit.desk()?.lake.as_ref())
        .ok_or_else(|| Problem::not_found("event"))?;
    let found = read_row(lake, visit.param("user"), at, visit.param("uuid")).await?;
    found.ok_or_else(|| Problem::not_found("event"))
}

pub fn api_event(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&event(&visit).await?) })
}

pub fn event_page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let row = event(&visit).await?;
        let json = serde_json::to_string_pretty(&row.event).unwrap_or_default();
        let facts = [
            ("User agent", "user_agent"),
            ("Session", "session_id"),
            ("Transaction", "transaction_id"),
            ("Reason", "outcome_reason"),
            ("Severity", "severity"),
            ("Came", "arrival"),
        ];
        let facts = facts.map(|(label, column)| (label, row.column(column)));
        let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
        let content = json!({
            "event": json!({
                "json": json,
                "uuid": row.event_uuid,
                "published": row.published,
                "event_type": row.column("event_type"),
            }),
            "facts": facts.map(|(label, value)| json!({ "label": label, "value": value })).collect::<Vec<_>>(),
        });
        let template = if visit.wants_part() {
            "_event.html"
        } else {
            "event.html"
        };
        view::page(&visit, ("users", "Event"), template, &content)
    })
}

/// Every row of the filter, read and sent a page at a time.
pub fn download(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let format = Format::of(&visit);
        let (filter, desk) = (filter(&visit)?, Arc::clone(visit.desk()?));
        let user = visit.param("user").to_owned();
        let name = format!("{}-{user}-activity", desk.tenant);
        let rows = futures::stream::try_unfold(Some(None::<Cursor>), move |place| {
            let (desk, filter, user) = (Arc::clone(&desk), filter.clone(), user.clone());
            async move {
                let (Some(after), Some(lake)) = (place, &desk.lake) else {
                    return Ok(None);
                };
                let page = read_page(lake, &user, &filter, after.as_ref(), MOST).await?;
                let rest = page.next.map(Some);
                Ok::<_, crate::ports::Error>(Some((page.rows, rest)))
            }
        });
        let columns = ["published", "user_id", "event_uuid"]
            .into_iter()
            .chain(crate::model::activity::COLUMNS);
        Ok(export::download(&name, format, columns.collect(), rows))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_and_browsers_write_them() {
        for (text, at) in [
            ("2026-11-24T13:00:00Z", "2026-11-24T13:00:00Z"),
            ("2026-11-24T13:00", "2026-11-24T13:00:00Z"),
            ("2026-11-24", "2026-11-24T00:00:00Z"),
            ("2026-11-24T13:00:00+02:00", "2026-11-24T11:00:00Z"),
        ] {
            assert_eq!(moment("from", text).unwrap(), Some(at.parse().unwrap()), "{text}");
        }
        assert_eq!(moment("from", "").unwrap(), None);
        assert_eq!(moment("from", "yesterday").unwrap_err().status, 400);
    }
}
