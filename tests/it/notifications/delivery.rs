//! The outbox over many runs: nobody is forgotten, and nobody is told twice under two keys, wherever a run dies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use oort_streams::local::clock::ManualClock;
use oort_streams::local::objects::LocalObjects;
use oort_streams::model::finding::{Change, Episode, Finding, RuleMatch, Severity, Status};
use oort_streams::model::notification::Alert;
use oort_streams::model::route::{Filter, Pace};
use oort_streams::ports::stop::Stop;
use oort_streams::ports::{Clock as _, Error, Kind, Notifier, Objects, Precondition, Result, Undelivered, Version};
use oort_streams::runtime::detect::RuleSet;
use oort_streams::runtime::findings::{self, Outcome};
use oort_streams::runtime::notify::{Deliveries, Delivery, Outlet, Patience};
use oort_streams::runtime::outbox;

/// A receiver that notes what it is told, and fails as often as it is asked to.
#[derive(Default)]
struct Receiver {
    told: Mutex<Vec<(String, Vec<String>)>>,
    failures: Mutex<Vec<Kind>>,
    tries: AtomicUsize,
}

impl Receiver {
    fn fail(&self, failures: impl IntoIterator<Item = Kind>) {
        *self.failures.lock().unwrap() = failures.into_iter().collect();
    }

    fn told(&self) -> Vec<(String, Vec<String>)> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

#[async_trait]
impl Notifier for Receiver {
    async fn deliver(&self, alert: &Alert) -> std::result::Result<Vec<String>, Undelivered> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let next = {
            let mut failures = self.failures.lock().unwrap();
            if failures.is_empty() {
                None
            } else {
                Some(failures.remove(0))
            }
        };
        if let Some(kind) = next {
            return Err(Error::new(kind, "tell the receiver").into());
        }
        let ids = alert.notifications.iter().map(|one| one.finding_id.clone()).collect();
        self.told.lock().unwrap().push((alert.key.clone(), ids));
        Ok(vec!["receiver".to_owned()])
    }
}

/// Objects of a process that dies after so many calls.
struct Mortal<'a> {
    inner: &'a dyn Objects,
    left: AtomicUsize,
}

impl Mortal<'_> {
    fn live(&self) -> Result<()> {
        let alive = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        alive.map(drop).map_err(|_| Error::new(Kind::Unavailable, "died"))
    }
}

#[async_trait]
impl Objects for Mortal<'_> {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>> {
        self.live()?;
        self.inner.get(key).await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, precondition: Precondition) -> Result<Version> {
        self.live()?;
        self.inner.put(key, bytes, precondition).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.live()?;
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.live()?;
        self.inner.delete(key).await
    }
}

struct World {
    _folder: tempfile::TempDir,
    objects: LocalObjects,
    clock: ManualClock,
    rules: RuleSet,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    World {
        objects: LocalObjects::open(folder.path(), "acme").unwrap(),
        _folder: folder,
        clock: ManualClock::new(start()),
        rules: RuleSet::load(&[]).unwrap(),
    }
}

fn start() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

impl World {
    async fn run_on(&self, objects: &dyn Objects, outlets: &[Outlet]) -> Result<Deliveries> {
        let delivery = Delivery {
            objects,
            outlets,
            rules: &self.rules,
            clock: &self.clock,
            patience: Patience {
                attempts: 3,
                wait: Duration::ZERO,
                longest: Duration::from_secs(1),
            },
            stop: &Stop::default(),
        };
        delivery.run().await
    }

    async fn run(&self, outlets: &[Outlet]) -> Deliveries {
        self.run_on(&self.objects, outlets).await.unwrap()
    }

    async fn tell(&self, finding: Finding) -> Outcome {
        findings::tell(&self.objects, finding).await.unwrap()
    }

    async fn stored(&self, id: &str) -> Finding {
        let keys = findings::keys_of(&self.objects, id).await.unwrap();
        findings::at(&self.objects, &keys[0]).await.unwrap().unwrap()
    }
}

fn outlet(name: &str, receiver: &Arc<Receiver>, pace: Pace) -> Outlet {
    Outlet {
        name: name.to_owned(),
        filter: Filter::all(),
        pace,
        notifier: Arc::clone(receiver) as Arc<dyn Notifier>,
    }
}

fn finding(id: &str, severity: Severity, event: &str, seen: Timestamp) -> Finding {
    Finding {
        id: id.to_owned(),
        tenant: "acme".to_owned(),
        matched: RuleMatch {
            rule_id: "rule".to_owned(),
            title: "Rule".to_owned(),
            severity,
            tags: Vec::new(),
            fields: Vec::new(),
        },
        published: start(),
        event_uuid: event.to_owned(),
        event_type: "user.session.start".to_owned(),
        actor: "ann".to_owned(),
        event: serde_json::Value::Null,
        episode: Some(Episode {
            entity: "ann".to_owned(),
            first_seen: seen,
            last_seen: seen,
            count: 1,
            events: vec![event.to_owned()],
        }),
        status: Status::New,
        history: Vec::new(),
        who: Vec::new(),
    }
}

