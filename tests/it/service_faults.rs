//! What goes wrong between a task and AWS: it is told the truth, and nothing is lost or doubled by it.

use std::sync::Arc;

use oort_streams::aws::Session;
use oort_streams::ports::{Kind, Objects, Precondition};
use serde_json::{Value, json};

use crate::emulator::{Emulator, fresh_account};

/// A tenant's objects, and the emulator that has them to itself.
struct Store {
    emulator: Emulator,
    objects: Arc<dyn Objects>,
}

impl Store {
    async fn new() -> Self {
        let (emulator, account) = (Emulator::start(), fresh_account());
        emulator.make_bucket(&account, "data");
        let session = Session::of(emulator.config(&account).await);
        Self {
            objects: session.objects("data", "tenants/acme").unwrap(),
            emulator,
        }
    }

    fn fault(&self, operation: &str, fault: &Value) {
        let mut fault = fault.clone();
        fault["operation"] = operation.into();
        self.emulator.faults(&json!([fault]));
    }
}

fn said(error: &oort_streams::ports::Error) -> String {
    std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[tokio::test]
async fn throttled_calls_are_repeated() {
    let store = Store::new().await;
    for (operation, times) in [
        ("PutObject", 3),
        ("HeadObject", 2),
        ("GetObject", 2),
        ("DeleteObject", 4),
    ] {
        let slow_down =
            json!({"times": times, "status": 503, "code": "SlowDown", "message": "Please reduce your request rate."});
        store.fault(operation, &slow_down);
        store.objects.put("a", b"1".to_vec(), Precondition::None).await.unwrap();
        assert_eq!(store.objects.get("a").await.unwrap().unwrap().0, b"1");
        assert_eq!(store.objects.list("", None, 10).await.unwrap(), ["a"]);
        store.objects.delete("a").await.unwrap();
        assert_eq!(store.objects.get("a").await.unwrap(), None);
    }
    store.fault(
        "PutObject",
        &json!({"times": 100, "status": 503, "code": "SlowDown", "message": "no"}),
    );
    let error = store
        .objects
        .put("a", Vec::new(), Precondition::None)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Throttled);
}

/// The answer to a conditional write is lost, and its repeat meets what it has written itself.
#[tokio::test]
async fn a_write_whose_answer_was_lost_has_happened_once() {
    let store = Store::new().await;
    store.fault("PutObject", &json!({"times": 1, "after": true}));
    let first = store
        .objects
        .put("k", b"mine".to_vec(), Precondition::Absent)
        .await
        .unwrap();
    assert_eq!(
        store.objects.get("k").await.unwrap(),
        Some((b"mine".to_vec(), first.clone()))
    );
    store.fault("PutObject", &json!({"times": 1, "after": true}));
    let second = store
        .objects
        .put("k", b"more".to_vec(), Precondition::Is(first.clone()))
        .await
        .unwrap();
    assert_eq!(store.objects.get("k").await.unwrap(), Some((b"more".to_vec(), second)));
    // A connection that was cut before anything was done is another matter.
    store.fault("PutObject", &json!({"times": 1, "drop": true}));
    let error = store
        .objects
        .put("k", b"late".to_vec(), Precondition::Is(first))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_again() {
    let store = Store::new().await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    store
        .objects
        .put("large", large.clone(), Precondition::None)
        .await
        .unwrap();
    store.fault("GetObject", &json!({"times": 2, "half": true}));
    assert!(store.objects.get("large").await.unwrap().unwrap().0 == large);
}

#[tokio::test]
async fn expired_credentials_are_told_as_such() {
    let store = Store::new().await;
    let expired =
        json!({"times": 9, "status": 400, "code": "ExpiredToken", "message": "The provided token has expired."});
    store.fault("PutObject", &expired);
    let error = store
        .objects
        .put("a", Vec::new(), Precondition::None)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(
        said(&error).contains("ExpiredToken") && said(&error).contains("sign in again"),
        "{}",
        said(&error)
    );
}

/// A role that may list its own prefix only gets 403 for a key that is not there.
#[tokio::test]
async fn a_key_that_may_not_be_looked_for_is_looked_up_in_a_list() {
    let store = Store::new().await;
    store
        .objects
        .put("here", b"1".to_vec(), Precondition::None)
        .await
        .unwrap();
    let denied = json!({"times": 9, "status": 403, "code": "AccessDenied", "message": "Access Denied"});
    store.fault("HeadObject", &denied);
    assert_eq!(store.objects.get("gone").await.unwrap(), None);
    assert_eq!(store.objects.get("her").await.unwrap(), None);
    assert_eq!(store.objects.get("here").await.unwrap_err().kind, Kind::Denied);
}

#[tokio::test]
async fn a_throttled_queue_gives_all_it_has() {
    let (emulator, account) = (Emulator::start(), fresh_account());
    let url = emulator.make_queue(&account, "events", &json!({}));
    for number in 0..25 {
        emulator.send(&account, "events", &number.to_string());
    }
    let queue = Session::of(emulator.config(&account).await).queue(&url);
    let throttled = |operation: &str| json!({"operation": operation, "times": 4, "status": 400, "code": "RequestThrottled", "message": "Rate exceeded"});
    emulator.faults(&json!([throttled("ReceiveMessage"), throttled("DeleteMessageBatch")]));
    let (mut bodies, mut receipts) = (Vec::new(), Vec::new());
    while bodies.len() < 25 {
        for message in queue.receive(100).await.unwrap() {
            bodies.push(message.body.parse::<u32>().unwrap());
            receipts.push(message.receipt);
        }
    }
    bodies.sort_unstable();
    assert_eq!(bodies, (0..25).collect::<Vec<_>>());
    queue.acknowledge(&receipts).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), oort_streams::ports::QueueDepth::default());
}
