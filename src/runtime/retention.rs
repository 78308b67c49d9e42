//! Retention: what is older than a tenant keeps its data leaves the Activity table, the log of segments, what was set aside,
//! and the findings. A copy that others hold is not reached: the event bus's archive, dead letters, delivered notifications.

use serde::Serialize;

use crate::lake::objects::keys;
use crate::lake::retention::{self, Horizon};
use crate::lake::{Lake, Upkeep, commit, segment, set_aside};
use crate::model::activity::Watermark;
use crate::model::event::{Head, detail};
use crate::ports::{Objects, Result};
use crate::runtime::{course, findings, ledger, runs};

/// What of a tenant is older than a horizon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Past {
    /// The first day (UTC) that is kept.
    pub kept_from: jiff::civil::Date,
    pub activity: retention::Past,
    /// Segments, of which every event is older.
    pub segments: u64,
    /// Objects that hold what was set aside from those segments.
    pub set_aside: u64,
    pub findings: u64,
}

/// Object keys that are older, oldest first.
struct Keys {
    segments: Vec<String>,
    set_aside: Vec<String>,
    findings: Vec<String>,
    /// What the ledger keeps of hours of which Okta keeps nothing.
    hours: Vec<String>,
    runs: Vec<String>,
}

impl Keys {
    fn all(&self) -> impl Iterator<Item = &String> {
        let events = self.segments.iter().chain(&self.set_aside);
        events.chain(&self.findings).chain(&self.hours).chain(&self.runs)
    }
}

/// What would be dropped. Changes nothing.
pub async fn past(objects: &dyn Objects, lake: &Lake, horizon: Horizon) -> Result<Past> {
    let activity = retention::past(lake, horizon).await?;
    let keys = old_keys(objects, lake, horizon).await?;
    Ok(counted(activity, &keys, horizon))
}

/// Drops what is past. What a run that died has left is dropped by the next.
pub async fn drop_past(upkeep: &Upkeep<'_>, objects: &dyn Objects, horizon: Horizon) -> Result<Past> {
    // First, because it refuses to leave nothing, and because it keeps from coming back what segments still hold.
    let activity = retention::drop_past(upkeep, horizon).await?;
    let keys = old_keys(objects, upkeep.lake, horizon).await?;
    for key in keys.all() {
        objects.delete(key).await?;
    }
    Ok(counted(activity, &keys, horizon))
}

fn counted(activity: retention::Past, keys: &Keys, horizon: Horizon) -> Past {
    Past {
        kept_from: horizon.date(),
        activity,
        segments: keys.segments.len() as u64,
        set_aside: keys.set_aside.len() as u64,
        findings: keys.findings.len() as u64,
    }
}

async fn old_keys(objects: &dyn Objects, lake: &Lake, horizon: Horizon) -> Result<Keys> {
    let first = segment::start(objects).await?;
    let kept = first_kept_segment(objects, lake, horizon, first).await?;
    let aside = set_aside::keys_before(objects, kept, horizon.date()).await?;
    Ok(Keys {
        segments: (first..kept).map(segment::key).collect(),
        set_aside: aside,
        findings: keys(objects, findings::PREFIX)
            .await?
            .into_iter()
            .filter(|key| findings::day_of_key(key).is_some_and(|day| day < horizon.date()))
            .collect(),
        hours: ledger::keys_before(objects, horizon.date()).await?,
        runs: runs::keys_before(objects, horizon.date()).await?,
    })
}

/// The log keeps every segment that somebody has yet to read, and its last, by which its end is known.
async fn first_kept_segment(objects: &dyn Objects, lake: &Lake, horizon: Horizon, first: u64) -> Result<u64> {
    let compacted = match lake.load().await? {
        Some(table) => commit::watermark(&table)?,
        None => Watermark::default(),
    };
    let judged = course::next_segment(objects).await?;
    // Where nobody compares with Okta, nobody follows the log.
    let counted = ledger::state(objects).await?.next_segment;
    let counted = if counted == 0 { u64::MAX } else { counted };
    let last = segment::end(objects, first).await?.saturating_sub(1);
    let mut kept = first;
    for number in first..last.min(compacted.0).min(judged).min(counted) {
        match is_past(objects, number, horizon).await? {
            Some(true) => kept = number + 1,
            Some(false) => break,
            None => {}
        }
    }
    Ok(kept)
}

/// Whether every event of a segment is older; `None` when none tells its time.
async fn is_past(objects: &dyn Objects, number: u64, horizon: Horizon) -> Result<Option<bool>> {
    let mut lines = segment::Lines::open(objects, number).await?;
    let mut found = None;
    while let Some(line) = lines.next_line()? {
        let Some(Ok(head)) = detail(line).map(Head::parse) else {
            continue;
        };
        if !horizon.is_past(head.published) {
            return Ok(Some(false));
        }
        found = Some(true);
    }
    Ok(found)
}
