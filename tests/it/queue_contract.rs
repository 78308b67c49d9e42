//! What every queue promises, as SQS standard queues do. Written against the port, so that each adapter passes the same
//! suite; the adapter under test says how it is filled and how its time passes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oort_streams::local::clock::ManualClock;
use oort_streams::local::queue::LocalQueue;
use oort_streams::local::twin::QueueSettings;
use oort_streams::ports::{Message, Queue, QueueDepth, Receipt};
use proptest::prelude::*;

const VISIBILITY_SECONDS: i64 = 60;
const RECEIVE_LIMIT: u32 = 3;

struct Subject {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    queue: LocalQueue,
}

async fn open(folder: &Path, clock: &Arc<ManualClock>) -> LocalQueue {
    let settings = QueueSettings {
        visibility_timeout: Duration::from_secs(VISIBILITY_SECONDS.unsigned_abs()),
        receive_limit: RECEIVE_LIMIT,
    };
    LocalQueue::open(folder, "acme", settings, Arc::clone(clock) as _)
        .await
        .unwrap()
}

impl Subject {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let queue = open(folder.path(), &clock).await;
        Self { folder, clock, queue }
    }

    async fn reopen(&mut self) {
        self.queue = open(self.folder.path(), &self.clock).await;
    }

    async fn send(&self, bodies: &[&str]) {
        let bodies: Vec<String> = bodies.iter().map(|body| (*body).to_owned()).collect();
        self.queue.send(&bodies).await.unwrap();
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    async fn receive(&self, max: usize) -> Vec<Message> {
        self.queue.receive(max).await.unwrap()
    }

    async fn depth(&self) -> (u64, u64, u64) {
        let QueueDepth {
            visible,
            in_flight,
            dead,
        } = self.queue.depth().await.unwrap();
        (visible, in_flight, dead)
    }
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

fn receipts(messages: &[Message]) -> Vec<Receipt> {
    messages.iter().map(|message| message.receipt.clone()).collect()
}

#[tokio::test]
async fn a_message_comes_back_until_it_is_acknowledged() {
    let subject = Subject::new().await;
    subject.send(&["a", "b", "c"]).await;
    assert_eq!(subject.depth().await, (3, 0, 0));
    let first = subject.receive(2).await;
    assert_eq!(first.iter().map(|m| m.attempt).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(subject.receive(10).await.len(), 1);
    assert!(subject.receive(10).await.is_empty(), "what was received is hidden");
    assert_eq!(subject.depth().await, (0, 3, 0));

    subject.queue.acknowledge(&receipts(&first[..1])).await.unwrap();
    subject.pass(VISIBILITY_SECONDS);
    let again = subject.receive(10).await;
    assert_eq!(again.len(), 2);
    assert!(!bodies(&again).contains(&first[0].body.as_str()) && again.iter().all(|m| m.attempt == 2));
}

#[tokio::test]
async fn a_receipt_of_an_older_delivery_acknowledges_nothing() {
    let subject = Subject::new().await;
    subject.send(&["a"]).await;
    let old = subject.receive(1).await;
    subject.pass(VISIBILITY_SECONDS);
    let new = subject.receive(1).await;
    subject.queue.acknowledge(&receipts(&old)).await.unwrap();
    subject
        .queue
        .extend(&receipts(&old), Duration::from_hours(1))
        .await
        .unwrap();
    assert_eq!(subject.depth().await, (0, 1, 0));
    subject.queue.acknowledge(&receipts(&new)).await.unwrap();
    subject.queue.acknowledge(&receipts(&new)).await.unwrap();
    assert_eq!(subject.depth().await, (0, 0, 0));
}

#[tokio::test]
async fn an_extended_message_stays_hidden_longer() {
    let subject = Subject::new().await;
    subject.send(&["a"]).await;
    let message = subject.receive(1).await;
    subject.pass(VISIBILITY_SECONDS - 1);
    subject
        .queue
        .extend(&receipts(&message), Duration::from_secs(100))
        .await
        .unwrap();
    subject.pass(99);
    assert!(subject.receive(1).await.is_empty());
    subject.pass(1);
    assert_eq!(subject.receive(1).await.len(), 1);
}

#[tokio::test]
async fn a_message_received_too_often_is_dead_and_kept() {
    let subject = Subject::new().await;
    subject.send(&["poison", "good"]).await;
    for _ in 0..RECEIVE_LIMIT {
        let messages = subject.receive(10).await;
        let good: Vec<Receipt> = messages
            .iter()
            .filter(|m| m.body == "good")
            .map(|m| m.receipt.clone())
            .collect();
        subject.queue.acknowledge(&good).await.unwrap();
        subject.pass(VISIBILITY_SECONDS);
    }
    assert!(subject.receive(10).await.is_empty());
    assert_eq!(subject.depth().await, (0, 0, 1));
    assert_eq!(
        subject.queue.dead_letters(10).await.unwrap(),
        [("poison".to_owned(), RECEIVE_LIMIT)]
    );
}

#[tokio::test]
async fn large_and_odd_bodies_come_back_as_they_were() {
    let subject = Subject::new().await;
    let large = "é".repeat(500_000);
    subject.send(&[&large, "", "\"\u{0}\n🚀"]).await;
    let messages = subject.receive(10).await;
    assert_eq!(bodies(&messages), [large.as_str(), "", "\"\u{0}\n🚀"]);
}

#[tokio::test]
async fn two_openings_of_one_queue_share_its_messages() {
    let subject = Subject::new().await;
    let other = open(subject.folder.path(), &subject.clock).await;
    subject.send(&["a", "b", "c", "d"]).await;
    let (mine, theirs) = tokio::join!(subject.queue.receive(2), other.receive(2));
    let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
    let mut all = [bodies(&mine), bodies(&theirs)].concat();
    all.sort_unstable();
    assert_eq!(all, ["a", "b", "c", "d"]);
}

#[derive(Debug, Clone)]
enum Step {
    Send(usize),
    Receive(usize),
    Acknowledge(usize),
    Pass(i64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1_usize..8).prop_map(Step::Send),
        (1_usize..8).prop_map(Step::Receive),
        (0_usize..8).prop_map(Step::Acknowledge),
        (1_i64..90).prop_map(Step::Pass),
        Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_message_is_acknowledged_once_or_dead_or_still_there(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut subject = Subject::new().await;
            let mut sent = 0_u64;
            let mut held: Vec<Message> = Vec::new();
            let mut gone: BTreeSet<String> = BTreeSet::new();
            let mut deliveries: BTreeMap<String, u32> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Send(count) => {
                        let bodies: Vec<String> = (0..count).map(|n| format!("{}", sent + n as u64)).collect();
                        subject.queue.send(&bodies).await.unwrap();
                        sent += count as u64;
                    }
                    Step::Receive(max) => {
                        for message in subject.receive(max).await {
                            let seen = deliveries.entry(message.body.clone()).or_default();
                            *seen += 1;
                            assert_eq!(*seen, message.attempt);
                            held.push(message);
                        }
                    }
                    Step::Acknowledge(count) => {
                        let taken: Vec<Message> = held.drain(..count.min(held.len())).collect();
                        subject.queue.acknowledge(&receipts(&taken)).await.unwrap();
                        let is_newest = |message: &&Message| deliveries[&message.body] == message.attempt;
                        gone.extend(taken.iter().filter(is_newest).map(|message| message.body.clone()));
                    }
                    Step::Pass(seconds) => subject.pass(seconds),
                    Step::Reopen => subject.reopen().await,
                }
            }
            // Let everything come back and acknowledge it: each message ends once, and none is missing.
            for _ in 0..=RECEIVE_LIMIT {
                subject.pass(VISIBILITY_SECONDS);
                let rest = subject.receive(1_000).await;
                subject.queue.acknowledge(&receipts(&rest)).await.unwrap();
                for message in rest {
                    assert!(gone.insert(message.body), "a message came after it was acknowledged");
                }
            }
            assert_eq!(subject.depth().await, (0, 0, subject.depth().await.2));
            for (body, _) in subject.queue.dead_letters(1_000).await.unwrap() {
                assert!(gone.insert(body), "a message is dead and acknowledged");
            }
            assert_eq!(gone, (0..sent).map(|number| number.to_string()).collect());
            assert!(deliveries.values().all(|times| *times <= RECEIVE_LIMIT));
        });
    }
}
