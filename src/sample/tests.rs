use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use serde_json::Value;

use super::*;

fn lines(settings: Settings) -> Vec<String> {
    Generator::new(settings).collect()
}

fn events(settings: Settings) -> Vec<Value> {
    lines(settings)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn small() -> Settings {
    Settings::default()
}

static LARGE: LazyLock<Vec<Value>> = LazyLock::new(|| events(large()));

fn large() -> Settings {
    Settings {
        users: 400,
        days: 10,
        events: 8_000,
        ..Settings::default()
    }
}

#[test]
fn the_same_settings_give_the_same_lines_and_another_seed_gives_others() {
    assert_eq!(lines(small()), lines(small()));
    let (one, two): (HashSet<String>, HashSet<String>) = (
        lines(small()).into_iter().collect(),
        lines(Settings { seed: 2, ..small() }).into_iter().collect(),
    );
    assert!(one.is_disjoint(&two));
}

#[test]
fn there_are_as_many_different_events_as_asked_for_and_a_few_come_twice() {
    for settings in [
        small(),
        large(),
        Settings { events: 0, ..small() },
        Settings { events: 1, ..small() },
        Settings { events: 85, ..small() },
    ] {
        let lines = lines(settings);
        let different: HashSet<&String> = lines.iter().collect();
        let uuids: HashSet<String> = events(settings)
            .iter()
            .map(|event| event["uuid"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            (different.len() as u64, uuids.len() as u64),
            (settings.events, settings.events)
        );
        let repeats = lines.len() as u64 - settings.events;
        assert!(
            settings.events < 2000 || (settings.events / 400..settings.events / 100).contains(&repeats),
            "{repeats}"
        );
    }
}

#[test]
fn any_settings_work() {
    for users in [0, 1, 2, 3] {
        for days in [0, 1, 90] {
            let settings = Settings {
                users,
                days,
                events: 300,
                ..small()
            };
            assert_eq!(lines(settings).iter().collect::<HashSet<_>>().len(), 300);
            assert_eq!(stories(&settings).len(), 6);
        }
    }
    assert_eq!(
        lines(Settings {
            end: Timestamp::MIN,
            events: 10,
            ..small()
        })
        .iter()
        .collect::<HashSet<_>>()
        .len(),
        10
    );
}

#[test]
fn every_event_has_a_head_lies_in_the_period_and_is_as_large_as_real_ones() {
    let settings = large();
    let mut sizes: Vec<usize> = lines(settings).iter().map(String::len).collect();
    sizes.sort_unstable();
    let median = sizes[sizes.len() / 2];
    assert!((1500..2500).contains(&median), "{median}");
    assert!(sizes[sizes.len() - 1] < 4500, "{}", sizes[sizes.len() - 1]);
    let (start, end) = settings.period();
    for event in &*LARGE {
        let published: Timestamp = event["published"].as_str().unwrap().parse().unwrap();
        assert!((start..end).contains(&published.as_millisecond()), "{event}");
        assert!(
            event["published"].as_str().unwrap().len() == "2026-10-30T12:00:00.123Z".len(),
            "{event}"
        );
        assert!(
            event["eventType"].is_string() && event["actor"]["id"].is_string(),
            "{event}"
        );
    }
}

#[test]
fn events_are_nearly_in_the_order_of_their_time() {
    let times: Vec<Timestamp> = LARGE
        .iter()
        .map(|event| event["published"].as_str().unwrap().parse().unwrap())
        .collect();
    let late = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((times.len() / 100..times.len() / 20).contains(&late), "{late}");
}

#[test]
fn the_small_sample_tells_every_story() {
    let settings = small();
    let all = events(settings);
    let by_uuid: HashMap<&str, &Value> = all
        .iter()
        .map(|event| (event["uuid"].as_str().unwrap(), event))
        .collect();
    let stories = stories(&settings);
    let names: Vec<&str> = stories.iter().map(|story| story.name).collect();
    assert_eq!(
        names,
        [
            "mfa-fatigue",
            "password-spray",
            "session-hijack",
            "help-desk-fraud",
            "impossible-travel",
            "admin-takeover"
        ]
    );
    for story in &stories {
        let found: Vec<&&Value> = story
            .uuids
            .iter()
            .filter_map(|uuid| by_uuid.get(uuid.as_str()))
            .collect();
        assert_eq!(found.len(), story.uuids.len(), "{}", story.name);
        let times: Vec<&str> = found.iter().map(|event| event["published"].as_str().unwrap()).collect();
        assert!(times.is_sorted(), "{}", story.name);
        let bounds = [times[0], times[times.len() - 1]].map(|time| time.parse::<Timestamp>().unwrap());
        assert_eq!(bounds, [story.start, story.end]);
        let text = format!("{found:?}");
        assert!(
            !story.logins.is_empty() && story.logins.iter().all(|login| text.contains(login)),
            "{}: {:?}",
            story.name,
            story.logins
        );
    }
    let hijack: Vec<&&Value> = stories[2]
        .uuids
        .iter()
        .filter_map(|uuid| by_uuid.get(uuid.as_str()))
        .collect();
    let distinct = |path: &str| {
        hijack
            .iter()
            .filter_map(|event| event.pointer(path)?.as_str())
            .collect::<BTreeSet<_>>()
            .len()
    };
    assert_eq!(distinct("/authenticationContext/externalSessionId"), 1);
    assert_eq!(
        (
            distinct("/client/ipAddress"),
            distinct("/client/userAgent/rawUserAgent")
        ),
        (2, 2)
    );
}

/// How often something is so.
fn share(events: &[Value], holds: impl Fn(&Value) -> bool) -> f64 {
    let count = events.iter().filter(|event| holds(event)).count();
    f64::from(u32::try_from(count).unwrap()) / f64::from(u32::try_from(events.len()).unwrap())
}

#[test]
fn every_deviation_from_the_published_schema_is_in_the_small_sample() {
    const DATA: &str = "/debugContext/debugData";
    const BEHAVIORS: &str = "/debugContext/debugData/behaviors";
    const LOG_ONLY: &str = "/debugContext/debugData/logOnlySecurityData";
    const LATITUDE: &str = "/client/geographicalContext/geolocation/lat";
    const POSTAL: &str = "/client/geographicalContext/postalCode";
    const CHANGE: &str = "/target/0/changeDetails/from";
    let all = events(small());
    for (path, forms) in [
        (DATA, ["text", "map"].as_slice()),
        (BEHAVIORS, &["text", "list", "map"]),
        (LOG_ONLY, &["text", "list", "map"]),
        (LATITUDE, &["whole", "broken"]),
        (POSTAL, &["text", "whole", "null"]),
        ("/version", &["text", "whole"]),
        ("/target", &["list", "null", "absent"]),
        (CHANGE, &["text", "map"]),
        ("/device", &["map", "absent"]),
        ("/client/ipAddress", &["text", "null"]),
    ] {
        let found: BTreeSet<&str> = all.iter().map(|event| form(event.pointer(path))).collect();
        assert!(forms.iter().all(|form| found.contains(form)), "{path}: {found:?}");
    }
    for text in [
        "\"zone\":\"null\"",
        "Anomalous Location, Anomalous Device",
        "\"tunnels\":\"[{",
        "\"PublicClientApp\"",
        "\"SystemPrincipal\"",
        "2001:db8:",
    ] {
        assert!(all.iter().any(|event| event.to_string().contains(text)), "{text}");
    }
    assert!(all.iter().any(|event| !event.to_string().is_ascii()));
}

/// What kind of value stands there.
fn form(value: Option<&Value>) -> &'static str {
    match value {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::String(_)) => "text",
        Some(Value::Array(_)) => "list",
        Some(Value::Object(_)) => "map",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(number)) if number.is_f64() => "broken",
        Some(Value::Number(_)) => "whole",
    }
}

