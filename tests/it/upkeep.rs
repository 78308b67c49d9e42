//! The Activity table over years: small files are merged, old snapshots and what nobody refers to go, and no row is lost or
//! doubled on the way, in every catalog.

mod erasure;
mod killed;
mod older;
mod plain;
mod retention;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array as _, ArrayRef};
use futures::TryStreamExt as _;
use iceberg::transaction::{ApplyTransactionAction as _, Transaction};
use jiff::{SignedDuration, Timestamp};
use oort_streams::lake::expire::{Keep, clean};
use oort_streams::lake::merge::{Merged, merge};
use oort_streams::lake::{Lake, Upkeep, commit};
use oort_streams::local::clock::{ManualClock, SystemClock};
use oort_streams::model::activity::Watermark;
use oort_streams::ports::{Clock, Kind};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::lake::{Table, event};

/// What acts of upkeep work with, over one table.
pub struct Hand {
    scratch: TempDir,
    run: String,
    pub clock: Box<dyn Clock>,
}

impl Hand {
    pub fn new(run: &str) -> Self {
        Self {
            scratch: tempfile::tempdir().unwrap(),
            run: run.to_owned(),
            clock: Box::new(SystemClock),
        }
    }

    /// So many days from now.
    pub fn later(run: &str, days: i64) -> Self {
        let then = SystemClock.now() + SignedDuration::from_hours(24 * days);
        Self {
            clock: Box::new(ManualClock::new(then)),
            ..Self::new(run)
        }
    }

    pub fn on<'a>(&'a self, table: &'a Table) -> Upkeep<'a> {
        Upkeep {
            lake: &table.lake,
            tables: &*table.tables,
            clock: &*self.clock,
            scratch: self.scratch.path(),
            run: &self.run,
        }
    }
}

/// Every row with all that it holds, and how often it is there.
pub async fn all_rows(lake: &Lake) -> BTreeMap<Vec<String>, usize> {
    let mut rows = BTreeMap::new();
    let Some(table) = lake.load().await.unwrap() else {
        return rows;
    };
    let mut batches = table.scan().build().unwrap().to_arrow().await.unwrap();
    while let Some(batch) = batches.try_next().await.unwrap() {
        let cell = |column: &ArrayRef, row: usize| match column.as_string_opt::<i32>() {
            Some(text) => text.is_valid(row).then(|| text.value(row).to_owned()),
            None => Some(column.as_primitive::<TimestampMicrosecondType>().value(row).to_string()),
        };
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|column| cell(column, row).unwrap_or_else(|| "-".to_owned()));
            *rows.entry(cells.collect()).or_default() += 1;
        }
    }
    rows
}

/// The locations of the table's data files.
pub async fn data_files(table: &Table) -> Vec<String> {
    let now = table.lake.load().await.unwrap().unwrap();
    let tasks = now.scan().build().unwrap().plan_files().await.unwrap();
    let mut files: Vec<_> = tasks.map_ok(|task| task.data_file_path).try_collect().await.unwrap();
    files.sort();
    files
}

