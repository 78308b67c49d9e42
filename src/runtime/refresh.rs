//! Refresh User Data: one user's newest events enter the Activity table at once, without waiting for the compaction.
//!
//! The watermark stays where it is, so the next compaction reads the same events again and finds their rows present.

mod overview;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use memchr::memmem::Finder;
use serde::Serialize;

use crate::lake::{self, Lake, Query, Rows, commit, segment};
use crate::model::activity::{ActivityRow, Watermark, lower_case};
use crate::model::event::{Arrival, wrap_as};
use crate::model::okta::{Org, User};
use crate::ports::okta::{Ask, LogQuery, Okta};
use crate::ports::stop::Stop;
use crate::ports::{Clock, Kind, Leases, Objects, Queue, Result, chain};
use crate::runtime::backfill::{SEGMENT_BYTES, append, on_one_line, usable};
use crate::runtime::compact::parse;
use crate::runtime::ingest::Ingest;

pub use overview::{Overview, account};

/// How far before the user's last row the System Log is asked: events come late.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// How far back it is asked of a user without rows.
const FIRST: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Pages of a thousand events.
const MOST_PAGES: u32 = 20;

/// The lease of whoever moves messages from the queue into segments.
pub const INGEST_LEASE: &str = "ingest";

/// What one refresh has done.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Report {
    /// Events of any user that were taken from the queue on the way.
    pub landed: u64,
    /// Events of the user that the org's System Log had and that had not come.
    pub fetched: u64,
    /// The user's rows among all that is not compacted yet.
    pub rows: u64,
    /// Rows that the table did not have.
    pub added: u64,
    /// What is new to the table, by event type.
    pub new: BTreeMap<String, u64>,
    /// What the org says of the user; `None` where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overview: Option<Overview>,
    /// The events that are new to the table.
    #[serde(skip)]
    pub new_events: Vec<String>,
    /// What could not be asked, and why; all the rest is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// What a refresh does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It asks the org who the user is.
    Asking,
    /// It takes what waits in the queue.
    Landing,
    /// It reads what is not compacted.
    Reading,
    /// It asks the System Log for what has not come.
    Fetching,
    /// It adds rows to the table.
    Adding,
}

/// What a refresh needs.
pub struct Refresh<'a> {
    pub queue: &'a dyn Queue,
    pub objects: &'a dyn Objects,
    pub leases: &'a dyn Leases,
    pub stop: &'a Stop,
    pub lake: &'a Lake,
    /// The tenant's org; `None` where nobody may ask it.
    pub okta: Option<(&'a dyn Okta, &'a Org)>,
    pub clock: &'a dyn Clock,
    /// An empty folder.
    pub scratch: &'a Path,
    /// The name of this run among all runs.
    pub run: &'a str,
    /// Hears of each stage when it begins.
    pub stage: &'a (dyn Fn(Stage) + Send + Sync),
}

