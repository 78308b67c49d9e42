//! What an org sends: events with a mark each, some of which are lost, late or doubled on their way, and messages that hold no event.

use jiff::{SignedDuration, Timestamp};
use oort_streams::model::event::{Head, wrap};
use oort_streams::model::okta::Org;
use serde_json::json;

use super::process::start;
use crate::chance::Chance;

/// Hours in which events are published.
pub const HOURS: u64 = 20;
const USERS: u64 = 5;

/// One that the org has, or that was sent in its name.
pub struct Event {
    pub mark: String,
    /// As it stands in the System Log; `None` for what is no event.
    pub text: Option<String>,
    /// Who has a row of it.
    pub users: Vec<String>,
    pub published: Timestamp,
    /// What the bus delivers, and when; nothing where it is lost on its way.
    pub deliveries: Vec<(Timestamp, String)>,
}

pub fn login(tenant: &str, user: u64) -> String {
    format!("u{user}@{tenant}.example")
}

fn id(tenant: &str, user: u64) -> String {
    format!("00u{tenant}{user}")
}

pub fn users(tenant: &str) -> impl Iterator<Item = (String, String)> {
    (0..USERS).map(move |user| (id(tenant, user), login(tenant, user)))
}

pub fn org(tenant: &str) -> Org {
    crate::gaps::org(tenant, 6)
}

/// Who signs in fails often, and from many addresses, so that there is something to find.
fn event(tenant: &str, mark: &str, published: Timestamp, chance: &Chance) -> (String, Vec<String>) {
    let party = |user: u64| json!({"id": id(tenant, user), "type": "User", "alternateId": login(tenant, user)});
    let actor = chance.below(USERS);
    let (kind, outcome) = match chance.below(10) {
        0 => ("system.api_token.create", "SUCCESS"),
        1..=5 => ("user.session.start", "FAILURE"),
        6..=7 => ("user.session.start", "SUCCESS"),
        _ => ("user.account.update_profile", "SUCCESS"),
    };
    let (mut users, mut target) = (vec![id(tenant, actor)], Vec::new());
    if kind == "user.account.update_profile" {
        let other = (actor + 1) % USERS;
        users.push(id(tenant, other));
        target.push(party(other));
    }
    let event = json!({
        "uuid": mark, "published": format!("{published:.3}"), "eventType": kind, "severity": "INFO",
        "displayMessage": format!("Something happens at {tenant}"), "actor": party(actor), "target": target,
        "client": {"ipAddress": format!("198.51.100.{}", chance.below(9))}, "outcome": {"result": outcome},
    });
    (event.to_string(), users)
}

/// What cannot become an event, with a mark all the same.
fn no_event(mark: &str, chance: &Chance) -> String {
    let head = format!(r#""uuid":"{mark}","published":"2026-11-02T03:00:00.000Z","eventType":"user.session.start""#);
    match chance.below(5) {
        0 => format!("{mark} is no JSON"),
        1 => format!(r#"{{"id":"{mark}","detail":null}}"#),
        2 => format!(r#"{{"detail":{{"uuid":"{mark}","published":"soon","eventType":"x"}}}}"#),
        3 => format!(
            r#"{{"detail":{{{head},"deep":{}{}}}}}"#,
            "[".repeat(900),
            "]".repeat(900)
        ),
        _ => format!(r#"{{"detail":{{{head},"text":"\ud800"}}}}"#),
    }
}

/// All that one org sends.
pub fn all(tenant: &'static str, many: u64, chance: &Chance) -> Vec<Event> {
    let mut all = Vec::new();
    for number in 0..many {
        let mark = format!("{tenant}-{number:06}");
        let second = HOURS * 3_600 * number / many + chance.below(600);
        let published = start() + SignedDuration::from_millis((second * 1_000 + chance.below(1_000)).cast_signed());
        let is_event = !chance.one_in(15);
        let (event, users) = event(tenant, &mark, published, chance);
        let body = if is_event {
            let of = org(tenant);
            let (source, account, region) = of.envelope();
            wrap(&event, &Head::parse(&event).unwrap(), source, account, region)
        } else {
            no_event(&mark, chance)
        };
        let late = if chance.one_in(8) {
            chance.below(5 * 3_600)
        } else {
            chance.below(90)
        };
        let comes = published + SignedDuration::from_secs(late.cast_signed());
        let mut deliveries = vec![(comes, body.clone())];
        if chance.one_in(12) {
            deliveries.push((
                comes + SignedDuration::from_secs(chance.below(7_200).cast_signed()),
                body,
            ));
        }
        // The first are not lost: before the stream brings anything, what the log has is history.
        if is_event && number > 4 && chance.one_in(12) {
            deliveries.clear();
        }
        all.push(Event {
            mark,
            text: is_event.then_some(event),
            users: if is_event { users } else { Vec::new() },
            published,
            deliveries,
        });
    }
    all
}
