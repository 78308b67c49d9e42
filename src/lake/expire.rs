//! Snapshots that nobody needs any more, and files that no snapshot needs. Metadata is committed first and files are deleted
//! afterwards, so that a run that dies in between leaves files only, which the next one finds.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use iceberg::spec::{Operation, SnapshotRef};
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction as _, Transaction};
use jiff::SignedDuration;
use serde::Serialize;

use crate::lake::commit::{Pinned, WATERMARK_PROPERTY};
use crate::lake::failed;
use crate::lake::inventory::References;
use crate::lake::replace::{self, Change};
use crate::lake::upkeep::{ATTEMPTS, Upkeep};
use crate::ports::tables::StoredFile;
use crate::ports::{Error, Kind, Result};

/// Deletions at once.
const DELETIONS: usize = 16;

/// Which snapshots and files stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Snapshots that are younger than this.
    pub young: SignedDuration,
    /// At least so many of the newest.
    pub newest: usize,
    /// Files that are younger than this, whether or not anything refers to them: a run may be about to commit them.
    pub files: SignedDuration,
}

impl Default for Keep {
    /// Snapshots of five days, as Iceberg's own default, at least ten, and files of three days.
    fn default() -> Self {
        Self {
            young: SignedDuration::from_hours(5 * 24),
            newest: 10,
            files: SignedDuration::from_hours(3 * 24),
        }
    }
}

/// What a run removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    pub snapshots: u64,
    pub files: u64,
    pub bytes: u64,
}

/// Expires snapshots, then deletes what nothing refers to.
pub async fn clean(upkeep: &Upkeep<'_>, keep: Keep) -> Result<Removed> {
    let now = upkeep.clock.now();
    let snapshots = expire(upkeep, (now - keep.young).as_millisecond(), keep.newest).await?;
    let removed = delete_unreferenced(upkeep, |stored| {
        Ok(stored.iter().filter(|file| file.modified < now - keep.files).collect())
    })
    .await?;
    Ok(Removed { snapshots, ..removed })
}

/// Takes the snapshots that are older than a time, in milliseconds since 1970-01-01 (UTC), out of the table's metadata, all
/// but the newest ones and what branches and tags need. Gives how many.
pub(super) async fn expire(upkeep: &Upkeep<'_>, older_than_ms: i64, newest: usize) -> Result<u64> {
    for attempt in 0..ATTEMPTS {
        let Some(base) = upkeep.lake.load().await? else {
            return Ok(0);
        };
        let snapshots = base.metadata().snapshots();
        let count = snapshots.len();
        if count <= newest
            || snapshots
                .into_iter()
                .all(|snapshot| snapshot.timestamp_ms() >= older_than_ms)
        {
            return Ok(0);
        }
        match expire_from(upkeep, &base, older_than_ms, newest, &format!("expire-{attempt}")).await {
            Ok(Some(table)) => return Ok(count.saturating_sub(table.metadata().snapshots().len()) as u64),
            Ok(None) => {}
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(Kind::Conflict, "expire snapshots of the Activity table"))
}

/// `None` when the watermark had to be carried first: it is looked up along parents, which are about to go.
async fn expire_from(
    upkeep: &Upkeep<'_>,
    base: &Table,
    older_than_ms: i64,
    newest: usize,
    name: &str,
) -> Result<Option<Table>> {
    let current = base.metadata().current_snapshot();
    let carries = |snapshot: &SnapshotRef| {
        let properties = &snapshot.summary().additional_properties;
        properties.contains_key(WATERMARK_PROPERTY)
    };
    if !current.is_some_and(carries) {
        let carry = Change {
            operation: Operation::Append,
            removed: BTreeSet::new(),
            added: Vec::new(),
            properties: Vec::new(),
        };
        replace::commit(upkeep, base, name, carry).await?;
        return Ok(None);
    }
    let op = || failed("expire snapshots of the Activity table");
    let transaction = Transaction::new(base);
    let expiry = transaction
        .expire_snapshots()
        .expire_older_than_ms(older_than_ms)
        .retain_last(newest);
    let transaction = expiry.apply(transaction).map_err(op())?;
    let pinned = Pinned {
        base: base.clone(),
        catalog: std::sync::Arc::clone(&upkeep.lake.catalog),
    };
    transaction.commit(&pinned).await.map(Some).map_err(op())
}

/// Deletes the files below the table's location that nothing refers to, of those that `choose` takes from the listing.
///
/// Refused when the table has a file that the listing does not: the two may name files differently, and then nothing that
/// is listed would seem to be referred to.
pub(super) async fn delete_unreferenced(
    upkeep: &Upkeep<'_>,
    choose: impl FnOnce(&[StoredFile]) -> Result<Vec<&StoredFile>>,
) -> Result<Removed> {
    let Some(table) = upkeep.lake.load().await? else {
        return Ok(Removed::default());
    };
    let stored = upkeep.tables.files(table.metadata().location()).await?;
    // Loaded after the listing: whatever is committed later was chosen by nobody.
    let table = upkeep.lake.load().await?.unwrap_or(table);
    let references = References::of(&table).await?;
    if unlisted(&stored, &references).is_some() {
        // What was committed since the listing is in another.
        let now = upkeep.tables.files(table.metadata().location()).await?;
        every_file_is_listed(&table, &now, &references)?;
    }
    let mut due = choose(&stored)?;
    due.retain(|file| !references.contains(&file.location));
    let deletions = due.iter().map(|file| table.file_io().delete(file.location.clone()));
    let mut deletions = futures::stream::iter(deletions).buffer_unordered(DELETIONS);
    let op = || failed("delete files that nothing refers to");
    while deletions.try_next().await.map_err(op())?.is_some() {}
    Ok(Removed {
        snapshots: 0,
        files: due.len() as u64,
        bytes: due.iter().map(|file| file.bytes).sum(),
    })
}

/// A file that the table has and a listing does not.
fn unlisted<'a>(stored: &[StoredFile], references: &'a References) -> Option<&'a String> {
    let listed: BTreeSet<&str> = stored.iter().map(|file| file.location.as_str()).collect();
    let mut all = references.snapshots.iter();
    all.find(|location| !listed.contains(location.as_str()))
}

fn every_file_is_listed(table: &Table, stored: &[StoredFile], references: &References) -> Result<()> {
    match unlisted(stored, references) {
        None => Ok(()),
        Some(missing) => {
            let why = format!(
                "the table has the file {missing}, which is not listed below {}; nothing was deleted",
                table.metadata().location()
            );
            Err(Error::caused(
                Kind::Invalid,
                "look for files that nothing refers to",
                std::io::Error::other(why),
            ))
        }
    }
}
