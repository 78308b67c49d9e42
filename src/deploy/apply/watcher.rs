//! Waits for many stacks with few calls: one sweep tells of all that are at work. A stack that is missing in a sweep after
//! it was seen at work has come through; where that is not clear, it is looked at, alone or with all others.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::deploy::apply::judge::{Goal, Verdict, judge};
use crate::deploy::pace::Pacer;
use crate::deploy::world;
use crate::model::stack::{LiveStack, Phase, StackStatus};
use crate::ports::Result;
use crate::ports::cloud::ReadStacks;

/// Stacks that a page of `DescribeStacks` holds at least: above as many pages' worth of unclear stacks, all are looked at.
const STACKS_A_PAGE: usize = 50;
/// How long CloudFormation may take to begin what it has taken.
const LONGEST_STILLNESS: Duration = Duration::from_mins(10);

/// Who waits for what.
pub struct Watcher<'a, C: ?Sized> {
    cloud: &'a C,
    pacer: &'a Pacer,
    /// The pause between sweeps.
    interval: Duration,
    waiting: Mutex<BTreeMap<String, Waiting>>,
    /// How many stacks the account has, as far as is known.
    stacks: usize,
}

struct Waiting {
    goal: Goal,
    is_seen_at_work: bool,
    since: Instant,
    tell: oneshot::Sender<Verdict>,
}

impl<'a, C: ReadStacks + ?Sized> Watcher<'a, C> {
    pub fn new(cloud: &'a C, pacer: &'a Pacer, interval: Duration, stacks: usize) -> Self {
        Self {
            cloud,
            pacer,
            interval,
            waiting: Mutex::default(),
            stacks,
        }
    }

    /// Waits until a stack has reached its goal or failed to. Somebody has to drive [`Self::sweep_forever`] meanwhile.
    pub async fn settled(&self, stack_id: &str, goal: Goal) -> Verdict {
        let (tell, told) = oneshot::channel();
        let waiting = Waiting {
            goal,
            is_seen_at_work: false,
            since: Instant::now(),
            tell,
        };
        self.waiting().insert(stack_id.to_owned(), waiting);
        told.await.unwrap_or(Verdict::Underway)
    }

    /// Sweeps while anybody waits; ends only when a sweep fails for good.
    pub async fn sweep_forever(&self) -> Result<std::convert::Infallible> {
        loop {
            sleep(self.pause()).await;
            if !self.waiting().is_empty() {
                self.sweep().await?;
            }
        }
    }

    /// Stacks that take long are looked at less often, so that a look costs little of the time it may waste.
    fn pause(&self) -> Duration {
        let longest = self.waiting().values().map(|waiting| waiting.since.elapsed()).max();
        let fitting = longest.unwrap_or_default() / 8;
        fitting.clamp(self.interval, self.interval * 4)
    }

    async fn sweep(&self) -> Result<()> {
        let restless = world::restless(self.cloud, self.pacer).await?;
        let mut unclear = Vec::new();
        let mut through = Vec::new();
        for (id, waiting) in self.waiting().iter_mut() {
            let at_work = restless
                .get(id)
                .is_some_and(|stack| stack.status.phase() == Phase::Running);
            if at_work {
                waiting.is_seen_at_work = true;
            } else if waiting.is_seen_at_work && !restless.contains_key(id) && waiting.goal != Goal::Deleted {
                through.push(id.clone());
            } else {
                unclear.push(id.clone());
            }
        }
        for id in through {
            self.tell(&id, Verdict::Reached);
        }
        if unclear.len() <= self.stacks / STACKS_A_PAGE + 1 {
            for id in unclear {
                let live = self.pacer.call("DescribeStacks", || self.cloud.stack(&id)).await?;
                self.judge(&id, live.as_ref());
            }
        } else {
            let stacks = world::stacks(self.cloud, self.pacer).await?;
            let by_id: BTreeMap<&str, &LiveStack> = stacks.values().map(|stack| (stack.id.as_str(), stack)).collect();
            for id in unclear {
                self.judge(&id, by_id.get(id.as_str()).copied());
            }
        }
        Ok(())
    }

    fn judge(&self, id: &str, live: Option<&LiveStack>) {
        let verdict = match self.waiting().get(id) {
            Some(waiting) => match judge(&waiting.goal, live) {
                Verdict::Underway if is_still(live) && waiting.since.elapsed() > LONGEST_STILLNESS => Verdict::Failed(
                    live.map_or_else(|| StackStatus::new("unknown"), |live| live.status.clone()),
                    Some("CloudFormation took the operation and did not begin it".to_owned()),
                ),
                verdict => verdict,
            },
            None => return,
        };
        if verdict != Verdict::Underway {
            self.tell(id, verdict);
        }
    }

    fn tell(&self, id: &str, verdict: Verdict) {
        if let Some(waiting) = self.waiting().remove(id) {
            // Who waited may have been dropped; then nobody has to be told.
            let _ = waiting.tell.send(verdict);
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_still(live: Option<&LiveStack>) -> bool {
    live.is_some_and(|live| live.status.phase() != Phase::Running)
}