fn of_severity(id: &str, severity: Severity) -> Finding {
    finding(id, severity, "e1", start())
}

fn ids(told: &[(String, Vec<String>)]) -> Vec<&str> {
    told.iter().flat_map(|(_, ids)| ids).map(String::as_str).collect()
}

#[tokio::test]
async fn a_route_that_fails_keeps_no_other_waiting_and_is_told_later() {
    let world = world();
    let (good, bad) = (Arc::new(Receiver::default()), Arc::new(Receiver::default()));
    let outlets = [
        outlet("bad", &bad, Pace::unbounded()),
        outlet("good", &good, Pace::unbounded()),
    ];
    world.tell(of_severity("f1", Severity::High)).await;
    world.tell(of_severity("f2", Severity::High)).await;
    bad.fail([Kind::Unavailable; 3]);
    let first = world.run(&outlets).await;
    assert_eq!((first.delivered, first.routed, first.waiting), (0, 2, 2));
    assert_eq!(
        bad.tries.swap(0, Ordering::Relaxed),
        3,
        "whoever does not answer is not asked once a finding"
    );
    assert_eq!(ids(&good.told()), ["f1", "f2"]);
    // Too early for another try.
    world.run(&outlets).await;
    assert_eq!((bad.tries.load(Ordering::Relaxed), good.told().len()), (0, 0));
    world.clock.advance(Duration::from_hours(1));
    let second = world.run(&outlets).await;
    assert_eq!((second.delivered, second.waiting, second.held), (2, 0, 0));
    assert_eq!(ids(&bad.told()), ["f1", "f2"]);
    assert!(good.told().is_empty());
    assert!(outbox::waiting(&world.objects).await.unwrap().is_empty());
    let stored = world.stored("f1").await;
    assert_eq!(stored.status, Status::Notified);
    assert_eq!(stored.history[0].why, "told receiver, bad, good");
}

#[tokio::test]
async fn one_message_that_is_refused_does_not_stand_in_the_way_of_others() {
    let world = world();
    let receiver = Arc::new(Receiver::default());
    let outlets = [outlet("soc", &receiver, Pace::unbounded())];
    for id in ["f1", "f2", "f3"] {
        world.tell(of_severity(id, Severity::High)).await;
    }
    receiver.fail([Kind::Invalid]);
    assert_eq!(world.run(&outlets).await.waiting, 1);
    assert_eq!(ids(&receiver.told()), ["f2", "f3"]);
}

