//! The Activity table: each row once, whoever writes it and however often, in every catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use iceberg::Catalog;
use oort_streams::aws;
use oort_streams::lake::{self, Lake, Query, Rows, Written, commit};
use oort_streams::local::catalog;
use oort_streams::local::tables::LocalTables;
use oort_streams::model::activity::{Activity, ActivityRow, Watermark};
use oort_streams::model::stack::{ChangeSetKind, NewChangeSet, Phase, TemplateBody};
use oort_streams::ports::Kind;
use oort_streams::ports::cloud::{ProposeStacks as _, ReadStacks as _, WriteStacks as _};
use oort_streams::ports::tables::Tables;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::emulator::{Emulator, fresh_account};
use crate::upkeep;

/// An Activity table somewhere.
pub struct Table {
    pub folder: TempDir,
    pub catalog: Arc<dyn Catalog>,
    pub tables: Arc<dyn Tables>,
    pub lake: Lake,
    runs: std::cell::Cell<u32>,
}

impl Table {
    pub async fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = catalog::open(folder.path()).await.unwrap();
        Self {
            lake: Lake::new(Arc::clone(&catalog), "acme"),
            tables: Arc::new(LocalTables::open(folder.path())),
            catalog,
            folder,
            runs: 0.into(),
        }
    }

    /// In Glue and S3, each in an account of its own, in a database and a bucket that somebody else made.
    async fn in_glue() -> Self {
        let account = fresh_account();
        let config = Emulator::shared().config(&account).await;
        let bucket = format!("lake-{account}");
        let session = aws::Session::of(config);
        deploy(&session.account(), &bucket).await;
        Self::of_acme(&session, "oort_logs", &bucket)
    }

    /// The table of tenant acme in a database, with its files in a bucket.
    pub fn of_acme(session: &aws::Session, database: &str, bucket: &str) -> Self {
        let catalog = session.catalog().unwrap();
        let location = format!("s3://{bucket}/tenants/acme/activity");
        Self {
            lake: Lake::shared(Arc::clone(&catalog), database, "acme_activity", location),
            catalog,
            tables: session.tables(),
            folder: tempfile::tempdir().unwrap(),
            runs: 0.into(),
        }
    }

    pub fn rows(&self, events: &[String]) -> (Rows, TempDir) {
        self.runs.set(self.runs.get() + 1);
        let scratch = tempfile::tempdir_in(self.folder.path()).unwrap();
        let mut rows = Rows::new(scratch.path(), &format!("run-{}", self.runs.get()));
        for event in events {
            let activity = Activity::parse(event).unwrap();
            for subject in activity.subjects() {
                rows.push(&activity, &subject, event).unwrap();
            }
        }
        (rows, scratch)
    }

    pub async fn write(&self, events: &[String], watermark: u64) -> Written {
        let (rows, _scratch) = self.rows(events);
        rows.commit(&self.lake, |old| old.max(Watermark(watermark)))
            .await
            .unwrap()
    }

    pub async fn read(&self, user: &str) -> Vec<ActivityRow> {
        lake::activity(
            &self.lake,
            Query {
                user,
                limit: 10_000,
                since: None,
            },
        )
        .await
        .unwrap()
    }
}

pub fn event(uuid: u32, day: u32, actor: &str, target: &str) -> String {
    serde_json::json!({
        "uuid": format!("event-{uuid}"),
        "published": format!("2026-10-{:02}T{:02}:00:00.{:03}Z", day % 28 + 1, uuid % 24, uuid % 1000),
        "eventType": "user.session.start",
        "actor": {"id": actor, "type": "User", "alternateId": format!("{actor}@Example.com")},
        "target": [{"id": target, "type": "User", "alternateId": format!("{target}@example.com")}],
    })
    .to_string()
}

