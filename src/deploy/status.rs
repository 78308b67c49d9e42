//! A line a tenant: what there is of it, and what somebody has to look at. Pure, but for `look`, which asks.

pub mod look;
mod table;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::deploy::plan::intent::way_out;
use crate::deploy::profile::Profile;
use crate::deploy::status::look::Signs;
use crate::deploy::world::World;
use crate::model::source::SourceState;
use crate::model::stack::{LiveStack, Phase};

pub use table::table;

/// A tenant, or the foundation, as somebody on call asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The tenant's ID, or `foundation`.
    pub name: String,
    pub stack: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    pub deployed: Deployed,
    /// `IN_SYNC` or `DRIFTED`, by the last detection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
    #[serde(flatten)]
    pub signs: Signs,
    /// What somebody has to look at, the gravest first.
    pub concerns: Vec<Concern>,
}

/// The partner event source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Source {
    Missing,
    Pending { expires: Option<Timestamp> },
    Active,
    Deleted,
}

/// The stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployed {
    No,
    /// As the files say.
    Same,
    /// The files say otherwise.
    Other,
    /// CloudFormation's word for a state in which nothing is settled.
    Status(String),
}

/// Something to look at. The order is from the mildest to the gravest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Concern {
    pub gravity: Gravity,
    /// In a few words, such as `silent for 31 h`.
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// It can wait for the day.
    Notice,
    /// Events are lost, or may be.
    Alarm,
}

/// A tenant's stack as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub stack: String,
    /// The name of the partner event source; none for a foundation.
    pub source: Option<String>,
    pub content_hash: String,
}

/// The rows, those with the gravest concerns first.
pub fn rows(
    wanted: &[Wanted],
    world: &World,
    signs: &BTreeMap<String, Signs>,
    profile: &Profile,
    now: Timestamp,
) -> Vec<Row> {
    let mut rows: Vec<Row> = wanted
        .iter()
        .map(|wanted| {
            let signs = signs.get(&wanted.stack).cloned().unwrap_or_default();
            row(wanted, world, signs, profile, now)
        })
        .collect();
    rows.sort_by(|a, b| worst(b).cmp(&worst(a)).then_with(|| a.name.cmp(&b.name)));
    rows
}

fn worst(row: &Row) -> Option<Gravity> {
    row.concerns.iter().map(|concern| concern.gravity).max()
}

fn row(wanted: &Wanted, world: &World, signs: Signs, profile: &Profile, now: Timestamp) -> Row {
    let live = world.stacks.get(&wanted.stack);
    let source = wanted.source.as_ref().map(|name| match world.sources.get(name) {
        None => Source::Missing,
        Some(source) => match source.state {
            SourceState::Pending => Source::Pending {
                expires: source.expires,
            },
            SourceState::Active => Source::Active,
            SourceState::Deleted => Source::Deleted,
        },
    });
    let deployed = match live.map(|live| (live.status.phase(), live)) {
        None | Some((Phase::Reviewed | Phase::Deleted, _)) => Deployed::No,
        Some((Phase::Deployed | Phase::RolledBack, live)) if live.content_hash() == Some(&wanted.content_hash) => {
            Deployed::Same
        }
        Some((Phase::Deployed | Phase::RolledBack, _)) => Deployed::Other,
        Some((_, live)) => Deployed::Status(live.status.to_string()),
    };
    let mut concerns = Vec::new();
    of_stack(wanted, live, &mut concerns);
    if let Some(source) = source {
        of_source(source, &deployed, now, &mut concerns);
    }
    if wanted.source.is_some() && matches!(deployed, Deployed::Same | Deployed::Other) {
        let silent_after = SignedDuration::from_hours(i64::from(profile.rollout.silent_after_hours));
        of_silence(&signs, live, silent_after, now, &mut concerns);
    }
    of_signs(&signs, &mut concerns);
    concerns.sort_by_key(|concern| std::cmp::Reverse(concern.gravity));
    Row {
        name: wanted.name.clone(),
        stack: wanted.stack.clone(),
        source,
        deployed,
        drift: live.and_then(|live| live.drift.clone()),
        signs,
        concerns,
    }
}

