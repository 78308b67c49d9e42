//! A tenant and its Okta org on one clock: what the stream does not bring is found, fetched once, and told of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use oort_streams::lake::{self, Lake, Query, segment};
use oort_streams::local::catalog;
use oort_streams::local::clock::ManualClock;
use oort_streams::local::lease::LocalLeases;
use oort_streams::local::objects::LocalObjects;
use oort_streams::local::org::{LocalOrg, Thing};
use oort_streams::model::activity::ActivityRow;
use oort_streams::model::event::{Arrival, Head, detail, wrap};
use oort_streams::model::finding::Status;
use oort_streams::model::ledger::{Hour, HourState};
use oort_streams::model::okta::{EVENTBRIDGE, LogStream, NewLogStream, Org, SignIn, StreamSettings};
use oort_streams::ports::okta::{Act, Ask, Next, Okta, Page};
use oort_streams::ports::stop::Stop;
use oort_streams::ports::{Clock as _, Error, Kind, Result};
use oort_streams::runtime::analysis::{Analysis, Report};
use oort_streams::runtime::backfill::{self, Backfill};
use oort_streams::runtime::detect::RuleSet;
use oort_streams::runtime::detect::shipped::shipped;
use oort_streams::runtime::notify::Patience;
use oort_streams::runtime::refresh::{self, Refresh};
use oort_streams::runtime::stream::{self, Condition};
use oort_streams::runtime::{compact, findings, ledger};
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
            org: Org {
                address: "https://acme.okta.com".to_owned(),
                source: "aws.partner/okta.com/acme/5f1d".to_owned(),
                place: StreamSettings {
                    account_id: "909617834444".to_owned(),
                    event_source_name: "5f1d".to_owned(),
                    region: "us-east-2".to_owned(),
                },
                sign_in: SignIn::Token,
                rate_limit_percent: 50,
                history_days: 90,
                reactivates: true,
            },
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
    async fn uuids(&self, user: &str) -> Vec<(String, String)> {
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

/// An org that fails: every request after the first so many.
pub struct FailsAfter<'a> {
    pub okta: &'a LocalOrg,
    pub left: AtomicU32,
    pub kind: Kind,
}

impl FailsAfter<'_> {
    fn check(&self) -> Result<()> {
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop)
            .map_err(|_| Error::new(self.kind, "ask an org that fails"))
    }
}

#[async_trait]
impl Okta for FailsAfter<'_> {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        self.check()?;
        self.okta.ask(ask, next).await
    }

    async fn act(&self, act: &Act) -> Result<Option<LogStream>> {
        self.check()?;
        self.okta.act(act).await
    }

    fn requests(&self) -> u64 {
        self.okta.requests()
    }
}

/// An org whose token may look and not touch.
struct ReadOnly<'a>(&'a LocalOrg);

#[async_trait]
impl Okta for ReadOnly<'_> {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        self.0.ask(ask, next).await
    }

    async fn act(&self, act: &Act) -> Result<Option<LogStream>> {
        Err(Error::new(Kind::Denied, act.to_string()))
    }

    fn requests(&self) -> u64 {
        self.0.requests()
    }
}

const NINE: &str = "2026-11-24T09:10:00Z";

#[tokio::test]
async fn what_the_stream_did_not_bring_is_fetched_once() {
    let tenant = Tenant::new(NINE).await;
    tenant.connect().await;
    tenant.deliver().await;
    tenant.happen(&["a", "b", "c", "d"]).await;
    let mut sent = tenant.sent().await;
    let lost = sent.split_off(2);
    tenant.queue.0.lock().unwrap().extend(sent);
    tenant.detect(&tenant.okta).await;

    tenant.pass(60);
    let (report, failure) = tenant.reconcile(&tenant.okta).await;
    assert!(failure.is_none());
    assert_eq!(report.filled, 0, "an hour that is just over may be under way");
    tenant.pass(60);
    let (report, _) = tenant.reconcile(&tenant.okta).await;
    assert_eq!((report.filled, report.left), (2, 0));
    let hour = tenant.hours().await[&Hour::of(at(NINE))];
    // The stream's own beginning is an event of the org's too.
    assert_eq!((hour.received, hour.expected, hour.filled), (3, Some(5), 2));
    assert_eq!(hour.missing(), Some(0));

    // It was late, and not lost.
    tenant.queue.0.lock().unwrap().extend(lost[..1].to_vec());
    tenant.detect(&tenant.okta).await;
    tenant.pass(600);
    let (report, _) = tenant.reconcile(&tenant.okta).await;
    assert_eq!(report.filled, 0);
    let hour = tenant.hours().await[&Hour::of(at(NINE))];
    assert_eq!((hour.received, hour.filled, hour.missing()), (4, 1, Some(0)));
    assert_eq!(tenant.compact().await.set_aside, 0);
    let of = |uuid: &str, arrival: &str| (uuid.to_owned(), arrival.to_owned());
    let rows = tenant.uuids("00u1").await;
    assert_eq!(
        rows,
        [of("a", ""), of("b", ""), of("c", "backfilled"), of("d", "backfilled")]
    );
}

