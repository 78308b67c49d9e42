//! Findings: the list, one of them with its evidence, and what a reader says of it.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::console::export::{self, Format};
use crate::console::index::{Index, Known, user_of};
use crate::console::people::user_href;
use crate::console::problem::Problem;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::console::visitor::Role;
use crate::console::{activity, view};
use crate::lake::page::{Filter, row as read_row};
use crate::model::finding::{Finding, Severity, Status};
use crate::model::notification::Advice;
use crate::runtime::findings as stored;

const SHOWN: usize = 50;
const MOST: usize = 500;
/// Objects that are read at once.
const AT_ONCE: usize = 32;
const STATUSES: [Status; 4] = [Status::New, Status::Notified, Status::Muted, Status::Closed];
const SEVERITIES: [Severity; 5] = [
    Severity::Informational,
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// Findings that were asked for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Page<T> {
    /// Newest first.
    pub findings: Vec<T>,
    /// For `after`, to get those that follow; `None` on the last page.
    pub next: Option<String>,
}

/// Findings that a reader wants.
struct Wanted {
    statuses: Vec<Status>,
    least: Severity,
    rule: String,
    words: Vec<String>,
    after: Option<(Timestamp, String)>,
}

impl Wanted {
    fn of(visit: &Visit) -> Result<Self, Problem> {
        let status = |text: &str| STATUSES.into_iter().find(|one| one.as_str() == text);
        let statuses = visit.all_asked("status").map(|text| {
            status(text).ok_or_else(|| {
                Problem::bad_request(format!("`status` is new, notified, muted or closed; not {text:?}."))
            })
        });
        let least = match visit.asked("minimum_severity") {
            "" => Severity::Informational,
            text => SEVERITIES
                .into_iter()
                .find(|one| one.as_str() == text)
                .ok_or_else(|| Problem::bad_request(format!("{text:?} is no severity.")))?,
        };
        let after = match visit.asked("after") {
            "" => None,
            text => {
                let parts = text.split_once('.');
                let place = parts
                    .and_then(|(at, id)| Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, id.to_owned())));
                Some(place.ok_or_else(|| Problem::bad_request("`after` is no place in the list."))?)
            }
        };
        Ok(Self {
            statuses: statuses.collect::<Result<_, _>>()?,
            least,
            rule: visit.asked("rule").to_owned(),
            words: visit.asked("q").split_whitespace().map(str::to_lowercase).collect(),
            after,
        })
    }

    fn takes(&self, known: &Known, now: Timestamp) -> bool {
        let text = || {
            let person = known.person.as_deref().unwrap_or_default();
            format!(
                "{} {} {} {person} {}",
                known.title, known.entity, known.user_id, known.id
            )
            .to_lowercase()
        };
        (self.statuses.is_empty() || self.statuses.contains(&known.stands(now)))
            && known.severity >= self.least
            && (self.rule.is_empty() || self.rule == known.rule_id)
            && (self.words.is_empty() || {
                let text = text();
                self.words.iter().all(|word| text.contains(word.as_str()))
            })
    }

    fn page(&self, index: &Index, now: Timestamp, limit: usize) -> Page<Known> {
        let is_after = |known: &&Known| {
            self.after
                .as_ref()
                .is_none_or(|(at, id)| known.published < *at || (known.published == *at && known.id > *id))
        };
        let mut findings: Vec<Known> = index
            .all
            .iter()
            .filter(|known| self.takes(known, now))
            .filter(is_after)
            .take(limit + 1)
            .map(|known| Known {
                status: known.stands(now),
                ..known.clone()
            })
            .collect();
        let has_more = findings.len() > limit;
        findings.truncate(limit);
        let next = findings.last().filter(|_| has_more);
        let next = next.map(|last| format!("{}.{}", last.published.as_microsecond(), last.id));
        Page { findings, next }
    }
}

fn tone(status: Status) -> &'static str {
    match status {
        Status::New => "bad",
        Status::Notified => "warn",
        Status::Muted => "idle",
        Status::Closed => "good",
    }
}

