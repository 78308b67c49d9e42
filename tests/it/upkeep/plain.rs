//! The table is plain Iceberg, whatever upkeep has done to it: as its own metadata says, and as others read it.

use std::process::Command;

use oort_streams::lake::erase;
use oort_streams::lake::expire::{Keep, clean};
use oort_streams::lake::merge::merge;
use oort_streams::lake::retention::{Horizon, drop_past};
use serde_json::{Value, json};

use super::{Hand, all_rows, october};
use crate::emulator::python;
use crate::lake::{Table, event};

/// What Iceberg's own reader and `DuckDB` make of a table's metadata file.
fn others_read(metadata: &str) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers.py");
    let output = Command::new(python()).arg(script).arg(metadata).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn metadata(table: &Table) -> (String, Value) {
    let now = table.lake.load().await.unwrap().unwrap();
    let location = now.metadata_location().unwrap().to_owned();
    let text = std::fs::read_to_string(&location).unwrap();
    (location, serde_json::from_str(&text).unwrap())
}

fn operations(metadata: &Value) -> Vec<&str> {
    let snapshots = metadata["snapshots"].as_array().unwrap();
    let mut snapshots: Vec<_> = snapshots.iter().collect();
    snapshots.sort_by_key(|snapshot| snapshot["sequence-number"].as_i64());
    snapshots
        .iter()
        .map(|snapshot| snapshot["summary"]["operation"].as_str().unwrap())
        .collect()
}

/// What others read is what the table has, and a day is found without the others.
async fn is_read_by_others(table: &Table) -> Value {
    let (location, metadata) = metadata(table).await;
    let others = others_read(&location);
    let rows: usize = all_rows(&table.lake).await.values().sum();
    let users: std::collections::BTreeSet<_> = all_rows(&table.lake)
        .await
        .into_keys()
        .map(|row| row[0].clone())
        .collect();
    assert_eq!(others["rows"], rows);
    assert_eq!(others["rows_by_duckdb"], rows);
    assert_eq!(others["users_by_duckdb"], users.len());
    assert_eq!(others["has_bounds"], true, "{others}");
    assert_eq!(others["total_records"], rows.to_string());
    assert_eq!(others["total_data_files"], others["files"].to_string());
    assert!(
        others["files_of_newest_day"].as_u64() < others["files"].as_u64(),
        "{others}"
    );
    metadata
}

#[tokio::test]
async fn others_read_what_upkeep_has_left() {
    let table = Table::embedded().await;
    for number in 0..24 {
        let (actor, target) = (format!("user-{}", number % 5), format!("user-{}", number % 3));
        table.write(&[event(number, number % 6 + 1, &actor, &target)], 1).await;
    }
    let written = is_read_by_others(&table).await;
    assert_eq!(written["format-version"], 2);
    let field = &written["partition-specs"][0]["fields"][0];
    assert_eq!((&field["transform"], &field["source-id"]), (&json!("day"), &json!(2)));
    let order = written["sort-orders"].as_array().unwrap().last().unwrap();
    assert_eq!(order["order-id"], written["default-sort-order-id"]);
    let sorted: Vec<_> = order["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["source-id"])
        .collect();
    assert_eq!(sorted, [1, 2, 3]);
    let fields = written["schemas"][0]["fields"].as_array().unwrap();
    let ids: Vec<_> = fields.iter().map(|field| field["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=21).collect::<Vec<_>>());

    let hand = Hand::new("plain");
    merge(&hand.on(&table)).await.unwrap();
    let merged = is_read_by_others(&table).await;
    assert_eq!(operations(&merged).last(), Some(&"replace"));
    erase::erase(&hand.on(&table), "user-1").await.unwrap();
    let erased = is_read_by_others(&table).await;
    assert_eq!(operations(&erased).last(), Some(&"overwrite"));
    drop_past(&hand.on(&table), Horizon::of(october(8), 4).unwrap())
        .await
        .unwrap();
    let dropped = is_read_by_others(&table).await;
    assert_eq!(operations(&dropped).last(), Some(&"delete"));
    assert_eq!(dropped["format-version"], 2);
    let later = Hand::later("plain-later", 30);
    clean(
        &later.on(&table),
        Keep {
            newest: 2,
            ..Keep::default()
        },
    )
    .await
    .unwrap();
    let cleaned = is_read_by_others(&table).await;
    assert_eq!(operations(&cleaned), ["overwrite", "delete"]);
}
