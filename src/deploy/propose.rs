//! Makes a plan: change sets for what needs one, and CloudFormation's word on each. Changes no resource; what it made is
//! dropped again when no plan comes of it. What a stack needs is decided in `plan`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;

use crate::deploy::change_sets::{Wanted, ready};
use crate::deploy::diff::Change;
use crate::deploy::diff::compare::{After, compare};
use crate::deploy::pace::Pacer;
use crate::deploy::plan::intent::{Intent, missing_exports};
use crate::deploy::plan::order::{Candidate, waves};
use crate::deploy::plan::{
    Blocked, ChangeSetRef, Deployment, Late, Live, Plan, Purpose, Seen, Step, StepAction, review,
};
use crate::deploy::profile::Profile;
use crate::deploy::tree::Tree;
use crate::deploy::wording::chain;
use crate::deploy::world::World;
use crate::model::stack::{CONTENT_HASH_TAG, ChangeSet, ChangeSetKind, ChangeSetState, StackSpec};
use crate::ports::cloud::{ProposeStacks, ReadStacks};
use crate::ports::{self, Kind};

/// Stacks that are worked on at once; the pacer decides how fast calls follow each other.
const AT_ONCE: usize = 64;

/// A rendered stack and what it needs.
#[derive(Debug, Clone)]
pub struct Draft {
    pub spec: StackSpec,
    pub tree: Tree,
    pub intent: Intent,
}

/// What a plan is made for.
#[derive(Debug, Clone)]
pub struct Request {
    pub id: String,
    pub purpose: Purpose,
    pub now: Timestamp,
    /// Resources that may be replaced or deleted although they hold something: `EventQueue`, or `acme/EventQueue`.
    pub allowed: BTreeSet<String>,
    /// Whether new stacks take in resources that a former stack left.
    pub adopts: bool,
    /// How long CloudFormation is given before it is asked whether a change set is ready.
    pub pause: Duration,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    #[error("it would replace or delete what holds something:\n{}", .0.join("\n"))]
    Guarded(Vec<String>),
    #[error("interrupted; what was made for the plan was dropped")]
    Interrupted,
    #[error(transparent)]
    Port(#[from] ports::Error),
}

/// Who is asked while a plan is made.
pub struct Clients<'a, C: ?Sized> {
    pub cloud: &'a C,
    pub pacer: &'a Pacer,
}

/// What was done with one draft.
enum Outcome {
    Step(Box<Step>),
    /// CloudFormation finds nothing to change.
    Unchanged(Seen),
    Blocked(Blocked),
}

/// Makes the plan of these drafts. `made` collects every change set, so that whoever stops this in between can drop them.
pub async fn plan<C: ReadStacks + ProposeStacks + ?Sized>(
    clients: &Clients<'_, C>,
    profile: &Profile,
    world: &World,
    drafts: Vec<Draft>,
    request: &Request,
    made: &Made,
    on_step: &(dyn Fn() + Sync),
) -> Result<Plan, NoPlan> {
    let mut plan = Plan::empty(profile, request.id.clone(), request.purpose, request.now);
    let mut candidates = Vec::new();
    let mut work = Vec::new();
    for draft in drafts {
        match draft.intent {
            Intent::Nothing(seen) => plan.unchanged.push(seen),
            Intent::Wait(waiting) => plan.waiting.push(waiting),
            Intent::Blocked(blocked) => plan.blocked.push(blocked),
            _ => work.push(draft),
        }
    }
    let brings_foundation = work.iter().any(|draft| draft.spec.tenant.is_none());
    let maker = Maker {
        clients,
        brings_foundation,
        environment: profile.environment.as_str(),
        bucket: plan.data_bucket(),
        world,
        request,
        made,
    };
    let mut outcomes = futures::stream::iter(work.iter().map(|draft| maker.step(draft))).buffer_unordered(AT_ONCE);
    while let Some(outcome) = outcomes.next().await {
        match outcome? {
            Outcome::Step(step) => plan.steps.push(*step),
            Outcome::Unchanged(seen) => plan.unchanged.push(seen),
            Outcome::Blocked(blocked) => plan.blocked.push(blocked),
        }
        on_step();
    }
    drop(outcomes);
    plan.steps.sort_by(|a, b| a.stack.cmp(&b.stack));
    plan.blocked.sort_by(|a, b| a.stack.cmp(&b.stack));
    for draft in &work {
        if plan.step(draft.spec.name.as_str()).is_some() {
            let expires = match draft.intent {
                Intent::Create(expires) => expires,
                _ => None,
            };
            candidates.push(Candidate {
                stack: draft.spec.name.to_string(),
                tenant: draft.spec.tenant.as_ref().map(ToString::to_string),
                expires,
            });
        }
    }
    plan.waves = waves(candidates, &profile.rollout, request.now);
    let refused = refused(&plan, &request.allowed);
    if refused.is_empty() {
        Ok(plan)
    } else {
        Err(NoPlan::Guarded(refused))
    }
}