/// A row as `_findings.html` shows it.
pub fn row(tenant: &str, known: &Known, now: Timestamp) -> Value {
    let stands = known.stands(now);
    json!({
        "id": known.id,
        "href": view::href(tenant, &format!("findings/{}", known.id)),
        "published": known.published,
        "severity": known.severity,
        "title": known.title,
        "entity": known.entity,
        "person": known.person,
        "user_href": (!known.user_id.is_empty()).then(|| user_href(tenant, &known.user_id)),
        "count": known.count,
        "status": json!({ "word": stands.as_str(), "tone": tone(stands) }),
    })
}

pub fn api_list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let (now, limit) = (visit.console.now(), visit.number("limit", SHOWN, MOST)?);
        let desk = visit.desk()?;
        let page = Wanted::of(&visit)?.page(&*desk.findings(now).await?, now, limit);
        let objects = Arc::clone(&desk.objects);
        let read = page.findings.into_iter().map(|known| {
            let objects = Arc::clone(&objects);
            async move { stored::at(&*objects, &known.key).await }
        });
        let mut read = futures::stream::iter(read).buffered(AT_ONCE);
        let mut findings: Vec<Finding> = Vec::new();
        while let Some(finding) = read.next().await {
            let mut finding = finding?;
            if let Some(finding) = &mut finding {
                finding.status = finding.stands(now);
            }
            findings.extend(finding);
        }
        Answer::json(&Page {
            findings,
            next: page.next,
        })
    })
}

pub fn list(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let (desk, now) = (visit.desk()?, visit.console.now());
        let tenant = desk.tenant.as_str();
        let index = desk.findings(now).await?;
        let found = Wanted::of(&visit)?.page(&index, now, SHOWN);
        let statuses: Vec<&str> = visit.all_asked("status").collect();
        let mut pairs: Vec<(&str, &str)> = statuses.iter().map(|status| ("status", *status)).collect();
        pairs.extend(["minimum_severity", "rule", "q"].map(|name| (name, visit.asked(name))));
        let href = view::href(tenant, "findings");
        let download = |ending| view::with_query(&format!("{href}.{ending}"), &pairs);
        let next = found.next.as_ref().map(|after| {
            let mut pairs = pairs.clone();
            pairs.push(("after", after));
            view::with_query(&href, &pairs)
        });
        let rows = json!({
            "findings": found.findings.iter().map(|known| row(tenant, known, now)).collect::<Vec<_>>(),
            "next": next,
        });
        if visit.wants_part() {
            return view::page(&visit, ("findings", "Findings"), "_findings.html", &rows);
        }
        let content = json!({
            "rows": rows,
            "filters": json!({
                "status": statuses,
                "minimum_severity": visit.asked("minimum_severity"),
                "rule": visit.asked("rule"),
                "q": visit.asked("q"),
            }),
            "statuses": STATUSES.map(Status::as_str),
            "severities": SEVERITIES.map(Severity::as_str),
            "downloads": json!({ "csv": download("csv"), "jsonl": download("jsonl") }),
        });
        view::page(&visit, ("findings", "Findings"), "findings.html", &content)
    })
}

pub fn download(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let format = Format::of(&visit);
        let columns = [
            "published",
            "severity",
            "title",
            "rule_id",
            "entity",
            "user_id",
            "person",
            "count",
            "status",
            "id",
        ];
        let now = visit.console.now();
        let index = visit.desk()?.findings(now).await?;
        let all = Wanted::of(&visit)?.page(&index, now, usize::MAX - 1).findings;
        let name = format!("{}-findings", visit.desk()?.tenant);
        Ok(export::whole(&name, format, &columns, all))
    })
}

/// The finding that the address names, as it is stored.
pub async fn stored(visit: &Visit) -> Result<(String, Finding), Problem> {
    let (desk, id) = (visit.desk()?, visit.param("finding"));
    let key = desk.key_of_finding(id, visit.console.now()).await?;
    let key = key.ok_or_else(|| Problem::not_found("finding"))?;
    let finding = stored::at(&*desk.objects, &key).await?;
    Ok((key, finding.ok_or_else(|| Problem::not_found("finding"))?))
}

pub fn api_finding(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let mut finding = stored(&visit).await?.1;
        finding.status = finding.stands(visit.console.now());
        Answer::json(&finding)
    })
}

