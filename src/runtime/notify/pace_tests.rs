use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::model::route::QuietHours;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap()
}

fn candidates(severities: &[Severity], since: i64) -> Vec<Candidate> {
    let candidate = |(index, severity): (usize, &Severity)| Candidate {
        index,
        severity: *severity,
        since: at(since),
        not_before: None,
    };
    severities.iter().enumerate().map(candidate).collect()
}

#[test]
fn without_a_pace_each_finding_has_its_message_the_gravest_first() {
    let waiting = candidates(&[Severity::Low, Severity::Critical, Severity::High], 0);
    assert_eq!(messages(&Pace::unbounded(), &[], &waiting, at(0)), [[1], [2], [0]]);
}

#[test]
fn what_would_be_more_than_the_rate_is_told_in_one() {
    let pace = Pace {
        per_hour: 3,
        ..Pace::unbounded()
    };
    let waiting = candidates(
        &[
            Severity::Low,
            Severity::High,
            Severity::Low,
            Severity::Low,
            Severity::Low,
        ],
        0,
    );
    assert_eq!(messages(&pace, &[], &waiting, at(0)), [vec![1], vec![0], vec![2, 3, 4]]);
    let recent = [at(-70), at(-20), at(-10)];
    assert_eq!(messages(&pace, &recent, &waiting, at(0)), [vec![1, 0, 2, 3, 4]]);
    assert!(messages(&pace, &[at(-3), at(-2), at(-1)], &waiting, at(0)).is_empty());
}

#[test]
fn a_digest_waits_for_its_time_and_is_one_message() {
    let pace = Pace {
        digest_minutes: 60,
        ..Pace::unbounded()
    };
    let waiting = candidates(&[Severity::Low, Severity::High], 0);
    assert!(messages(&pace, &[], &waiting, at(59)).is_empty());
    assert_eq!(messages(&pace, &[], &waiting, at(60)), [[1, 0]]);
}

#[test]
fn quiet_hours_hold_what_does_not_wake_anybody_and_reach_over_midnight() {
    let quiet = QuietHours {
        from: "22:00".parse().unwrap(),
        to: "07:00".parse().unwrap(),
        time_zone: "Europe/Zurich".to_owned(),
        wakes_at: Some(Severity::Critical),
    };
    let pace = Pace {
        quiet_hours: Some(quiet.clone()),
        ..Pace::unbounded()
    };
    let waiting = candidates(&[Severity::High, Severity::Critical], 0);
    let told = |time: &str| messages(&pace, &[], &waiting, time.parse().unwrap());
    // Zurich is an hour ahead of UTC in winter and two in summer.
    assert_eq!(told("2026-12-01T20:59:00Z"), [[1], [0]]);
    assert_eq!(told("2026-12-01T21:00:00Z"), [[1]]);
    assert_eq!(told("2026-12-02T05:59:00Z"), [[1]]);
    assert_eq!(told("2026-12-02T06:00:00Z"), [[1], [0]]);
    assert_eq!(told("2026-07-01T20:00:00Z"), [[1]]);
    let by_day = QuietHours {
        from: "12:00".parse().unwrap(),
        to: "13:00".parse().unwrap(),
        ..quiet
    };
    assert!(by_day.hold(Severity::High, "2026-12-01T11:30:00Z".parse().unwrap()));
    assert!(!by_day.hold(Severity::High, "2026-12-01T12:00:00Z".parse().unwrap()));
}

#[test]
fn a_route_that_fails_is_left_alone_for_longer_each_time() {
    let waits: Vec<i64> = (1..=9)
        .map(|failures| not_before(failures, at(0)).duration_since(at(0)).as_mins())
        .collect();
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 360, 360]);
    assert_eq!(not_before(u32::MAX, at(0)), at(360));
}

fn severities() -> impl Strategy<Value = Severity> {
    prop_oneof![Just(Severity::Low), Just(Severity::High), Just(Severity::Critical)]
}

proptest! {
    #[test]
    fn nobody_is_told_twice_and_nobody_is_forgotten(
        severities in prop::collection::vec(severities(), 0..30),
        digest_minutes in prop_oneof![Just(0_u32), 1_u32..90],
        per_hour in 0_u32..6,
        runs in 1_i64..40,
    ) {
        let pace = Pace { digest_minutes, per_hour, ..Pace::unbounded() };
        let mut waiting = candidates(&severities, 0);
        let (mut told, mut recent) = (BTreeSet::new(), Vec::new());
        for run in 0..runs + 3 {
            let now = at(run * 61);
            let sent = messages(&pace, &recent, &waiting, now);
            if per_hour > 0 {
                prop_assert!(sent.len() + within_the_hour(&recent, now).count() <= per_hour as usize);
            }
            for message in sent {
                prop_assert!(!message.is_empty());
                recent.push(now);
                for index in message {
                    prop_assert!(told.insert(index), "{index} is told twice");
                    waiting.retain(|candidate| candidate.index != index);
                }
            }
        }
        prop_assert_eq!(told.len(), severities.len());
    }
}
