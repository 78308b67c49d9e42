//! What every object adapter promises, written against the port; then what the embedded one promises beyond it.

use std::collections::BTreeSet;
use std::sync::Arc;

use oort_streams::aws::Session;
use oort_streams::local::objects::LocalObjects;
use oort_streams::ports::{Kind, Objects, Precondition, Version};
use proptest::prelude::*;

use crate::emulator::{Emulator, fresh_account};

/// Runs every promise of the port, each on an empty store.
async fn keeps_its_promises(fresh: impl AsyncFn() -> Arc<dyn Objects>) {
    what_is_written_is_read(&*fresh().await).await;
    a_listing_is_in_byte_order_and_paged(&*fresh().await).await;
    a_precondition_that_does_not_hold_changes_nothing(&*fresh().await).await;
    what_is_no_key_is_refused(&*fresh().await).await;
    a_long_listing_comes_whole(&*fresh().await).await;
    of_many_writers_one_wins(&fresh().await).await;
}

/// More keys than S3 gives in an answer.
async fn a_long_listing_comes_whole(objects: &dyn Objects) {
    const KEYS: usize = 1_105;
    let keys: Vec<String> = (0..KEYS).map(|number| format!("long/{number:05}")).collect();
    for chunk in keys.chunks(64) {
        let puts = chunk
            .iter()
            .map(|key| objects.put(key, b"x".to_vec(), Precondition::None));
        futures::future::try_join_all(puts).await.unwrap();
    }
    assert_eq!(objects.list("long/", None, 5_000).await.unwrap(), keys);
    assert_eq!(
        objects.list("long/", Some(&keys[1_001]), 5_000).await.unwrap(),
        keys[1_002..]
    );
    assert_eq!(objects.list("long/", None, 1_003).await.unwrap().len(), 1_003);
}

async fn of_many_writers_one_wins(objects: &Arc<dyn Objects>) {
    for expected in [Precondition::Absent, Precondition::None] {
        let expected = match expected {
            Precondition::None => Precondition::Is(put(&**objects, "race", "before").await),
            absent => absent,
        };
        let writers = (0..16).map(|writer| objects.put("race", vec![writer], expected.clone()));
        let done = futures::future::join_all(writers).await;
        let won: Vec<_> = done
            .into_iter()
            .enumerate()
            .filter_map(|(writer, done)| Some((writer, done.ok()?)))
            .collect();
        let [(writer, version)] = &won[..] else {
            panic!("{} writers won", won.len());
        };
        let stored = objects.get("race").await.unwrap().unwrap();
        assert_eq!(stored, (vec![u8::try_from(*writer).unwrap()], version.clone()));
    }
}

async fn put(objects: &dyn Objects, key: &str, text: &str) -> Version {
    objects.put(key, text.into(), Precondition::None).await.unwrap()
}

async fn text(objects: &dyn Objects, key: &str) -> Option<String> {
    let read = objects.get(key).await.unwrap();
    read.map(|(bytes, _)| String::from_utf8(bytes).unwrap())
}

async fn what_is_written_is_read(objects: &dyn Objects) {
    assert_eq!(objects.get("a/b").await.unwrap(), None);
    let version = put(objects, "a/b", "one").await;
    assert_eq!(
        objects.get("a/b").await.unwrap(),
        Some((b"one".to_vec(), version.clone()))
    );
    assert_ne!(put(objects, "a/b", "two").await, version);
    assert_eq!(text(objects, "a/b").await.as_deref(), Some("two"));
    put(objects, "a/empty", "").await;
    assert_eq!(text(objects, "a/empty").await.as_deref(), Some(""));
    objects.delete("a/b").await.unwrap();
    objects.delete("a/b").await.unwrap();
    assert_eq!(objects.get("a/b").await.unwrap(), None);
}

async fn a_listing_is_in_byte_order_and_paged(objects: &dyn Objects) {
    // '-' and '.' sort before '/', '0' after it.
    let keys = [
        "a", "b-c", "b.c", "b/c", "b/c-d", "b/d/e", "b0", "ba/x", "c/1", "c/10", "c/2", "\u{e9}/x",
    ];
    for key in keys {
        put(objects, key, key).await;
    }
    assert_eq!(objects.list("", None, 100).await.unwrap(), keys);
    assert_eq!(objects.list("b", None, 100).await.unwrap(), keys[1..8]);
    assert_eq!(objects.list("b/", None, 100).await.unwrap(), keys[3..6]);
    assert_eq!(objects.list("b/c", None, 100).await.unwrap(), keys[3..5]);
    assert_eq!(objects.list("b/d/", None, 100).await.unwrap(), keys[5..6]);
    assert_eq!(objects.list("c/1", Some("c/1"), 100).await.unwrap(), keys[9..10]);
    assert_eq!(objects.list("", Some("b/c"), 3).await.unwrap(), keys[4..7]);
    assert_eq!(objects.list("", Some("b/"), 1).await.unwrap(), keys[3..4]);
    assert!(objects.list("", None, 0).await.unwrap().is_empty());
    assert!(objects.list("b/d/e/", None, 9).await.unwrap().is_empty());
    assert!(objects.list("zzz", None, 9).await.unwrap().is_empty());
    assert!(objects.list("../", None, 9).await.unwrap().is_empty());
    let mut paged: Vec<String> = Vec::new();
    loop {
        let page = objects.list("", paged.last().map(String::as_str), 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, keys);
}

async fn a_precondition_that_does_not_hold_changes_nothing(objects: &dyn Objects) {
    let conflicts = async |precondition| {
        let error = objects.put("k", b"lost".to_vec(), precondition).await.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
    };
    conflicts(Precondition::Is(Version("never seen".to_owned()))).await;
    assert_eq!(objects.get("k").await.unwrap(), None);
    let first = objects.put("k", b"1".to_vec(), Precondition::Absent).await.unwrap();
    conflicts(Precondition::Absent).await;
    let second = objects
        .put("k", b"2".to_vec(), Precondition::Is(first.clone()))
        .await
        .unwrap();
    conflicts(Precondition::Is(first)).await;
    assert_eq!(objects.get("k").await.unwrap(), Some((b"2".to_vec(), second.clone())));
    objects.delete("k").await.unwrap();
    conflicts(Precondition::Is(second)).await;
    objects.put("k", b"3".to_vec(), Precondition::Absent).await.unwrap();
}

async fn what_is_no_key_is_refused(objects: &dyn Objects) {
    let long = "k".repeat(1_025);
    for key in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a/.",
        "a\0",
        long.as_str(),
    ] {
        assert_eq!(objects.get(key).await.unwrap_err().kind, Kind::Invalid, "{key}");
        assert_eq!(objects.delete(key).await.unwrap_err().kind, Kind::Invalid, "{key}");
        let written = objects.put(key, Vec::new(), Precondition::None).await;
        assert_eq!(written.unwrap_err().kind, Kind::Invalid, "{key}");
    }
}