pub fn page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let (_, finding) = stored(&visit).await?;
        let (desk, now) = (visit.desk()?, visit.console.now());
        let tenant = desk.tenant.as_str();
        let user_id = Some(user_of(&finding.event)).filter(|id| !id.is_empty());
        let href = view::href(tenant, &format!("findings/{}", finding.id));
        let stands = finding.stands(now);
        let advice: Advice = desk.rules.advice(&finding.matched.rule_id);
        let about = desk.rules.find(&finding.matched.rule_id).map(|entry| &entry.about);
        let episode = finding.episode.as_ref();
        let evidence = finding.matched.fields.iter().map(|(field, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            json!({ "field": field, "value": text })
        });
        // Found before the directory was read, it names nobody.
        let who = match finding.who.as_slice() {
            [] => desk.people(now).await?.named_by(&finding.event),
            known => known.to_vec(),
        };
        let history = finding
            .history
            .iter()
            .map(|change| json!({ "at": change.at, "to": change.to.as_str(), "by": change.by, "why": change.why }));
        let (rows, note) = events(&visit, &finding, user_id.as_deref()).await?;
        let content = json!({
            "finding": json!({
                "id": finding.id,
                "title": finding.matched.title,
                "severity": finding.matched.severity,
                "status": json!({ "word": stands.as_str(), "tone": tone(stands) }),
                "muted_until": finding.muted_until().filter(|_| stands == Status::Muted),
                "published": finding.published,
                "rule_href": view::href(tenant, &format!("rules/{}", view::encoded(&finding.matched.rule_id))),
                "user_href": user_id.as_ref().map(|id| user_href(tenant, id)),
                "actor": finding.actor,
                "entity": episode.map_or(&finding.actor, |episode| &episode.entity),
                "first_seen": episode.map_or(finding.published, |episode| episode.first_seen),
                "last_seen": episode.map_or(finding.published, |episode| episode.last_seen),
                "count": episode.map_or(1, |episode| episode.count),
                "event_uuid": finding.event_uuid,
            }),
            "who": who.iter().map(|person| json!({ "line": person.line() })).collect::<Vec<_>>(),
            "evidence": evidence.collect::<Vec<_>>(),
            "advice": json!({
                "description": advice.description,
                "response": advice.response,
                "false_positives": about.map(|about| about.false_positives.clone()).unwrap_or_default(),
            }),
            "history": history.collect::<Vec<_>>(),
            "events": json!({ "rows": rows, "next": null, "first": true }),
            "events_note": note,
            "event_json": serde_json::to_string_pretty(&finding.event).unwrap_or_default(),
            "may_act": visit.may(Role::Analyst),
            "actions": json!({
                "mute": format!("{href}/mute"),
                "close": format!("{href}/close"),
                "reopen": format!("{href}/reopen"),
            }),
        });
        view::page(&visit, ("findings", &finding.matched.title), "finding.html", &content)
    })
}

/// Its newest events that are in the user's Activity table, newest first, and what to say of the others.
async fn events(visit: &Visit, finding: &Finding, user_id: Option<&str>) -> Result<(Vec<Value>, String), Problem> {
    const NEWEST: usize = 1_000;
    const SHOWN: usize = 30;
    let desk = visit.desk()?;
    let (Some(user), Some(lake)) = (user_id, &desk.lake) else {
        return Ok((Vec::new(), String::new()));
    };
    let (rows, count) = match &finding.episode {
        None => {
            let row = read_row(lake, user, finding.published, &finding.event_uuid).await?;
            (row.into_iter().collect(), 1)
        }
        Some(episode) => {
            let filter = Filter {
                from: Some(episode.first_seen),
                to: episode.last_seen.checked_add(SignedDuration::from_millis(1)).ok(),
                ..Filter::default()
            };
            let mut rows = activity::newest(desk, user, &filter, NEWEST).await?;
            rows.retain(|row| episode.events.contains(&row.event_uuid));
            (rows, episode.count)
        }
    };
    let tenant = desk.tenant.as_str();
    let shown: Vec<Value> = rows
        .iter()
        .take(SHOWN)
        .map(|row| activity::row(tenant, row, false))
        .collect();
    let note = if shown.len() as u64 == count {
        String::new()
    } else {
        format!(
            "{} of {count} events are shown: the newest of this user's that are in the Activity table. Others are of other users, or \
             come with the next compaction or refresh.",
            shown.len()
        )
    };
    Ok((shown, note))
}
