//! Of two runs of a role one works: what a lease promises, and what becomes of one whose holder dies or is cut off.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use oort_streams::aws::leases::ObjectLeases;
use oort_streams::local::lease::LocalLeases;
use oort_streams::ports::stop::Stop;
use oort_streams::ports::{Clock, Error, Kind, Leases, Objects, Precondition, Result, Version};
use tokio::time::{Instant, sleep};

/// Objects in memory, behind a connection that can be cut.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, (Vec<u8>, u64)>>);

struct Connection {
    memory: Arc<Memory>,
    is_cut: Arc<AtomicBool>,
}

impl Connection {
    fn check(&self) -> Result<()> {
        if self.is_cut.load(Ordering::Relaxed) {
            return Err(Error::new(Kind::Unavailable, "reach the objects"));
        }
        Ok(())
    }
}

#[async_trait]
impl Objects for Connection {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>> {
        self.check()?;
        let objects = self.memory.0.lock().unwrap();
        Ok(objects
            .get(key)
            .map(|(bytes, version)| (bytes.clone(), Version(version.to_string()))))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, precondition: Precondition) -> Result<Version> {
        self.check()?;
        let mut objects = self.memory.0.lock().unwrap();
        let found = objects.get(key).map_or(0, |(_, version)| *version);
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Absent => found == 0,
            Precondition::Is(Version(version)) => version == found.to_string(),
        };
        if !holds {
            return Err(Error::new(Kind::Conflict, key));
        }
        objects.insert(key.to_owned(), (bytes, found + 1));
        Ok(Version((found + 1).to_string()))
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>> {
        Ok(self.memory.0.lock().unwrap().keys().cloned().collect())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.memory.0.lock().unwrap().remove(key);
        Ok(())
    }
}

/// tokio's time as a machine's clock that is off by some seconds.
struct Machine(Instant, i64);

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        start + SignedDuration::try_from(self.0.elapsed()).unwrap() + SignedDuration::from_secs(self.1)
    }
}

/// Machines that share objects.
struct Fleet {
    memory: Arc<Memory>,
    start: Instant,
}

impl Fleet {
    fn new() -> Self {
        Self {
            memory: Arc::default(),
            start: Instant::now(),
        }
    }

    fn machine(&self, name: &str, seconds_off: i64) -> (ObjectLeases, Arc<AtomicBool>) {
        let is_cut = Arc::new(AtomicBool::new(false));
        let connection = Connection {
            memory: Arc::clone(&self.memory),
            is_cut: Arc::clone(&is_cut),
        };
        let clock = Arc::new(Machine(self.start, seconds_off));
        (ObjectLeases::new(Arc::new(connection), clock, name), is_cut)
    }

    fn epoch(&self) -> u64 {
        let (bytes, _) = self.memory.0.lock().unwrap()["leases/detect.json"].clone();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()["epoch"]
            .as_u64()
            .unwrap()
    }
}

async fn one_works_at_a_time(one: &dyn Leases, other: &dyn Leases) {
    let stop = Stop::default();
    let held = one.acquire("detect", &stop).await.unwrap().unwrap();
    assert!(one.acquire("detect", &stop).await.unwrap().is_none());
    assert!(other.acquire("detect", &stop).await.unwrap().is_none());
    let beside = other.acquire("compact", &stop).await.unwrap().unwrap();
    held.release().await;
    let next = other.acquire("detect", &stop).await.unwrap().unwrap();
    assert!(one.acquire("detect", &stop).await.unwrap().is_none());
    next.release().await;
    beside.release().await;
    assert!(!stop.is_asked());
}

#[tokio::test]
async fn of_the_embedded_leases() {
    let data = tempfile::tempdir().unwrap();
    let open = || LocalLeases::open(data.path(), "acme").unwrap();
    one_works_at_a_time(&open(), &open()).await;
}

#[tokio::test(start_paused = true)]
async fn of_leases_as_objects() {
    let fleet = Fleet::new();
    one_works_at_a_time(&fleet.machine("one", 0).0, &fleet.machine("other", 3).0).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_held_stays_held() {
    let fleet = Fleet::new();
    let ((one, _), (other, _)) = (fleet.machine("one", 0), fleet.machine("other", 4));
    let stop = Stop::default();
    let held = one.acquire("detect", &stop).await.unwrap().unwrap();
    for _ in 0..200 {
        sleep(Duration::from_secs(7)).await;
        assert!(other.acquire("detect", &stop).await.unwrap().is_none());
    }
    assert!(!stop.is_asked());
    held.release().await;
    assert!(other.acquire("detect", &stop).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_held_becomes_free() {
    let fleet = Fleet::new();
    let ((one, _), (other, _)) = (fleet.machine("one", 0), fleet.machine("other", 0));
    let stop = Stop::default();
    drop(one.acquire("detect", &stop).await.unwrap().unwrap());
    assert!(
        other.acquire("detect", &stop).await.unwrap().is_none(),
        "it may only be slow"
    );
    sleep(Duration::from_secs(70)).await;
    assert!(other.acquire("detect", &stop).await.unwrap().is_some());
    assert_eq!(fleet.epoch(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_stops_before_another_begins() {
    let fleet = Fleet::new();
    let ((one, is_cut), (other, _)) = (fleet.machine("one", 4), fleet.machine("other", 0));
    let (stop, calm) = (Stop::default(), Stop::default());
    let held = one.acquire("detect", &stop).await.unwrap().unwrap();
    sleep(Duration::from_secs(40)).await;
    is_cut.store(true, Ordering::Relaxed);
    loop {
        let next = other.acquire("detect", &calm).await.unwrap();
        assert!(next.is_none() || stop.is_asked(), "two work at once");
        if next.is_some() {
            break;
        }
        sleep(Duration::from_millis(250)).await;
    }
    // What the one that was cut off still holds is worth nothing to it.
    is_cut.store(false, Ordering::Relaxed);
    held.release().await;
    assert!(one.acquire("detect", &calm).await.unwrap().is_none());
    assert!(!calm.is_asked());
}

#[tokio::test(start_paused = true)]
async fn of_many_that_begin_together_one_works() {
    let fleet = Fleet::new();
    let machines: Vec<_> = (0..20)
        .map(|number| fleet.machine(&format!("m{number}"), 0).0)
        .collect();
    let stop = Stop::default();
    for round in 0..5 {
        let all = futures::future::join_all(machines.iter().map(|machine| machine.acquire("detect", &stop))).await;
        let mut won: Vec<_> = all.into_iter().filter_map(|done| done.unwrap()).collect();
        assert_eq!((won.len(), fleet.epoch()), (1, round + 1));
        won.remove(0).release().await;
    }
}
