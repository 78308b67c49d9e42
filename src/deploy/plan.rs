//! What is going to be done to which stack, as data: made from a look at the account, read by people, carried out by
//! `apply` and nothing else. A plan never changes; whoever approves its digest approves all of it. Pure.

pub mod intent;
pub mod moved;
pub mod order;
pub mod retire;
pub mod review;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::deploy::diff::fleet::{Fleet, OwnNames, own_names_of};
use crate::deploy::diff::{Change, StackDiff};
use crate::deploy::profile::Profile;
use crate::deploy::profile::rollout::Rollout;
use crate::model::stack::{LiveStack, ResourceChange, StackStatus, data_bucket};

/// The form of the file; a plan of another form is refused.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub format: u32,
    /// Names the plan, its change sets and its journal.
    pub id: String,
    pub purpose: Purpose,
    pub environment: String,
    pub account: String,
    pub region: String,
    pub made: Timestamp,
    pub rollout: Rollout,
    /// Stacks of one wave are done before those of the next begin.
    pub waves: Vec<Wave>,
    pub steps: Vec<Step>,
    /// Stacks that need nothing.
    pub unchanged: Vec<Seen>,
    /// Tenants whose partner event source is not there yet.
    pub waiting: Vec<Waiting>,
    /// Stacks that need something and cannot have it before somebody does something else.
    pub blocked: Vec<Blocked>,
}

/// Why a plan was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Stacks become what the files say.
    Deploy,
    /// Stacks become what they were before an apply.
    Rollback,
    /// Stacks that no file names are deleted.
    Prune,
    /// All stacks are deleted.
    Destroy,
}

/// Stacks that are done together, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Such as `foundation`, `canaries`, `up to 10 %`.
    pub name: String,
    pub stacks: Vec<String>,
}

/// What is done to one stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub stack: String,
    /// Absent for a foundation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    pub action: StepAction,
    /// The stack as it was when the plan was made; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
    /// The hash that the stack's tag has afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
    /// The change set that is carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_set: Option<ChangeSetRef>,
    /// For a change set that can only be made once what it needs is deployed. It is carried out only when it does no more
    /// than `promised`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Late>,
    /// What CloudFormation says, or will have to say, of each resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promised: Vec<ResourceChange>,
    /// For people: what changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Resources that may be replaced or deleted although they hold something, by logical ID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// What the stack was, for a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Deployment>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum StepAction {
    Create,
    Update,
    /// What a failed creation left is deleted, and the stack created.
    Recreate,
    /// Only termination protection and the stack policy are missing.
    Protect,
    /// An update whose rollback failed is rolled back to its end; resources of `skip` are taken for rolled back.
    ContinueRollback {
        skip: Vec<String>,
    },
    /// Resources of `retain` stay although their deletion failed before.
    Delete {
        retain: Vec<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeSetRef {
    pub id: String,
    pub stack_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Late {
    pub deployment: Deployment,
    /// Whether resources that exist already are taken in.
    pub adopts: bool,
}

/// All that a stack is deployed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    pub template: String,
    pub tags: BTreeMap<String, String>,
}

/// What tells whether a live stack moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    pub id: String,
    pub status: StackStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

impl Live {
    pub fn of(stack: &LiveStack) -> Self {
        Self {
            id: stack.id.clone(),
            status: stack.status.clone(),
            updated: stack.updated,
            content_hash: stack.content_hash().map(str::to_owned),
        }
    }
}

/// A stack that the plan leaves alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub stack: String,
    pub live: Live,
}

/// A tenant whose stack cannot be created yet: there is no partner event source that its event bus could accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    pub stack: String,
    pub tenant: String,
    pub source: String,
    /// Whether Okta had a source there and deleted it.
    pub is_deleted: bool,
}

/// A stack in the way of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocked {
    pub stack: String,
    pub why: String,
    /// The next thing to do.
    pub way_out: String,
}

impl Plan {
    /// Where templates go that are too large for a call.
    pub fn data_bucket(&self) -> String {
        data_bucket(&self.environment, &self.account, &self.region)
    }

    /// A plan that does nothing yet.
    pub fn empty(profile: &Profile, id: String, purpose: Purpose, made: Timestamp) -> Self {
        Self {
            format: FORMAT,
            id,
            purpose,
            environment: profile.environment.to_string(),
            account: profile.account_id.to_string(),
            region: profile.region.to_string(),
            made,
            rollout: profile.rollout.clone(),
            waves: Vec::new(),
            steps: Vec::new(),
            unchanged: Vec::new(),
            waiting: Vec::new(),
            blocked: Vec::new(),
        }
    }

    /// What is approved: a change of anything in the plan changes it. 64 hex digits.
    pub fn digest(&self) -> String {
        // A plan is made of texts, numbers and lists: to write it as JSON cannot fail.
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("{:x}", Sha256::digest(text))
    }

    /// The step of a stack.
    pub fn step(&self, stack: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.stack == stack)
    }

    /// Whether a person has to approve it: where the profile says so, and whenever stacks are deleted.
    pub fn needs_approval(&self) -> bool {
        self.rollout.needs_approval || matches!(self.purpose, Purpose::Prune | Purpose::Destroy)
    }

    /// The changes, the same in many stacks shown once.
    pub fn fleet(&self) -> Fleet {
        let mut fleet = Fleet::default();
        for step in &self.steps {
            let diff = (!step.changes.is_empty()).then(|| StackDiff {
                environment: self.environment.clone(),
                stack: step.tenant.clone().unwrap_or_else(|| "foundation".to_owned()),
                changes: step.changes.clone(),
            });
            fleet.add(diff, &step.own_names());
        }
        for _ in &self.unchanged {
            fleet.add(None, &OwnNames::new());
        }
        fleet
    }
}

impl Step {
    pub fn own_names(&self) -> OwnNames {
        own_names_of(&self.stack, self.tenant.as_deref())
    }

    /// What its main call is for.
    pub fn purpose(&self) -> &'static str {
        match self.action {
            StepAction::Create | StepAction::Update | StepAction::Recreate | StepAction::Protect => "execute",
            StepAction::ContinueRollback { .. } => "continue",
            StepAction::Delete { .. } => "delete",
        }
    }

    /// Makes a repeat of a call harmless: a call of this step with this purpose has this token and no other.
    pub fn token(&self, plan: &Plan, purpose: &str) -> String {
        let mut digest = Sha256::new();
        for part in [&plan.id, &self.stack, purpose] {
            digest.update(part);
            digest.update([0]);
        }
        format!("oort-{:.32}", format!("{:x}", digest.finalize()))
    }
}

/// The name of a plan's change sets.
pub fn change_set_name(plan: &str) -> String {
    format!("oort-{plan}")
}
