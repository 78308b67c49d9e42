//! What every queue adapter promises, written against the port.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use oort_streams::local::clock::ManualClock;
use oort_streams::local::queue::LocalQueue;
use oort_streams::local::twin::QueueSettings;
use oort_streams::ports::{DeadLetters, Kind, Message, Queue, QueueDepth, Receipt};
use tempfile::TempDir;

mod embedded;
mod model;
mod sqs;

const TIMEOUT: Duration = Duration::from_secs(30);
const LIMIT: u32 = 3;
const SETTINGS: QueueSettings = QueueSettings {
    visibility_timeout: TIMEOUT,
    receive_limit: Some(LIMIT),
};

/// A fresh queue with [`SETTINGS`], and the hands that the port does not have.
#[async_trait]
trait Rig: Send + Sync {
    fn queue(&self) -> &dyn Queue;
    async fn send(&self, bodies: &[&str]);
    async fn pass(&self, time: Duration);
    /// How much of [`TIMEOUT`] surely has not passed when this has: where receiving itself takes time, not all but a
    /// millisecond.
    fn almost(&self) -> Duration;
    fn dead(&self) -> &dyn DeadLetters;
}

/// Runs every promise of the port, each on a fresh queue.
async fn keeps_its_promises<R: Rig>(fresh: impl AsyncFn() -> R) {
    an_empty_queue_gives_nothing(&fresh().await).await;
    a_message_is_hidden_then_delivered_again(&fresh().await).await;
    an_acknowledged_message_is_gone(&fresh().await).await;
    only_the_newest_delivery_acknowledges(&fresh().await).await;
    a_late_acknowledgement_counts_until_the_next_delivery(&fresh().await).await;
    extending_hides_from_now_on(&fresh().await).await;
    a_message_received_too_often_moves_to_the_dead_letters(&fresh().await).await;
    neighbours_have_fates_of_their_own(&fresh().await).await;
    dead_letters_can_be_put_back(&fresh().await).await;
    large_messages_come_whole(&fresh().await).await;
}

async fn receive(rig: &dyn Rig, max: usize) -> Vec<Message> {
    let messages = rig.queue().receive(max).await.unwrap();
    assert!(messages.len() <= max);
    messages
}

/// Receives until nothing is visible.
async fn receive_all(rig: &dyn Rig) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        let messages = receive(rig, 10).await;
        if messages.is_empty() {
            return all;
        }
        all.extend(messages);
    }
}

fn bodies(messages: &[Message]) -> BTreeSet<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

fn receipts(messages: &[Message]) -> Vec<Receipt> {
    messages.iter().map(|message| message.receipt.clone()).collect()
}

/// The bodies in the dead-letter queue.
async fn dead_bodies(rig: &dyn Rig) -> Vec<String> {
    let letters = rig.dead().letters(1_000).await.unwrap();
    letters.into_iter().map(|letter| letter.body).collect()
}

async fn depth(rig: &dyn Rig) -> (u64, u64, u64) {
    let QueueDepth {
        visible,
        in_flight,
        dead,
    } = rig.queue().depth().await.unwrap();
    (visible, in_flight, dead)
}

async fn an_empty_queue_gives_nothing(rig: &dyn Rig) {
    assert!(receive(rig, 10).await.is_empty());
    rig.queue().acknowledge(&[]).await.unwrap();
    rig.queue().extend(&[], TIMEOUT).await.unwrap();
    assert_eq!(depth(rig).await, (0, 0, 0));
}

async fn a_message_is_hidden_then_delivered_again(rig: &dyn Rig) {
    rig.send(&["a", "b", "\u{1f480}\n"]).await;
    assert_eq!(depth(rig).await, (3, 0, 0));
    let first = receive_all(rig).await;
    assert_eq!(
        (first.len(), bodies(&first)),
        (3, BTreeSet::from(["\u{1f480}\n", "a", "b"]))
    );
    assert!(first.iter().all(|message| message.attempt == 1));
    assert_eq!(depth(rig).await, (0, 3, 0));
    rig.pass(rig.almost()).await;
    assert!(receive(rig, 10).await.is_empty());
    rig.pass(TIMEOUT.saturating_sub(rig.almost())).await;
    let second = receive_all(rig).await;
    assert_eq!(bodies(&second), bodies(&first));
    assert!(second.iter().all(|message| message.attempt == 2));
}

