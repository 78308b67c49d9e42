//! One user's rows go from the table, its history and its files, and nothing brings them back.

use std::collections::BTreeSet;
use std::path::Path;

use oort_streams::lake::erase::{Receipt, erase};
use oort_streams::lake::objects;
use oort_streams::local::clock::ManualClock;
use oort_streams::local::objects::LocalObjects;
use oort_streams::model::activity::Watermark;
use oort_streams::ports::{Kind, Objects as _};
use oort_streams::runtime::erase;

use super::{Hand, all_rows, data_files, october};
use crate::lake::{Table, event};

const ANN: &str = "00uAnnAnnAnn";
const BOB: &str = "00uBobBobBob";

fn hand(run: &str, day: u32) -> Hand {
    Hand {
        clock: Box::new(ManualClock::new(october(day))),
        ..Hand::new(run)
    }
}

/// Of each day from 2 to 11: what Ann does to herself, what Bob does, and what Bob does to Ann.
fn events() -> Vec<String> {
    (0..30)
        .map(|number| match number % 3 {
            0 => event(number, number / 3 + 1, ANN, ANN),
            1 => event(number, number / 3 + 1, BOB, BOB),
            _ => event(number, number / 3 + 1, BOB, ANN),
        })
        .collect()
}

async fn filled() -> (Table, LocalObjects) {
    let table = Table::embedded().await;
    for (index, some) in events().chunks(7).enumerate() {
        table.write(some, index as u64 + 1).await;
    }
    let store = LocalObjects::open(table.folder.path(), "acme").unwrap();
    (table, store)
}

fn stored_files(folder: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(stored_files(&path));
        } else {
            files.insert(path.to_str().unwrap().to_owned());
        }
    }
    files
}

async fn snapshots(table: &Table) -> usize {
    table.lake.load().await.unwrap().unwrap().metadata().snapshots().len()
}

#[tokio::test]
async fn rows_are_in_no_snapshot_and_no_file_afterwards() {
    let (table, store) = filled().await;
    let of_bob = table.read(BOB).await;
    let receipt = erase::run(&hand("erase", 31).on(&table), &store, ANN).await.unwrap();
    assert_eq!((receipt.rows, receipt.rows_of_others_that_name_the_user), (20, 10));
    assert_eq!(receipt.first_day.unwrap().to_string(), "2026-10-02");
    assert_eq!(receipt.last_day.unwrap().to_string(), "2026-10-11");
    assert_eq!(table.read(ANN).await, []);
    assert_eq!(table.read(BOB).await, of_bob, "what tells of another stays as it was");
    assert_eq!(table.lake.rows().await.unwrap(), 20);
    assert_eq!(snapshots(&table).await, 1);

    let warehouse = table.folder.path().join("warehouse").canonicalize().unwrap();
    let on_disk = stored_files(&warehouse);
    let data: Vec<_> = on_disk
        .iter()
        .filter(|path| path.ends_with(".parquet"))
        .cloned()
        .collect();
    assert_eq!(data, data_files(&table).await, "a file holds what was erased");
    for path in on_disk
        .iter()
        .filter(|path| path.contains("/removed-") || path.contains(".metadata.json"))
    {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(
            memchr::memmem::find(&bytes, ANN.as_bytes()),
            None,
            "{path} names the user"
        );
    }
    let keys = objects::keys(&store, "erasures/").await.unwrap();
    let (bytes, _) = store.get(&keys[0]).await.unwrap().unwrap();
    let kept: Receipt = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        (keys.len(), kept.rows, kept.files_deleted),
        (1, 20, receipt.files_deleted)
    );
    assert_eq!(memchr::memmem::find(&bytes, ANN.as_bytes()), None);
}

#[tokio::test]
async fn no_later_compaction_brings_rows_back_but_what_happens_afterwards_is_kept() {
    let (table, store) = filled().await;
    // Rows that a compaction has collected before the erasure, and commits after it.
    let (collected, _scratch) = table.rows(&events());
    erase::run(&hand("erase", 6).on(&table), &store, ANN).await.unwrap();
    let before: BTreeSet<_> = table.read(ANN).await.into_iter().map(|row| row.published).collect();
    assert_eq!(before.len(), 12, "what happened after the erasure's time stays");
    assert!(before.iter().all(|published| *published >= october(6)));
    assert_eq!(
        collected
            .commit(&table.lake, |old| old.max(Watermark(9)))
            .await
            .unwrap()
            .added,
        0
    );
    assert_eq!(table.write(&events(), 9).await.added, 0);
    assert_eq!(table.write(&[event(100, 25, ANN, ANN)], 9).await.added, 1);
}

#[tokio::test]
async fn an_erasure_that_died_half_way_is_finished_by_the_same_command() {
    let (table, store) = filled().await;
    let first = erase(&hand("dies", 31).on(&table), ANN).await.unwrap();
    assert_eq!(first.rows, 20);
    assert!(snapshots(&table).await > 1);
    let receipt = erase::run(&hand("again", 31).on(&table), &store, ANN).await.unwrap();
    assert_eq!((receipt.rows, snapshots(&table).await), (0, 1));
    let warehouse = table.folder.path().join("warehouse").canonicalize().unwrap();
    let data = stored_files(&warehouse)
        .into_iter()
        .filter(|path| path.ends_with(".parquet"));
    assert_eq!(data.collect::<Vec<_>>(), data_files(&table).await);
}

#[tokio::test]
async fn a_user_without_rows_is_kept_out_all_the_same() {
    let table = Table::embedded().await;
    let store = LocalObjects::open(table.folder.path(), "acme").unwrap();
    // Nothing is compacted yet: the rows are still to come from the segments.
    let receipt = erase::run(&hand("early", 31).on(&table), &store, ANN).await.unwrap();
    assert_eq!(receipt.rows, 0);
    table.write(&events(), 3).await;
    assert_eq!(table.read(ANN).await, []);
    assert_eq!(all_rows(&table.lake).await.len(), 20);
}

#[tokio::test]
async fn a_login_is_not_taken_for_a_user() {
    let (table, store) = filled().await;
    for user in ["ann@example.com", ""] {
        let refused = erase::run(&hand("login", 31).on(&table), &store, user)
            .await
            .unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
    }
    assert_eq!(table.lake.rows().await.unwrap(), 40);
}
