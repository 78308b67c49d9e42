//! A tenant and its Okta org on one clock, as the tests of gaps live with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use oort_streams::lake::{self, Lake, Query, segment};
use oort_streams::local::catalog;
use oort_streams::local::clock::ManualClock;
use oort_streams::local::lease::LocalLeases;
use oort_streams::local::objects::LocalObjects;
use oort_streams::local::org::LocalOrg;
use oort_streams::model::activity::ActivityRow;
use oort_streams::model::event::{Arrival, Head, detail, wrap};
use oort_streams::model::ledger::{Hour, HourState};
use oort_streams::model::okta::{EVENTBRIDGE, NewLogStream, Org, SignIn, StreamSettings};
use oort_streams::ports::okta::{Act, Okta};
use oort_streams::ports::stop::Stop;
use oort_streams::ports::{Clock as _, Error, Result};
use oort_streams::runtime::analysis::{Analysis, Report};
use oort_streams::runtime::backfill::{self, Backfill};
use oort_streams::runtime::detect::RuleSet;
use oort_streams::runtime::detect::shipped::shipped;
use oort_streams::runtime::notify::Patience;
use oort_streams::runtime::refresh::{self, Refresh};
use oort_streams::runtime::stream;
use oort_streams::runtime::{compact, ledger};
use serde_json::json;

use crate::silence::Waiting;

pub struct Tenant {
    pub folder: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub okta: LocalOrg,
    pub objects: LocalObjects,
    pub queue: Waiting,
    pub lake: Lake,
    pub org: Org,
    leases: LocalLeases,
    rules: RuleSet,
    runs: AtomicU32,
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn event(uuid: &str, published: Timestamp, user: &str) -> String {
    json!({
        "uuid": uuid, "published": format!("{published:.3}"), "eventType": "user.session.end",
        "actor": {"id": user, "type": "User", "alternateId": format!("{user}@example.com"), "displayName": "Ann Example"},
        "target": [],
    })
    .to_string()
}

/// A tenant's org, of whose log so many days are compared.
pub fn org(tenant: &str, history_days: u32) -> Org {
    Org {
        address: format!("https://{tenant}.okta.com"),
        source: format!("aws.partner/okta.com/{tenant}/5f1d"),
        place: StreamSettings {
            account_id: "909617834444".to_owned(),
            event_source_name: "5f1d".to_owned(),
            region: "us-east-2".to_owned(),
        },
        sign_in: SignIn::Token,
        rate_limit_percent: 50,
        history_days,
        reactivates: true,
    }
}

impl Tenant {
    pub async fn new(now: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(at(now)));
        let data = folder.path();
        Self {
            okta: LocalOrg::open(data, "acme", clock.clone()).await.unwrap(),
            objects: LocalObjects::open(data, "acme").unwrap(),
            queue: Waiting::default(),
            lake: Lake::new(catalog::open(data).await.unwrap(), "acme"),
            leases: LocalLeases::open(data, "acme").unwrap(),
            rules: RuleSet::load(&shipped()).unwrap(),
            org: org("acme", 90),
            runs: AtomicU32::new(0),
            folder,
            clock,
        }
    }

    pub fn pass(&self, minutes: u64) {
        self.clock.advance(Duration::from_secs(minutes * 60));
    }

    /// Makes the log stream.
    pub async fn connect(&self) {
        let new = NewLogStream {
            kind: EVENTBRIDGE,
            name: "Oort".to_owned(),
            settings: self.org.place.clone(),
        };
        self.okta.act(&Act::Create(new)).await.unwrap();
    }

    /// What happens now: as many events as there are names.
    pub async fn happen(&self, uuids: &[&str]) {
        let now = self.clock.now();
        let events: Vec<String> = uuids.iter().map(|uuid| event(uuid, now, "00u1")).collect();
        self.okta.record(&events).await.unwrap();
    }

    /// What the stream has to send.
    pub async fn sent(&self) -> Vec<String> {
        let (events, last) = self.okta.waiting(1_000_000).await.unwrap();
        if let Some(last) = last {
            self.okta.sent(last).await.unwrap();
        }
        let envelope = |event: &String| {
            let head = Head::parse(event).unwrap();
            let (source, account, region) = self.org.envelope();
            wrap(event, &head, source, account, region)
        };
        events.iter().map(envelope).collect()
    }

    /// The stream brings what it has to send.
    pub async fn deliver(&self) {
        let sent = self.sent().await;
        self.queue.0.lock().unwrap().extend(sent);
    }

    pub async fn detect(&self, okta: &dyn Okta) -> Report {
        let analysis = Analysis {
            tenant: "acme",
            queue: &self.queue,
            objects: &self.objects,
            outlets: &[],
            rules: &self.rules,
            clock: &*self.clock,
            patience: Patience::default(),
            stop: &Stop::default(),
            okta: Some((okta, &self.org)),
        };
        analysis.run().await.unwrap()
    }

    pub async fn reconcile(&self, okta: &dyn Okta) -> (backfill::Report, Option<Error>) {
        let backfill = Backfill {
            okta,
            objects: &self.objects,
            org: &self.org,
            outages: &stream::outages(&self.objects).await.unwrap(),
            clock: &*self.clock,
            stop: &Stop::default(),
            until: None,
        };
        backfill.run().await.unwrap()
    }

    fn run(&self) -> String {
        format!("run-{}", self.runs.fetch_add(1, Ordering::Relaxed))
    }

    pub async fn compact(&self) -> compact::Report {
        let scratch = tempfile::tempdir_in(self.folder.path()).unwrap();
        compact::run(&self.objects, &self.lake, scratch.path(), &self.run())
            .await
            .unwrap()
    }

    pub async fn refresh(&self, okta: &dyn Okta, user: &str) -> Result<refresh::Report> {
        let scratch = tempfile::tempdir_in(self.folder.path()).unwrap();
        let refresh = Refresh {
            queue: &self.queue,
            objects: &self.objects,
            leases: &self.leases,
            stop: &Stop::default(),
            lake: &self.lake,
            okta: Some((okta, &self.org)),
            clock: &*self.clock,
            scratch: scratch.path(),
            run: &self.run(),
            stage: &|_| {},
        };
        refresh.run(user).await
    }

    pub async fn rows(&self, user: &str) -> Vec<ActivityRow> {
        let query = Query {
            user,
            limit: 1_000_000,
            since: None,
        };
        lake::activity(&self.lake, query).await.unwrap()
    }

    /// The uuids of a user's rows, in order, with how each came.
    pub async fn uuids(&self, user: &str) -> Vec<(String, String)> {
        let rows = self.rows(user).await;
        let mut uuids: Vec<_> = rows
            .iter()
            .map(|row| (row.event_uuid.clone(), row.column("arrival").to_owned()))
            .collect();
        uuids.sort();
        uuids
    }

    pub async fn hours(&self) -> BTreeMap<Hour, HourState> {
        ledger::state(&self.objects).await.unwrap().hours
    }

    /// Every line of the log, by its event's uuid.
    pub async fn landed(&self) -> Vec<(String, Arrival)> {
        let mut landed = Vec::new();
        for number in 0..segment::end(&self.objects, 0).await.unwrap() {
            let mut lines = segment::Lines::open(&self.objects, number).await.unwrap();
            while let Some(line) = lines.next_line().unwrap() {
                let head = Head::parse(detail(line).unwrap()).unwrap();
                landed.push((head.uuid.to_string(), Arrival::of(line)));
            }
        }
        landed
    }
}