async fn an_acknowledged_message_is_gone(rig: &dyn Rig) {
    rig.send(&["a", "b"]).await;
    let received = receipts(&receive_all(rig).await);
    rig.queue().acknowledge(&received).await.unwrap();
    rig.queue().acknowledge(&received).await.unwrap();
    assert_eq!(depth(rig).await, (0, 0, 0));
    rig.pass(TIMEOUT).await;
    assert!(receive(rig, 10).await.is_empty());
    rig.send(&["c", "d"]).await;
    rig.queue().acknowledge(&received).await.unwrap();
    assert_eq!(bodies(&receive_all(rig).await), BTreeSet::from(["c", "d"]));
}

async fn only_the_newest_delivery_acknowledges(rig: &dyn Rig) {
    rig.send(&["a"]).await;
    let old = receive(rig, 1).await;
    rig.pass(TIMEOUT).await;
    let new = receive(rig, 1).await;
    rig.queue().acknowledge(&receipts(&old)).await.unwrap();
    rig.queue().extend(&receipts(&old), Duration::ZERO).await.unwrap();
    assert_eq!(depth(rig).await, (0, 1, 0));
    rig.queue().acknowledge(&receipts(&new)).await.unwrap();
    assert_eq!(depth(rig).await, (0, 0, 0));
}

async fn a_late_acknowledgement_counts_until_the_next_delivery(rig: &dyn Rig) {
    rig.send(&["a"]).await;
    let received = receive(rig, 1).await;
    rig.pass(TIMEOUT * 2).await;
    rig.queue().acknowledge(&receipts(&received)).await.unwrap();
    assert!(receive(rig, 1).await.is_empty());
}

async fn extending_hides_from_now_on(rig: &dyn Rig) {
    rig.send(&["a", "b"]).await;
    let received = receive_all(rig).await;
    rig.pass(TIMEOUT / 2).await;
    let (longer, back) = received.split_at(1);
    rig.queue().extend(&receipts(longer), TIMEOUT).await.unwrap();
    rig.queue().extend(&receipts(back), Duration::ZERO).await.unwrap();
    assert_eq!(bodies(&receive_all(rig).await), bodies(back));
    rig.pass(rig.almost()).await;
    assert!(!bodies(&receive_all(rig).await).contains(longer[0].body.as_str()));
    rig.pass(TIMEOUT.saturating_sub(rig.almost())).await;
    assert!(bodies(&receive_all(rig).await).contains(longer[0].body.as_str()));
}

async fn a_message_received_too_often_moves_to_the_dead_letters(rig: &dyn Rig) {
    rig.send(&["a", "b"]).await;
    for attempt in 1..=LIMIT {
        let messages = receive_all(rig).await;
        assert_eq!((messages.len(), messages[0].attempt), (2, attempt));
        if attempt == LIMIT {
            let saved = messages.iter().find(|message| message.body == "a").unwrap();
            rig.queue()
                .acknowledge(std::slice::from_ref(&saved.receipt))
                .await
                .unwrap();
        }
        rig.pass(TIMEOUT).await;
    }
    rig.send(&["c"]).await;
    assert_eq!(bodies(&receive_all(rig).await), BTreeSet::from(["c"]));
    assert_eq!(depth(rig).await, (0, 1, 1));
    let dead = rig.dead().letters(10).await.unwrap();
    assert_eq!(
        (dead.len(), dead[0].body.as_str(), &dead[0].undelivered),
        (1, "b", &None)
    );
}

