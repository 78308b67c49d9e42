//! One stack, from the first call to the last. Every call can be made again by a run that does not know whether it was
//! made before.

use crate::deploy::apply::judge::{Goal, Verdict, of_operation, root_cause};
use crate::deploy::apply::record::{Cause, Stage, What};
use crate::deploy::apply::report::Result as StackResult;
use crate::deploy::apply::watcher::Watcher;
use crate::deploy::apply::{Apply, Progress, is_our_work};
use crate::deploy::change_sets::{Wanted, described, ready};
use crate::deploy::plan::{ChangeSetRef, Late, Step, StepAction, review};
use crate::deploy::wording::chain;
use crate::deploy::world::World;
use crate::model::stack::{ChangeSetKind, ChangeSetState, Execution, Phase};
use crate::ports::cloud::{ProposeStacks, ReadStacks, Watch, WriteStacks};
use crate::ports::{self, Kind};

pub struct Runner<'a, C: ?Sized> {
    pub apply: &'a Apply<'a, C>,
    pub watcher: &'a Watcher<'a, C>,
    /// As it was when the apply began.
    pub world: &'a World,
}

/// What ends a step early.
enum Halt {
    Failed(Box<Cause>),
    Port(ports::Error),
}

impl Halt {
    fn because(why: impl Into<String>) -> Self {
        Self::Failed(Box::new(Cause::of(why)))
    }
}

impl From<ports::Error> for Halt {
    fn from(error: ports::Error) -> Self {
        Self::Port(error)
    }
}

