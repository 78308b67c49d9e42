//! Carries out a plan, exactly and to its end: wave by wave, with a journal from which the same command goes on after a
//! kill. What is done was decided in the plan; here is only decided when to stop.

pub mod gate;
pub mod judge;
pub mod record;
pub mod report;
mod step;
mod watcher;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;

use crate::deploy::apply::gate::Gate;
use crate::deploy::apply::record::{Cause, Entry, Recovered, Stage, What};
use crate::deploy::apply::report::{Report, Result as StackResult};
use crate::deploy::apply::step::Runner;
use crate::deploy::apply::watcher::Watcher;
use crate::deploy::pace::Pacer;
use crate::deploy::plan::moved::moved;
use crate::deploy::plan::{Plan, Step, Wave};
use crate::deploy::world::{self, World};
use crate::model::stack::{LiveStack, Phase};
use crate::ports::cloud::{ProposeStacks, ReadStacks, Watch, WriteStacks};
use crate::ports::{self, Clock, Journal};

/// Who is asked and told while a plan is carried out.
pub struct Apply<'a, C: ?Sized> {
    pub cloud: &'a C,
    pub pacer: &'a Pacer,
    pub plan: &'a Plan,
    pub journal: &'a dyn Journal,
    pub clock: &'a dyn Clock,
    /// The pause between two sweeps over the stacks at work, and before a change set is asked for its state.
    pub interval: Duration,
    /// Is told of every line of the journal as it is written, and of stacks that an earlier run had done.
    pub observe: &'a (dyn Fn(&Progress) + Sync),
}

/// What whoever watches an apply is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A wave begins with so many stacks.
    Wave {
        name: String,
        stacks: usize,
    },
    Begun {
        stack: String,
    },
    Done {
        stack: String,
    },
    Failed {
        stack: String,
        cause: Cause,
    },
    /// The wave is watched before the next begins.
    Soaking {
        wave: String,
        seconds: u64,
    },
    Stopped {
        why: String,
    },
}

/// Why a plan is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    #[error("the plan is stale; since it was made, these moved:\n{}", .0.join("\n"))]
    Stale(Vec<String>),
    #[error("the journal is of another plan, whose digest is {0}")]
    OtherPlan(String),
    #[error(transparent)]
    Port(#[from] ports::Error),
}

