//! Reading a user's Activity: newest first, with memory bounded by how many rows are asked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
use futures::TryStreamExt;
use iceberg::expr::{Predicate, Reference};
use iceberg::spec::Datum;
use jiff::Timestamp;

use crate::lake::table::{EVENT_COLUMN, Lake};
use crate::lake::{corrupt, failed};
use crate::model::activity::{ActivityRow, COLUMNS, lower_case};
use crate::ports::{Error, Kind, Result};

const BATCH_ROWS: usize = 1_024;

/// Which rows to read.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// An Okta user ID, or a login in any letter case.
    pub user: &'a str,
    /// At most this many rows, the newest.
    pub limit: usize,
    /// None of what was published before.
    pub since: Option<Timestamp>,
}

/// The newest rows of a user, newest first.
pub async fn activity(lake: &Lake, query: Query<'_>) -> Result<Vec<ActivityRow>> {
    let Some(table) = lake.load().await? else {
        return Ok(Vec::new());
    };
    if table.metadata().current_snapshot().is_none() {
        return Ok(Vec::new());
    }
    let user: Predicate = Reference::new("user_id")
        .equal_to(Datum::string(query.user))
        .or(Reference::new("user_login").equal_to(Datum::string(lower_case(query.user))));
    let wanted = match query.since {
        None => user,
        Some(since) => user.and(
            Reference::new("published").greater_than_or_equal_to(Datum::timestamptz_micros(since.as_microsecond())),
        ),
    };
    let scan = table
        .scan()
        .with_filter(wanted)
        .with_batch_size(Some(BATCH_ROWS))
        .with_row_group_filtering_enabled(true)
        .build()
        .map_err(failed("plan the reading of activity"))?;
    let mut batches = scan.to_arrow().await.map_err(failed("read activity"))?;
    let mut newest: BinaryHeap<Reverse<Newest>> = BinaryHeap::new();
    while let Some(batch) = batches.try_next().await.map_err(failed("read activity"))? {
        for row in rows(&batch)? {
            newest.push(Reverse(Newest(row)));
            if newest.len() > query.limit {
                newest.pop();
            }
        }
    }
    Ok(newest
        .into_sorted_vec()
        .into_iter()
        .map(|Reverse(Newest(row))| row)
        .collect())
}

/// The rows of a batch; one that was read without the events has `null` for each.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<ActivityRow>> {
    let shape = || corrupt("read the columns of the Activity table");
    let text = |name: &str| {
        batch
            .column_by_name(name)
            .and_then(|column| column.as_string_opt::<i32>())
            .ok_or_else(shape)
    };
    let published = batch
        .column_by_name("published")
        .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
        .ok_or_else(shape)?;
    let (user, uuid) = (text("user_id")?, text("event_uuid")?);
    let event = match batch.column_by_name(EVENT_COLUMN) {
        Some(_) => Some(text(EVENT_COLUMN)?),
        None => None,
    };
    // A table that an older build wrote may lack some.
    let present = COLUMNS.iter().filter(|name| batch.column_by_name(name).is_some());
    let columns = present
        .map(|name| Ok((*name, text(name)?)))
        .collect::<Result<Vec<_>>>()?;
    (0..batch.num_rows())
        .map(|row| {
            let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
                Error::caused(Kind::Invalid, format!("read the event {}", uuid.value(row)), error)
            };
            Ok(ActivityRow {
                user_id: user.value(row).to_owned(),
                published: Timestamp::from_microsecond(published.value(row)).map_err(|e| invalid(e.into()))?,
                event_uuid: uuid.value(row).to_owned(),
                columns: columns
                    .iter()
                    .filter(|(_, values)| values.is_valid(row))
                    .map(|(name, values)| ((*name).to_owned(), values.value(row).into()))
                    .collect(),
                // One event that only a lenient reader reads must not hide the others.
                event: event.map_or(serde_json::Value::Null, |event| {
                    serde_json::from_str(event.value(row)).unwrap_or_else(|_| event.value(row).into())
                }),
            })
        })
        .collect()
}

/// Orders rows by time, then by event, so that the same table always reads the same.
pub(super) struct Newest(pub ActivityRow);

impl Newest {
    fn order(&self) -> (Timestamp, &str, &str) {
        (self.0.published, &self.0.event_uuid, &self.0.user_id)
    }
}
impl PartialEq for Newest {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}
impl Eq for Newest {}
impl PartialOrd for Newest {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Newest {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}
