//! A log stream that stops: told of once a silence, by the clock of the runs, and never while events come.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use oort_streams::local::clock::ManualClock;
use oort_streams::local::objects::LocalObjects;
use oort_streams::ports::stop::Stop;
use oort_streams::ports::{Message, Queue, QueueDepth, Receipt, Result};
use oort_streams::runtime::analysis::{Analysis, Report};
use oort_streams::runtime::detect::RuleSet;
use oort_streams::runtime::detect::shipped::shipped;
use oort_streams::runtime::findings;
use oort_streams::runtime::notify::Patience;
use serde_json::json;

/// Messages that wait; each is given once.
#[derive(Default)]
pub struct Waiting(pub Mutex<Vec<String>>);

#[async_trait]
impl Queue for Waiting {
    async fn receive(&self, max: usize) -> Result<Vec<Message>> {
        let mut waiting = self.0.lock().unwrap();
        let count = max.min(waiting.len());
        let message = |body: String| Message {
            receipt: Receipt(body.clone()),
            body,
            attempt: 1,
        };
        Ok(waiting.drain(..count).map(message).collect())
    }

    async fn acknowledge(&self, _: &[Receipt]) -> Result<()> {
        Ok(())
    }

    async fn extend(&self, _: &[Receipt], _: Duration) -> Result<()> {
        Ok(())
    }

    async fn depth(&self) -> Result<QueueDepth> {
        Ok(QueueDepth::default())
    }
}

struct Tenant {
    _folder: tempfile::TempDir,
    objects: LocalObjects,
    queue: Waiting,
    clock: ManualClock,
    rules: RuleSet,
}

impl Tenant {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            objects: LocalObjects::open(folder.path(), "acme").unwrap(),
            _folder: folder,
            queue: Waiting::default(),
            clock: ManualClock::new("2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap()),
            rules: RuleSet::load(&shipped()).unwrap(),
        }
    }

    fn send(&self, uuid: &str) {
        let event = json!({"uuid": uuid, "published": "2026-11-23T07:00:00Z", "eventType": "user.session.end"});
        self.queue.0.lock().unwrap().push(json!({"detail": event}).to_string());
    }

    /// A run an hour, for so many hours; what the last said.
    async fn hours(&self, hours: u32) -> Report {
        let mut last = Report::default();
        for _ in 0..hours {
            let analysis = Analysis {
                tenant: "acme",
                queue: &self.queue,
                objects: &self.objects,
                outlets: &[],
                rules: &self.rules,
                clock: &self.clock,
                patience: Patience::default(),
                stop: &Stop::default(),
                okta: None,
            };
            last = analysis.run().await.unwrap();
            self.clock.advance(Duration::from_hours(1));
        }
        last
    }

    async fn silences(&self) -> usize {
        let all = findings::all(&self.objects).await.unwrap();
        all.iter()
            .filter(|finding| finding.matched.title == "Log stream silent")
            .count()
    }
}

#[tokio::test]
async fn a_silence_is_told_once_and_the_next_again() {
    let tenant = Tenant::new();
    tenant.hours(30).await;
    assert_eq!(
        tenant.silences().await,
        0,
        "whoever was never heard is not silent but not connected"
    );
    tenant.send("e1");
    tenant.hours(12).await;
    assert_eq!(tenant.silences().await, 0);
    assert_eq!(
        tenant.hours(1).await.new_findings,
        1,
        "twelve hours after the run that received the event"
    );
    assert_eq!(tenant.hours(40).await.new_findings, 0);
    assert_eq!(tenant.silences().await, 1);
    tenant.send("e2");
    tenant.hours(5).await;
    assert_eq!(tenant.silences().await, 1);
    tenant.hours(10).await;
    assert_eq!(tenant.silences().await, 2);
    let found = findings::all(&tenant.objects).await.unwrap();
    assert_eq!(
        found[1].published,
        "2026-11-24T14:00:00Z".parse::<Timestamp>().unwrap(),
        "when it began"
    );
}
