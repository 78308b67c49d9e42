//! Rules that look at several events: in whatever order these come, nothing is missed and nothing told twice; and what a rule
//! file that cannot be run is told.

use std::collections::{BTreeMap, BTreeSet};

use oort_streams::runtime::detect::shipped::shipped;
use oort_streams::runtime::detect::{Memory, OktaEvent, RuleFile, RuleSet};
use oort_streams::sample::{Generator, Settings};
use proptest::prelude::*;
use serde_json::json;

/// The episodes that correlations find in deliveries, by rule and entity, when the memory is stored after every so many.
fn episodes(rules: &RuleSet, deliveries: &[&String], stored_every: usize) -> BTreeMap<(String, String), usize> {
    let mut memory = Memory::default();
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for run in deliveries.chunks(stored_every) {
        for line in run {
            let judged = rules
                .judge(&OktaEvent::new(line.as_bytes()), line, &mut memory)
                .unwrap();
            for judged in judged.map_or(Vec::new(), |(_, judged)| judged) {
                // What a correlation tells of has its entity.
                if judged.is_new && !judged.entity.is_empty() {
                    *found.entry((judged.matched.title, judged.entity)).or_default() += 1;
                }
            }
        }
        rules.tidy(&mut memory);
        memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn late_and_repeated_events_change_nothing_that_correlations_find(
        seed in any::<u64>(),
        late in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..400), 200),
        again in prop::collection::vec(any::<prop::sample::Index>(), 200),
        stored_every in 50_usize..700,
    ) {
        let settings = Settings { users: 40, days: 2, events: 1_500, seed, ..Settings::default() };
        let rules = RuleSet::load(&shipped()).unwrap();
        let lines: Vec<String> = Generator::new(settings).collect();
        let in_order: Vec<&String> = lines.iter().collect();
        let expected = episodes(&rules, &in_order, lines.len());
        prop_assert!(expected.keys().any(|(title, _)| title == "Password spray"), "{expected:?}");

        let mut deliveries = in_order;
        for (index, places) in late {
            let from = index.index(deliveries.len());
            let line = deliveries.remove(from);
            deliveries.insert((from + places).min(deliveries.len()), line);
        }
        for index in again {
            let from = index.index(deliveries.len());
            deliveries.push(deliveries[from]);
        }
        prop_assert_eq!(episodes(&rules, &deliveries, stored_every), expected);
    }
}

/// What is told of journeys that nobody can make, by what it is known by.
fn journeys(rules: &RuleSet, deliveries: &[&String]) -> BTreeSet<String> {
    let mut memory = Memory::default();
    let mut told = BTreeSet::new();
    for line in deliveries {
        let judged = rules
            .judge(&OktaEvent::new(line.as_bytes()), line, &mut memory)
            .unwrap();
        let judged = judged.map_or(Vec::new(), |(_, judged)| judged).into_iter();
        told.extend(
            judged
                .filter(|one| one.matched.title == "Impossible travel")
                .map(|one| one.identity),
        );
    }
    told
}

#[test]
fn a_journey_that_is_found_in_order_is_found_when_its_events_come_late() {
    let rules = RuleSet::load(&shipped()).unwrap();
    let lines: Vec<String> = Generator::new(Settings {
        users: 40,
        events: 12_000,
        seed: 7,
        ..Settings::default()
    })
    .collect();
    let in_order: Vec<&String> = lines.iter().collect();
    let expected = journeys(&rules, &in_order);
    assert!(expected.len() >= 3, "{expected:?}");
    // As after runs that died: parts of the log come after others, each part in its own order.
    for parts in 2..5 {
        for phase in 0..parts {
            let part = |number: usize| {
                in_order
                    .iter()
                    .enumerate()
                    .filter(move |(index, _)| (index / 10 + phase) % parts == number)
            };
            let deliveries: Vec<&String> = (0..parts).flat_map(part).map(|(_, line)| *line).collect();
            let missed: Vec<_> = expected.difference(&journeys(&rules, &deliveries)).cloned().collect();
            assert!(missed.is_empty(), "{parts} parts from {phase}: {missed:?}");
        }
    }
}

#[test]
fn a_habit_is_not_told_of_again_when_its_event_comes_again() {
    let rules = RuleSet::load(&shipped()).unwrap();
    let event = |number: u32, day: &str, country: &str| {
        json!({
            "uuid": format!("event-{number}"), "published": format!("{day}T08:00:00Z"), "eventType": "user.session.start",
            "actor": {"id": "ann", "type": "User", "alternateId": "ann@example.com"}, "outcome": {"result": "SUCCESS"},
            "client": {"geographicalContext": {"country": country}},
        })
        .to_string()
    };
    let mut memory = Memory::default();
    let mut told = |line: &str| -> Vec<String> {
        let judged = rules
            .judge(&OktaEvent::new(line.as_bytes()), line, &mut memory)
            .unwrap();
        let judged = judged.map_or(Vec::new(), |(_, judged)| judged);
        judged
            .into_iter()
            .map(|judged| judged.matched.title)
            .filter(|title| title.contains("country"))
            .collect()
    };
    assert!(told(&event(1, "2026-09-01", "Portugal")).is_empty());
    let abroad = event(2, "2026-09-20", "Singapore");
    assert_eq!(told(&abroad).len(), 2, "new to the tenant and to the user");
    assert!(told(&abroad).is_empty());
    assert!(
        told(&event(3, "2026-09-19", "Singapore")).is_empty(),
        "a late one of the day before"
    );
    assert!(told(&event(4, "2026-09-21", "Portugal")).is_empty());
}

#[test]
fn a_behaviour_that_cannot_be_read_says_why() {
    let head = "title: T\nid: 5d1f7a42-0000-4000-8000-000000000001\nlogsource: {product: okta, service: okta}\ndetection:\n  s: {eventType: a.b}\n  condition: s\nlevel: low\n";
    for (behaviour, why) in [
        (
            "first_seen: {fields: [a], memory_days: 9}",
            "r.yml:8: `first_seen`: missing field `learning_days`",
        ),
        (
            "first_seen: {fields: [a], memory_days: 9, learning_days: 1, pre: [b]}",
            "unknown field `pre`",
        ),
        ("returns_after: {per: [a], days: soon}", "`returns_after`: invalid type"),
        (
            "returns_after: {per: [a], days: 9}\nimpossible_travel: {per: [a], kmh: 1, least_km: 1}",
            "a rule has one behaviour",
        ),
    ] {
        let file = RuleFile {
            path: "r.yml".to_owned(),
            text: format!("{head}{behaviour}\n"),
        };
        let problems = RuleSet::load(&[file]).err().unwrap().to_string();
        assert!(problems.contains(why), "{behaviour}: {problems}");
    }
}

#[test]
fn a_correlation_that_counts_nothing_is_refused() {
    let correlation = |rules: &str, more: &str| {
        let text = format!(
            "title: C\nid: 5d1f7a42-0000-4000-8000-000000000002\ncorrelation:\n  type: event_count\n  rules: [{rules}]\n  group-by: [actor.id]\n  timespan: 1h\n  condition: {{{more}}}\n"
        );
        RuleSet::load(&[RuleFile {
            path: "c.yml".to_owned(),
            text,
        }])
        .err()
        .unwrap()
        .to_string()
    };
    assert!(
        correlation("nobody", "gte: 5").contains("c.yml:1: no rule before this one has the id or the name `nobody`")
    );
    assert!(correlation("nobody", "lt: 5").contains("only one `gte` or `gt` is supported"));
    assert!(correlation("nobody", "gte: 5000").contains("the number must be from 1 to 2000"));
}