impl Refresh<'_> {
    /// `user` is an Okta user ID, or a login in any letter case; or an e-mail address where the org may be asked.
    pub async fn run(&self, user: &str) -> Result<Report> {
        let mut report = Report::default();
        let mut known = None;
        if let Some((okta, _)) = self.okta {
            (self.stage)(Stage::Asking);
            match overview::resolve(okta, user).await {
                Ok(found) => known = found,
                Err(error) if error.kind == Kind::Invalid => return Err(error),
                Err(error) => report.problems.push(chain(&error)),
            }
        }
        // Events name a user by ID; one that nobody knows may still be in them by this name.
        let user = known.as_ref().map_or(user, |user| user.id.as_str());
        let from = match self.lake.load().await? {
            Some(table) => commit::watermark(&table)?,
            None => Watermark::default(),
        };
        (self.stage)(Stage::Landing);
        report.landed = self.land(from).await?;
        (self.stage)(Stage::Reading);
        let rows = self.rows_since_the_last(user).await?;
        let mut collected = Collected {
            rows: Rows::new(self.scratch, self.run),
            seen: rows.iter().map(|row| row.event_uuid.clone()).collect(),
            new: BTreeMap::new(),
            new_events: Vec::new(),
        };
        let end = segment::end(self.objects, from.0).await?;
        let hint = Hint::new(user);
        for number in from.0..end {
            let mut lines = segment::Lines::open(self.objects, number).await?;
            while let Some(line) = lines.next_line()? {
                if hint.may_concern(line) {
                    collected.take(line, user)?;
                }
            }
        }
        if let (Some((okta, org)), Some(known)) = (self.okta, &known) {
            (self.stage)(Stage::Fetching);
            let last = rows.first().map(|row| row.published);
            match self.fetch((okta, org, known), (from, last), &mut collected).await {
                Ok((fetched, problem)) => {
                    report.fetched = fetched;
                    report.problems.extend(problem);
                }
                Err(error) => report.problems.push(chain(&error)),
            }
            report.overview = Some(overview::of(okta, known, &mut report.problems).await);
        }
        (self.stage)(Stage::Adding);
        let Collected {
            rows, new, new_events, ..
        } = collected;
        let written = rows.commit(self.lake, |watermark| watermark).await?;
        report.rows = written.offered;
        report.added = written.added;
        report.new = new;
        report.new_events = new_events;
        Ok(report)
    }

    /// The user's rows from shortly before the newest on, newest first: what came late may stand there.
    async fn rows_since_the_last(&self, user: &str) -> Result<Vec<ActivityRow>> {
        const MOST: usize = 5_000;
        let query = |limit, since| Query { user, limit, since };
        let newest = lake::activity(self.lake, query(1, None)).await?;
        match newest.first() {
            None => Ok(newest),
            Some(row) => lake::activity(self.lake, query(MOST, Some(before(row.published, OVERLAP)))).await,
        }
    }

    /// Asks the org for the user's events since the last row. What had not come is put into the log of segments, so that rules
    /// and compaction see it as anything else. How many these were, and why they may not be all.
    async fn fetch(
        &self,
        (okta, org, user): (&dyn Okta, &Org, &User),
        (from, last): (Watermark, Option<Timestamp>),
        collected: &mut Collected,
    ) -> Result<(u64, Option<String>)> {
        let now = self.clock.now();
        let id = serde_json::Value::from(user.id.as_str());
        let ask = Ask::Events(LogQuery {
            from: last.map_or_else(|| before(now, FIRST), |last| before(last, OVERLAP)),
            to: now,
            filter: Some(format!("actor.id eq {id} or target.id eq {id}")),
        });
        let (mut next, mut fetched) = (None, Fetched::new()?);
        let ended = loop {
            let page = match okta.ask(&ask, next.as_ref()).await {
                Ok(page) => page,
                // What came before is kept all the same.
                Err(error) => break Some(chain(&error)),
            };
            for item in &page.items {
                let Ok(head) = usable(item.get()) else { continue };
                // Pages of one query may overlap.
                if !collected.seen.contains(&*head.uuid) && fetched.uuids.insert(head.uuid.to_string()) {
                    let line = wrap_as(&on_one_line(item.get()), &head, org.envelope(), Arrival::Refreshed);
                    fetched.push(line)?;
                }
            }
            next = page.next;
            fetched.pages += 1;
            if next.is_none() {
                break None;
            }
            if fetched.pages == MOST_PAGES {
                break Some("there are more events than a refresh fetches; oort reconcile fetches the rest".to_owned());
            }
        };
        let (segments, lines) = fetched.finish()?;
        // First into the log of segments: what only the table had, no rule would ever see.
        for segment in segments {
            append(self.objects, from.0, segment).await?;
        }
        for line in &lines {
            collected.take(line, &user.id)?;
        }
        Ok((lines.len() as u64, ended))
    }

    /// Takes what waits in the queue, unless a detector is doing just that.
    async fn land(&self, from: Watermark) -> Result<u64> {
        let Some(lease) = self.leases.acquire(INGEST_LEASE, self.stop).await? else {
            return Ok(0);
        };
        let landed = self.drain(from).await;
        lease.release().await;
        landed
    }

    async fn drain(&self, from: Watermark) -> Result<u64> {
        let mut ingest = Ingest::open(self.queue, self.objects, self.stop, from.0).await?;
        let mut events = 0;
        while let Some(landed) = ingest.land().await? {
            events += landed.events;
            if landed.is_last {
                break;
            }
        }
        Ok(events)
    }
}

