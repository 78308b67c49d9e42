//! The action *Refresh User Data*: it runs behind the reader's back, who looks how far it is.

use std::sync::Arc;

use axum::http::StatusCode;
use futures::future::BoxFuture;
use serde_json::json;

use crate::console::job::{Job, NotBegun, State};
use crate::console::people::user_href;
use crate::console::problem::Problem;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::console::{chance, view};
use crate::ports::chain;

/// Begins one, or finds the one of this user that runs already.
pub fn begin(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let desk = Arc::clone(visit.desk()?);
        let user = visit.param("user").to_owned();
        let fresh = chance::token()?;
        let id = match desk.jobs.begin(&fresh, &user) {
            Ok(running) => {
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    let ended = desk.outside.refresh(&user, &|stage| running.at(stage)).await;
                    desk.people_changed();
                    running.end(ended.map_err(|error| chain(&error)));
                });
                fresh
            }
            Err(NotBegun::Runs(id)) => id,
            Err(NotBegun::TooMany) => {
                return Err(
                    Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many refreshes are under way.")
                        .to_do("Wait until some have ended."),
                );
            }
        };
        if visit.is_api() {
            return Answer::json(&desk.jobs.get(&id).ok_or_else(|| Problem::not_found("refresh"))?);
        }
        Ok(Answer::See(href(desk.tenant.as_str(), &id)))
    })
}

fn href(tenant: &str, id: &str) -> String {
    view::href(tenant, &format!("refreshes/{id}"))
}

fn job(visit: &Visit) -> Result<Job, Problem> {
    let found = visit.desk()?.jobs.get(visit.param("refresh"));
    found.ok_or_else(|| {
        Problem::not_found("refresh").to_do("The console may have been started again. Refresh once more.")
    })
}

pub fn api(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move { Answer::json(&job(&visit)?) })
}

pub fn page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let job = job(&visit)?;
        let tenant = visit.desk()?.tenant.as_str();
        let report = job.report.as_ref();
        let new = report.map(|report| &report.new).into_iter().flatten();
        let back = match job.state {
            State::Done => view::with_query(&user_href(tenant, &job.user), &[("new", &job.id)]),
            State::Running | State::Failed => user_href(tenant, &job.user),
        };
        let content = json!({
            "job": json!({
                "state": job.state,
                "stage": job.stage,
                "percent": job.percent,
                "added": report.map_or(0, |report| report.added),
                "fetched": report.map_or(0, |report| report.fetched),
                "landed": report.map_or(0, |report| report.landed),
                "new": new.map(|(event_type, count)| json!({ "event_type": event_type, "count": count })).collect::<Vec<_>>(),
                "problems": job.problems,
                "back_href": back,
                "poll_href": href(tenant, &job.id),
            }),
        });
        let template = if visit.wants_part() {
            "_refresh.html"
        } else {
            "refresh.html"
        };
        view::page(&visit, ("users", "Refresh User Data"), template, &content)
    })
}
