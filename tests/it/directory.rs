//! Users and devices over time: versions without a gap, what was deleted, who is shown where, and erasure.

use std::time::Duration;

use oort_streams::lake::Upkeep;
use oort_streams::lake::directory::Directory;
use oort_streams::lake::expire::Keep;
use oort_streams::local::clock::SystemClock;
use oort_streams::local::org::Thing;
use oort_streams::local::tables::LocalTables;
use oort_streams::model::directory::{DEVICES, USERS, Version};
use oort_streams::ports::{Clock as _, Kind};
use oort_streams::runtime::directory::{People, Report, follow};
use oort_streams::runtime::{erase, findings, maintain};
use serde_json::json;

use crate::gaps::Tenant;

async fn put_user(tenant: &Tenant, id: &str, department: &str, status: &str) {
    let user = json!({
        "id": id, "status": status, "lastUpdated": tenant.clock.now().to_string(), "lastLogin": tenant.clock.now().to_string(),
        "profile": {"login": format!("{id}@example.com"), "firstName": "Ann", "lastName": "Example", "department": department, "manager": "Bob Boss"},
    });
    tenant.okta.put(Thing::User, id, &user).await.unwrap();
}

async fn put_device(tenant: &Tenant, status: &str) {
    let device = json!({
        "id": "guo1", "status": status, "lastUpdated": tenant.clock.now().to_string(),
        "profile": {"displayName": "Ann's Mac", "platform": "MACOS"},
        "_embedded": {"users": [{"user": {"id": "00u1"}, "managementStatus": "MANAGED"}]},
    });
    tenant.okta.put(Thing::Device, "guo1", &device).await.unwrap();
}

struct Hand {
    tables: LocalTables,
    runs: std::cell::Cell<u32>,
}

impl Hand {
    fn new(tenant: &Tenant) -> Self {
        Self {
            tables: LocalTables::open(tenant.folder.path()),
            runs: 0.into(),
        }
    }

    fn next(&self) -> String {
        self.runs.set(self.runs.get() + 1);
        format!("look-{}", self.runs.get())
    }

    fn upkeep<'a>(&'a self, tenant: &'a Tenant, run: &'a str) -> Upkeep<'a> {
        Upkeep {
            lake: &tenant.lake,
            tables: &self.tables,
            clock: &*tenant.clock,
            scratch: tenant.folder.path(),
            run,
        }
    }

    async fn follow(&self, tenant: &Tenant) -> Report {
        let run = self.next();
        follow(&tenant.okta, &tenant.objects, &self.upkeep(tenant, &run))
            .await
            .unwrap()
    }
}

async fn history(tenant: &Tenant) -> Vec<(String, String, bool)> {
    let mut all: Vec<Version> = Directory::beside(&tenant.lake, &USERS).history().await.unwrap();
    all.sort_by(|a, b| (&a.id, a.valid_from).cmp(&(&b.id, b.valid_from)));
    let column = |version: &Version, name| version.column(&USERS, name).unwrap_or_default().to_owned();
    all.iter()
        .map(|version| {
            (
                version.id.clone(),
                format!("{} {}", column(version, "department"), column(version, "status")),
                version.valid_to.is_none(),
            )
        })
        .collect()
}

#[tokio::test]
async fn users_and_devices_are_followed_over_time() {
    let tenant = Tenant::new("2026-11-01T09:00:00Z").await;
    let hand = Hand::new(&tenant);
    for number in 0..450 {
        put_user(&tenant, &format!("00uMany{number:03}"), "Sales", "ACTIVE").await;
    }
    put_user(&tenant, "00u1", "Sales", "ACTIVE").await;
    put_device(&tenant, "ACTIVE").await;
    // What the org may have stored late is asked for again.
    tenant.pass(20);
    let first = hand.follow(&tenant).await;
    assert_eq!(
        (first.users.current, first.users.begun, first.users.was_everything),
        (451, 451, true)
    );
    assert_eq!((first.users.requests, first.devices.requests), (3, 1));

    // A day later only what changed is asked for, and a sign-in is no change.
    tenant.pass(24 * 60);
    put_user(&tenant, "00u1", "Finance", "ACTIVE").await;
    put_user(&tenant, "00uMany001", "Sales", "ACTIVE").await;
    tenant.pass(1);
    let second = hand.follow(&tenant).await;
    assert_eq!(
        (
            second.users.seen,
            second.users.begun,
            second.users.ended,
            second.users.requests
        ),
        (2, 1, 1, 1)
    );
    tenant.pass(24 * 60);
    put_user(&tenant, "00u1", "Finance", "DEPROVISIONED").await;
    put_device(&tenant, "SUSPENDED").await;
    tenant.okta.remove(Thing::User, "00uMany000").await.unwrap();
    let third = hand.follow(&tenant).await;
    assert_eq!(
        (third.users.current, third.users.ended, third.devices.ended),
        (451, 1, 1),
        "what was deleted is not among what changed"
    );
    tenant.pass(7 * 24 * 60);
    let all = hand.follow(&tenant).await;
    assert_eq!(
        (all.users.was_everything, all.users.current, all.users.ended),
        (true, 450, 1)
    );
    let again = hand.follow(&tenant).await;
    assert_eq!((again.users.begun, again.users.ended), (0, 0));

    let history = history(&tenant).await;
    assert_eq!(history.len(), 450 + 3);
    let of = |id: &str| -> Vec<(String, bool)> {
        let own = history.iter().filter(|(own, ..)| own == id);
        own.map(|(_, what, is_current)| (what.clone(), *is_current)).collect()
    };
    let expected = [
        ("Sales ACTIVE", false),
        ("Finance ACTIVE", false),
        ("Finance DEPROVISIONED", true),
    ];
    assert_eq!(
        of("00u1"),
        expected.map(|(what, is_current)| (what.to_owned(), is_current))
    );
    assert_eq!(of("00uMany000"), [("Sales ACTIVE".to_owned(), false)]);

    let people = People::read(&tenant.objects).await.unwrap();
    assert_eq!(
        people.find("00U1@Example.com").unwrap().line(),
        "Ann Example, Finance, manager Bob Boss, DEPROVISIONED; Ann's Mac (MACOS, SUSPENDED, MANAGED)"
    );
    assert!(people.find("00uMany000").is_none());
}