/// Makes the database and the bucket.
async fn deploy(account: &aws::Account, bucket: &str) {
    let template = format!(
        "Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: {bucket}\n  Database:\n    Type: AWS::Glue::Database\n    Properties:\n      CatalogId:\n        Ref: AWS::AccountId\n      DatabaseInput:\n        Name: oort_logs\n"
    );
    let change_set = NewChangeSet {
        stack: "lake".to_owned(),
        name: "create".to_owned(),
        kind: ChangeSetKind::Create,
        template: TemplateBody::Inline(template),
        tags: BTreeMap::new(),
        adopts: false,
    };
    let made = account.propose(&change_set).await.unwrap();
    account.execute(&made.change_set, "create").await.unwrap();
    for _ in 0..1_000 {
        let stack = account.stack(&made.stack_id).await.unwrap().unwrap();
        if stack.status.phase() == Phase::Deployed {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the bucket does not come");
}

/// What the table promises wherever it is, each on a fresh one.
async fn keeps_its_promises(fresh: impl AsyncFn() -> Table) {
    an_absent_table_is_empty(&fresh().await).await;
    rows_come_back_newest_first_by_id_and_by_login(&fresh().await).await;
    a_commit_on_an_older_snapshot_is_refused(&fresh().await).await;
    Box::pin(writers_at_the_same_time_double_nothing(&fresh().await)).await;
    Box::pin(upkeep::keeps_its_promises(&fresh().await)).await;
}

#[tokio::test]
async fn the_embedded_catalog_keeps_them() {
    Box::pin(keeps_its_promises(Table::embedded)).await;
}

#[tokio::test]
async fn glue_keeps_them() {
    Box::pin(keeps_its_promises(Table::in_glue)).await;
}

async fn an_absent_table_is_empty(table: &Table) {
    assert!(table.lake.load().await.unwrap().is_none());
    assert_eq!(table.lake.rows().await.unwrap(), 0);
    assert!(table.read("ann").await.is_empty());
    table.write(&[event(1, 1, "ann", "ann")], 1).await;
    assert_eq!(table.lake.rows().await.unwrap(), 1);
    table.lake.forget().await.unwrap();
    assert!(table.lake.load().await.unwrap().is_none());
}

async fn rows_come_back_newest_first_by_id_and_by_login(table: &Table) {
    let events = [
        event(1, 1, "ann", "bob"),
        event(2, 3, "ann", "ann"),
        event(3, 2, "bob", "cy"),
    ];
    assert_eq!(table.write(&events, 1).await, Written { offered: 5, added: 5 });
    let uuids = |rows: Vec<ActivityRow>| rows.into_iter().map(|row| row.event_uuid).collect::<Vec<_>>();
    assert_eq!(uuids(table.read("ann").await), ["event-2", "event-1"]);
    assert_eq!(uuids(table.read("ANN@example.COM").await), ["event-2", "event-1"]);
    assert_eq!(uuids(table.read("bob").await), ["event-3", "event-1"]);
    assert_eq!(uuids(table.read("nobody").await), [""; 0]);
    let row = &table.read("bob").await[1];
    assert_eq!(
        (row.column("user_role"), row.column("actor_login")),
        ("target", "ann@Example.com")
    );
    assert_eq!(
        row.event,
        serde_json::from_str::<serde_json::Value>(&events[0]).unwrap()
    );
}

async fn a_commit_on_an_older_snapshot_is_refused(table: &Table) {
    table.write(&[event(1, 1, "ann", "bob")], 1).await;
    let stale = table.lake.load().await.unwrap().unwrap();
    table.write(&[event(2, 1, "ann", "bob")], 2).await;
    let refused = commit::append(&table.catalog, &stale, Vec::new(), Watermark(9))
        .await
        .unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    let now = table.lake.load().await.unwrap().unwrap();
    assert_eq!(commit::watermark(&now).unwrap(), Watermark(2));
}

async fn writers_at_the_same_time_double_nothing(table: &Table) {
    let events: Vec<_> = (0..40).map(|n| event(n, n, "ann", "bob")).collect();
    let (first, _a) = table.rows(&events[..30]);
    let (second, _b) = table.rows(&events[10..]);
    let (one, two) = tokio::join!(
        first.commit(&table.lake, |old| old.max(Watermark(5))),
        second.commit(&table.lake, |old| old),
    );
    assert_eq!(one.unwrap().added + two.unwrap().added, 80);
    assert_eq!(table.read("ann").await.len(), 40);
    let now = table.lake.load().await.unwrap().unwrap();
    assert_eq!(commit::watermark(&now).unwrap(), Watermark(5));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn at_least_once_in_exactly_once_out(
        batches in prop::collection::vec(prop::collection::vec((0_u32..30, 0_u32..4), 0..25), 1..5),
    ) {
        // What an event says depends on its number alone, so a number drawn twice is a repeat.
        let make = |(number, _): &(u32, u32)| event(*number, number / 8, &format!("user-{}", number % 3), &format!("user-{}", number % 5));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let table = Table::embedded().await;
            let mut expected = BTreeSet::new();
            for (index, batch) in batches.iter().enumerate() {
                let events: Vec<_> = batch.iter().map(make).collect();
                table.write(&events, index as u64).await;
                for text in &events {
                    let activity = Activity::parse(text).unwrap();
                    let value: serde_json::Value = serde_json::from_str(text).unwrap();
                    expected.extend(activity.subjects().iter().map(|s| (s.id.to_owned(), value["uuid"].as_str().unwrap().to_owned())));
                }
            }
            let mut found = Vec::new();
            for user in 0..5 {
                found.extend(table.read(&format!("user-{user}")).await.into_iter().map(|row| (row.user_id, row.event_uuid)));
            }
            found.sort();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        });
    }
}
