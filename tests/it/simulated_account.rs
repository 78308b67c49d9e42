//! An AWS account on a virtual clock, as far as a rollout sees it: stacks whose operations take their time, change sets, and
//! an API that answers so many calls a second, all APIs together, and throttles the others.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use oort_streams::model::source::{EventSource, SourceState};
use oort_streams::model::stack::{
    ChangeSet, ChangeSetKind, ChangeSetState, Execution, FailedEvent, LiveStack, NewChangeSet, Phase, Replacement,
    ResourceAction, ResourceChange, StackStatus, StackSummary, TemplateBody,
};
use oort_streams::ports::cloud::{
    Alarm, Caller, Datum, Detection, DriftedResource, EventSources, Identity, MetricQuery, Page, ProposeStacks,
    Proposed, Quota, ReadStacks, StackResource, Watch, WriteStacks,
};
use oort_streams::ports::{Error, Kind, Result};
use tokio::time::{Instant, sleep};

/// Stacks a page of a list.
const PAGE: usize = 50;
const LATENCY: Duration = Duration::from_millis(80);
/// What CloudFormation takes to make a change set.
const CHANGE_SET: Duration = Duration::from_secs(4);

pub struct SimulatedAccount {
    state: Mutex<State>,
    operation: Duration,
    rate: f64,
}

struct State {
    stacks: BTreeMap<String, Stack>,
    /// Change sets by ID, which is `<stack>/<name>`.
    change_sets: BTreeMap<String, Made>,
    sources: Vec<String>,
    executions: BTreeMap<String, u32>,
    tokens: f64,
    filled: Instant,
    calls: u64,
    throttled: u64,
}

struct Stack {
    body: String,
    tags: BTreeMap<String, String>,
    is_protected: bool,
    /// When its last operation began and ends; none for a stack in review.
    operation: Option<(Instant, Instant)>,
    is_update: bool,
}

struct Made {
    asked: NewChangeSet,
    ready: Instant,
    is_executed: bool,
}

impl SimulatedAccount {
    /// An account in which Okta has made these tenants' event sources, and that answers `rate` calls a second.
    pub fn new(tenants: &[String], operation: Duration, rate: f64) -> Self {
        Self {
            state: Mutex::new(State {
                stacks: BTreeMap::new(),
                change_sets: BTreeMap::new(),
                sources: tenants.to_vec(),
                executions: BTreeMap::new(),
                tokens: rate,
                filled: Instant::now(),
                calls: 0,
                throttled: 0,
            }),
            operation,
            rate,
        }
    }

    pub fn calls(&self) -> u64 {
        self.state.lock().unwrap().calls
    }

    pub fn throttled(&self) -> u64 {
        self.state.lock().unwrap().throttled
    }

    pub fn forget_calls(&self) {
        let mut state = self.state.lock().unwrap();
        (state.calls, state.throttled) = (0, 0);
    }

    /// How often the change set was carried out that was carried out most often.
    pub fn most_executions(&self) -> u32 {
        self.state
            .lock()
            .unwrap()
            .executions
            .values()
            .copied()
            .max()
            .unwrap_or(0)
    }

    /// Takes its time, and throttles what comes too fast.
    async fn call<T>(&self, op: &str, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        sleep(LATENCY).await;
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        let now = Instant::now();
        let fresh = (now - state.filled).as_secs_f64() * self.rate;
        state.tokens = (state.tokens + fresh).min(self.rate);
        state.filled = now;
        if state.tokens < 1.0 {
            state.throttled += 1;
            return Err(Error::new(Kind::Throttled, op));
        }
        state.tokens -= 1.0;
        work(&mut state)
    }
}

impl Stack {
    fn status(&self) -> StackStatus {
        StackStatus::new(match self.operation {
            None => "REVIEW_IN_PROGRESS",
            Some((_, end)) if Instant::now() < end && self.is_update => "UPDATE_IN_PROGRESS",
            Some((_, end)) if Instant::now() < end => "CREATE_IN_PROGRESS",
            Some(_) if self.is_update => "UPDATE_COMPLETE",
            Some(_) => "CREATE_COMPLETE",
        })
    }

