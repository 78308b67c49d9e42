//! What must hold when the storm is over, whatever it was like.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use oort_streams::lake::{Query, activity};
use oort_streams::model::finding::{Finding, Status};
use oort_streams::runtime::detect::RuleSet;

use super::events::{Event, users};
use super::life::{Job, World};
use super::process::Weather;
use super::tenant::{Kept, Tenant, marks};

/// Holds all promises against what is left of a tenant.
pub async fn judge(world: &World, tenant: &Arc<Tenant>, events: &[Event]) {
    let weather = &world.weather;
    let name = tenant.name;
    if !tenant.is_drained() {
        weather.broken(format!("{name}: messages are left in the queue"));
    }
    rows(world, tenant, events).await;
    set_aside(tenant, events);
    findings(tenant, &world.rules, events).await;
    notifications(tenant);
    for (key, bytes) in tenant.objects() {
        others(weather, name, &key, &bytes);
    }
}

fn others(weather: &Weather, tenant: &str, where_: &str, bytes: &[u8]) {
    let marks = marks(bytes);
    if let Some(mark) = marks.iter().find(|mark| !mark.starts_with(tenant)) {
        weather.broken(format!("{tenant}: {where_} holds {mark}"));
    }
}

/// Every event of the org has a row for each of its users, once.
async fn rows(world: &World, tenant: &Tenant, events: &[Event]) {
    let mut expected: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for event in events {
        expected.extend(event.users.iter().map(|user| ((user.as_str(), event.mark.as_str()), 1)));
    }
    let lake = world.lake(tenant.name);
    let mut found = Vec::new();
    for (user, _) in users(tenant.name) {
        let query = Query {
            user: &user,
            limit: 100_000,
            since: None,
        };
        found.extend(activity(&lake, query).await.unwrap());
    }
    let mut counted: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in &found {
        *counted.entry((&row.user_id, &row.event_uuid)).or_default() += 1;
        others(&world.weather, tenant.name, "a row", row.event.to_string().as_bytes());
    }
    let all = lake.rows().await.unwrap();
    for (row, times) in &expected {
        let there = counted.get(row).copied().unwrap_or(0);
        if there != *times {
            world
                .weather
                .broken(format!("{}: {row:?} is in the table {there} times", tenant.name));
            for key in tenant
                .objects()
                .into_iter()
                .filter(|(_, bytes)| marks(bytes).contains(row.1))
                .map(|(key, _)| key)
            {
                world.weather.tell(&format!("{row:?} is in {key}"));
            }
        }
    }
    if all != expected.len() as u64 || found.len() as u64 != all {
        let told = format!(
            "{}: the table has {all} rows, {} of users, where {} were expected",
            tenant.name,
            found.len(),
            expected.len()
        );
        world.weather.broken(told);
    }
}

/// What could not become an event is set aside with its reason, and nothing else is.
fn set_aside(tenant: &Tenant, events: &[Event]) {
    let mut aside: BTreeSet<String> = BTreeSet::new();
    for (key, bytes) in tenant
        .objects()
        .into_iter()
        .filter(|(key, _)| key.starts_with("set-aside/"))
    {
        for line in String::from_utf8_lossy(&bytes).lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            if record["reason"].as_str().is_none_or(str::is_empty) {
                tenant.weather.broken(format!("{}: {key} has no reason", tenant.name));
            }
            aside.extend(marks(record["body"].as_str().unwrap().as_bytes()));
        }
    }
    let expected: BTreeSet<String> = events
        .iter()
        .filter(|event| event.text.is_none())
        .map(|event| event.mark.clone())
        .collect();
    if aside != expected {
        tenant.weather.broken(format!(
            "{}: set aside are {aside:?}, expected were {expected:?}",
            tenant.name
        ));
    }
}

fn stored(tenant: &Tenant) -> Vec<Finding> {
    let objects = tenant
        .objects()
        .into_iter()
        .filter(|(key, _)| key.starts_with("findings/"));
    objects
        .map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap())
        .collect()
}

