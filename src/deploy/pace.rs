//! How fast AWS is asked: a token bucket an API, and repeats with jittered back-off. One pacer serves one account and
//! region, so that all who ask share its rates. Decides only when a call is made, never what it asks.
//!
//! No rate of CloudFormation's API is published; its users report about five calls a second an account and region for each
//! API. So a bucket starts there and gives way: a throttled call halves the API's rate, and each call that is answered gives
//! back a little.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};
use tokio::time::{Instant, sleep};

use crate::ports::cloud::Page;
use crate::ports::{Kind, Result};

/// The APIs that are told apart, by their names at AWS.
pub type Api = &'static str;

/// Below this many calls a second no throttling takes an API's rate.
const SLOWEST: f64 = 0.5;
/// What an answered call gives back, as a share of the full rate.
const RECOVERY: f64 = 0.02;
/// Calls that were under way together are throttled together: the rate is halved once for all of them.
const TOGETHER: Duration = Duration::from_secs(2);
/// Calls after which a throttled or unanswered call is given up. With the longest pause between them that takes minutes, so
/// that a storm of throttling and a lost network are outlived.
const ATTEMPTS: u32 = 20;
/// The same while nothing was answered yet: somebody without a network waits for seconds, not for minutes.
const FIRST_ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// When calls to one account and region may be made.
pub struct Pacer {
    rate: f64,
    state: Mutex<State>,
}

struct State {
    buckets: BTreeMap<Api, Bucket>,
    calls: BTreeMap<Api, u64>,
    is_answered: bool,
    chance: Pcg32,
}

struct Bucket {
    /// Calls a second, now.
    rate: f64,
    /// When the next call may be made.
    next: Instant,
    /// When the rate was halved last.
    halved: Option<Instant>,
}

impl Pacer {
    /// `rate` is in calls a second for each API; `seed` spreads the pauses.
    pub fn new(rate: f64, seed: u64) -> Self {
        Self {
            rate,
            state: Mutex::new(State {
                buckets: BTreeMap::new(),
                calls: BTreeMap::new(),
                is_answered: false,
                chance: Pcg32::seed_from_u64(seed),
            }),
        }
    }

    /// Makes a call when its API's bucket allows it, and again while it is throttled or gets no answer. The call must be
    /// harmless when it is repeated.
    pub async fn call<T, F: Future<Output = Result<T>>>(&self, api: Api, make: impl Fn() -> F) -> Result<T> {
        let mut attempt = 1;
        loop {
            sleep(self.turn(api)).await;
            let error = match make().await {
                Ok(answer) => {
                    self.answered(api);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let most = match error.kind {
                Kind::Throttled => {
                    self.throttled(api);
                    ATTEMPTS
                }
                Kind::Unavailable if self.state().is_answered => ATTEMPTS,
                Kind::Unavailable => FIRST_ATTEMPTS,
                _ => return Err(error),
            };
            if attempt >= most {
                return Err(error);
            }
            let pause = self.pause(attempt);
            tracing::debug!(api, attempt, error = %error, pause = ?pause, "call repeated");
            sleep(pause).await;
            attempt += 1;
        }
    }

    /// Every page of a list.
    pub async fn all<T, F: Future<Output = Result<Page<T>>>>(
        &self,
        api: Api,
        page: impl Fn(Option<String>) -> F,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        let mut next = None;
        loop {
            let answer = self.call(api, || page(next.clone())).await?;
            items.extend(answer.items);
            next = answer.next;
            if next.is_none() {
                return Ok(items);
            }
        }
    }

    /// How many calls were made, by API; repeats count.
    pub fn calls(&self) -> BTreeMap<Api, u64> {
        self.state().calls.clone()
    }

    /// How long to wait for the next call of an API, which is taken by this.
    fn turn(&self, api: Api) -> Duration {
        let now = Instant::now();
        let mut state = self.state();
        *state.calls.entry(api).or_default() += 1;
        let rate = self.rate;
        let bucket = state.buckets.entry(api).or_insert(Bucket {
            rate,
            next: now,
            halved: None,
        });
        let at = bucket.next.max(now);
        bucket.next = at + Duration::from_secs_f64(1.0 / bucket.rate);
        at - now
    }

    fn answered(&self, api: Api) {
        let most = self.rate;
        let mut state = self.state();
        state.is_answered = true;
        if let Some(bucket) = state.buckets.get_mut(api) {
            bucket.rate = (bucket.rate + most * RECOVERY).min(most);
        }
    }

    fn throttled(&self, api: Api) {
        let now = Instant::now();
        if let Some(bucket) = self.state().buckets.get_mut(api)
            && bucket.halved.is_none_or(|at| now - at > TOGETHER)
        {
            bucket.rate = (bucket.rate / 2.0).max(SLOWEST.min(self.rate));
            bucket.halved = Some(now);
        }
    }

    /// Anything between nothing and the most of this attempt, so that callers who were throttled together do not come back
    /// together.
    fn pause(&self, attempt: u32) -> Duration {
        let most = FIRST_PAUSE.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
        most.mul_f64(f64::from(self.state().chance.next_u32()) / f64::from(u32::MAX))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