#[tokio::test]
async fn a_backfill_that_fails_goes_on_where_it_was() {
    let tenant = Tenant::new("2026-11-20T00:30:00Z").await;
    tenant.connect().await;
    tenant.deliver().await;
    tenant.detect(&tenant.okta).await;
    let mut all = Vec::new();
    for hour in 0..30 {
        let uuids: Vec<String> = (0..70).map(|one| format!("{hour}-{one}")).collect();
        tenant
            .happen(&uuids.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
        all.extend(uuids);
        tenant.pass(60);
    }
    tenant.sent().await;
    tenant.pass(12 * 60);
    let mut fills = 0;
    for attempt in 0.. {
        let failing = FailsAfter {
            okta: &tenant.okta,
            left: AtomicU32::new(11),
            kind: [Kind::Unavailable, Kind::Throttled, Kind::Denied][attempt % 3],
        };
        let (report, failure) = tenant.reconcile(&failing).await;
        fills += report.filled;
        if failure.is_none() {
            break;
        }
        assert!(report.left > 0 && attempt < 1_000);
    }
    assert_eq!(fills, all.len() as u64);
    let mut landed: Vec<String> = tenant.landed().await.into_iter().map(|(uuid, _)| uuid).collect();
    landed.retain(|uuid| all.contains(uuid));
    landed.sort();
    all.sort();
    assert_eq!(landed, all);
}

#[tokio::test]
async fn the_newest_hours_come_first_and_those_of_an_outage_before_them() {
    let tenant = Tenant::new("2026-11-20T00:30:00Z").await;
    tenant.connect().await;
    tenant.deliver().await;
    tenant.detect(&tenant.okta).await;
    for hour in 0..24 {
        if hour == 5 {
            tenant.okta.fail_streams().await.unwrap();
        }
        tenant.happen(&[&format!("{hour:02}")]).await;
        tenant.sent().await;
        if hour == 6 {
            assert_eq!(tenant.detect(&tenant.okta).await.stream, Some(Condition::Reactivated));
        }
        tenant.pass(60);
    }
    tenant.pass(12 * 60);
    tenant.reconcile(&tenant.okta).await;
    let fetched: Vec<String> = tenant
        .landed()
        .await
        .into_iter()
        .filter(|(uuid, arrival)| *arrival == Arrival::Backfilled && uuid.len() == 2)
        .map(|(uuid, _)| uuid)
        .collect();
    // The outage was from 05:30 to 06:30. Within hours that are asked for at once, time goes forward.
    let expected: Vec<String> = [6..7, 5..6, 23..24, 7..23, 0..5]
        .into_iter()
        .flatten()
        .map(|hour| format!("{hour:02}"))
        .collect();
    assert_eq!(fetched, expected);
}

#[tokio::test]
async fn a_stream_that_okta_stopped_is_told_of_and_set_going_again() {
    let tenant = Tenant::new(NINE).await;
    assert_eq!(tenant.detect(&tenant.okta).await.stream, Some(Condition::NeverSeen));
    tenant.connect().await;
    tenant.deliver().await;
    assert_eq!(tenant.detect(&tenant.okta).await.stream, Some(Condition::Active));
    tenant.pass(30);
    tenant.okta.fail_streams().await.unwrap();
    tenant.pass(30);
    let report = tenant.detect(&tenant.okta).await;
    assert_eq!((report.stream, report.new_findings), (Some(Condition::Reactivated), 1));
    let outage = stream::outages(&tenant.objects).await.unwrap().remove(0);
    assert_eq!(outage.from, at("2026-11-24T09:40:00Z"), "by Okta's own log");
    assert!(
        outage.was_reactivated && outage.to == Some(tenant.clock.now()),
        "{outage:?}"
    );
    tenant.pass(60);
    let report = tenant.detect(&tenant.okta).await;
    assert_eq!((report.stream, report.new_findings), (Some(Condition::Active), 0));
}

#[tokio::test]
async fn nobody_is_overruled_and_nothing_is_pretended() {
    let tenant = Tenant::new(NINE).await;
    tenant.connect().await;
    tenant.deliver().await;
    tenant.detect(&tenant.okta).await;
    let id = stream::streams(&tenant.okta).await.unwrap().remove(0).id;
    tenant.pass(10);
    tenant.okta.act(&Act::Deactivate(id.clone())).await.unwrap();
    for hour in 0..3 {
        let report = tenant.detect(&tenant.okta).await;
        assert_eq!(report.stream, Some(Condition::Inactive), "a person did it");
        assert_eq!(report.new_findings, u64::from(hour == 0));
        tenant.pass(60);
    }
    tenant.okta.act(&Act::Activate(id)).await.unwrap();
    tenant.deliver().await;
    assert_eq!(tenant.detect(&tenant.okta).await.stream, Some(Condition::Active));
    tenant.pass(60);
    tenant.okta.fail_streams().await.unwrap();
    tenant.pass(60);
    let report = tenant.detect(&ReadOnly(&tenant.okta)).await;
    assert_eq!(
        (report.stream, report.new_findings),
        (Some(Condition::Inactive), 1),
        "the token may not"
    );
    // An org that does not answer keeps no event from being analysed.
    let broken = FailsAfter {
        okta: &tenant.okta,
        left: AtomicU32::new(0),
        kind: Kind::Unavailable,
    };
    let late = wrap(
        &event("late", at(NINE), "00u1"),
        &Head::parse(&event("late", at(NINE), "00u1")).unwrap(),
        "s",
        "a",
        "r",
    );
    tenant.queue.0.lock().unwrap().push(late);
    let report = tenant.detect(&broken).await;
    assert_eq!((report.stream, report.landed), (None, 1));
    let outages = stream::outages(&tenant.objects).await.unwrap();
    assert_eq!(outages.iter().filter(|outage| outage.to.is_none()).count(), 1);
    assert_eq!(outages.len(), 2);
}

#[tokio::test]
async fn history_is_loaded_and_nobody_is_woken_for_it() {
    let tenant = Tenant::new("2026-11-01T12:30:00Z").await;
    let admin = |uuid: &str, day: &str| {
        json!({
            "uuid": uuid, "published": format!("{day}T12:00:00.000Z"), "eventType": "system.log_stream.lifecycle.delete",
            "actor": {"id": "00u9", "type": "User", "alternateId": "eve@example.com"}, "target": [],
        })
        .to_string()
    };
    tenant.okta.record(&[admin("old", "2026-10-20")]).await.unwrap();
    tenant.connect().await;
    tenant.deliver().await;
    tenant.detect(&tenant.okta).await;
    // After the beginning, and lost on its way.
    tenant.pass(60 * 24 * 2);
    tenant.okta.record(&[admin("new", "2026-11-03")]).await.unwrap();
    tenant.sent().await;
    tenant.pass(60 * 12);
    tenant.reconcile(&tenant.okta).await;
    tenant.detect(&tenant.okta).await;
    let mut told: Vec<_> = findings::all(&tenant.objects)
        .await
        .unwrap()
        .into_iter()
        .filter(|finding| finding.matched.title == "Log stream deactivated or deleted")
        .map(|finding| (finding.event_uuid, finding.status))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [("new".to_owned(), Status::New), ("old".to_owned(), Status::Closed)]
    );
}

