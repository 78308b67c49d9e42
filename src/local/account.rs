//! An AWS account and region in memory: CloudFormation's stacks and change sets, EventBridge's partner event sources,
//! metrics and alarms, and the bucket of templates, with the semantics of the services. Plans and applies are tested and
//! simulated against it.
//!
//! It is not reachable over a network and keeps nothing on disk. Its time is tokio's, so that a test with paused time runs
//! through hours at once; make it inside the runtime. `hands` is what a test may do to it besides calling it.
//!
//! Must not live here: anything that only a test of one command needs.

mod answer;
mod carry;
mod change_set;
mod changes;
mod estate;
mod gate;
mod hands;
mod operation;
mod policy;
mod read;
mod resolve;
mod state;
mod template;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use self::answer::{Answer, Refusal};
use self::gate::Fault;
use self::state::State;
use self::template::Place;
use crate::ports::{Error, Kind, Result};

pub use self::changes::Replaces;
pub use self::gate::Api;

/// How long things take in the account, and how much it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Of a call, there and back.
    pub latency: Duration,
    /// Until CloudFormation has made a change set, or looked for drift.
    pub change_set: Duration,
    /// Of a creation, an update or a deletion. Undoing one takes as long again.
    pub operation: Duration,
    /// Items in a page of a list.
    pub list_page: usize,
    /// How many calls it answers; the others are throttled. `None` for any number.
    pub rate: Option<Rate>,
    /// Stacks that the account may have, those in review among them.
    pub stack_limit: u64,
    /// Whether a change set fails when something new has the name of what exists, instead of only its execution.
    pub validates_early: bool,
}

/// Calls a second that are answered, with as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Of each API by itself, as AWS counts.
    Each(u32),
    /// Of all APIs together, as an account is where others call too.
    Together(u32),
}

impl Default for Behaviour {
    /// As AWS is on an ordinary day. AWS publishes none of these figures but the limit of stacks.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(80),
            change_set: Duration::from_secs(4),
            operation: Duration::from_mins(1),
            list_page: 50,
            rate: None,
            stack_limit: 2_000,
            validates_early: false,
        }
    }
}

impl Behaviour {
    /// Everything is done at once: what a call begins is over at the next.
    pub fn instant() -> Self {
        Self {
            latency: Duration::ZERO,
            change_set: Duration::ZERO,
            operation: Duration::ZERO,
            ..Self::default()
        }
    }
}

/// A change set that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Executed {
    /// The stack's name.
    pub stack: String,
    /// The change set's ID.
    pub change_set: String,
    pub token: String,
}

/// An account and region. A clone is another client of the same account, as a new process would be.
#[derive(Clone)]
pub struct Account {
    state: Arc<Mutex<State>>,
    /// Whose it is; never changes.
    id: Arc<str>,
    region: Arc<str>,
    latency: Duration,
}

impl Account {
    /// An account without anything in it, in which it is `start` now. `replaces` tells of a type and a property whether
    /// changing it replaces the resource.
    pub fn new(account: &str, region: &str, start: Timestamp, behaviour: Behaviour, replaces: Replaces) -> Self {
        let place = Place {
            account: account.to_owned(),
            region: region.to_owned(),
        };
        Self {
            latency: behaviour.latency,
            state: Arc::new(Mutex::new(State::new(place, start, behaviour, replaces))),
            id: account.into(),
            region: region.into(),
        }
    }

    /// The account as it is now. Nothing under this lock waits.
    fn now(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle(Instant::now());
        state
    }

    /// A call: there, through the gate, the work at one moment, and back. Whoever stops waiting on the way back has it done
    /// all the same.
    async fn call<T>(
        &self,
        api: Api,
        about: &str,
        work: impl FnOnce(&mut State, Instant) -> Answer<T> + Send,
    ) -> Result<T> {
        pause(self.latency / 2).await;
        let answer = self.answer(api, about, work);
        pause(self.latency / 2).await;
        answer
    }

    fn answer<T>(&self, api: Api, about: &str, work: impl FnOnce(&mut State, Instant) -> Answer<T>) -> Result<T> {
        let mut state = self.now();
        let now = Instant::now();
        let lost = match state.gate.admit(api, now) {
            Some(Fault::Refused(kind)) => return Err(refused(kind).of(api, about)),
            Some(Fault::AnswerLost) => true,
            None => false,
        };
        let answer = work(&mut state, now).map_err(|refusal| refusal.of(api, about));
        if lost { Err(no_answer(api, about)) } else { answer }
    }
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        sleep(duration).await;
    }
}

fn refused(kind: Kind) -> Refusal {
    let said = match kind {
        Kind::Throttled => "Throttling: Rate exceeded",
        Kind::Unavailable => "ServiceUnavailable: Service is unavailable",
        Kind::Denied => "AccessDenied: User is not authorized to perform this action",
        Kind::NotFound | Kind::Conflict | Kind::Invalid => "ValidationError: refused as the test has told",
    };
    Refusal::new(kind, said)
}

fn no_answer(api: Api, about: &str) -> Error {
    Refusal::new(Kind::Unavailable, "the connection was closed before the answer came").of(api, about)
}