#[tokio::test]
async fn what_was_tried_for_long_enough_is_given_up_kept_and_told_when_somebody_asks() {
    let world = world();
    let receiver = Arc::new(Receiver::default());
    let pace = Pace {
        give_up_hours: 24,
        ..Pace::unbounded()
    };
    let good = Arc::new(Receiver::default());
    let outlets = [outlet("soc", &receiver, pace), outlet("good", &good, Pace::unbounded())];
    world.tell(of_severity("f1", Severity::High)).await;
    receiver.fail([Kind::Denied; 1_000]);
    let mut given_up = 0;
    for _ in 0..30 {
        given_up += world.run(&outlets).await.given_up;
        world.clock.advance(Duration::from_hours(1));
    }
    assert_eq!(given_up, 1);
    let kept = outbox::given_up(&world.objects).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].1.routes.keys().collect::<Vec<_>>(), ["soc"]);
    assert_eq!(good.told().len(), 1);
    receiver.fail([]);
    assert_eq!(outbox::retry(&world.objects).await.unwrap(), 1);
    assert_eq!(world.run(&outlets).await.delivered, 1);
    assert_eq!(ids(&receiver.told()), ["f1"]);
    assert!(good.told().is_empty(), "whoever was told is not told again");
    assert!(outbox::given_up(&world.objects).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_muted_finding_is_told_to_nobody_and_one_that_goes_on_after_it_was_closed_is_told_again() {
    let world = world();
    let receiver = Arc::new(Receiver::default());
    let outlets = [outlet("soc", &receiver, Pace::unbounded())];
    let to = |status| {
        move |finding: &mut Finding| {
            finding.change(Change {
                at: start(),
                to: status,
                by: "ann".to_owned(),
                why: "seen".to_owned(),
                until: None,
            });
            true
        }
    };
    for id in ["muted", "closed"] {
        world.tell(of_severity(id, Severity::High)).await;
    }
    let key = |id: &str| format!("findings/2026-11-23/{id}.json");
    findings::change(&world.objects, &key("muted"), to(Status::Muted))
        .await
        .unwrap();
    world.run(&outlets).await;
    assert_eq!(receiver.told(), [("closed".to_owned(), vec!["closed".to_owned()])]);
    findings::change(&world.objects, &key("closed"), to(Status::Closed))
        .await
        .unwrap();
    let before = finding("closed", Severity::High, "e2", start() - Duration::from_secs(9));
    assert_eq!(world.tell(before).await, Outcome::Grown);
    world.run(&outlets).await;
    assert!(
        receiver.told().is_empty(),
        "an event from before it was closed is no news"
    );
    let after = start() + Duration::from_mins(5);
    for id in ["muted", "closed"] {
        assert_eq!(
            world.tell(finding(id, Severity::High, "e3", after)).await,
            Outcome::Grown
        );
        assert_eq!(
            world.tell(finding(id, Severity::High, "e3", after)).await,
            Outcome::Known
        );
    }
    world.run(&outlets).await;
    assert_eq!(receiver.told(), [("closed-1".to_owned(), vec!["closed".to_owned()])]);
    let closed = world.stored("closed").await;
    assert_eq!((closed.status, closed.episode.unwrap().count), (Status::Notified, 3));
    assert_eq!(world.stored("muted").await.status, Status::Muted);
}

#[tokio::test]
async fn a_filter_and_quiet_hours_decide_who_hears_of_what_and_when() {
    let world = world();
    let (loud, quiet) = (Arc::new(Receiver::default()), Arc::new(Receiver::default()));
    let hours = serde_json::json!({"from": "09:00", "to": "11:00", "time_zone": "UTC", "wakes_at": "critical"});
    let outlets = [
        Outlet {
            filter: Filter {
                minimum_severity: Severity::Critical,
                ..Filter::all()
            },
            ..outlet("loud", &loud, Pace::unbounded())
        },
        outlet(
            "quiet",
            &quiet,
            Pace {
                quiet_hours: serde_json::from_value(hours).unwrap(),
                ..Pace::unbounded()
            },
        ),
    ];
    world.tell(of_severity("high", Severity::High)).await;
    world.tell(of_severity("critical", Severity::Critical)).await;
    let report = world.run(&outlets).await;
    assert_eq!((report.delivered, report.held, report.waiting), (1, 1, 0));
    assert_eq!(
        (ids(&loud.told()), ids(&quiet.told())),
        (vec!["critical"], vec!["critical"])
    );
    world.clock.advance(Duration::from_hours(1));
    world.run(&outlets).await;
    assert_eq!((loud.told().len(), ids(&quiet.told())), (0, vec!["high"]));
}

/// Whoever is told by a route, with the keys under which.
fn keys_by_finding(told: &[(String, Vec<String>)]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, ids) in told {
        for id in ids {
            keys.entry(id).or_default().insert(key);
        }
    }
    keys
}

#[tokio::test]
async fn wherever_a_run_dies_each_route_hears_of_each_finding_under_one_key() {
    let digest = Pace {
        digest_minutes: 30,
        ..Pace::unbounded()
    };
    let limited = Pace {
        per_hour: 2,
        ..Pace::unbounded()
    };
    let mut deaths = 0;
    for calls in 0..400 {
        let world = world();
        let receivers: Vec<Arc<Receiver>> = (0..3).map(|_| Arc::default()).collect();
        let outlets = [
            outlet("plain", &receivers[0], Pace::unbounded()),
            outlet("digest", &receivers[1], digest.clone()),
            outlet("limited", &receivers[2], limited.clone()),
        ];
        for number in 0..4 {
            world.tell(of_severity(&format!("f{number}"), Severity::High)).await;
        }
        assert_eq!(world.run(&outlets[1..2]).await.held, 4);
        world.clock.advance(Duration::from_mins(31));
        let mortal = Mortal {
            inner: &world.objects,
            left: AtomicUsize::new(calls),
        };
        let died = world.run_on(&mortal, &outlets).await.is_err();
        deaths += usize::from(died);
        // More findings come, and must not get into a message that was begun.
        world.tell(of_severity("late", Severity::Critical)).await;
        for _ in 0..4 {
            world.clock.advance(Duration::from_mins(61));
            world.run(&outlets).await;
        }
        for receiver in &receivers {
            let told = receiver.told();
            let keys = keys_by_finding(&told);
            assert_eq!(
                keys.keys().copied().collect::<Vec<_>>(),
                ["f0", "f1", "f2", "f3", "late"],
                "died after {calls}"
            );
            assert!(
                keys.values().all(|keys| keys.len() == 1),
                "died after {calls}: {told:?}"
            );
            let repeated = told.len() - told.iter().map(|(key, _)| key).collect::<BTreeSet<_>>().len();
            assert!(repeated <= 1, "died after {calls}: {told:?}");
        }
        assert!(outbox::waiting(&world.objects).await.unwrap().is_empty());
        if !died {
            assert!(deaths > 30, "only {deaths} calls in a run");
            assert_eq!(world.stored("late").await.status, Status::Notified);
            assert!(world.clock.now() > start());
            return;
        }
    }
    panic!("the run never came to its end");
}