/// What upkeep promises wherever the table is.
pub async fn keeps_its_promises(table: &Table) {
    for number in 0..6 {
        table
            .write(&[event(number, number % 2, "ann", "bob")], u64::from(number))
            .await;
    }
    let (rows, stale) = (all_rows(&table.lake).await, table.lake.load().await.unwrap().unwrap());
    let hand = Hand::new("contract");
    let merged = merge(&hand.on(table)).await.unwrap();
    assert_eq!(
        (merged.days, merged.files_before, merged.files_after, merged.rows),
        (2, 6, 2, 12)
    );
    assert_eq!(all_rows(&table.lake).await, rows);
    assert_eq!(table.lake.rows().await.unwrap(), 12);
    assert_eq!(
        merge(&hand.on(table)).await.unwrap(),
        Merged::default(),
        "a merged day is merged again"
    );

    let now = table.lake.load().await.unwrap().unwrap();
    assert_eq!(commit::watermark(&now).unwrap(), Watermark(5));
    let refused = table
        .tables
        .swap(&stale, now.metadata(), "elsewhere")
        .await
        .unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    let still = table.lake.load().await.unwrap().unwrap();
    assert_eq!(still.metadata_location(), now.metadata_location());

    let later = Hand::later("contract-later", 30);
    let removed = clean(
        &later.on(table),
        Keep {
            newest: 1,
            ..Keep::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(removed.snapshots, 6);
    // Of each of six commits its file, its manifest and its list of manifests.
    assert_eq!(removed.files, 18);
    assert_eq!(all_rows(&table.lake).await, rows);
}

/// A file of the table's location to which nothing refers, last changed a while ago.
fn plant(table: &Table, name: &str, age: SignedDuration) -> PathBuf {
    let path = table.folder.path().join("warehouse/acme/activity/data").join(name);
    std::fs::write(&path, "no Parquet").unwrap();
    let then: std::time::SystemTime = (SystemClock.now() - age).into();
    std::fs::File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .set_modified(then)
        .unwrap();
    path
}

#[tokio::test]
async fn files_of_a_run_at_work_are_no_orphans() {
    let table = Table::embedded().await;
    table.write(&[event(1, 1, "ann", "bob")], 1).await;
    let rows = all_rows(&table.lake).await;
    let young = plant(&table, "young.parquet", SignedDuration::from_hours(71));
    let old = plant(&table, "old.parquet", SignedDuration::from_hours(73));
    let removed = clean(&Hand::new("clean").on(&table), Keep::default()).await.unwrap();
    assert_eq!((removed.snapshots, removed.files), (0, 1));
    assert!(young.exists() && !old.exists());
    assert_eq!(all_rows(&table.lake).await, rows);
}

#[tokio::test]
async fn nothing_is_deleted_when_the_listing_misses_a_file_of_the_table() {
    let table = Table::embedded().await;
    table.write(&[event(1, 1, "ann", "bob")], 1).await;
    let lost = data_files(&table).await.remove(0);
    let elsewhere = format!("{lost}.elsewhere");
    std::fs::rename(&lost, &elsewhere).unwrap();
    let refused = clean(&Hand::later("clean", 30).on(&table), Keep::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid);
    assert!(Path::new(&elsewhere).exists());
}

#[tokio::test]
async fn the_newest_snapshots_and_the_young_stay() {
    let table = Table::embedded().await;
    for number in 0..8 {
        table.write(&[event(number, 1, "ann", "bob")], 1).await;
    }
    let count = async || table.lake.load().await.unwrap().unwrap().metadata().snapshots().len();
    clean(
        &Hand::later("young", 4).on(&table),
        Keep {
            newest: 2,
            ..Keep::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(count().await, 8);
    clean(
        &Hand::later("newest", 6).on(&table),
        Keep {
            newest: 3,
            ..Keep::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(count().await, 3);
    assert_eq!(all_rows(&table.lake).await.len(), 16);
}

#[tokio::test]
async fn the_watermark_outlives_the_snapshot_that_carries_it() {
    let table = Table::embedded().await;
    table.write(&[event(1, 1, "ann", "bob")], 7).await;
    // Another writer, who knows nothing of watermarks.
    let now = table.lake.load().await.unwrap().unwrap();
    let transaction = Transaction::new(&now);
    let foreign = transaction
        .fast_append()
        .set_snapshot_properties([("by".to_owned(), "another".to_owned())].into());
    foreign
        .apply(transaction)
        .unwrap()
        .commit(&*table.catalog)
        .await
        .unwrap();
    clean(
        &Hand::new("carry").on(&table),
        Keep {
            young: SignedDuration::ZERO,
            newest: 1,
            ..Keep::default()
        },
    )
    .await
    .unwrap();
    let now = table.lake.load().await.unwrap().unwrap();
    assert_eq!(now.metadata().snapshots().len(), 1);
    assert_eq!(commit::watermark(&now).unwrap(), Watermark(7));
}

#[tokio::test]
async fn rows_that_come_while_files_are_merged_stay() {
    let table = Table::embedded().await;
    for number in 0..20 {
        table.write(&[event(number, number % 5, "ann", "bob")], 1).await;
    }
    let hand = Hand::new("race");
    let late: Vec<_> = (20..40).map(|number| event(number, number % 5, "ann", "bob")).collect();
    let upkeep = hand.on(&table);
    let writing = async {
        for one in &late {
            table.write(std::slice::from_ref(one), 9).await;
        }
    };
    let (merged, ()) = tokio::join!(merge(&upkeep), writing);
    merged.unwrap();
    assert_eq!(all_rows(&table.lake).await.len(), 80);
    assert!(all_rows(&table.lake).await.values().all(|times| *times == 1));
    let now = table.lake.load().await.unwrap().unwrap();
    assert_eq!(commit::watermark(&now).unwrap(), Watermark(9));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn whatever_the_layout_a_merge_changes_no_row(
        commits in prop::collection::vec(prop::collection::vec((0_u32..60, 0_u32..4), 0..12), 1..7),
        between in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let table = Table::embedded().await;
            let mut first_merge = None;
            for (index, batch) in commits.iter().enumerate() {
                let events: Vec<_> = batch.iter().map(|(n, _)| event(*n, n / 9, &format!("user-{}", n % 3), &format!("user-{}", n % 5))).collect();
                table.write(&events, index as u64 + 1).await;
                if between && index == commits.len() / 2 {
                    first_merge = Some(merge(&Hand::new("first").on(&table)).await.unwrap());
                }
            }
            let before = all_rows(&table.lake).await;
            let contents = table.read("user-0").await;
            let (count, files) = (table.lake.rows().await.unwrap(), data_files(&table).await.len() as u64);
            let merged = merge(&Hand::new("second").on(&table)).await.unwrap();
            assert_eq!(all_rows(&table.lake).await, before);
            assert_eq!(table.read("user-0").await, contents);
            assert_eq!(table.lake.rows().await.unwrap(), count, "{first_merge:?} {merged:?}");
            let days: std::collections::BTreeSet<u32> = commits.iter().flatten().map(|(n, _)| n / 9).collect();
            assert_eq!(data_files(&table).await.len(), days.len());
            assert_eq!(files - merged.files_before + merged.files_after, days.len() as u64);
            let now = table.lake.load().await.unwrap().unwrap();
            assert_eq!(commit::watermark(&now).unwrap(), Watermark(commits.len() as u64));
        });
    }
}

/// A time of the events that [`event`] makes: day `day` of October 2026.
pub fn october(day: u32) -> Timestamp {
    format!("2026-10-{day:02}T00:00:00Z").parse().unwrap()
}