#[tokio::test]
async fn a_refresh_fetches_what_has_not_come_and_the_compaction_doubles_nothing() {
    let tenant = Tenant::new(NINE).await;
    tenant.connect().await;
    tenant.deliver().await;
    tenant.happen(&["a", "b"]).await;
    tenant.deliver().await;
    tenant.detect(&tenant.okta).await;
    tenant.compact().await;
    tenant.pass(10);
    tenant.happen(&["waits"]).await;
    tenant.deliver().await;
    tenant.happen(&["lost"]).await;
    let delayed = tenant.sent().await;
    tenant
        .okta
        .put(Thing::Factors, "00u1", &json!([{"id": "f1", "factorType": "push"}]))
        .await
        .unwrap();
    tenant.pass(1);
    for name in ["00U1@Example.com", "00u1"] {
        let report = tenant.refresh(&tenant.okta, name).await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        let overview = report.overview.unwrap();
        assert_eq!((overview.user.id.as_str(), overview.factors.len()), ("00u1", 1));
        if name == "00u1" {
            assert_eq!((report.fetched, report.added, report.new.len()), (0, 0, 0));
        } else {
            assert_eq!((report.landed, report.fetched, report.added), (1, 1, 2));
            assert_eq!(report.new, BTreeMap::from([("user.session.end".to_owned(), 2)]));
        }
    }
    tenant.queue.0.lock().unwrap().extend(delayed);
    tenant.detect(&tenant.okta).await;
    tenant.compact().await;
    let of = |uuid: &str, arrival: &str| (uuid.to_owned(), arrival.to_owned());
    let expected = [of("a", ""), of("b", ""), of("lost", "refreshed"), of("waits", "")];
    assert_eq!(tenant.uuids("00u1").await, expected);
    tenant.pass(600);
    assert_eq!(tenant.reconcile(&tenant.okta).await.0.filled, 0);

    // Without the org, what is here is still refreshed.
    let broken = FailsAfter {
        okta: &tenant.okta,
        left: AtomicU32::new(0),
        kind: Kind::Denied,
    };
    let report = tenant.refresh(&broken, "00u1").await.unwrap();
    assert!(report.overview.is_none() && report.problems.len() == 1, "{report:?}");
    assert!(
        tenant
            .refresh(&tenant.okta, "nobody@example.com")
            .await
            .unwrap()
            .overview
            .is_none()
    );
}

