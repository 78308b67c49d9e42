//! The merge of small files: refreshes, late events and daily compactions leave many, and a day is read best as one.

use std::collections::BTreeSet;

use iceberg::spec::{DataFile, Operation};
use iceberg::table::Table;
use serde::Serialize;

use crate::lake::admission::Admission;
use crate::lake::inventory::Inventory;
use crate::lake::replace::{self, Change};
use crate::lake::rewrite::{Workshop, rewrite};
use crate::lake::upkeep::{ATTEMPTS, Upkeep};
use crate::lake::write::FILE_BYTES;
use crate::ports::{Error, Kind, Result};

/// A file that is smaller than half the size at which the writer begins another is worth merging.
const SMALL_BYTES: u64 = FILE_BYTES as u64 / 2;
/// A commit is made when about so many bytes have been rewritten, so that a run that dies loses no more work than this.
const COMMIT_BYTES: u64 = 512 << 20;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Merged {
    pub days: u64,
    pub files_before: u64,
    pub files_after: u64,
    pub rows: u64,
    /// Of the files before.
    pub bytes: u64,
}

/// One day's files that become fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Chosen {
    day: i32,
    files: BTreeSet<String>,
    bytes: u64,
}

/// Merges the small files of every day that has two or more. Rows stay as they are.
pub async fn merge(upkeep: &Upkeep<'_>) -> Result<Merged> {
    let mut merged = Merged::default();
    let Some(base) = upkeep.lake.load().await? else {
        return Ok(merged);
    };
    let inventory = Inventory::of(&base).await?;
    let days: Vec<Chosen> = inventory
        .days()
        .iter()
        .filter_map(|(day, files)| choose(*day, files))
        .collect();
    drop(inventory);
    let mut batch = Batch::default();
    for (number, day) in days.iter().enumerate() {
        let workshop = Workshop {
            scratch: upkeep.scratch,
            names: &format!("{}-merge", upkeep.run),
        };
        let rewritten = rewrite(&base, day.day, &day.files, &workshop, &mut |_, _| true).await?;
        merged.days += 1;
        merged.files_before += day.files.len() as u64;
        merged.files_after += rewritten.added.len() as u64;
        merged.rows += rewritten.rows_after;
        merged.bytes += day.bytes;
        batch.bytes += day.bytes;
        batch.removed.extend(day.files.iter().cloned());
        batch.added.extend(rewritten.added);
        if batch.bytes >= COMMIT_BYTES || number + 1 == days.len() {
            commit(upkeep, &base, &format!("merge-{number}"), std::mem::take(&mut batch)).await?;
        }
    }
    Ok(merged)
}

/// The files of a day that are merged; `None` when that would not make them fewer.
fn choose(day: i32, files: &[&DataFile]) -> Option<Chosen> {
    let small: Vec<_> = files
        .iter()
        .filter(|file| file.file_size_in_bytes() < SMALL_BYTES)
        .collect();
    (small.len() > 1).then(|| Chosen {
        day,
        files: small.iter().map(|file| file.file_path().to_owned()).collect(),
        bytes: small.iter().map(|file| file.file_size_in_bytes()).sum(),
    })
}

#[derive(Default)]
struct Batch {
    removed: BTreeSet<String>,
    added: Vec<DataFile>,
    bytes: u64,
}

/// Commits a batch that was computed from `seen` to the table as it is now. Rows that came meanwhile are in other files and
/// stay; files that left meanwhile, and rows that may no longer be there, make the batch worthless.
async fn commit(upkeep: &Upkeep<'_>, seen: &Table, name: &str, batch: Batch) -> Result<()> {
    let outrun = || Error::new(Kind::Conflict, "merge files of the Activity table");
    let admitted = Admission::of(seen.metadata())?;
    for attempt in 0..ATTEMPTS {
        let base = upkeep.lake.load().await?.ok_or_else(outrun)?;
        if Admission::of(base.metadata())? != admitted {
            return Err(outrun());
        }
        let change = Change {
            operation: Operation::Replace,
            removed: batch.removed.clone(),
            added: batch.added.clone(),
            properties: Vec::new(),
        };
        match replace::commit(upkeep, &base, &format!("{name}-{attempt}"), change).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) if error.kind == Kind::NotFound => return Err(outrun()),
            Err(error) => return Err(error),
        }
    }
    Err(outrun())
}