#[test]
fn event_types_come_in_realistic_shares() {
    let all = &*LARGE;
    for (event_type, low, high) in [
        ("user.session.start", 0.06, 0.2),
        ("user.authentication.sso", 0.15, 0.4),
        ("policy.evaluate_sign_on", 0.15, 0.45),
        ("user.authentication.auth_via_mfa", 0.03, 0.15),
        ("user.session.end", 0.01, 0.08),
        ("app.oauth2.token.grant.access_token", 0.03, 0.2),
        ("group.user_membership.add", 0.002, 0.03),
    ] {
        let share = share(all, |event| event["eventType"] == event_type);
        assert!((low..high).contains(&share), "{event_type}: {share}");
    }
    let types: BTreeSet<&str> = all.iter().map(|event| event["eventType"].as_str().unwrap()).collect();
    assert!(types.len() > 30, "{types:?}");
}

#[test]
fn people_have_names_and_logins_of_their_own() {
    let people: Vec<people::Person> = (0..3000).map(|number| people::Person::new(5, number)).collect();
    assert_eq!(
        people.iter().map(|person| &person.login).collect::<HashSet<_>>().len(),
        3000
    );
    assert_eq!(
        people.iter().map(|person| &person.id).collect::<HashSet<_>>().len(),
        3000
    );
    assert!(
        people
            .iter()
            .all(|person| person.login.is_ascii() && person.login.ends_with("@example.com"))
    );
    assert!(
        people[..992]
            .iter()
            .map(|person| &person.name)
            .collect::<HashSet<_>>()
            .len()
            == 992
    );
}

#[test]
fn users_work_by_day() {
    let settings = Settings {
        users: 100,
        days: 14,
        events: 5_000,
        ..small()
    };
    let night = share(&events(settings), |event| {
        let hour: u32 = event["published"].as_str().unwrap()[11..13].parse().unwrap();
        event
            .pointer("/client/geographicalContext/country")
            .is_some_and(|country| country == "United Kingdom")
            && !(7..20).contains(&hour)
    });
    assert!(night < 0.04, "{night}");
}