#[tokio::test]
async fn an_address_of_two_users_is_asked_back() {
    let tenant = Tenant::new(NINE).await;
    for id in ["00u1", "00u2"] {
        let user = json!({"id": id, "status": "ACTIVE", "profile": {"login": format!("{id}@acme"), "email": "team@acme.example"}});
        tenant.okta.put(Thing::User, id, &user).await.unwrap();
    }
    let error = tenant.refresh(&tenant.okta, "Team@acme.example").await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        cause,
        "the address is of several: 00u1@acme, 00u2@acme; name one of them"
    );
}

/// An org with as many events as one likes, none of which is kept anywhere.
struct Endless {
    events_an_hour: i64,
    requests: AtomicU32,
}

#[async_trait]
impl Okta for Endless {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let Ask::Events(query) = ask else {
            return Ok(Page::default());
        };
        let from: i64 = next.map_or(0, |next| next.0.parse().unwrap());
        let all = query.to.duration_since(query.from).as_hours() * self.events_an_hour;
        let to = (from + 1_000).min(all);
        let one = |number: i64| {
            let published = query.from + SignedDuration::from_millis(number * 3_600_000 / self.events_an_hour);
            let uuid = format!("{:08x}-0000-4000-8000-{number:012x}", query.from.as_second());
            serde_json::value::RawValue::from_string(event(&uuid, published, "00u1")).unwrap()
        };
        Ok(Page {
            items: (from..to).map(one).collect(),
            next: (to < all).then(|| Next(to.to_string())),
            at: None,
        })
    }

    async fn act(&self, _: &Act) -> Result<Option<LogStream>> {
        Ok(None)
    }

    fn requests(&self) -> u64 {
        u64::from(self.requests.load(Ordering::Relaxed))
    }
}

/// The most memory that this process has had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

/// `OORT_TEST_BACKFILL` says how many events; alone in its process it tells how much memory they take.
#[tokio::test]
async fn a_long_history_is_loaded_whole() {
    let events: i64 = std::env::var("OORT_TEST_BACKFILL").map_or(43_000, |text| text.parse().unwrap());
    let tenant = Tenant::new("2026-11-24T09:00:00Z").await;
    // Ninety days but the hours that are under way or half past.
    let hours = 90 * 24 - 2;
    let endless = Endless {
        events_an_hour: (events / hours).max(1),
        requests: AtomicU32::new(0),
    };
    let begun = std::time::Instant::now();
    let (report, failure) = tenant.reconcile(&endless).await;
    assert!(failure.is_none());
    assert_eq!(
        (report.filled, report.left),
        ((hours * endless.events_an_hour).cast_unsigned(), 0)
    );
    println!(
        "{} events in {} requests, {:.0?}, {} MiB at most",
        report.filled,
        report.requests,
        begun.elapsed(),
        peak_mib()
    );
    let again = tenant.reconcile(&endless).await.0;
    assert_eq!((again.hours, again.filled), (0, 0));
}