/// By what they are of: one that was told of before its first event came is known by a later one.
fn known_by(findings: &[Finding]) -> BTreeMap<String, usize> {
    let mut known = BTreeMap::new();
    for finding in findings {
        let episode = finding.episode.as_ref().unwrap();
        let what = format!(
            "{} of {} until {}",
            finding.matched.title, episode.entity, episode.last_seen
        );
        *known.entry(what).or_default() += 1;
    }
    known
}

/// What the rules find in the same events, each once, in order and in fair weather.
async fn findings(tenant: &Tenant, rules: &Arc<RuleSet>, events: &[Event]) {
    let calm = Arc::new(Weather::new(0));
    let undisturbed = Arc::new(Tenant {
        name: tenant.name,
        weather: Arc::clone(&calm),
        receive_limit: 1_000,
        kept: Kept::default(),
        log: Mutex::default(),
    });
    let world = World {
        weather: calm,
        warehouse: Arc::default(),
        rules: Arc::clone(rules),
    };
    let mut in_order: Vec<&Event> = events.iter().filter(|event| event.text.is_some()).collect();
    in_order.sort_by_key(|event| event.published);
    for event in in_order {
        let event = event.text.as_ref().unwrap();
        undisturbed.send(&format!(r#"{{"id":"x","detail":{event}}}"#));
        // The queue has an order of its own.
        while !undisturbed.is_drained() {
            world.run(&undisturbed, Job::Detect, None).await;
            tokio::time::sleep(std::time::Duration::from_mins(8)).await;
        }
    }
    let (expected, found) = (known_by(&stored(&undisturbed)), known_by(&stored(tenant)));
    if found != expected {
        tenant.weather.broken(format!(
            "{}: found were {found:#?}, expected were {expected:#?}",
            tenant.name
        ));
    }
}

/// Every receiver that tells messages apart by their keys was told of every finding in one of them, and in one more each time that it
/// was opened again. Of what somebody closed before it was told of, nobody has to hear.
fn notifications(tenant: &Tenant) {
    let stored = stored(tenant);
    let is_open = |finding: &&Finding| finding.status != Status::Closed;
    let wanted: BTreeSet<String> = stored.iter().filter(is_open).map(Finding::telling).collect();
    let ids: BTreeSet<&str> = stored.iter().map(|finding| finding.id.as_str()).collect();
    let told = tenant.kept.told.lock().unwrap();
    let broken = |what: String| tenant.weather.broken(format!("{}: {what}", tenant.name));
    for outlet in ["topic", "digest", "paced"] {
        let mut messages: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for alert in told.get(outlet).into_iter().flatten() {
            let all = serde_json::to_string(&alert.notifications).unwrap();
            others(&tenant.weather, tenant.name, outlet, all.as_bytes());
            let of: BTreeSet<&str> = alert.notifications.iter().map(|one| one.id.as_str()).collect();
            let first = messages.entry(&alert.key).or_insert_with(|| of.clone());
            // A message of several that was delivered, and of which a part was not noted, leaves again for that part.
            if !of.is_subset(first) {
                broken(format!(
                    "{outlet} got two messages with the key {}: {first:?} and {of:?}",
                    alert.key
                ));
            }
            if let Some(one) = alert
                .notifications
                .iter()
                .find(|one| !ids.contains(one.finding_id.as_str()))
            {
                broken(format!("{outlet} was told of {}, which is no finding", one.id));
            }
        }
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for telling in messages.values().flatten() {
            *times.entry(telling).or_default() += 1;
        }
        for telling in wanted.iter().filter(|telling| !times.contains_key(telling.as_str())) {
            broken(format!("{outlet} was not told of {telling}"));
        }
        for (telling, times) in times.into_iter().filter(|(_, times)| *times > 1) {
            broken(format!("{outlet} was told of {telling} in {times} messages"));
        }
    }
}
