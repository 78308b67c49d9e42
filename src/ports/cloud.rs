//! What is asked of an AWS account and region: stacks, partner event sources, metrics. Every method is one call to AWS,
//! so that whoever calls decides how fast; reading is split from writing, so that who only reads cannot write.
//!
//! Lists come in pages: a page with `next` has a successor, which the same call with that token gives.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Result;
pub use crate::model::identity::Identity;
use crate::model::source::EventSource;
use crate::model::stack::{ChangeSet, FailedEvent, LiveStack, NewChangeSet, StackSummary};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

/// A change set that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    pub change_set: String,
    pub stack_id: String,
}

/// How many of something an account and region has or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    Stacks,
}

/// What `DescribeStackDriftDetectionStatus` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detection {
    Running,
    Done,
    Failed(String),
}

/// A resource that is not as its stack's last deployment left it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriftedResource {
    /// The logical ID.
    pub id: String,
    pub resource_type: String,
    /// Whether it is gone; otherwise it was changed.
    pub is_deleted: bool,
    pub differences: Vec<DriftedProperty>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriftedProperty {
    /// As in `/RedrivePolicy/maxReceiveCount`.
    pub path: String,
    pub expected: String,
    pub actual: String,
}

/// A resource of a stack, by its physical ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// The logical ID.
    pub id: String,
    pub resource_type: String,
    pub physical_id: String,
}

/// Reads stacks.
#[async_trait]
pub trait ReadStacks: Send + Sync {
    /// Every stack that is not deleted, with its tags.
    async fn stacks(&self, next: Option<String>) -> Result<Page<LiveStack>>;
    /// One stack by name or ID; `None` when there is none. By ID a deleted one is found too.
    async fn stack(&self, name: &str) -> Result<Option<LiveStack>>;
    /// Every stack that is at work or whose last operation failed: all that a fleet in peace has none of. One in review is
    /// neither.
    async fn restless(&self, next: Option<String>) -> Result<Page<StackSummary>>;
    /// The template as it was sent.
    async fn template(&self, stack: &str) -> Result<String>;
    /// One change set by its ID, with a page of its changes; `next` goes on with the others.
    async fn change_set(&self, id: &str, next: Option<String>) -> Result<(ChangeSet, Option<String>)>;
    /// What failed in the operations of a stack, the newest first.
    async fn failures(&self, stack_id: &str, next: Option<String>) -> Result<Page<FailedEvent>>;
    async fn resources(&self, stack: &str, next: Option<String>) -> Result<Page<StackResource>>;
    async fn quota(&self, quota: Quota) -> Result<u64>;
    /// Has CloudFormation compare a stack's resources with its template; gives the detection's ID.
    async fn detect_drift(&self, stack: &str) -> Result<String>;
    async fn detection(&self, id: &str) -> Result<Detection>;
    /// Resources that were changed or deleted, of the last detection.
    async fn drifted(&self, stack: &str, next: Option<String>) -> Result<Page<DriftedResource>>;
}

/// Makes and drops change sets, which change no resource.
#[async_trait]
pub trait ProposeStacks: Send + Sync {
    /// Puts a template that is too large for a call under a key of a bucket, and gives the URL that CloudFormation takes.
    async fn put_template(&self, bucket: &str, key: &str, body: &str) -> Result<String>;
    /// For a new stack this takes the stack's name, in `REVIEW_IN_PROGRESS`. Asking again under the same name gives the
    /// change set that is there.
    async fn propose(&self, change_set: &NewChangeSet) -> Result<Proposed>;
    /// Dropping what is not there succeeds.
    async fn drop_change_set(&self, id: &str) -> Result<()>;
    /// Gives the name of a stack in `REVIEW_IN_PROGRESS` free; the caller has seen that it is. `stack_id` is its ID.
    async fn drop_reviewed(&self, stack_id: &str) -> Result<()>;
}

/// Changes stacks. `token` makes a repeat of the same call harmless.
#[async_trait]
pub trait WriteStacks: Send + Sync {
    /// Carries a change set out. What it creates is deleted again when it fails.
    async fn execute(&self, change_set: &str, token: &str) -> Result<()>;
    async fn set_protection(&self, stack: &str, is_protected: bool) -> Result<()>;
    /// The stack policy as JSON.
    async fn set_policy(&self, stack: &str, policy: &str) -> Result<()>;
    /// Deletes a stack. Resources of `retained` stay; CloudFormation takes that list for a stack in `DELETE_FAILED` only.
    async fn delete(&self, stack_id: &str, token: &str, retained: &[String]) -> Result<()>;
    /// For a stack in `UPDATE_ROLLBACK_FAILED`; resources of `skipped` are taken for rolled back.
    async fn continue_rollback(&self, stack_id: &str, token: &str, skipped: &[String]) -> Result<()>;
}

/// Reads partner event sources and event buses.
#[async_trait]
pub trait EventSources: Send + Sync {
    /// Every partner event source of Okta.
    async fn sources(&self, next: Option<String>) -> Result<Page<EventSource>>;
    /// The names of all event buses.
    async fn buses(&self, next: Option<String>) -> Result<Page<String>>;
}

/// Tells who calls.
#[async_trait]
pub trait Caller: Send + Sync {
    async fn identity(&self) -> Result<Identity>;
    /// The region that the caller's environment names; `None` when it names none.
    fn region(&self) -> Option<String>;
}

/// One metric, summed up over each period.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MetricQuery {
    pub namespace: String,
    pub name: String,
    pub dimensions: Vec<(String, String)>,
    pub statistic: Statistic,
    pub period_seconds: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    Sum,
    Maximum,
}

/// A value of the query with this index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datum {
    pub query: usize,
    /// The start of the period.
    pub at: Timestamp,
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub name: String,
    /// Why, in CloudWatch's words.
    pub reason: String,
    pub since: Option<Timestamp>,
}

/// Reads metrics and alarms.
#[async_trait]
pub trait Watch: Send + Sync {
    /// The values of up to [`METRICS_A_CALL`] queries in `[from, to)`, the newest first.
    async fn metrics(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
        next: Option<String>,
    ) -> Result<Page<Datum>>;
    /// Alarms in the state `ALARM` whose names begin with `prefix`.
    async fn alarms(&self, prefix: &str, next: Option<String>) -> Result<Page<Alarm>>;
}

/// Source: CloudWatch's `GetMetricData`.
pub const METRICS_A_CALL: usize = 500;

/// All that is asked of an account and region.
pub trait Cloud: ReadStacks + ProposeStacks + WriteStacks + EventSources + Caller + Watch {}

impl<T: ReadStacks + ProposeStacks + WriteStacks + EventSources + Caller + Watch> Cloud for T {}