/// What a refresh has fetched, on its way into the log.
struct Fetched {
    /// Those that are full.
    segments: Vec<Vec<u8>>,
    segment: segment::Builder,
    lines: Vec<String>,
    uuids: HashSet<String>,
    pages: u32,
}

impl Fetched {
    fn new() -> Result<Self> {
        Ok(Self {
            segments: Vec::new(),
            segment: segment::Builder::new()?,
            lines: Vec::new(),
            uuids: HashSet::new(),
            pages: 0,
        })
    }

    fn push(&mut self, line: String) -> Result<()> {
        self.segment.push(&line)?;
        self.lines.push(line);
        if self.segment.raw_bytes() >= SEGMENT_BYTES {
            let full = std::mem::replace(&mut self.segment, segment::Builder::new()?);
            self.segments.push(full.finish()?);
        }
        Ok(())
    }

    /// The segments, and the lines of all.
    fn finish(mut self) -> Result<(Vec<Vec<u8>>, Vec<String>)> {
        if self.segment.lines() > 0 {
            self.segments.push(self.segment.finish()?);
        }
        Ok((self.segments, self.lines))
    }
}

/// Rows on their way, and the events that they are of.
struct Collected {
    rows: Rows,
    /// The `uuid`s of the user's events that are here.
    seen: HashSet<String>,
    /// Those that were not in the table, by event type.
    new: BTreeMap<String, u64>,
    new_events: Vec<String>,
}

impl Collected {
    /// A line that cannot be read is set aside by the compaction, which reads every line.
    fn take(&mut self, line: &str, user: &str) -> Result<()> {
        let Ok((activity, event)) = parse(line) else {
            return Ok(());
        };
        for subject in activity.subjects().iter().filter(|subject| subject.is(user)) {
            self.rows.push(&activity, subject, event)?;
            let head = usable(event).ok();
            if let Some(head) = head.filter(|head| !self.seen.contains(&*head.uuid)) {
                self.seen.insert(head.uuid.to_string());
                self.new_events.push(head.uuid.to_string());
                *self.new.entry(head.event_type.to_string()).or_default() += 1;
            }
        }
        Ok(())
    }
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(at)
}

/// A quick look at a line that spares most of them the parse. It may say yes wrongly, never no.
struct Hint(Option<Finder<'static>>);

impl Hint {
    /// JSON writes letters, digits and these marks as they are, or as a `\u` escape; only such names can be looked for.
    fn new(user: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-' | '_' | '+');
        let is_searchable = !user.is_empty() && user.chars().all(is_plain);
        Self(is_searchable.then(|| Finder::new(lower_case(user).as_bytes()).into_owned()))
    }

    fn may_concern(&self, line: &str) -> bool {
        let Some(finder) = &self.0 else {
            return true;
        };
        // Beyond ASCII, a letter may be the upper case of an ASCII one, as the Kelvin sign is of `k`.
        !line.is_ascii()
            || memchr::memmem::find(line.as_bytes(), b"\\u").is_some()
            || finder.find(line.to_ascii_lowercase().as_bytes()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_look_never_misses_a_user() {
        for (user, line, may) in [
            ("a@example.com", r#"{"alternateId":"A@Example.com"}"#, true),
            ("a@example.com", r#"{"alternateId":"b@example.com"}"#, false),
            ("a@example.com", r#"{"alternateId":"a\u0040example.com"}"#, true),
            ("k@example.com", "{\"alternateId\":\"\u{212a}@example.com\"}", true),
            ("o'neil@example.com", r#"{"alternateId":"x"}"#, true),
        ] {
            assert_eq!(Hint::new(user).may_concern(line), may, "{user} {line}");
        }
    }
}
