//! A stack as it should be, and as CloudFormation has it: live stacks, change sets and what became of them.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::name::{StackName, TenantId};

/// A rendered stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackSpec {
    pub name: StackName,
    /// `None` for an environment's foundation.
    pub tenant: Option<TenantId>,
    /// The template as canonical YAML.
    pub body: String,
    pub tags: BTreeMap<String, String>,
}

impl StackSpec {
    /// The golden file's name in its environment's folder under `snapshots/`.
    pub fn file_name(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}.yaml"),
            None => "foundation.yaml".to_owned(),
        }
    }
}

/// A stack as CloudFormation has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveStack {
    /// The ARN, which another stack of the same name never has.
    pub id: String,
    pub name: String,
    pub status: StackStatus,
    /// Why it has its status, in CloudFormation's words.
    pub reason: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// By export name.
    pub exports: BTreeMap<String, String>,
    pub created: Option<Timestamp>,
    /// When CloudFormation last began to change it; never for one that was only created.
    pub updated: Option<Timestamp>,
    /// Termination protection.
    pub is_protected: bool,
    /// What the last drift detection found, in CloudFormation's word: `IN_SYNC`, `DRIFTED`; none without a detection.
    pub drift: Option<String>,
}

impl LiveStack {
    /// The environment whose stack it is; `None` for a stack of somebody else.
    pub fn environment(&self) -> Option<&str> {
        self.tags.get(ENVIRONMENT_TAG).map(String::as_str)
    }

    /// The tenant whose stack it is; `None` for a foundation.
    pub fn tenant(&self) -> Option<&str> {
        self.tags.get(TENANT_TAG).map(String::as_str)
    }

    /// What tells one deployment of it from another.
    pub fn content_hash(&self) -> Option<&str> {
        self.tags.get(CONTENT_HASH_TAG).map(String::as_str)
    }
}

/// Says that a stack is an environment's, and of which.
pub const ENVIRONMENT_TAG: &str = "oort:environment";
/// Says whose stack it is.
pub const TENANT_TAG: &str = "oort:tenant";
/// Of the template and the other tags: a stack that has the wanted one needs no change set.
pub const CONTENT_HASH_TAG: &str = "oort:content-hash";

/// A stack's status in CloudFormation's word, such as `UPDATE_ROLLBACK_FAILED`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackStatus(pub String);

/// What a status means for the next deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A name with a change set and no resource: what is left of a plan for a stack that was never created.
    Reviewed,
    /// CloudFormation is at work.
    Running,
    /// As its template says.
    Deployed,
    /// The last update failed and was undone; it takes the next.
    RolledBack,
    /// Its creation failed; it takes no update and has to be deleted first.
    NeverCreated,
    /// An update failed, and so did undoing it; it takes no update before its rollback is continued.
    Stuck,
    /// Its deletion failed.
    DeletionFailed,
    Deleted,
}

impl StackStatus {
    pub fn new(word: &str) -> Self {
        Self(word.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Source: CloudFormation's list of stack status codes. A word that is not in it counts as work in progress, so that
    /// nothing is done to the stack.
    pub fn phase(&self) -> Phase {
        match self.as_str() {
            "REVIEW_IN_PROGRESS" => Phase::Reviewed,
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Phase::Deployed,
            "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => Phase::RolledBack,
            "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" => Phase::NeverCreated,
            "UPDATE_FAILED" | "UPDATE_ROLLBACK_FAILED" | "IMPORT_ROLLBACK_FAILED" => Phase::Stuck,
            "DELETE_FAILED" => Phase::DeletionFailed,
            "DELETE_COMPLETE" => Phase::Deleted,
            _ => Phase::Running,
        }
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A stack in a list: what a sweep tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackSummary {
    pub id: String,
    pub name: String,
    pub status: StackStatus,
    pub reason: Option<String>,
}

/// The largest template that goes to CloudFormation in the call itself, in bytes. Source: CloudFormation quotas.
pub const INLINE_BYTES: usize = 51_200;
/// The largest template that it reads from a bucket, in bytes. Source: CloudFormation quotas.
pub const TEMPLATE_BYTES: usize = 1_000_000;
/// Where such templates are, in the environment's data bucket.
pub const TEMPLATES: &str = "templates/";

/// The name of an environment's data bucket, which its foundation makes.
pub fn data_bucket(environment: &str, account: &str, region: &str) -> String {
    format!("oort-{environment}-data-{account}-{region}")
}

/// What a change set is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChangeSet {
    pub stack: String,
    /// Unique among the stack's change sets, and the idempotency token of the call.
    pub name: String,
    pub kind: ChangeSetKind,
    pub template: TemplateBody,
    pub tags: BTreeMap<String, String>,
    /// Whether resources that exist already are taken into the stack by their names, as those are that a former stack left.
    pub adopts: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeSetKind {
    Create,
    Update,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateBody {
    /// At most [`INLINE_BYTES`].
    Inline(String),
    /// Where S3 has it: at most 1 MB.
    Url(String),
}

/// A change set as CloudFormation has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    pub id: String,
    pub stack_id: String,
    pub state: ChangeSetState,
    /// Whether it was carried out.
    pub execution: Execution,
    pub changes: Vec<ResourceChange>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeSetState {
    /// CloudFormation still works on it.
    Pending,
    Ready,
    /// Nothing would change: CloudFormation calls this a failure.
    Empty,
    Failed {
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    NotStarted,
    /// The stack moved since, so that it can never be carried out.
    Obsolete,
    Started,
    Complete,
    Failed,
}

/// What CloudFormation would do to one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResourceChange {
    /// The logical ID.
    pub id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    pub action: ResourceAction,
    pub replacement: Replacement,
    /// What becomes of the old resource, in CloudFormation's word: `Delete`, `Retain`, `Snapshot`, `ReplaceAndDelete`,
    /// `ReplaceAndRetain`, `ReplaceAndSnapshot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_action: Option<String>,
    /// The properties and attributes that change for sure, such as `Properties.VisibilityTimeout` or `Tags`. What only may
    /// change, because something that it refers to is touched, is not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResourceAction {
    Add,
    Modify,
    Remove,
    Import,
    /// Decided when it runs.
    Dynamic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Replacement {
    No,
    /// Decided when it runs.
    Conditional,
    Yes,
}

/// A resource that CloudFormation could not create, change or delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedEvent {
    /// The logical ID.
    pub resource: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Such as `CREATE_FAILED`.
    pub status: String,
    pub reason: String,
    pub at: Timestamp,
    /// The token of the call that began the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_way_out() {
        for (word, phase) in [
            ("REVIEW_IN_PROGRESS", Phase::Reviewed),
            ("CREATE_COMPLETE", Phase::Deployed),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Phase::Running),
            ("UPDATE_ROLLBACK_COMPLETE", Phase::RolledBack),
            ("ROLLBACK_COMPLETE", Phase::NeverCreated),
            ("UPDATE_ROLLBACK_FAILED", Phase::Stuck),
            ("DELETE_FAILED", Phase::DeletionFailed),
            ("DELETE_COMPLETE", Phase::Deleted),
            ("A_WORD_OF_TOMORROW", Phase::Running),
        ] {
            assert_eq!(StackStatus::new(word).phase(), phase, "{word}");
        }
    }
}
