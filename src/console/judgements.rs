//! What a reader says of a finding: that nobody shall be told of it for a while, what it turned out to be, or that it is open.

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use crate::console::problem::Problem;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::console::{findings, view};
use crate::model::finding::{Change, Status};
use crate::runtime::findings::change;

/// A mute ends after so many days at most, unless it is for ever.
const MOST_DAYS: i64 = 366;
const MOST_REASON: usize = 1_000;

pub fn mute(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(judge(visit, Status::Muted))
}

pub fn close(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(judge(visit, Status::Closed))
}

pub fn reopen(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(judge(visit, Status::Notified))
}

async fn judge(visit: Visit, to: Status) -> Outcome {
    let reason = visit.told("reason").trim();
    if reason.is_empty() || reason.chars().count() > MOST_REASON {
        return Err(Problem::bad_request(
            "Say why, in up to a thousand characters: `reason`.",
        ));
    }
    let now = visit.console.now();
    let until = if to == Status::Muted {
        mute_ends(visit.told("days"), now)?
    } else {
        None
    };
    let why = if to == Status::Closed {
        format!("{}: {reason}", verdict(visit.told("verdict"))?)
    } else {
        reason.to_owned()
    };
    let (key, _) = findings::stored(&visit).await?;
    let desk = visit.desk()?;
    let by = visit.visitor.name.clone();
    let changed = change(&*desk.objects, &key, |finding| {
        finding.change(Change {
            at: now,
            to,
            by: by.clone(),
            why: why.clone(),
            until,
        });
        true
    })
    .await?;
    let finding = changed.ok_or_else(|| Problem::not_found("finding"))?;
    desk.finding_changed(&key, &finding);
    if visit.is_api() {
        return Answer::json(&finding);
    }
    let done = match to {
        Status::Muted => "mute",
        Status::Closed => "close",
        Status::New | Status::Notified => "reopen",
    };
    let href = view::href(desk.tenant.as_str(), &format!("findings/{}", finding.id));
    Ok(Answer::See(format!("{href}?done={done}")))
}

/// When a mute of so many days ends; `0` is for ever.
fn mute_ends(days: &str, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let wrong = || Problem::bad_request(format!("`days` is a number up to {MOST_DAYS}, or 0 for ever."));
    match days.parse::<i64>() {
        Ok(0) => Ok(None),
        Ok(days @ 1..=MOST_DAYS) => Ok(now.checked_add(SignedDuration::from_hours(days * 24)).ok()),
        _ => Err(wrong()),
    }
}

fn verdict(text: &str) -> Result<&'static str, Problem> {
    match text {
        "true-positive" => Ok("true positive"),
        "benign" => Ok("benign"),
        "false-positive" => Ok("false positive"),
        _ => Err(Problem::bad_request(
            "`verdict` is true-positive, benign or false-positive.",
        )),
    }
}
