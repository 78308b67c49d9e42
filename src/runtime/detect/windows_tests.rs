use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const SPAN: i64 = 10;

fn hit(number: u16, at: i64) -> Hit {
    Hit {
        at,
        event: format!("event-{number}").into(),
        rule: u8::try_from(number % 3).unwrap(),
        value: Some(format!("value-{}", number % 4).into()),
    }
}

/// Every pair of hits between which the condition holds, looked for without any cleverness.
fn windows(hits: &BTreeSet<Hit>, condition: Condition) -> Vec<(i64, i64)> {
    let hits: Vec<&Hit> = hits.iter().collect();
    let mut found = Vec::new();
    for left in 0..hits.len() {
        for right in left..hits.len() {
            let window = &hits[left..=right];
            let (first, last) = (window[0].at, window[window.len() - 1].at);
            let rules: BTreeSet<u8> = window.iter().map(|hit| hit.rule).collect();
            let values: BTreeSet<_> = window.iter().map(|hit| &hit.value).collect();
            let holds = last - first <= SPAN
                && match condition {
                    Condition::Count(number) => window.len() >= number,
                    Condition::Different(number) => values.len() >= number,
                    Condition::Each(all) => rules.len() >= usize::from(all),
                    Condition::InOrder(all) => {
                        let mut wanted = 0;
                        for hit in window {
                            wanted += u8::from(hit.rule == wanted);
                        }
                        wanted >= all
                    }
                };
            if holds {
                found.push((first, last));
            }
        }
    }
    found
}

/// How many windows there are of which no two touch, at most.
fn apart(windows: &[(i64, i64)]) -> usize {
    let mut by_end: Vec<_> = windows.to_vec();
    by_end.sort_by_key(|window| window.1);
    let mut count = 0;
    let mut end = i64::MIN;
    for (first, last) in by_end {
        if first > end {
            count += 1;
            end = last.saturating_add(SPAN);
        }
    }
    count
}

fn conditions() -> impl Strategy<Value = Condition> {
    prop_oneof![
        (1_usize..6).prop_map(Condition::Count),
        (1_usize..5).prop_map(Condition::Different),
        Just(Condition::Each(3)),
        Just(Condition::InOrder(3)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn in_whatever_order_events_come_nothing_is_missed_or_told_twice(
        times in prop::collection::vec(0_i64..60, 1..25),
        order in prop::collection::vec(any::<prop::sample::Index>(), 25..60),
        condition in conditions(),
    ) {
        let all: Vec<Hit> = (0..).zip(&times).map(|(number, at)| hit(number, *at)).collect();
        // Every event comes once at least, and many come again.
        let mut deliveries: Vec<&Hit> = order.iter().map(|index| index.get(&all)).collect();
        deliveries.extend(&all);
        let mut track = Track::default();
        let mut told = 0;
        for delivery in deliveries {
            // As the memory does between runs.
            let text = serde_json::to_string(&track).unwrap();
            track = serde_json::from_str(&text).unwrap();
            if let Some(Found::New(_)) = track.observe(delivery.clone(), SPAN, condition) {
                told += 1;
            }
        }
        let hits: BTreeSet<Hit> = all.iter().cloned().collect();
        let expected = windows(&hits, condition);
        prop_assert_eq!(told > 0, !expected.is_empty());
        prop_assert!(told >= track.episodes.len());
        prop_assert!(told <= apart(&expected), "{told} are told of {expected:?}");
        for &(first, last) in &expected {
            let is_told = track.episodes.iter().any(|episode| episode.first <= first && last <= episode.last);
            prop_assert!(is_told, "{first}..{last} is in none of {:?}", track.episodes);
        }
        for episode in &track.episodes {
            let inside = hits.iter().filter(|hit| episode.first <= hit.at && hit.at <= episode.last).count();
            prop_assert_eq!(episode.count, inside as u64);
        }
        for again in &all {
            prop_assert_eq!(track.observe(again.clone(), SPAN, condition), None);
        }
    }
}

#[test]
fn a_burst_is_one_finding_that_grows() {
    let mut track = Track::default();
    let mut told = Vec::new();
    for number in 0..20 {
        match track.observe(hit(number, i64::from(number)), SPAN, Condition::Count(5)) {
            Some(Found::New(episode)) => told.push((episode.anchor.clone(), episode.count)),
            Some(Found::Grown(episode)) => assert_eq!(&*episode.anchor, "event-0"),
            None => {}
        }
    }
    assert_eq!(told, [("event-0".into(), 5)]);
    assert_eq!(track.episodes[0].count, 20);
}

#[test]
fn what_is_forgotten_leaves_room_and_what_is_young_stays() {
    let mut track = Track::default();
    for number in 0..6 {
        track.observe(hit(number, i64::from(number)), SPAN, Condition::Count(3));
    }
    assert!(track.forget(4));
    assert_eq!(track.hits.len(), 2);
    assert!(!track.forget(100));
    for number in 0..u16::try_from(MOST_HITS + 10).unwrap() {
        track.observe(hit(number, i64::from(number) * 100), SPAN, Condition::Count(2));
    }
    assert_eq!((track.hits.len(), track.hits[0].at), (MOST_HITS, 1_000));
}
