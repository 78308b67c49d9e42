//! Erasure: one user's rows leave the table, its history and its files, and do not come back.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use futures::TryStreamExt as _;
use iceberg::expr::Reference;
use iceberg::spec::{Datum, Operation};
use iceberg::table::Table;
use jiff::Timestamp;
use jiff::civil::Date;
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

use crate::lake::admission::{Admission, digest, erased};
use crate::lake::expire::{delete_unreferenced, expire};
use crate::lake::inventory::{Inventory, References};
use crate::lake::replace::{self, Change};
use crate::lake::rewrite::{Workshop, rewrite};
use crate::lake::upkeep::{ATTEMPTS, Upkeep};
use crate::lake::{corrupt, failed};
use crate::model::activity::{RowKey, date_of, day_of};
use crate::ports::tables::StoredFile;
use crate::ports::{Error, Kind, Result};

/// What an erasure took out, for whoever asked for it. It names the user by a digest, so that it can be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// SHA-256 of the Okta user ID, in hexadecimal.
    pub user_sha256: String,
    /// Rows of what happened before are gone. Later ones are kept.
    pub before: Timestamp,
    pub rows: u64,
    pub first_day: Option<Date>,
    pub last_day: Option<Date>,
    /// Rows of other users, on those days, whose event names the user's ID. They are kept: they tell of those others.
    pub rows_of_others_that_name_the_user: u64,
    pub files_rewritten: u64,
    /// The first snapshot without the rows.
    pub snapshot: i64,
    /// Its list of manifests.
    #[serde(skip)]
    manifest_list: String,
    /// Snapshots and files that were removed afterwards; `None` when the run ended before.
    pub snapshots_expired: Option<u64>,
    pub files_deleted: Option<u64>,
    /// Versions of the user in the directory; `None` when the run ended before.
    #[serde(default)]
    pub versions_in_directory: Option<u64>,
}

/// The first step: takes the rows of `user_id`, an Okta user ID, out of the newest snapshot and keeps them out, in one
/// commit. Rows are in older snapshots until [`forget`] has come to its end.
pub async fn erase(upkeep: &Upkeep<'_>, user_id: &str) -> Result<Receipt> {
    for attempt in 0..ATTEMPTS {
        let base = upkeep.lake.load_or_create().await?;
        let earlier = Admission::of(base.metadata())?.erased_before(user_id);
        let before = earlier.map_or(upkeep.clock.now(), |earlier| earlier.max(upkeep.clock.now()));
        match erase_from(upkeep, &base, user_id, before, &format!("erase-{attempt}")).await {
            Err(error) if error.kind == Kind::Conflict => {}
            done => return done,
        }
    }
    Err(Error::new(
        Kind::Conflict,
        "erase a user's rows from the Activity table",
    ))
}

async fn erase_from(
    upkeep: &Upkeep<'_>,
    base: &Table,
    user_id: &str,
    before: Timestamp,
    name: &str,
) -> Result<Receipt> {
    let days = days_of(base, user_id, before).await?;
    let inventory = Inventory::of(base).await?;
    let files = inventory.days();
    let mut change = Change {
        operation: Operation::Overwrite,
        removed: BTreeSet::new(),
        added: Vec::new(),
        properties: vec![erased(user_id, before)],
    };
    let named = Finder::new(user_id.as_bytes());
    let (mut rows, mut naming) = (0, 0);
    let workshop = Workshop {
        scratch: upkeep.scratch,
        names: &format!("{}-{name}", upkeep.run),
    };
    for &day in days.keys() {
        let of_day = files.get(&day).into_iter().flatten();
        let of_day: BTreeSet<String> = of_day.map(|file| file.file_path().to_owned()).collect();
        let mut keeps = |key: &RowKey<'_>, event: &str| {
            let keeps = key.user_id != user_id || key.published >= before.as_microsecond();
            naming += u64::from(keeps && key.user_id != user_id && named.find(event.as_bytes()).is_some());
            keeps
        };
        let rewritten = rewrite(base, day, &of_day, &workshop, &mut keeps).await?;
        rows += rewritten.rows_before - rewritten.rows_after;
        change.removed.extend(of_day);
        change.added.extend(rewritten.added);
    }
    if rows != days.values().sum::<u64>() {
        return Err(corrupt("erase rows of files that this build does not partition"));
    }
    if change.added.is_empty() {
        change.operation = Operation::Delete;
    }
    let files_rewritten = change.removed.len() as u64;
    let committed = replace::commit(upkeep, base, name, change).await?;
    Ok(Receipt {
        user_sha256: digest(user_id),
        before,
        rows,
        first_day: days.keys().next().map(|day| date_of(*day)),
        last_day: days.keys().next_back().map(|day| date_of(*day)),
        rows_of_others_that_name_the_user: naming,
        files_rewritten,
        snapshot: committed.snapshot_id,
        manifest_list: committed.manifest_list,
        snapshots_expired: None,
        files_deleted: None,
        versions_in_directory: None,
    })
}

