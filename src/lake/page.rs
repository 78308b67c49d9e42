//! A user's Activity a page at a time: newest first, with filters, without counting, and without the events themselves, which
//! are most of the bytes.
//!
//! Time is cut into windows, the newest first. A window that brings too little makes the next one longer, one that brings too
//! much makes it shorter, so that a page reads about what it shows however much a user does.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::str::FromStr;

use futures::TryStreamExt;
use iceberg::expr::{Predicate, Reference};
use iceberg::spec::Datum;
use iceberg::table::Table;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::lake::read::{Newest, rows};
use crate::lake::table::{EVENT_COLUMN, KEY_COLUMNS, Lake};
use crate::lake::{failed, inventory};
use crate::model::activity::{ActivityRow, COLUMNS, lower_case};
use crate::ports::Result;

const BATCH_ROWS: usize = 1_024;
const FIRST_WINDOW: SignedDuration = SignedDuration::from_hours(2);
const LEAST_WINDOW: SignedDuration = SignedDuration::from_secs(60);
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24 * 400);
/// What a window grows or shrinks by at most.
const STEP: f64 = 4.0;
/// How much of a page a window should bring: enough that most pages need one, and little that is not shown.
const AIM: f64 = 1.25;

/// Which rows of a user are wanted. An empty text wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// None of what was published before.
    pub from: Option<Timestamp>,
    /// None of what was published at or after.
    pub to: Option<Timestamp>,
    /// What the event type begins with, as in `user.authentication`.
    pub event_type: String,
    /// As in `FAILURE`.
    pub outcome: String,
    pub ip: String,
    pub application: String,
    /// Whether the events themselves are read, which are most of the bytes.
    pub has_events: bool,
}

/// Where a page ended: the row that was shown last, and how long a window was right. A text that goes into an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    published: Timestamp,
    uuid: String,
    user_id: String,
    window: SignedDuration,
}

/// One page.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct ActivityPage {
    /// Newest first; their `event` is `null` where the events were not asked for.
    pub rows: Vec<ActivityRow>,
    /// Where the next page begins; `None` on the last.
    #[cfg_attr(feature = "deploy", schemars(with = "Option<String>"))]
    pub next: Option<Cursor>,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, window) = (self.published.as_microsecond(), self.window.as_secs());
        write!(
            formatter,
            "{at}.{window}.{}.{}{}",
            self.uuid.len(),
            self.uuid,
            self.user_id
        )
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let read = || {
            let mut parts = text.splitn(4, '.');
            let at: i64 = parts.next()?.parse().ok()?;
            let window: i64 = parts.next()?.parse().ok()?;
            let length: usize = parts.next()?.parse().ok()?;
            let (uuid, user_id) = parts.next()?.split_at_checked(length)?;
            Some(Self {
                published: Timestamp::from_microsecond(at).ok()?,
                window: SignedDuration::from_secs(window).clamp(LEAST_WINDOW, LONGEST_WINDOW),
                uuid: uuid.to_owned(),
                user_id: user_id.to_owned(),
            })
        };
        read().ok_or_else(|| format!("{text:?} is no place in a user's activity"))
    }
}

