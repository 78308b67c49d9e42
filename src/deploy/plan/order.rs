//! In which waves stacks are done. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::deploy::plan::Wave;
use crate::deploy::profile::rollout::Rollout;

/// A stack that is to be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub stack: String,
    /// `None` for a foundation.
    pub tenant: Option<String>,
    /// When its pending event source expires.
    pub expires: Option<Timestamp>,
}

/// A source that expires sooner is not kept waiting for the canaries.
const URGENT: SignedDuration = SignedDuration::from_hours(48);

/// The foundation, then tenants whose event source is about to expire together with the canaries, then as many tenants as
/// the rollout's shares allow. Within a wave those come first whose source expires first.
pub fn waves(mut candidates: Vec<Candidate>, rollout: &Rollout, now: Timestamp) -> Vec<Wave> {
    candidates.sort_by_key(|candidate| (candidate.expires.unwrap_or(Timestamp::MAX), candidate.stack.clone()));
    let (foundations, tenants): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|one| one.tenant.is_none());
    let is_first = |one: &Candidate| {
        let is_urgent = one.expires.is_some_and(|expires| expires.duration_since(now) < URGENT);
        is_urgent
            || one
                .tenant
                .as_ref()
                .is_some_and(|tenant| rollout.canaries.contains(tenant))
    };
    let all = tenants.len();
    let (first, mut rest): (Vec<_>, Vec<_>) = tenants.into_iter().partition(is_first);
    let mut done = first.len();
    let mut waves = vec![wave("foundation", foundations), wave("canaries", first)];
    for percent in &rollout.wave_percents {
        let up_to = (all * *percent as usize).div_ceil(100);
        let take = up_to.saturating_sub(done).min(rest.len());
        let later = rest.split_off(take);
        done += take;
        waves.push(wave(&format!("up to {percent} %"), std::mem::replace(&mut rest, later)));
    }
    waves.push(wave("the rest", rest));
    waves.retain(|wave| !wave.stacks.is_empty());
    waves
}

fn wave(name: &str, candidates: Vec<Candidate>) -> Wave {
    Wave {
        name: name.to_owned(),
        stacks: candidates.into_iter().map(|one| one.stack).collect(),
    }
}

/// The waves in which stacks are deleted: tenants before the foundation whose outputs they import.
pub fn deletion_waves(candidates: Vec<Candidate>) -> Vec<Wave> {
    let (foundations, tenants): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|one| one.tenant.is_none());
    let mut waves = vec![wave("tenants", tenants), wave("foundation", foundations)];
    waves.retain(|wave| !wave.stacks.is_empty());
    waves
}