/// On which days a user has rows before a time, and how many.
async fn days_of(table: &Table, user_id: &str, before: Timestamp) -> Result<BTreeMap<i32, u64>> {
    let mut days = BTreeMap::new();
    if table.metadata().current_snapshot().is_none() {
        return Ok(days);
    }
    let op = || failed("look for a user's rows");
    let wanted = Reference::new("user_id")
        .equal_to(Datum::string(user_id))
        .and(Reference::new("published").less_than(Datum::timestamptz_micros(before.as_microsecond())));
    let scan = table.scan().select(["user_id", "published"]).with_filter(wanted);
    let scan = scan.with_row_group_filtering_enabled(true).build().map_err(op())?;
    let mut batches = scan.to_arrow().await.map_err(op())?;
    while let Some(batch) = batches.try_next().await.map_err(op())? {
        let published = batch.column_by_name("published");
        let published = published.and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        for &time in published.ok_or_else(|| corrupt("read when a row happened"))?.values() {
            *days.entry(day_of(time)).or_default() += 1;
        }
    }
    Ok(days)
}

/// The second step: expires every snapshot but the newest and deletes every file that only they needed, so that the erased
/// rows are in none. Done again, it does what is left.
///
/// No safety age holds here. What was written before the erasure and never committed was computed from an older snapshot,
/// which the compare-and-swap of its commit refuses.
pub async fn forget(upkeep: &Upkeep<'_>, receipt: Receipt) -> Result<Receipt> {
    let Some(table) = upkeep.lake.load().await? else {
        return Ok(receipt);
    };
    let before = References::of(&table).await?;
    let snapshots = expire(upkeep, i64::MAX, 1).await?;
    let left = upkeep
        .lake
        .load()
        .await?
        .map_or(0, |table| table.metadata().snapshots().len());
    if left > 1 {
        let why = format!(
            "{left} snapshots are left, which a branch or a tag keeps or another run has just made: remove the branch or tag"
        );
        let why = std::io::Error::other(why);
        return Err(Error::caused(
            Kind::Conflict,
            "expire the snapshots that hold the erased rows",
            why,
        ));
    }
    let removed = delete_unreferenced(upkeep, |stored| {
        let erasure = stored.iter().find(|file| file.location == receipt.manifest_list);
        let erasure = erasure.ok_or_else(|| Error::new(Kind::Conflict, "find the snapshot of the erasure"))?;
        let held = |file: &&StoredFile| before.snapshots.contains(&file.location);
        let is_older = |file: &&StoredFile| file.modified < erasure.modified;
        Ok(stored.iter().filter(|file| held(file) || is_older(file)).collect())
    })
    .await?;
    Ok(Receipt {
        snapshots_expired: Some(snapshots),
        files_deleted: Some(removed.files),
        ..receipt
    })
}