impl Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The next `limit` rows of a user (an Okta ID, or a login in any letter case) after a place.
pub async fn page(
    lake: &Lake,
    user: &str,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<ActivityPage> {
    let Some(table) = lake.load().await? else {
        return Ok(ActivityPage::default());
    };
    let Some((oldest, newest)) = days(&table).await? else {
        return Ok(ActivityPage::default());
    };
    let mut window = after.map_or(FIRST_WINDOW, |after| after.window);
    // The row of the place itself has to be read again, to be left out: others are of the same moment.
    let begin = after.map_or(newest, |after| just_after(after.published)).min(newest);
    let mut to = filter.to.map_or(begin, |to| to.min(begin));
    let end = filter.from.map_or(oldest, |from| from.max(oldest));
    let wanted = wanted(user, filter);
    let mut found: Vec<ActivityRow> = Vec::new();
    while to > end && found.len() <= limit {
        let from = to.checked_sub(window).unwrap_or(end).max(end);
        // One more than is shown tells whether there is another page.
        let missing = limit + 1 - found.len();
        let (rows, seen) = read(&table, (&wanted, filter.has_events), (from, to), after, missing).await?;
        found.extend(rows);
        window = better(window, seen, limit);
        to = from;
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|last| Cursor {
        published: last.published,
        uuid: last.event_uuid.clone(),
        user_id: last.user_id.clone(),
        window,
    });
    Ok(ActivityPage { rows: found, next })
}

/// A row with its event, as it was received.
pub async fn row(lake: &Lake, user: &str, published: Timestamp, uuid: &str) -> Result<Option<ActivityRow>> {
    let Some(table) = lake.load().await? else {
        return Ok(None);
    };
    if table.metadata().current_snapshot().is_none() {
        return Ok(None);
    }
    let is_it = of_user(user)
        .and(Reference::new("published").equal_to(Datum::timestamptz_micros(published.as_microsecond())))
        .and(Reference::new("event_uuid").equal_to(Datum::string(uuid)));
    let scan = table
        .scan()
        .with_filter(is_it)
        .with_row_selection_enabled(true)
        .with_batch_size(Some(BATCH_ROWS))
        .build()
        .map_err(failed("plan the reading of an event"))?;
    let mut batches = scan.to_arrow().await.map_err(failed("read an event"))?;
    while let Some(batch) = batches.try_next().await.map_err(failed("read an event"))? {
        if let Some(row) = rows(&batch)?.into_iter().next() {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn of_user(user: &str) -> Predicate {
    // An ID is never a login, which holds an at sign or is at least no ID of Okta's.
    Reference::new("user_id")
        .equal_to(Datum::string(user))
        .or(Reference::new("user_login").equal_to(Datum::string(lower_case(user))))
}

fn wanted(user: &str, filter: &Filter) -> Predicate {
    let mut wanted = of_user(user);
    if !filter.event_type.is_empty() {
        wanted = wanted.and(Reference::new("event_type").starts_with(Datum::string(&filter.event_type)));
    }
    for (column, value) in [
        ("outcome_result", &filter.outcome),
        ("client_ip", &filter.ip),
        ("application", &filter.application),
    ] {
        if !value.is_empty() {
            wanted = wanted.and(Reference::new(column).equal_to(Datum::string(value)));
        }
    }
    wanted
}

/// The newest rows of a window, newest first, at most so many; and how many the window has.
async fn read(
    table: &Table,
    (wanted, has_events): (&Predicate, bool),
    (from, to): (Timestamp, Timestamp),
    after: Option<&Cursor>,
    most: usize,
) -> Result<(Vec<ActivityRow>, usize)> {
    let published = |at: Timestamp| {
        (
            Reference::new("published"),
            Datum::timestamptz_micros(at.as_microsecond()),
        )
    };
    let (reference, lower) = published(from);
    let (end, upper) = published(to);
    let within = wanted
        .clone()
        .and(reference.greater_than_or_equal_to(lower))
        .and(end.less_than(upper));
    let schema = table.metadata().current_schema();
    let columns = KEY_COLUMNS
        .into_iter()
        .chain(COLUMNS)
        .chain(has_events.then_some(EVENT_COLUMN));
    let scan = table
        .scan()
        // A table that an older build wrote may lack some.
        .select(columns.filter(|name| schema.field_by_name(name).is_some()))
        .with_filter(within)
        .with_batch_size(Some(BATCH_ROWS))
        .with_row_group_filtering_enabled(true)
        .build()
        .map_err(failed("plan the reading of activity"))?;
    let mut batches = scan.to_arrow().await.map_err(failed("read activity"))?;
    let (mut newest, mut seen) = (BinaryHeap::new(), 0);
    while let Some(batch) = batches.try_next().await.map_err(failed("read activity"))? {
        for row in rows(&batch)? {
            if after.is_some_and(|after| !after.is_before(&row)) {
                continue;
            }
            seen += 1;
            newest.push(Reverse(Newest(row)));
            if newest.len() > most {
                newest.pop();
            }
        }
    }
    let sorted = newest.into_sorted_vec().into_iter();
    Ok((sorted.map(|Reverse(Newest(row))| row).collect(), seen))
}

impl Cursor {
    /// Whether a row comes after this place, going back in time.
    fn is_before(&self, row: &ActivityRow) -> bool {
        let order = (row.published, row.event_uuid.as_str(), row.user_id.as_str());
        order < (self.published, &self.uuid, &self.user_id)
    }
}

/// A window that brings about a page, after one that brought so many rows.
fn better(window: SignedDuration, seen: usize, limit: usize) -> SignedDuration {
    #[expect(clippy::cast_precision_loss, reason = "a rough guess is enough")]
    let factor = (AIM * limit as f64 / seen.max(1) as f64).clamp(1.0 / STEP, STEP);
    SignedDuration::from_secs_f64(window.as_secs_f64() * factor).clamp(LEAST_WINDOW, LONGEST_WINDOW)
}

fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_micros(1)).unwrap_or(at)
}

/// The beginning of the table's first day and the end of its last; `None` when it is empty.
async fn days(table: &Table) -> Result<Option<(Timestamp, Timestamp)>> {
    let Some((first, last)) = inventory::first_and_last_day(table).await? else {
        return Ok(None);
    };
    let start = |day: i32| Timestamp::from_second(i64::from(day) * 86_400).ok();
    Ok(start(first).zip(start(last.saturating_add(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_text_and_back() {
        let place = Cursor {
            published: "2026-11-24T13:05:09.123456Z".parse().unwrap(),
            uuid: "c51ae08b-3727.4581".to_owned(),
            user_id: "00u1".to_owned(),
            window: SignedDuration::from_hours(6),
        };
        assert_eq!(place.to_string().parse::<Cursor>().unwrap(), place);
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3",
            "x.1.1.a",
            "1.x.1.a",
            "1.2.9.a",
            "99999999999999999999.1.1.a",
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