    fn live(&self, name: &str) -> LiveStack {
        LiveStack {
            id: name.to_owned(),
            name: name.to_owned(),
            status: self.status(),
            reason: None,
            tags: self.tags.clone(),
            exports: BTreeMap::new(),
            created: None,
            updated: None,
            is_protected: self.is_protected,
            drift: None,
        }
    }
}

fn page<T>(all: Vec<T>, next: Option<&str>) -> Page<T> {
    let start: usize = next.map_or(0, |next| next.parse().unwrap());
    let end = start + PAGE;
    Page {
        next: (end < all.len()).then(|| end.to_string()),
        items: all.into_iter().skip(start).take(PAGE).collect(),
    }
}

fn not_simulated<T>(what: &str) -> Result<T> {
    Err(Error::new(Kind::Invalid, format!("{what} is not simulated")))
}

#[async_trait]
impl ReadStacks for SimulatedAccount {
    async fn stacks(&self, next: Option<String>) -> Result<Page<LiveStack>> {
        let work = |state: &mut State| {
            let all = state.stacks.iter().map(|(name, stack)| stack.live(name)).collect();
            Ok(page(all, next.as_deref()))
        };
        self.call("DescribeStacks", work).await
    }

    async fn stack(&self, name: &str) -> Result<Option<LiveStack>> {
        self.call("DescribeStacks", |state| {
            Ok(state.stacks.get(name).map(|stack| stack.live(name)))
        })
        .await
    }

    async fn restless(&self, next: Option<String>) -> Result<Page<StackSummary>> {
        let work = |state: &mut State| {
            let all = state.stacks.iter().map(|(name, stack)| StackSummary {
                id: name.clone(),
                name: name.clone(),
                status: stack.status(),
                reason: None,
            });
            let is_restless = |stack: &StackSummary| stack.status.phase() == Phase::Running;
            Ok(page(all.filter(is_restless).collect(), next.as_deref()))
        };
        self.call("ListStacks", work).await
    }

    async fn template(&self, stack: &str) -> Result<String> {
        self.call("GetTemplate", |state| Ok(state.stacks[stack].body.clone()))
            .await
    }

    async fn change_set(&self, id: &str, _next: Option<String>) -> Result<(ChangeSet, Option<String>)> {
        let work = |state: &mut State| {
            let made = &state.change_sets[id];
            let change = ResourceChange {
                id: "EventQueue".to_owned(),
                resource_type: "AWS::SQS::Queue".to_owned(),
                action: match made.asked.kind {
                    ChangeSetKind::Create => ResourceAction::Add,
                    ChangeSetKind::Update => ResourceAction::Modify,
                },
                replacement: Replacement::No,
                policy_action: None,
                targets: vec!["Properties.VisibilityTimeout".to_owned()],
            };
            let is_ready = Instant::now() >= made.ready;
            let change_set = ChangeSet {
                id: id.to_owned(),
                stack_id: made.asked.stack.clone(),
                state: if is_ready {
                    ChangeSetState::Ready
                } else {
                    ChangeSetState::Pending
                },
                execution: if made.is_executed {
                    Execution::Complete
                } else {
                    Execution::NotStarted
                },
                changes: vec![change],
            };
            Ok((change_set, None))
        };
        self.call("DescribeChangeSet", work).await
    }

    async fn failures(&self, _stack_id: &str, _next: Option<String>) -> Result<Page<FailedEvent>> {
        not_simulated("DescribeEvents")
    }

    async fn resources(&self, _stack: &str, _next: Option<String>) -> Result<Page<StackResource>> {
        not_simulated("ListStackResources")
    }

    async fn quota(&self, _quota: Quota) -> Result<u64> {
        not_simulated("DescribeAccountLimits")
    }

    async fn detect_drift(&self, _stack: &str) -> Result<String> {
        not_simulated("DetectStackDrift")
    }

    async fn detection(&self, _id: &str) -> Result<Detection> {
        not_simulated("DescribeStackDriftDetectionStatus")
    }

    async fn drifted(&self, _stack: &str, _next: Option<String>) -> Result<Page<DriftedResource>> {
        not_simulated("DescribeStackResourceDrifts")
    }
}

