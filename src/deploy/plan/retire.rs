//! Which stacks are deleted, and what of theirs stays. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::deploy::diff::Change;
use crate::deploy::plan::order::{Candidate, deletion_waves};
use crate::deploy::plan::{Blocked, Live, Plan, Step, StepAction};
use crate::deploy::resources::{Resource, resources};
use crate::deploy::template;
use crate::deploy::world::World;
use crate::model::stack::{LiveStack, Phase};

/// Which of an environment's stacks are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of tenants that no file names. The argument has those that files name.
    Orphans(BTreeSet<String>),
    /// Those of these tenants.
    Tenants(BTreeSet<String>),
    All,
}

/// The stacks that an environment owns, by its tag, and that are meant.
pub fn owned<'w>(world: &'w World, environment: &str, which: &Which) -> Vec<&'w LiveStack> {
    let is_meant = |stack: &&LiveStack| {
        stack.environment() == Some(environment)
            && match (which, stack.tenant()) {
                (Which::All, _) => true,
                (Which::Orphans(named), Some(tenant)) => !named.contains(tenant),
                (Which::Tenants(meant), Some(tenant)) => meant.contains(tenant),
                (Which::Orphans(_) | Which::Tenants(_), None) => false,
            }
    };
    world.stacks.values().filter(is_meant).collect()
}

/// A stack whose deletion is planned, with its template.
#[derive(Debug, Clone)]
pub struct Retired<'w> {
    pub stack: &'w LiveStack,
    pub template: String,
    pub changes: Vec<Change>,
}

/// Adds the deletions to a plan. `retain` names resources that stay in a stack whose deletion failed before.
pub fn plan_deletions(plan: &mut Plan, retired: Vec<Retired<'_>>, retain: &[String]) {
    let mut candidates = Vec::new();
    for one in retired {
        let (stack, phase) = (one.stack, one.stack.status.phase());
        if phase == Phase::Running {
            plan.blocked.push(Blocked {
                stack: stack.name.clone(),
                why: format!("it is in {}", stack.status),
                way_out: "plan again when CloudFormation is done with it".to_owned(),
            });
            continue;
        }
        candidates.push(Candidate {
            stack: stack.name.clone(),
            tenant: stack.tenant().map(str::to_owned),
            expires: None,
        });
        plan.steps.push(Step {
            stack: stack.name.clone(),
            tenant: stack.tenant().map(str::to_owned),
            action: StepAction::Delete {
                // CloudFormation takes the list for no other stack.
                retain: if phase == Phase::DeletionFailed {
                    retain.to_vec()
                } else {
                    Vec::new()
                },
            },
            live: Some(Live::of(stack)),
            content_hash: None,
            change_set: None,
            late: None,
            promised: Vec::new(),
            changes: one.changes,
            allowed: Vec::new(),
            before: None,
        });
    }
    plan.waves = deletion_waves(candidates);
}

/// What stays behind, with what it holds, by stack.
pub fn kept(retired: &[Retired<'_>]) -> BTreeMap<String, Vec<Resource>> {
    let mut kept = BTreeMap::new();
    for one in retired {
        // A template that cannot be read was told of where its changes were made.
        let Ok(tree) = template::read(&one.template) else {
            continue;
        };
        let held: Vec<Resource> = resources(&tree)
            .into_iter()
            .filter(|resource| resource.is_retained)
            .collect();
        if !held.is_empty() {
            kept.insert(one.stack.name.clone(), held);
        }
    }
    kept
}
