//! What stands before every call of the embedded account: the count of calls, the rate, and faults, seeded or scripted.
//! Must not live here: what a call does.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use tokio::time::Instant;

use super::Rate;
use crate::ports::Kind;

/// An AWS API. Its `Display` is AWS's own name with the service before it, as in `cloudformation:CreateChangeSet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    ContinueUpdateRollback,
    CreateChangeSet,
    DeleteChangeSet,
    DeleteStack,
    DescribeAccountLimits,
    DescribeAlarms,
    DescribeChangeSet,
    DescribeEvents,
    DescribeStackDriftDetectionStatus,
    DescribeStackResourceDrifts,
    DescribeStacks,
    DetectStackDrift,
    ExecuteChangeSet,
    GetCallerIdentity,
    GetMetricData,
    GetTemplate,
    ListEventBuses,
    ListEventSources,
    ListStackResources,
    ListStacks,
    PutObject,
    SetStackPolicy,
    UpdateTerminationProtection,
}

impl Api {
    fn service(self) -> &'static str {
        match self {
            Self::DescribeAlarms | Self::GetMetricData => "cloudwatch",
            Self::GetCallerIdentity => "sts",
            Self::ListEventBuses | Self::ListEventSources => "events",
            Self::PutObject => "s3",
            _ => "cloudformation",
        }
    }

    /// Whether an answer that is lost leaves something done.
    fn is_write(self) -> bool {
        matches!(
            self,
            Self::ContinueUpdateRollback
                | Self::CreateChangeSet
                | Self::DeleteChangeSet
                | Self::DeleteStack
                | Self::DetectStackDrift
                | Self::ExecuteChangeSet
                | Self::PutObject
                | Self::SetStackPolicy
                | Self::UpdateTerminationProtection
        )
    }
}

impl fmt::Display for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{self:?}", self.service())
    }
}

/// How a call fails that has nothing wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing was done.
    Refused(Kind),
    /// It was done, and the answer got lost.
    AnswerLost,
}

pub(super) struct Gate {
    rate: Option<Rate>,
    /// By API, or one for all.
    buckets: HashMap<Option<Api>, Bucket>,
    scripted: Vec<Scripted>,
    seeded: Option<Seeded>,
    pub calls: BTreeMap<Api, u64>,
    pub throttled: u64,
}

struct Bucket {
    calls: f64,
    filled: Instant,
}

struct Scripted {
    api: Api,
    /// Calls of the API up to the one that fails, that one included.
    left: u64,
    fault: Fault,
}

struct Seeded {
    chance: Pcg32,
    per_mille: u32,
}

impl Gate {
    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
            scripted: Vec::new(),
            seeded: None,
            calls: BTreeMap::new(),
            throttled: 0,
        }
    }

    pub fn seed(&mut self, seed: u64, per_mille: u32) {
        let chance = Pcg32::seed_from_u64(seed);
        self.seeded = (per_mille > 0).then_some(Seeded { chance, per_mille });
    }

    pub fn script(&mut self, api: Api, nth: u64, fault: Fault) {
        self.scripted.push(Scripted { api, left: nth, fault });
    }

    /// Counts a call and tells how it fails, if it does.
    pub fn admit(&mut self, api: Api, now: Instant) -> Option<Fault> {
        *self.calls.entry(api).or_default() += 1;
        let fault = self.scripted_fault(api).or_else(|| self.seeded_fault(api));
        let fault = fault.or_else(|| self.is_too_fast(api, now).then_some(Fault::Refused(Kind::Throttled)));
        self.throttled += u64::from(fault == Some(Fault::Refused(Kind::Throttled)));
        fault
    }

    fn scripted_fault(&mut self, api: Api) -> Option<Fault> {
        for scripted in self.scripted.iter_mut().filter(|scripted| scripted.api == api) {
            scripted.left = scripted.left.saturating_sub(1);
        }
        let is_due = |scripted: &Scripted| scripted.api == api && scripted.left == 0;
        let due = self.scripted.iter().position(is_due)?;
        Some(self.scripted.swap_remove(due).fault)
    }

    fn seeded_fault(&mut self, api: Api) -> Option<Fault> {
        let seeded = self.seeded.as_mut()?;
        let mut below = |bound: u32| seeded.chance.next_u32() % bound;
        if below(1_000) >= seeded.per_mille {
            return None;
        }
        Some(match below(if api.is_write() { 3 } else { 2 }) {
            0 => Fault::Refused(Kind::Throttled),
            1 => Fault::Refused(Kind::Unavailable),
            _ => Fault::AnswerLost,
        })
    }

    fn is_too_fast(&mut self, api: Api, now: Instant) -> bool {
        let (rate, whose) = match self.rate {
            None => return false,
            Some(Rate::Each(rate)) => (f64::from(rate), Some(api)),
            Some(Rate::Together(rate)) => (f64::from(rate), None),
        };
        let bucket = self.buckets.entry(whose).or_insert(Bucket {
            calls: rate,
            filled: now,
        });
        let fresh = now.saturating_duration_since(bucket.filled).as_secs_f64() * rate;
        bucket.calls = (bucket.calls + fresh).min(rate);
        bucket.filled = now;
        let is_too_fast = bucket.calls < 1.0;
        if !is_too_fast {
            bucket.calls -= 1.0;
        }
        is_too_fast
    }
}