async fn dead_letters_can_be_put_back(rig: &dyn Rig) {
    assert!(rig.dead().letters(10).await.unwrap().is_empty());
    rig.dead().redrive(&[]).await.unwrap();
    rig.send(&["a", "b"]).await;
    for _ in 0..=LIMIT {
        receive_all(rig).await;
        rig.pass(TIMEOUT).await;
    }
    assert_eq!(depth(rig).await, (0, 0, 2));
    let dead = rig.dead().letters(10).await.unwrap();
    let (back, _) = dead.split_at(1);
    rig.dead().redrive(back).await.unwrap();
    let again = receive_all(rig).await;
    assert_eq!(
        (again.len(), again[0].body.as_str(), again[0].attempt),
        (1, back[0].body.as_str(), 1)
    );
    rig.queue().acknowledge(&receipts(&again)).await.unwrap();
    rig.pass(TIMEOUT).await;
    let left = rig.dead().letters(10).await.unwrap();
    assert_eq!((left.len(), left[0].body.as_str()), (1, dead[1].body.as_str()));
}

async fn neighbours_have_fates_of_their_own(rig: &dyn Rig) {
    let all: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
    rig.send(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let received = receive_all(rig).await;
    assert_eq!(received.len(), 60);
    let chosen = |rest: usize| {
        received
            .iter()
            .filter(move |message| message.body.parse::<usize>().unwrap() % 3 == rest)
    };
    let of = |rest| chosen(rest).map(|message| message.receipt.clone()).collect::<Vec<_>>();
    rig.queue().acknowledge(&of(0)).await.unwrap();
    rig.queue().extend(&of(1), TIMEOUT * 3).await.unwrap();
    rig.pass(TIMEOUT).await;
    let again = receive_all(rig).await;
    assert_eq!(bodies(&again), chosen(2).map(|message| message.body.as_str()).collect());
    assert_eq!(depth(rig).await, (0, 40, 0));
    rig.queue().acknowledge(&receipts(&received)).await.unwrap();
    assert_eq!(
        depth(rig).await,
        (0, 20, 0),
        "those delivered again are named by newer receipts"
    );
    rig.queue().acknowledge(&receipts(&again)).await.unwrap();
    assert_eq!(depth(rig).await, (0, 0, 0));
}

/// Messages as large as SQS takes them: events of 256 KB and near 1 MiB, more than one answer can hold.
async fn large_messages_come_whole(rig: &dyn Rig) {
    let large: Vec<String> = [300_000, 1_000_000, 700_000, 256 * 1024]
        .map(|bytes| format!("{bytes}:{}", "e".repeat(bytes)))
        .to_vec();
    rig.send(&large.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let received = receive_all(rig).await;
    assert_eq!(received.len(), large.len());
    assert_eq!(bodies(&received), large.iter().map(String::as_str).collect());
    rig.queue().acknowledge(&receipts(&received)).await.unwrap();
    assert_eq!(depth(rig).await, (0, 0, 0));
}

struct LocalRig {
    folder: TempDir,
    clock: Arc<ManualClock>,
    queue: LocalQueue,
}

impl LocalRig {
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap()));
        let queue = open(folder.path(), &clock).await;
        Self { folder, clock, queue }
    }

    async fn reopen(&mut self) {
        self.queue = open(self.folder.path(), &self.clock).await;
    }
}

async fn open(data: &Path, clock: &Arc<ManualClock>) -> LocalQueue {
    LocalQueue::open(data, "acme", SETTINGS, clock.clone()).await.unwrap()
}

fn owned(bodies: &[&str]) -> Vec<String> {
    bodies.iter().map(|body| (*body).to_owned()).collect()
}

#[async_trait]
impl Rig for LocalRig {
    fn queue(&self) -> &dyn Queue {
        &self.queue
    }

    async fn send(&self, bodies: &[&str]) {
        self.queue.send(&owned(bodies)).await.unwrap();
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    fn almost(&self) -> Duration {
        TIMEOUT.saturating_sub(Duration::from_millis(1))
    }

    fn dead(&self) -> &dyn DeadLetters {
        &self.queue
    }
}

#[tokio::test]
async fn the_embedded_queue_keeps_the_promises_of_the_port() {
    keeps_its_promises(LocalRig::fresh).await;
}
