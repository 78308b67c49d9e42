//! A tenant and its Okta org on one clock: what the stream does not bring is found, fetched once, and told of.

mod history;
mod tenant;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use oort_streams::local::org::{LocalOrg, Thing};
use oort_streams::model::event::{Arrival, Head, wrap};
use oort_streams::model::finding::Status;
use oort_streams::model::ledger::Hour;
use oort_streams::model::okta::LogStream;
use oort_streams::ports::okta::{Act, Ask, Next, Okta, Page};
use oort_streams::ports::{Clock as _, Error, Kind, Result};
use oort_streams::runtime::findings;
use oort_streams::runtime::stream::{self, Condition};
use serde_json::json;

pub use tenant::{Tenant, at, event, org};

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

/// An org whose log says nothing for a while, and which sets no stream going.
struct Reticent<'a> {
    okta: &'a LocalOrg,
    is_silent: AtomicBool,
}

#[async_trait]
impl Okta for Reticent<'_> {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        match ask {
            Ask::Events(_) if self.is_silent.load(Ordering::Relaxed) => Ok(Page::default()),
            _ => self.okta.ask(ask, next).await,
        }
    }

    async fn act(&self, act: &Act) -> Result<Option<LogStream>> {
        Err(Error::new(Kind::Unavailable, act.to_string()))
    }

    fn requests(&self) -> u64 {
        self.okta.requests()
    }
}

#[tokio::test]
async fn an_outage_is_told_of_whatever_comes_between_and_mended_when_its_cause_is_known() {
    let tenant = Tenant::new(NINE).await;
    tenant.connect().await;
    tenant.deliver().await;
    tenant.detect(&tenant.okta).await;
    tenant.pass(10);
    tenant.okta.fail_streams().await.unwrap();
    let reticent = Reticent {
        okta: &tenant.okta,
        is_silent: AtomicBool::new(true),
    };
    // Nobody knows yet who did it: it is told of, and nobody is overruled.
    let report = tenant.detect(&reticent).await;
    assert_eq!((report.stream, report.new_findings), (Some(Condition::Inactive), 1));
    // It is known, and Okta does not set it going.
    reticent.is_silent.store(false, Ordering::Relaxed);
    let report = tenant.detect(&reticent).await;
    assert_eq!((report.stream, report.new_findings), (Some(Condition::Inactive), 0));
    // What a look has mended is told of although the run died that looked.
    let again = Tenant::new(NINE).await;
    again.connect().await;
    again.detect(&again.okta).await;
    again.pass(60);
    again.okta.fail_streams().await.unwrap();
    let look = stream::look(&again.okta, &again.objects, &again.org, again.clock.now())
        .await
        .unwrap();
    assert_eq!(look.condition, Condition::Reactivated);
    let report = again.detect(&again.okta).await;
    assert_eq!((report.stream, report.new_findings), (Some(Condition::Active), 1));
    assert_eq!(again.detect(&again.okta).await.known_findings, 0, "it is told of once");
    let report = tenant.detect(&tenant.okta).await;
    assert_eq!((report.stream, report.new_findings), (Some(Condition::Reactivated), 0));
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