#[tokio::test]
async fn a_finding_tells_who_it_is_about() {
    let tenant = Tenant::new("2026-11-01T09:00:00Z").await;
    let hand = Hand::new(&tenant);
    put_user(&tenant, "00u1", "Finance", "ACTIVE").await;
    put_device(&tenant, "ACTIVE").await;
    hand.follow(&tenant).await;
    tenant.connect().await;
    let stopped = json!({
        "uuid": "stop", "published": tenant.clock.now().to_string(), "eventType": "system.log_stream.lifecycle.delete",
        "actor": {"id": "00u1", "type": "User", "alternateId": "00u1@example.com"}, "target": [],
    });
    tenant.okta.record(&[stopped.to_string()]).await.unwrap();
    tenant.deliver().await;
    tenant.detect(&tenant.okta).await;
    let all = findings::all(&tenant.objects).await.unwrap();
    let finding = all.iter().find(|finding| finding.event_uuid == "stop").unwrap();
    assert_eq!(finding.who[0].department.as_deref(), Some("Finance"));
    assert_eq!(finding.who[0].devices[0].name, "Ann's Mac");
    let notification = oort_streams::model::notification::Notification::of(
        finding,
        oort_streams::model::notification::Advice::default(),
    );
    assert!(
        notification
            .text()
            .contains("Who: Ann Example, Finance, manager Bob Boss, ACTIVE; Ann's Mac"),
        "{}",
        notification.text()
    );
}

#[tokio::test]
async fn an_erased_user_is_gone_from_the_directory_and_its_files() {
    let tenant = Tenant::new(&SystemClock.now().to_string()).await;
    let hand = Hand::new(&tenant);
    for (id, department) in [("00u1", "Sales"), ("00u2", "Sales")] {
        put_user(&tenant, id, department, "ACTIVE").await;
    }
    hand.follow(&tenant).await;
    put_user(&tenant, "00u1", "Finance", "ACTIVE").await;
    hand.follow(&tenant).await;
    tenant.okta.remove(Thing::User, "00u1").await.unwrap();
    let run = hand.next();
    let receipt = erase::run(&hand.upkeep(&tenant, &run), &tenant.objects, "00u1")
        .await
        .unwrap();
    assert_eq!(receipt.versions_in_directory, Some(2));
    assert!(history(&tenant).await.iter().all(|(id, ..)| id == "00u2"));
    assert!(People::read(&tenant.objects).await.unwrap().find("00u1").is_none());
    assert_eq!(hand.follow(&tenant).await.users.current, 1);
    // Snapshots and files that still had them go.
    let run = hand.next();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let keep = Keep {
        young: jiff::SignedDuration::ZERO,
        newest: 1,
        files: jiff::SignedDuration::ZERO,
    };
    tenant.pass(1);
    let report = maintain::run(&hand.upkeep(&tenant, &run), &tenant.objects, None, keep)
        .await
        .unwrap();
    assert!(
        report.removed_of_directory.snapshots > 0 && report.removed_of_directory.files > 0,
        "{report:?}"
    );
    assert_eq!(history(&tenant).await.len(), 1);
    assert!(
        Directory::beside(&tenant.lake, &DEVICES)
            .history()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn two_who_look_at_once_lose_nothing() {
    let tenant = Tenant::new("2026-11-01T09:00:00Z").await;
    let hand = Hand::new(&tenant);
    put_user(&tenant, "00u1", "Sales", "ACTIVE").await;
    hand.follow(&tenant).await;
    let directory = Directory::beside(&tenant.lake, &USERS);
    let stale = directory.open().await.unwrap();
    tenant.pass(60);
    put_user(&tenant, "00u2", "Sales", "ACTIVE").await;
    hand.follow(&tenant).await;
    let run = hand.next();
    let upkeep = Upkeep {
        lake: &directory.lake,
        ..hand.upkeep(&tenant, &run)
    };
    let step = oort_streams::model::directory::step(stale.current.clone(), Vec::new(), true, tenant.clock.now());
    let error = directory
        .commit(&upkeep, stale.base(), &step, tenant.clock.now(), true)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(history(&tenant).await.len(), 2);
}