#[tokio::test]
async fn the_embedded_objects_keep_the_promises_of_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let tenants = std::sync::atomic::AtomicU32::new(0);
    keeps_its_promises(async || {
        let number = tenants.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Arc::new(LocalObjects::open(folder.path(), &format!("tenant-{number}")).unwrap()) as Arc<dyn Objects>
    })
    .await;
}

/// A tenant's objects in a bucket of an account of its own.
async fn in_s3() -> (String, String, Session) {
    let account = fresh_account();
    let bucket = format!("objects-{account}");
    Emulator::shared().make_bucket(&account, &bucket);
    let session = Session::of(Emulator::shared().config(&account).await);
    (account, bucket, session)
}

#[tokio::test]
async fn s3_keeps_the_promises_of_the_port() {
    keeps_its_promises(async || {
        let (_, bucket, session) = in_s3().await;
        session.objects(&bucket, "tenants/acme").unwrap()
    })
    .await;
}

#[tokio::test]
async fn tenants_of_a_bucket_do_not_see_each_other() {
    let (_, bucket, session) = in_s3().await;
    let acme = session.objects(&bucket, "tenants/acme").unwrap();
    let other = session.objects(&bucket, "tenants/acme-2").unwrap();
    put(&*acme, "a/b", "one").await;
    assert_eq!(other.get("a/b").await.unwrap(), None);
    assert!(other.list("", None, 10).await.unwrap().is_empty());
    put(&*other, "a/b", "two").await;
    assert_eq!(acme.list("", None, 10).await.unwrap(), ["a/b"]);
    assert_eq!(text(&*acme, "a/b").await.as_deref(), Some("one"));
    assert!(session.objects(&bucket, "tenants/../x").is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..10 {
        let key = format!("race/{round}");
        let mut expected = Precondition::Absent;
        for _ in 0..3 {
            let writers = (0..8).map(|writer| {
                // Each with an opening of its own, as processes have.
                let objects = LocalObjects::open(folder.path(), "acme").unwrap();
                let (key, expected) = (key.clone(), expected.clone());
                tokio::spawn(async move {
                    objects
                        .put(&key, format!("{expected:?} {writer}").into_bytes(), expected)
                        .await
                })
            });
            let mut winners = Vec::new();
            for writer in writers.collect::<Vec<_>>() {
                match writer.await.unwrap() {
                    Ok(version) => winners.push(version),
                    Err(error) => assert_eq!(error.kind, Kind::Conflict),
                }
            }
            assert_eq!(winners.len(), 1);
            let objects = LocalObjects::open(folder.path(), "acme").unwrap();
            assert_eq!(objects.get(&key).await.unwrap().unwrap().1, winners[0]);
            expected = Precondition::Is(winners.remove(0));
        }
    }
}

#[tokio::test]
async fn tenants_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let acme: Arc<dyn Objects> = Arc::new(LocalObjects::open(folder.path(), "acme").unwrap());
    put(&*acme, "a", "1").await;
    let globex = LocalObjects::open(folder.path(), "globex").unwrap();
    assert_eq!(globex.get("a").await.unwrap(), None);
    assert!(globex.list("", None, 9).await.unwrap().is_empty());
    for tenant in ["", "..", "a/b", ".acme"] {
        assert_eq!(
            LocalObjects::open(folder.path(), tenant).err().unwrap().kind,
            Kind::Invalid
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_listing_is_what_a_sorted_map_gives(
        keys in prop::collection::btree_set("[ab0/.-]{1,5}".prop_filter("a key", |key| key.split('/').all(|part| !matches!(part, "" | "." | ".."))), 0..20),
        prefix in "[ab0/.-]{0,3}",
        after in prop::option::of("[ab0/.-]{0,4}"),
        limit in 0_usize..8,
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let objects = LocalObjects::open(folder.path(), "acme").unwrap();
            let mut kept = BTreeSet::new();
            for key in keys {
                // A key that is a folder of another's is refused, which is tested elsewhere.
                if objects.put(&key, Vec::new(), Precondition::None).await.is_ok() {
                    kept.insert(key);
                }
            }
            let expected: Vec<_> = kept.into_iter()
                .filter(|key| key.starts_with(&prefix) && after.as_ref().is_none_or(|after| key > after))
                .take(limit)
                .collect();
            assert_eq!(objects.list(&prefix, after.as_deref(), limit).await.unwrap(), expected);
        });
    }
}