impl<C: ReadStacks + ProposeStacks + WriteStacks + Watch + ?Sized> Apply<'_, C> {
    /// Carries the plan out, or what is left of it.
    pub async fn run(&self) -> Result<Report, NotApplied> {
        let digest = self.plan.digest();
        let recovered = Recovered::read(&self.journal.lines()?);
        if let Some(other) = recovered.digest.as_ref().filter(|other| **other != digest) {
            return Err(NotApplied::OtherPlan(other.clone()));
        }
        let world = World {
            stacks: world::stacks(self.cloud, self.pacer).await?,
            ..World::default()
        };
        let is_ours = |stack: &str| {
            recovered.stage(stack).is_some()
                || self
                    .plan
                    .step(stack)
                    .is_some_and(|step| is_our_work(step, world.stacks.get(stack)))
        };
        let moved = moved(self.plan, &world, is_ours);
        if !moved.is_empty() {
            return Err(NotApplied::Stale(moved));
        }
        self.record(What::Started { digest })?;
        let mut results: BTreeMap<String, StackResult> = BTreeMap::new();
        let mut stopped = None;
        for wave in &self.plan.waves {
            let done = self.wave(wave, &recovered, &world, &mut results).await?;
            if let Some(why) = done {
                self.record(What::Stopped { why: why.clone() })?;
                (self.observe)(&Progress::Stopped { why: why.clone() });
                stopped = Some(why);
                break;
            }
        }
        self.record(What::Finished)?;
        Ok(Report::new(self.plan, results, stopped, self.pacer.calls()))
    }

    /// Does one wave; gives the reason why no other may follow.
    async fn wave(
        &self,
        wave: &Wave,
        recovered: &Recovered,
        world: &World,
        results: &mut BTreeMap<String, StackResult>,
    ) -> Result<Option<String>, NotApplied> {
        let steps: Vec<&Step> = wave.stacks.iter().filter_map(|stack| self.plan.step(stack)).collect();
        let is_watched = self.plan.purpose.leaves_stacks() && !recovered.is_wave_done(&wave.name);
        let mut gate = None;
        if is_watched {
            let known = recovered.health_before(&wave.name);
            let environment = &self.plan.environment;
            gate = Some(Gate::open(self.cloud, self.pacer, self.clock, environment, &steps, known).await?);
        }
        self.record(What::WaveStarted {
            wave: wave.name.clone(),
            before: gate.as_ref().map(|gate| gate.before().clone()),
        })?;
        (self.observe)(&Progress::Wave {
            name: wave.name.clone(),
            stacks: steps.len(),
        });
        self.steps(&steps, recovered, world, results).await?;
        self.confirm(&steps, results).await?;
        let failed = steps
            .iter()
            .filter(|step| results.get(&step.stack).is_some_and(StackResult::is_failure))
            .count();
        let rollout = &self.plan.rollout;
        if rollout.tolerated.is_exceeded(failed, steps.len()) {
            return Ok(Some(format!(
                "{failed} of {} stacks of wave `{}` failed",
                steps.len(),
                wave.name
            )));
        }
        if let Some(gate) = gate {
            // Nobody waits for a soak after the last wave.
            let is_last = self.plan.waves.last().is_some_and(|last| last.name == wave.name);
            let soak = if is_last {
                0
            } else {
                u64::from(rollout.soak_minutes) * 60
            };
            if soak > 0 {
                (self.observe)(&Progress::Soaking {
                    wave: wave.name.clone(),
                    seconds: soak,
                });
            }
            if let Some(why) = gate.hold(Duration::from_secs(soak)).await? {
                return Ok(Some(format!("after wave `{}`: {why}", wave.name)));
            }
        }
        self.record(What::WaveDone {
            wave: wave.name.clone(),
        })?;
        Ok(None)
    }

    /// Does the steps of a wave, as many at once as the rollout allows, and starts no more once too many failed.
    async fn steps(
        &self,
        steps: &[&Step],
        recovered: &Recovered,
        world: &World,
        results: &mut BTreeMap<String, StackResult>,
    ) -> Result<(), NotApplied> {
        let watcher = Watcher::new(
            self.cloud,
            self.pacer,
            self.interval,
            world.stacks.len().max(self.plan.steps.len()),
        );
        let runner = Runner {
            apply: self,
            watcher: &watcher,
            world,
        };
        // Too many may have failed in an earlier run.
        let failed_before = steps
            .iter()
            .filter(|step| matches!(recovered.stage(&step.stack), Some(Stage::Failed(_))));
        let tolerated = self.plan.rollout.tolerated;
        let is_stopped = AtomicBool::new(tolerated.is_exceeded(failed_before.count(), steps.len()));
        let one = |step: &'_ Step| {
            let stage = recovered.stage(&step.stack).cloned();
            let (runner, is_stopped) = (&runner, &is_stopped);
            let stack = step.stack.clone();
            let step = step.clone();
            async move {
                if is_stopped.load(Ordering::Relaxed) && !is_underway(stage.as_ref()) {
                    return (stack, Ok(StackResult::NotStarted));
                }
                let result = runner.run(&step, stage).await;
                (stack, result)
            }
        };
        let concurrency = (self.plan.rollout.concurrency as usize).max(1);
        let mut running = futures::stream::iter(steps.iter().map(|step| one(step))).buffer_unordered(concurrency);
        let mut failed = 0;
        let sweeping = watcher.sweep_forever();
        tokio::pin!(sweeping);
        loop {
            tokio::select! {
                outcome = running.next() => {
                    let Some((stack, result)) = outcome else { return Ok(()) };
                    let result = result?;
                    failed += usize::from(result.is_failure());
                    if self.plan.rollout.tolerated.is_exceeded(failed, steps.len()) {
                        is_stopped.store(true, Ordering::Relaxed);
                    }
                    results.insert(stack, result);
                }
                Err(error) = &mut sweeping => return Err(error.into()),
            }
        }
    }

    /// One more look at all stacks that came through: they have the content that the plan gives them.
    async fn confirm(&self, steps: &[&Step], results: &mut BTreeMap<String, StackResult>) -> Result<(), NotApplied> {
        if !self.plan.purpose.leaves_stacks() {
            return Ok(());
        }
        let live = world::stacks(self.cloud, self.pacer).await?;
        for step in steps {
            if !matches!(results.get(&step.stack), Some(StackResult::Done)) || step.content_hash.is_none() {
                continue;
            }
            let now = live.get(&step.stack);
            if now.and_then(LiveStack::content_hash) != step.content_hash.as_deref() {
                let status = now.map_or_else(|| "gone".to_owned(), |live| live.status.to_string());
                let cause = Cause {
                    status: Some(status),
                    ..Cause::of("it was done, and has other content now: somebody else changes it too")
                };
                self.fail(&step.stack, &cause)?;
                results.insert(step.stack.clone(), StackResult::Failed(cause));
            }
        }
        Ok(())
    }

    fn fail(&self, stack: &str, cause: &Cause) -> Result<(), ports::Error> {
        (self.observe)(&Progress::Failed {
            stack: stack.to_owned(),
            cause: cause.clone(),
        });
        self.record(What::Failed {
            stack: stack.to_owned(),
            cause: cause.clone(),
        })
    }

    fn record(&self, what: What) -> Result<(), ports::Error> {
        let entry = Entry {
            at: self.clock.now(),
            what,
        };
        // Texts and times only: to write them as JSON cannot fail.
        self.journal.append(&serde_json::to_string(&entry).unwrap_or_default())
    }
}

/// Whether the stack is on its way already, so that a stop does not hold it back.
fn is_underway(stage: Option<&Stage>) -> bool {
    stage.is_some()
}

/// Whether a stack is as this step makes it, or on its way there: an apply whose journal is lost goes on from there.
fn is_our_work(step: &Step, live: Option<&LiveStack>) -> bool {
    let Some(live) = live else {
        return matches!(step.action, crate::deploy::plan::StepAction::Delete { .. });
    };
    let has_content = step.content_hash.is_some() && live.content_hash() == step.content_hash.as_deref();
    has_content && matches!(live.status.phase(), Phase::Deployed | Phase::Running)
}
