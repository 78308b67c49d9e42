//! Days that are older than a tenant keeps its data leave the table by its metadata alone.

use std::collections::BTreeSet;

use iceberg::spec::Operation;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::lake::admission::{Admission, retained_from};
use crate::lake::inventory::Inventory;
use crate::lake::replace::{self, Change};
use crate::lake::table::Lake;
use crate::lake::upkeep::{ATTEMPTS, Upkeep};
use crate::model::activity::{date_of, day_of};
use crate::ports::{Error, Kind, Result};

/// The first day (UTC) that is kept. Never today or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Horizon(i32);

impl Horizon {
    /// Keeps today and `days` days before it. `None` for 0: whoever wants nothing kept retires the tenant.
    pub fn of(now: Timestamp, days: u32) -> Option<Self> {
        let days = i32::try_from(days).ok().filter(|days| *days > 0)?;
        Some(Self(day_of(now.as_microsecond()).saturating_sub(days)))
    }

    pub fn date(self) -> Date {
        date_of(self.0)
    }

    /// Whether what happened at this time is older than what is kept.
    pub fn is_past(self, time: Timestamp) -> bool {
        day_of(time.as_microsecond()) < self.0
    }
}

/// What of a table is older than a horizon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Past {
    pub days: u64,
    pub first_day: Option<Date>,
    pub last_day: Option<Date>,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Whether nothing would be left.
    pub is_all: bool,
    #[serde(skip)]
    locations: BTreeSet<String>,
}

/// What would be dropped. Changes nothing.
pub async fn past(lake: &Lake, horizon: Horizon) -> Result<Past> {
    match lake.load().await? {
        Some(table) => Ok(past_of(&Inventory::of(&table).await?, horizon)),
        None => Ok(Past::default()),
    }
}

fn past_of(inventory: &Inventory, horizon: Horizon) -> Past {
    let mut past = Past::default();
    let days = inventory.days();
    for (&day, files) in days.range(..horizon.0) {
        past.days += 1;
        past.first_day = past.first_day.or(Some(date_of(day)));
        past.last_day = Some(date_of(day));
        for file in files {
            past.files += 1;
            past.rows += file.record_count();
            past.bytes += file.file_size_in_bytes();
            past.locations.insert(file.file_path().to_owned());
        }
    }
    past.is_all = past.days > 0 && past.days == days.len() as u64;
    past
}

/// Drops what is past and keeps it from coming back.
///
/// [`Kind::Invalid`] when nothing would be left: then the clock or the setting is wrong, or no event has come for as long.
pub async fn drop_past(upkeep: &Upkeep<'_>, horizon: Horizon) -> Result<Past> {
    for attempt in 0..ATTEMPTS {
        let Some(base) = upkeep.lake.load().await? else {
            return Ok(Past::default());
        };
        let past = past_of(&Inventory::of(&base).await?, horizon);
        if past.files == 0 {
            return Ok(past);
        }
        if past.is_all {
            let why = format!(
                "no row is of {} or later, so nothing would be left; nothing was dropped",
                horizon.date()
            );
            return Err(Error::caused(
                Kind::Invalid,
                "drop days from the Activity table",
                std::io::Error::other(why),
            ));
        }
        // An earlier run may have kept fewer days.
        let first = Admission::of(base.metadata())?
            .first_day()
            .map_or(horizon.0, |day| day.max(horizon.0));
        let change = Change {
            operation: Operation::Delete,
            removed: past.locations.clone(),
            added: Vec::new(),
            properties: vec![retained_from(first)],
        };
        match replace::commit(upkeep, &base, &format!("retention-{attempt}"), change).await {
            Err(error) if error.kind == Kind::Conflict => {}
            done => return done.map(|_| past),
        }
    }
    Err(Error::new(Kind::Conflict, "drop days from the Activity table"))
}
