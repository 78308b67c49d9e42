//! What every object store promises. Written against the port, so that each adapter passes the same suite.

use std::sync::Arc;

use oort_streams::local::objects::LocalObjects;
use oort_streams::ports::{Kind, Objects, Precondition, Version};

fn subject() -> (tempfile::TempDir, Arc<dyn Objects>) {
    let folder = tempfile::tempdir().unwrap();
    let objects = LocalObjects::open(folder.path(), "acme").unwrap();
    (folder, Arc::new(objects))
}

async fn put(objects: &dyn Objects, key: &str, text: &str, precondition: Precondition) -> Result<Version, Kind> {
    objects
        .put(key, text.into(), precondition)
        .await
        .map_err(|error| error.kind)
}

async fn get(objects: &dyn Objects, key: &str) -> Option<String> {
    objects
        .get(key)
        .await
        .unwrap()
        .map(|(bytes, _)| String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn what_was_put_is_got_and_what_was_deleted_is_gone() {
    let (_folder, objects) = subject();
    assert_eq!(get(&*objects, "a/b").await, None);
    put(&*objects, "a/b", "1", Precondition::None).await.unwrap();
    put(&*objects, "a/b", "2", Precondition::None).await.unwrap();
    assert_eq!(get(&*objects, "a/b").await.as_deref(), Some("2"));
    objects.delete("a/b").await.unwrap();
    objects.delete("a/b").await.unwrap();
    assert_eq!(get(&*objects, "a/b").await, None);
}

#[tokio::test]
async fn a_precondition_that_does_not_hold_writes_nothing() {
    let (_folder, objects) = subject();
    let first = put(&*objects, "k", "1", Precondition::Absent).await.unwrap();
    assert_eq!(
        put(&*objects, "k", "2", Precondition::Absent).await,
        Err(Kind::Conflict)
    );
    let second = put(&*objects, "k", "2", Precondition::Is(first.clone())).await.unwrap();
    assert_eq!(
        put(&*objects, "k", "3", Precondition::Is(first.clone())).await,
        Err(Kind::Conflict)
    );
    assert_eq!(
        put(&*objects, "none", "3", Precondition::Is(first)).await,
        Err(Kind::Conflict)
    );
    assert_eq!(get(&*objects, "k").await.as_deref(), Some("2"));
    assert_eq!(objects.get("k").await.unwrap().unwrap().1, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_racing_writers_one_wins() {
    let (_folder, objects) = subject();
    for round in 0..20 {
        let key = format!("race/{round}");
        let writers = (0..8).map(|writer| {
            let (objects, key) = (Arc::clone(&objects), key.clone());
            tokio::spawn(async move {
                put(&*objects, &key, &writer.to_string(), Precondition::Absent)
                    .await
                    .is_ok()
            })
        });
        let mut winners = 0;
        for writer in writers.collect::<Vec<_>>() {
            winners += u32::from(writer.await.unwrap());
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test]
async fn keys_are_listed_in_byte_order_page_by_page() {
    let (_folder, objects) = subject();
    for key in ["b/2", "a", "b/10", "b/1", "bc", "b-x/1"] {
        put(&*objects, key, "", Precondition::None).await.unwrap();
    }
    let list = async |prefix: &str, after: Option<&str>, limit| objects.list(prefix, after, limit).await.unwrap();
    assert_eq!(list("", None, 10).await, ["a", "b-x/1", "b/1", "b/10", "b/2", "bc"]);
    assert_eq!(list("b/", None, 2).await, ["b/1", "b/10"]);
    assert_eq!(list("b/", Some("b/10"), 2).await, ["b/2"]);
    assert_eq!(list("b/1", None, 9).await, ["b/1", "b/10"]);
    assert!(list("nothing/", None, 9).await.is_empty());
}

#[tokio::test]
async fn a_key_cannot_leave_its_tenant() {
    let (folder, objects) = subject();
    for key in ["../globex/x", "/etc/x", "a//b", "a/./b", "", ".writing/x"] {
        assert_eq!(
            put(&*objects, key, "", Precondition::None).await,
            Err(Kind::Invalid),
            "{key:?}"
        );
        assert_eq!(objects.get(key).await.unwrap_err().kind, Kind::Invalid, "{key:?}");
    }
    assert!(!folder.path().join("objects/globex").exists());
}