/// What the plan would replace or delete without leave, one line a stack and resource.
fn refused(plan: &Plan, allowed: &BTreeSet<String>) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &plan.steps {
        let short = step.tenant.as_deref().unwrap_or("foundation");
        for id in review::guarded(&step.changes) {
            if !review::is_allowed(allowed, short, &id) {
                lines.push(format!("  {short}/{id}"));
            }
        }
    }
    lines
}

/// Every change set that was made and is in no plan yet.
#[derive(Debug, Default)]
pub struct Made(Mutex<Vec<ChangeSetRef>>);

impl Made {
    fn add(&self, change_set: &ChangeSetRef) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(change_set.clone());
    }

    pub fn take(&self) -> Vec<ChangeSetRef> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Maker<'a, C: ?Sized> {
    clients: &'a Clients<'a, C>,
    environment: &'a str,
    /// The environment's data bucket.
    bucket: String,
    /// Whether the plan deploys what tenants import.
    brings_foundation: bool,
    world: &'a World,
    request: &'a Request,
    made: &'a Made,
}

impl<C: ReadStacks + ProposeStacks + ?Sized> Maker<'_, C> {
    async fn step(&self, draft: &Draft) -> Result<Outcome, ports::Error> {
        let spec = &draft.spec;
        let live = self.world.stacks.get(spec.name.as_str());
        let mut step = Step {
            stack: spec.name.to_string(),
            tenant: spec.tenant.as_ref().map(ToString::to_string),
            action: action(&draft.intent),
            live: live.map(Live::of),
            content_hash: spec.tags.get(CONTENT_HASH_TAG).cloned(),
            change_set: None,
            late: None,
            promised: Vec::new(),
            changes: Vec::new(),
            allowed: Vec::new(),
            before: None,
        };
        match step.action {
            StepAction::Protect => return Ok(Outcome::Step(Box::new(step))),
            StepAction::ContinueRollback { .. } => {
                // It gets back to what it was, not to what it should be.
                step.content_hash = None;
                return Ok(Outcome::Step(Box::new(step)));
            }
            _ => {}
        }
        let before = match (&step.action, live) {
            (StepAction::Update, Some(live)) => {
                let template = self
                    .clients
                    .pacer
                    .call("GetTemplate", || self.clients.cloud.template(&live.id))
                    .await?;
                Some(Deployment {
                    template,
                    tags: live.tags.clone(),
                })
            }
            _ => None,
        };
        step.changes = match self.changes(draft, before.as_ref()) {
            Ok(changes) => changes,
            Err(blocked) => return Ok(Outcome::Blocked(blocked)),
        };
        step.before = before;
        let missing = missing_exports(&draft.tree, self.world);
        if let (Some(name), false) = (missing.first(), self.brings_foundation) {
            return Ok(Outcome::Blocked(Blocked {
                stack: step.stack,
                why: format!("it imports {name}, which no stack exports"),
                way_out: "plan without --tenant, so that the foundation comes first".to_owned(),
            }));
        }
        let is_late = step.action == StepAction::Recreate || !missing.is_empty();
        if is_late {
            step.promised = review::promised(&step.changes, &draft.tree);
            step.late = Some(Late {
                deployment: deployment(spec),
                adopts: self.request.adopts,
            });
        } else {
            let change_set = match self.propose(spec, &step).await? {
                Ok(change_set) => change_set,
                Err(blocked) => return Ok(Outcome::Blocked(blocked)),
            };
            if let (ChangeSetState::Empty, Some(live)) = (&change_set.state, live) {
                self.clients
                    .pacer
                    .call("DeleteChangeSet", || self.clients.cloud.drop_change_set(&change_set.id))
                    .await?;
                return Ok(Outcome::Unchanged(Seen {
                    stack: step.stack,
                    live: Live::of(live),
                }));
            }
            step.changes = review::overlay(step.changes, &change_set.changes);
            step.promised = change_set.changes;
            step.change_set = Some(ChangeSetRef {
                id: change_set.id,
                stack_id: change_set.stack_id,
            });
        }
        let short = step.tenant.as_deref().unwrap_or("foundation");
        let guarded = review::guarded(&step.changes).into_iter();
        step.allowed = guarded
            .filter(|id| review::is_allowed(&self.request.allowed, short, id))
            .collect();
        Ok(Outcome::Step(Box::new(step)))
    }

    fn changes(&self, draft: &Draft, before: Option<&Deployment>) -> Result<Vec<Change>, Blocked> {
        let after = After {
            text: &draft.spec.body,
            tree: &|| draft.tree.clone(),
        };
        let short = draft
            .spec
            .tenant
            .as_ref()
            .map_or("foundation", |tenant| tenant.as_str());
        let before = before.map(|deployment| deployment.template.as_str());
        compare(self.environment, short, before, Some(&after))
            .map(|diff| diff.map(|diff| diff.changes).unwrap_or_default())
            .map_err(|error| Blocked {
                stack: draft.spec.name.to_string(),
                why: format!(
                    "line {} of the live template cannot be read: {}",
                    error.at.line, error.why
                ),
                way_out: "somebody else deployed it; have its template mended first".to_owned(),
            })
    }

    async fn propose(&self, spec: &StackSpec, step: &Step) -> Result<Result<ChangeSet, Blocked>, ports::Error> {
        let kind = match step.action {
            StepAction::Update => ChangeSetKind::Update,
            _ => ChangeSetKind::Create,
        };
        let deployment = deployment(spec);
        let adopts = self.request.adopts && kind == ChangeSetKind::Create;
        let wanted = Wanted {
            plan: &self.request.id,
            bucket: &self.bucket,
            stack: &step.stack,
            kind,
            deployment: &deployment,
            adopts,
        };
        let ready = ready(
            self.clients.cloud,
            self.clients.pacer,
            &wanted,
            self.request.pause,
            |made| self.made.add(made),
        )
        .await;
        let blocked = |why: String, way_out: &str| Blocked {
            stack: step.stack.clone(),
            why,
            way_out: way_out.to_owned(),
        };
        let mend = "mend what CloudFormation names, render, and plan again";
        match ready {
            Ok(change_set) => match &change_set.state {
                ChangeSetState::Failed { reason } => Ok(Err(blocked(
                    format!("CloudFormation refuses the change set: {reason}"),
                    mend,
                ))),
                _ => Ok(Ok(change_set)),
            },
            Err(error) if error.kind == Kind::Invalid => Ok(Err(blocked(chain(&error), mend))),
            Err(error) if matches!(error.kind, Kind::Conflict | Kind::NotFound) => Ok(Err(blocked(
                chain(&error),
                "somebody else is at work on it; plan again when that is done",
            ))),
            Err(error) => Err(error),
        }
    }
}

fn action(intent: &Intent) -> StepAction {
    match intent {
        Intent::Create(_) => StepAction::Create,
        Intent::Recreate => StepAction::Recreate,
        Intent::Protect => StepAction::Protect,
        Intent::ContinueRollback(skip) => StepAction::ContinueRollback { skip: skip.clone() },
        Intent::Update | Intent::Nothing(_) | Intent::Wait(_) | Intent::Blocked(_) => StepAction::Update,
    }
}

fn deployment(spec: &StackSpec) -> Deployment {
    Deployment {
        template: spec.body.clone(),
        tags: spec.tags.clone(),
    }
}
