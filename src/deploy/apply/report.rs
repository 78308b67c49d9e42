//! What became of every stack of a plan, and the same cause in many stacks told once. Pure.

mod junit;
mod markdown;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::deploy::apply::record::Cause;
use crate::deploy::diff::fleet::generalised;
use crate::deploy::plan::{Plan, Purpose, Step, StepAction, intent};
use crate::model::stack::{Phase, StackStatus};

pub use junit::junit;
pub use markdown::markdown;
pub use text::text;

/// What became of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "cause")]
pub enum Result {
    Done,
    Failed(Cause),
    /// An earlier wave, or too many of its own, failed first.
    NotStarted,
}

impl Result {
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// The outcome of an apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub plan: String,
    pub digest: String,
    pub environment: String,
    pub purpose: Purpose,
    /// Every stack of the plan, in the order of its waves.
    pub stacks: Vec<StackReport>,
    /// Why no more stacks were started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Failures by cause, the most frequent first.
    pub causes: Vec<CauseReport>,
    /// Calls to AWS, by API.
    pub calls: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackReport {
    pub stack: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub wave: String,
    pub action: StepAction,
    #[serde(flatten)]
    pub result: Result,
}

/// A cause, and the stacks that failed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CauseReport {
    /// With `<tenant>` and the like in place of each stack's own names, where several stacks share it.
    pub why: String,
    /// The logical ID and type of the resource that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    pub stacks: Vec<String>,
    /// What helps, by the status that the first of the stacks is in now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

impl Report {
    pub fn new(
        plan: &Plan,
        mut results: BTreeMap<String, Result>,
        stopped: Option<String>,
        calls: BTreeMap<&'static str, u64>,
    ) -> Self {
        let mut stacks = Vec::new();
        for wave in &plan.waves {
            for stack in &wave.stacks {
                let Some(step) = plan.step(stack) else { continue };
                stacks.push(StackReport {
                    stack: stack.clone(),
                    tenant: step.tenant.clone(),
                    wave: wave.name.clone(),
                    action: step.action.clone(),
                    result: results.remove(stack).unwrap_or(Result::NotStarted),
                });
            }
        }
        Self {
            plan: plan.id.clone(),
            digest: plan.digest(),
            environment: plan.environment.clone(),
            purpose: plan.purpose,
            causes: causes(plan, &stacks),
            stacks,
            stopped,
            calls,
        }
    }

    /// How many stacks are done, failed, and not started.
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |is: &dyn Fn(&Result) -> bool| self.stacks.iter().filter(|stack| is(&stack.result)).count();
        (
            count(&|result| *result == Result::Done),
            count(&Result::is_failure),
            count(&|result| *result == Result::NotStarted),
        )
    }

    /// Whether every stack of the plan is done.
    pub fn is_complete(&self) -> bool {
        let (done, ..) = self.counts();
        done == self.stacks.len()
    }
}

/// What stacks share that failed for the same cause: the reason without their own names, and the resource.
type Same = (String, Option<String>);

fn causes(plan: &Plan, stacks: &[StackReport]) -> Vec<CauseReport> {
    let mut groups: BTreeMap<Same, (String, Vec<&StackReport>)> = BTreeMap::new();
    for stack in stacks {
        let Result::Failed(cause) = &stack.result else { continue };
        let own = plan.step(&stack.stack).map(Step::own_names).unwrap_or_default();
        let general = without_ids(&generalised(&cause.why, &own));
        let resource = cause
            .resource
            .as_ref()
            .map(|event| format!("{} ({})", event.resource, event.resource_type));
        let group = groups
            .entry((general, resource))
            .or_insert_with(|| (cause.why.clone(), Vec::new()));
        group.1.push(stack);
    }
    let mut causes: Vec<CauseReport> = groups
        .into_iter()
        .map(|((general, resource), (own_words, stacks))| CauseReport {
            why: if stacks.len() == 1 { own_words } else { general },
            resource,
            way_out: stacks.first().and_then(|stack| way_out(stack)),
            stacks: stacks.iter().map(|stack| stack.stack.clone()).collect(),
        })
        .collect();
    causes.sort_by(|a, b| b.stacks.len().cmp(&a.stacks.len()).then_with(|| a.why.cmp(&b.why)));
    causes
}

/// What helps a stack in the status in which the failure left it.
fn way_out(stack: &StackReport) -> Option<String> {
    let Result::Failed(cause) = &stack.result else {
        return None;
    };
    let short = stack.tenant.as_deref().unwrap_or("foundation");
    match StackStatus::new(cause.status.as_deref()?).phase() {
        Phase::NeverCreated if cause.why.contains("already exists") => Some(format!(
            "a former stack may have left it behind: plan with --recreate {short} --adopt, and the new stack takes it in with what it holds"
        )),
        phase @ (Phase::NeverCreated | Phase::Stuck | Phase::DeletionFailed) => {
            Some(intent::way_out(phase, short, &stack.stack))
        }
        Phase::RolledBack => Some("mend what the cause names and plan again; the stack is as it was before".to_owned()),
        Phase::Reviewed | Phase::Running | Phase::Deployed | Phase::Deleted => None,
    }
}

/// A message without what differs in each: request IDs and the like.
fn without_ids(text: &str) -> String {
    text.split(' ')
        .map(|word| {
            let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let is_id = bare.len() == 36 && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
            if is_id {
                word.replace(bare, "<id>")
            } else {
                word.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

impl StepAction {
    /// What is done to the stack, in one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Recreate => "recreate",
            Self::Protect => "protect",
            Self::ContinueRollback { .. } => "continue the rollback of",
            Self::Delete { .. } => "delete",
        }
    }
}

impl Purpose {
    /// Whether its stacks are there afterwards.
    pub fn leaves_stacks(self) -> bool {
        matches!(self, Self::Deploy | Self::Rollback)
    }
}

#[cfg(test)]
mod tests;