#[async_trait]
impl ProposeStacks for SimulatedAccount {
    async fn propose(&self, change_set: &NewChangeSet) -> Result<Proposed> {
        let work = |state: &mut State| {
            let id = format!("{}/{}", change_set.stack, change_set.name);
            state.stacks.entry(change_set.stack.clone()).or_insert_with(|| Stack {
                body: String::new(),
                tags: BTreeMap::new(),
                is_protected: false,
                operation: None,
                is_update: false,
            });
            state.change_sets.entry(id.clone()).or_insert_with(|| Made {
                asked: change_set.clone(),
                ready: Instant::now() + CHANGE_SET,
                is_executed: false,
            });
            Ok(Proposed {
                change_set: id,
                stack_id: change_set.stack.clone(),
            })
        };
        self.call("CreateChangeSet", work).await
    }

    async fn drop_change_set(&self, _id: &str) -> Result<()> {
        not_simulated("DeleteChangeSet")
    }

    async fn drop_reviewed(&self, _stack_id: &str) -> Result<()> {
        not_simulated("DeleteStack")
    }
}

#[async_trait]
impl WriteStacks for SimulatedAccount {
    async fn execute(&self, id: &str, _token: &str) -> Result<()> {
        let operation = self.operation;
        let work = |state: &mut State| {
            let made = state.change_sets.get_mut(id).unwrap();
            *state.executions.entry(id.to_owned()).or_default() += 1;
            made.is_executed = true;
            let stack = state.stacks.get_mut(&made.asked.stack).unwrap();
            let TemplateBody::Inline(body) = &made.asked.template else {
                return not_simulated("TemplateURL");
            };
            let now = Instant::now();
            stack.body.clone_from(body);
            stack.tags.clone_from(&made.asked.tags);
            stack.is_update = made.asked.kind == ChangeSetKind::Update;
            stack.operation = Some((now, now + operation));
            Ok(())
        };
        self.call("ExecuteChangeSet", work).await
    }

    async fn set_protection(&self, stack: &str, is_protected: bool) -> Result<()> {
        let work = |state: &mut State| {
            state.stacks.get_mut(stack).unwrap().is_protected = is_protected;
            Ok(())
        };
        self.call("UpdateTerminationProtection", work).await
    }

    async fn set_policy(&self, _stack: &str, _policy: &str) -> Result<()> {
        self.call("SetStackPolicy", |_| Ok(())).await
    }

    async fn delete(&self, _stack_id: &str, _token: &str, _retained: &[String]) -> Result<()> {
        not_simulated("DeleteStack")
    }

    async fn continue_rollback(&self, _stack_id: &str, _token: &str, _skipped: &[String]) -> Result<()> {
        not_simulated("ContinueUpdateRollback")
    }
}

#[async_trait]
impl EventSources for SimulatedAccount {
    async fn sources(&self, next: Option<String>) -> Result<Page<EventSource>> {
        let work = |state: &mut State| {
            let all = state.sources.iter().map(|tenant| EventSource {
                name: format!("aws.partner/okta.com/{tenant}/id"),
                state: SourceState::Pending,
                created: None,
                expires: None,
            });
            Ok(page(all.collect(), next.as_deref()))
        };
        self.call("ListEventSources", work).await
    }

    async fn buses(&self, _next: Option<String>) -> Result<Page<String>> {
        not_simulated("ListEventBuses")
    }
}

#[async_trait]
impl Caller for SimulatedAccount {
    async fn identity(&self) -> Result<Identity> {
        not_simulated("GetCallerIdentity")
    }

    fn region(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Watch for SimulatedAccount {
    async fn metrics(
        &self,
        _queries: &[MetricQuery],
        _from: Timestamp,
        _to: Timestamp,
        _next: Option<String>,
    ) -> Result<Page<Datum>> {
        let none = Page {
            items: Vec::new(),
            next: None,
        };
        self.call("GetMetricData", |_| Ok(none)).await
    }

    async fn alarms(&self, _prefix: &str, _next: Option<String>) -> Result<Page<Alarm>> {
        let none = Page {
            items: Vec::new(),
            next: None,
        };
        self.call("DescribeAlarms", |_| Ok(none)).await
    }
}