impl<C: ReadStacks + ProposeStacks + WriteStacks + Watch + ?Sized> Runner<'_, C> {
    /// Does a step, or what an earlier run left of it. An error is one that no stack is to blame for.
    pub async fn run(&self, step: &Step, stage: Option<Stage>) -> Result<StackResult, ports::Error> {
        match stage {
            Some(Stage::Done) => {
                (self.apply.observe)(&Progress::Done {
                    stack: step.stack.clone(),
                });
                return Ok(StackResult::Done);
            }
            Some(Stage::Failed(cause)) => {
                (self.apply.observe)(&Progress::Failed {
                    stack: step.stack.clone(),
                    cause: cause.clone(),
                });
                return Ok(StackResult::Failed(cause));
            }
            _ => {}
        }
        (self.apply.observe)(&Progress::Begun {
            stack: step.stack.clone(),
        });
        match self.carry_out(step, stage).await {
            Ok(()) => {
                self.apply.record(What::Done {
                    stack: step.stack.clone(),
                })?;
                (self.apply.observe)(&Progress::Done {
                    stack: step.stack.clone(),
                });
                Ok(StackResult::Done)
            }
            Err(Halt::Failed(cause)) => {
                self.apply.fail(&step.stack, &cause)?;
                Ok(StackResult::Failed(*cause))
            }
            // What AWS refuses to one stack says nothing of the others; what nobody is allowed ends the apply.
            Err(Halt::Port(error)) if matches!(error.kind, Kind::Invalid | Kind::NotFound | Kind::Conflict) => {
                let cause = Cause::of(chain(&error));
                self.apply.fail(&step.stack, &cause)?;
                Ok(StackResult::Failed(cause))
            }
            Err(Halt::Port(error)) => Err(error),
        }
    }

    async fn carry_out(&self, step: &Step, stage: Option<Stage>) -> Result<(), Halt> {
        match &step.action {
            StepAction::Create | StepAction::Update | StepAction::Recreate => {
                let stack_id = self.change(step, stage).await?;
                let live = self.world.stacks.get(&step.stack);
                // Nobody took away what an earlier apply gave it, and this one did not relax its policy.
                let has_both = live.is_some_and(|live| live.is_protected) && step.allowed.is_empty();
                if has_both {
                    Ok(())
                } else {
                    self.protect(&stack_id).await
                }
            }
            StepAction::Protect => {
                let live = step.live.as_ref().map_or(step.stack.as_str(), |live| live.id.as_str());
                self.protect(live).await
            }
            StepAction::ContinueRollback { skip } => {
                let id = self.begin(step, stage)?;
                let token = step.token(self.apply.plan, step.purpose());
                self.call("ContinueUpdateRollback", || {
                    self.apply.cloud.continue_rollback(&id, &token, skip)
                })
                .await?;
                self.taken(step)?;
                self.wait(step, &id, Goal::RolledBack).await
            }
            StepAction::Delete { retain } => self.delete(step, stage, retain).await,
        }
    }

    /// Carries out the step's change set and waits for the stack; gives the stack's ID.
    async fn change(&self, step: &Step, stage: Option<Stage>) -> Result<String, Halt> {
        if let Some(live) = self.world.stacks.get(&step.stack)
            && stage.is_none()
            && is_our_work(step, Some(live))
        {
            // An apply without this journal was here before.
            self.wait(step, &live.id, Goal::of(step)).await?;
            return Ok(live.id.clone());
        }
        let stack_id = match stage {
            Some(Stage::Taken(id)) => id,
            Some(Stage::Executing(change_set)) => self.execute(step, change_set).await?,
            _ => {
                let change_set = match (&step.change_set, &step.late) {
                    (Some(change_set), _) => change_set.clone(),
                    (None, Some(late)) => self.make(step, late).await?,
                    (None, None) => return Err(Halt::because("the plan holds no change set for it")),
                };
                if !step.allowed.is_empty() {
                    let policy = review::stack_policy(&step.allowed);
                    self.call("SetStackPolicy", || {
                        self.apply.cloud.set_policy(&change_set.stack_id, &policy)
                    })
                    .await?;
                }
                self.execute(step, change_set).await?
            }
        };
        self.wait(step, &stack_id, Goal::of(step)).await?;
        Ok(stack_id)
    }

    /// Makes the change set that could not be made before, and sees that it does no more than was approved.
    async fn make(&self, step: &Step, late: &Late) -> Result<ChangeSetRef, Halt> {
        if step.action == StepAction::Recreate
            && let Some(live) = &step.live
        {
            self.delete_failed(step, &live.id).await?;
        }
        let kind = match step.action {
            StepAction::Update => ChangeSetKind::Update,
            _ => ChangeSetKind::Create,
        };
        let apply = self.apply;
        let bucket = apply.plan.data_bucket();
        let wanted = Wanted {
            plan: &apply.plan.id,
            bucket: &bucket,
            stack: &step.stack,
            kind,
            deployment: &late.deployment,
            adopts: late.adopts && kind == ChangeSetKind::Create,
        };
        let change_set = ready(apply.cloud, apply.pacer, &wanted, apply.interval, |_| ()).await?;
        if let ChangeSetState::Failed { reason } = &change_set.state {
            return Err(Halt::because(format!(
                "CloudFormation refuses the change set: {reason}"
            )));
        }
        let beyond = review::beyond(&step.promised, &change_set.changes);
        if !beyond.is_empty() {
            let why = format!(
                "its change set would do what the plan does not say: {}; nothing was done to the stack, plan again",
                beyond.join(", ")
            );
            return Err(Halt::because(why));
        }
        Ok(ChangeSetRef {
            id: change_set.id,
            stack_id: change_set.stack_id,
        })
    }

    /// Deletes what a failed creation left, when it is still that.
    async fn delete_failed(&self, step: &Step, id: &str) -> Result<(), Halt> {
        let live = self.call("DescribeStacks", || self.apply.cloud.stack(id)).await?;
        match live.map(|live| live.status.phase()) {
            Some(Phase::NeverCreated) => {
                let token = step.token(self.apply.plan, "recreate");
                self.call("DeleteStack", || self.apply.cloud.delete(id, &token, &[]))
                    .await?;
            }
            Some(Phase::Running) => {}
            _ => return Ok(()),
        }
        self.wait(step, id, Goal::Deleted).await
    }

    /// Has CloudFormation carry out a change set; gives the stack's ID.
    async fn execute(&self, step: &Step, change_set: ChangeSetRef) -> Result<String, Halt> {
        let apply = self.apply;
        apply.record(What::Executing {
            stack: step.stack.clone(),
            change_set: change_set.clone(),
        })?;
        let token = step.token(apply.plan, step.purpose());
        let answer = self
            .call("ExecuteChangeSet", || apply.cloud.execute(&change_set.id, &token))
            .await;
        if let Err(error) = answer {
            if !matches!(error.kind, Kind::Conflict | Kind::NotFound | Kind::Invalid) {
                return Err(error.into());
            }
            self.was_executed(step, &change_set, error).await?;
        }
        self.taken(step)?;
        Ok(change_set.stack_id)
    }

    /// CloudFormation refused to carry out a change set: because an earlier call, whose answer was lost, had it do so?
    async fn was_executed(&self, step: &Step, change_set: &ChangeSetRef, refused: ports::Error) -> Result<(), Halt> {
        let execution = match described(self.apply.cloud, self.apply.pacer, &change_set.id).await {
            Ok(described) => Some(described.execution),
            Err(error) if error.kind == Kind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        match execution {
            Some(Execution::Started | Execution::Complete | Execution::Failed) => Ok(()),
            Some(Execution::Obsolete) => Err(Halt::because(
                "the stack moved after its change set was made; plan again",
            )),
            Some(Execution::NotStarted) => Err(Halt::because(chain(&refused))),
            None => {
                let live = self
                    .call("DescribeStacks", || self.apply.cloud.stack(&change_set.stack_id))
                    .await?;
                let is_ours = live.is_some_and(|live| {
                    step.content_hash.is_some() && live.content_hash() == step.content_hash.as_deref()
                });
                if is_ours {
                    return Ok(());
                }
                Err(Halt::because(format!(
                    "its change set is gone; plan again ({})",
                    chain(&refused)
                )))
            }
        }
    }

    /// The stack policy, and then termination protection, which a later plan can see: a stack that has it has both.
    async fn protect(&self, stack: &str) -> Result<(), Halt> {
        let policy = review::stack_policy(&[]);
        self.call("SetStackPolicy", || self.apply.cloud.set_policy(stack, &policy))
            .await?;
        self.call("UpdateTerminationProtection", || {
            self.apply.cloud.set_protection(stack, true)
        })
        .await?;
        Ok(())
    }

    async fn delete(&self, step: &Step, stage: Option<Stage>, retain: &[String]) -> Result<(), Halt> {
        let id = self.begin(step, stage)?;
        let live = self.call("DescribeStacks", || self.apply.cloud.stack(&id)).await?;
        let is_there = live.as_ref().is_some_and(|live| live.status.phase() != Phase::Deleted);
        if !is_there {
            return Ok(());
        }
        if live.is_some_and(|live| live.is_protected) {
            self.call("UpdateTerminationProtection", || {
                self.apply.cloud.set_protection(&id, false)
            })
            .await?;
        }
        let token = step.token(self.apply.plan, step.purpose());
        self.call("DeleteStack", || self.apply.cloud.delete(&id, &token, retain))
            .await?;
        self.taken(step)?;
        self.wait(step, &id, Goal::Deleted).await
    }

    /// Writes down that an operation on a live stack begins; gives the stack's ID.
    fn begin(&self, step: &Step, stage: Option<Stage>) -> Result<String, Halt> {
        let id = match stage {
            Some(Stage::Taken(id) | Stage::Beginning(id)) => return Ok(id),
            _ => step.live.as_ref().map(|live| live.id.clone()),
        };
        let Some(id) = id else {
            return Err(Halt::because("the plan names no live stack for it"));
        };
        self.apply.record(What::Beginning {
            stack: step.stack.clone(),
            stack_id: id.clone(),
        })?;
        Ok(id)
    }

    fn taken(&self, step: &Step) -> Result<(), ports::Error> {
        self.apply.record(What::Taken {
            stack: step.stack.clone(),
        })
    }

    async fn wait(&self, step: &Step, stack_id: &str, goal: Goal) -> Result<(), Halt> {
        match self.watcher.settled(stack_id, goal).await {
            Verdict::Failed(status, reason) => Err(Halt::Failed(Box::new(
                self.cause(step, stack_id, status.as_str(), reason).await?,
            ))),
            Verdict::Reached | Verdict::Underway => Ok(()),
        }
    }

    /// What made an operation fail, in CloudFormation's words.
    async fn cause(&self, step: &Step, id: &str, status: &str, reason: Option<String>) -> Result<Cause, ports::Error> {
        let events = match self
            .call("DescribeEvents", || self.apply.cloud.failures(id, None))
            .await
        {
            Ok(page) => page.items,
            // That its events cannot be read takes nothing from the failure.
            Err(error) => {
                tracing::warn!(stack = step.stack, error = %chain(&error), "events cannot be read");
                Vec::new()
            }
        };
        let recent = of_operation(
            events,
            &step.token(self.apply.plan, step.purpose()),
            self.apply.plan.made,
        );
        let resource = root_cause(&recent).cloned();
        let why = resource.as_ref().map(|event| event.reason.clone()).or(reason);
        Ok(Cause {
            status: Some(status.to_owned()),
            resource,
            why: why.unwrap_or_else(|| "CloudFormation gives no reason".to_owned()),
        })
    }

    async fn call<T, F: Future<Output = ports::Result<T>>>(
        &self,
        api: &'static str,
        make: impl Fn() -> F,
    ) -> ports::Result<T> {
        self.apply.pacer.call(api, make).await
    }
}
