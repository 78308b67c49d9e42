//! Refresh User Data: one user's newest events enter the Activity table at once, without waiting for the compaction.
//!
//! The watermark stays where it is, so the next compaction reads the same events again and finds their rows present.

use std::path::Path;

use memchr::memmem::Finder;
use serde::Serialize;

use crate::lake::{Lake, Rows, commit, segment};
use crate::model::activity::{Watermark, lower_case};
use crate::ports::stop::Stop;
use crate::ports::{Leases, Objects, Queue, Result};
use crate::runtime::compact::parse;
use crate::runtime::ingest::Ingest;

/// The lease of whoever moves messages from the queue into segments.
pub const INGEST_LEASE: &str = "ingest";

/// Counts of one refresh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Events of any user that were taken from the queue on the way.
    pub landed: u64,
    /// The user's rows among all that is not compacted yet.
    pub rows: u64,
    /// Rows that the table did not have.
    pub added: u64,
}

/// What a refresh needs.
pub struct Refresh<'a> {
    pub queue: &'a dyn Queue,
    pub objects: &'a dyn Objects,
    pub leases: &'a dyn Leases,
    pub stop: &'a Stop,
    pub lake: &'a Lake,
    /// An empty folder.
    pub scratch: &'a Path,
    /// The name of this run among all runs.
    pub run: &'a str,
}

impl Refresh<'_> {
    /// `user` is an Okta user ID, or a login in any letter case.
    pub async fn run(&self, user: &str) -> Result<Report> {
        let from = match self.lake.load().await? {
            Some(table) => commit::watermark(&table)?,
            None => Watermark::default(),
        };
        let landed = self.land(from).await?;
        let end = segment::end(self.objects, from.0).await?;
        let hint = Hint::new(user);
        let mut rows = Rows::new(self.scratch, self.run);
        for number in from.0..end {
            let mut lines = segment::Lines::open(self.objects, number).await?;
            while let Some(line) = lines.next_line()? {
                if !hint.may_concern(line) {
                    continue;
                }
                // A line that cannot be read is set aside by the compaction, which reads every line.
                let Ok((activity, event)) = parse(line) else {
                    continue;
                };
                for subject in activity.subjects().iter().filter(|subject| subject.is(user)) {
                    rows.push(&activity, subject, event)?;
                }
            }
        }
        let written = rows.commit(self.lake, |watermark| watermark).await?;
        Ok(Report {
            landed,
            rows: written.offered,
            added: written.added,
        })
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
