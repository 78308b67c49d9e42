//! What a route is told now, and what waits. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::model::finding::Severity;
use crate::model::route::Pace;

/// The first wait after a run in which a route failed, and the longest.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(5);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(6);

/// A finding that a route has yet to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// What whoever asks knows it by.
    pub index: usize,
    pub severity: Severity,
    pub since: Timestamp,
    pub not_before: Option<Timestamp>,
}

/// The messages to send now, each with the findings that it tells of. Whoever is in none waits.
pub fn messages(pace: &Pace, recent: &[Timestamp], candidates: &[Candidate], now: Timestamp) -> Vec<Vec<usize>> {
    let is_free = |candidate: &&Candidate| {
        let quiet = pace.quiet_hours.as_ref();
        candidate.not_before.is_none_or(|at| at <= now)
            && !quiet.is_some_and(|quiet| quiet.hold(candidate.severity, now))
    };
    let mut free: Vec<&Candidate> = candidates.iter().filter(is_free).collect();
    free.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.since.cmp(&b.since)));
    let Some(oldest) = free.iter().map(|candidate| candidate.since).min() else {
        return Vec::new();
    };
    let room = match pace.per_hour {
        0 => usize::MAX,
        most => (most as usize).saturating_sub(within_the_hour(recent, now).count()),
    };
    let all: Vec<usize> = free.iter().map(|candidate| candidate.index).collect();
    let digest = SignedDuration::from_mins(i64::from(pace.digest_minutes));
    match room {
        0 => Vec::new(),
        _ if !digest.is_zero() && now.duration_since(oldest) < digest => Vec::new(),
        _ if !digest.is_zero() => vec![all],
        room if all.len() <= room => all.into_iter().map(|index| vec![index]).collect(),
        // The gravest have a message each, and the last one tells of all others.
        room => {
            let (single, rest) = all.split_at(room - 1);
            let mut messages: Vec<Vec<usize>> = single.iter().map(|index| vec![*index]).collect();
            messages.push(rest.to_vec());
            messages
        }
    }
}

/// Those of the last hour.
pub fn within_the_hour(recent: &[Timestamp], now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let hour = SignedDuration::from_hours(1);
    recent.iter().copied().filter(move |at| now.duration_since(*at) < hour)
}

/// When a route is tried again that failed in so many runs.
pub fn not_before(failures: u32, now: Timestamp) -> Timestamp {
    let doubled = 2_i32.saturating_pow(failures.saturating_sub(1));
    let wait = FIRST_WAIT
        .checked_mul(doubled)
        .unwrap_or(LONGEST_WAIT)
        .min(LONGEST_WAIT);
    now.checked_add(wait).unwrap_or(now)
}

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
