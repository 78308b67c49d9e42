//! Random use of the embedded queue, against the simplest queue that can be said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use oort_streams::ports::{Message, Queue};
use proptest::prelude::*;

use super::{LIMIT, LocalRig, Rig, TIMEOUT, dead_bodies, depth, receipts, receive, receive_all};

#[derive(Debug, Clone)]
enum Step {
    Send(usize),
    Receive(usize),
    /// Acknowledges, of everything ever received, each delivery that this number picks.
    Acknowledge(u64),
    Extend(u64, u64),
    Pass(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_usize..12).prop_map(Step::Send),
        4 => (0_usize..15).prop_map(Step::Receive),
        3 => any::<u64>().prop_map(Step::Acknowledge),
        1 => (any::<u64>(), 0_u64..60).prop_map(|(picked, seconds)| Step::Extend(picked, seconds)),
        3 => (0_u64..40).prop_map(Step::Pass),
        1 => Just(Step::Reopen),
    ]
}

/// The same queue, as simple as it can be said.
#[derive(Default)]
struct Model {
    seconds: u64,
    /// By body: how often received, and until which second hidden.
    waiting: BTreeMap<String, (u32, u64)>,
    acknowledged: BTreeSet<String>,
    sent: usize,
    deliveries: Vec<Message>,
}

impl Model {
    fn picked(&self, picked: u64) -> Vec<Message> {
        let is_picked = |index: usize| picked.rotate_right(u32::try_from(index % 64).unwrap()) & 1 == 1;
        self.deliveries
            .iter()
            .enumerate()
            .filter(|(index, _)| is_picked(*index))
            .map(|(_, message)| message.clone())
            .collect()
    }

    /// Those of the deliveries that are the newest of their message, where it waits still.
    fn named(&self, deliveries: Vec<Message>, dead: &[String]) -> Vec<Message> {
        let is_newest = |message: &Message| {
            self.waiting
                .get(&message.body)
                .is_some_and(|(attempt, _)| *attempt == message.attempt)
        };
        deliveries
            .into_iter()
            .filter(|message| is_newest(message) && !dead.contains(&message.body))
            .collect()
    }

    fn received(&mut self, messages: Vec<Message>) {
        for message in messages {
            let Some((attempt, hidden)) = self.waiting.get_mut(&message.body) else {
                panic!("{} was acknowledged, is dead or was never sent", message.body);
            };
            assert!(*hidden <= self.seconds, "it was hidden");
            *attempt += 1;
            assert_eq!(message.attempt, *attempt);
            assert!(*attempt <= LIMIT);
            *hidden = self.seconds + TIMEOUT.as_secs();
            self.deliveries.push(message);
        }
    }
}

async fn play(steps: Vec<Step>) {
    let mut rig = LocalRig::fresh().await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Send(count) => {
                let bodies: Vec<String> = (0..count)
                    .map(|_| {
                        model.sent += 1;
                        format!("message {}", model.sent)
                    })
                    .collect();
                rig.queue.send(&bodies).await.unwrap();
                model.waiting.extend(bodies.into_iter().map(|body| (body, (0, 0))));
            }
            Step::Receive(max) => {
                let messages = receive(&rig, max).await;
                let is_due = |(attempt, hidden): &(u32, u64)| *attempt < LIMIT && *hidden <= model.seconds;
                assert_eq!(messages.is_empty(), max == 0 || !model.waiting.values().any(is_due));
                model.received(messages);
            }
            Step::Acknowledge(picked) => {
                let picked = model.picked(picked);
                rig.queue.acknowledge(&receipts(&picked)).await.unwrap();
                for message in model.named(picked, &dead_bodies(&rig).await) {
                    model.waiting.remove(&message.body);
                    assert!(model.acknowledged.insert(message.body), "acknowledged twice");
                }
            }
            Step::Extend(picked, seconds) => {
                let picked = model.picked(picked);
                rig.queue
                    .extend(&receipts(&picked), Duration::from_secs(seconds))
                    .await
                    .unwrap();
                let until = model.seconds + seconds;
                for message in model.named(picked, &dead_bodies(&rig).await) {
                    model
                        .waiting
                        .entry(message.body)
                        .and_modify(|(_, hidden)| *hidden = until);
                }
            }
            Step::Pass(seconds) => {
                model.seconds += seconds;
                rig.pass(Duration::from_secs(seconds)).await;
            }
            Step::Reopen => rig.reopen().await,
        }
        let (visible, in_flight, dead) = depth(&rig).await;
        assert_eq!(
            visible + in_flight + dead,
            model.waiting.len() as u64,
            "sent = acknowledged + there + dead"
        );
        for body in dead_bodies(&rig).await {
            let (attempt, hidden) = model.waiting[&body];
            assert!(attempt == LIMIT && hidden <= model.seconds, "{body} died early");
        }
    }
    // Whatever is left is delivered until it dies, and nothing else ever comes.
    for _ in 0..=LIMIT {
        model.seconds += 100;
        rig.pass(Duration::from_secs(100)).await;
        let messages = receive_all(&rig).await;
        model.received(messages);
    }
    assert_eq!(
        dead_bodies(&rig).await.into_iter().collect::<BTreeSet<_>>(),
        model.waiting.into_keys().collect()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_message_is_lost_or_doubled(steps in prop::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(play(steps));
    }
}