fn add(concerns: &mut Vec<Concern>, gravity: Gravity, what: impl Into<String>) {
    concerns.push(Concern {
        gravity,
        what: what.into(),
    });
}

fn of_stack(wanted: &Wanted, live: Option<&LiveStack>, concerns: &mut Vec<Concern>) {
    let Some(live) = live else { return };
    match live.status.phase() {
        phase @ (Phase::NeverCreated | Phase::Stuck | Phase::DeletionFailed) => {
            let help = way_out(phase, &wanted.name, &wanted.stack);
            add(concerns, Gravity::Alarm, format!("{}: {help}", live.status));
        }
        Phase::RolledBack => add(concerns, Gravity::Notice, "the last update failed and was undone"),
        _ => {}
    }
    if live.drift.as_deref() == Some("DRIFTED") {
        add(
            concerns,
            Gravity::Notice,
            "somebody changed it by hand: oort drift shows what",
        );
    }
}

fn of_source(source: Source, deployed: &Deployed, now: Timestamp, concerns: &mut Vec<Concern>) {
    let is_deployed = *deployed != Deployed::No;
    match source {
        Source::Pending { expires } => {
            let left = expires.map_or_else(String::new, |at| {
                format!(", and expires in {}", span(at.duration_since(now)))
            });
            let what = if is_deployed {
                "its event bus is gone: what Okta sends is lost"
            } else {
                "Okta's event source waits, and what Okta sends is lost"
            };
            add(concerns, Gravity::Alarm, format!("{what}{left}"));
        }
        Source::Deleted => add(
            concerns,
            Gravity::Alarm,
            "Okta deleted the event source: no event will come",
        ),
        Source::Missing if is_deployed => add(concerns, Gravity::Alarm, "the event source is gone: no event will come"),
        Source::Missing => add(concerns, Gravity::Notice, "waits for Okta's event source"),
        Source::Active if !is_deployed => add(
            concerns,
            Gravity::Alarm,
            "an event bus without a stack takes its events",
        ),
        Source::Active => {}
    }
}

/// What a tenant's metrics say of its last event. Those of a stack that is younger than `silent_after` say nothing yet.
fn of_silence(
    signs: &Signs,
    live: Option<&LiveStack>,
    silent_after: SignedDuration,
    now: Timestamp,
    concerns: &mut Vec<Concern>,
) {
    let since = signs.last_event.or_else(|| live.and_then(|live| live.created));
    let Some(silence) = since
        .map(|at| now.duration_since(at))
        .filter(|silence| *silence >= silent_after)
    else {
        return;
    };
    let what = if signs.last_event.is_some() {
        format!("silent for {}", span(silence))
    } else {
        format!("no event in {}", span(silence.min(look::HISTORY)))
    };
    add(concerns, Gravity::Alarm, what);
}

fn of_signs(signs: &Signs, concerns: &mut Vec<Concern>) {
    match signs.dead_letters {
        Some(1) => add(concerns, Gravity::Alarm, "1 dead letter"),
        Some(count) if count > 1 => add(concerns, Gravity::Alarm, format!("{count} dead letters")),
        _ => {}
    }
    for alarm in &signs.alarms {
        add(concerns, Gravity::Alarm, format!("alarm {alarm}"));
    }
}

/// `45 s`, `31 min`, `31 h`, `9 d`.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..259_200 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `3 of 120 need a look.`
pub fn summary(rows: &[Row]) -> String {
    let concerned = rows.iter().filter(|row| !row.concerns.is_empty()).count();
    if concerned == 0 {
        return format!("All {} are well.", rows.len());
    }
    format!("{concerned} of {} need a look.", rows.len())
}

/// Whether events are lost, or may be.
pub fn is_alarming(rows: &[Row]) -> bool {
    rows.iter().any(|row| worst(row) == Some(Gravity::Alarm))
}

#[cfg(test)]
mod tests;
