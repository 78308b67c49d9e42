//! All that the embedded account holds, and its timers: what is due is carried out before anything is read, so that no task
//! runs in the background. Must not live here: what CloudFormation does with a stack.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::answer::{Answer, Refusal};
use super::changes::Replaces;
use super::estate::{Estate, Number, Placed};
use super::gate::Gate;
use super::operation::Operation;
use super::policy::Policy;
use super::template::{Place, Template};
use super::{Behaviour, Executed};
use crate::model::stack::{
    ChangeSetKind, ChangeSetState, Execution, FailedEvent, LiveStack, ResourceChange, StackStatus, StackSummary,
};
use crate::ports::Kind;
use crate::ports::cloud::{Alarm, Detection, DriftedResource, MetricQuery};

pub(super) struct State {
    pub place: Place,
    pub behaviour: Behaviour,
    pub replaces: Replaces,
    pub gate: Gate,
    pub estate: Estate,
    /// Deleted ones too.
    pub stacks: BTreeMap<Number, Stack>,
    /// Of stacks that are not deleted.
    pub by_name: HashMap<String, Number>,
    by_id: HashMap<String, Number>,
    /// Stacks that are at work or whose last operation failed.
    pub restless: BTreeSet<Number>,
    /// By ID.
    pub change_sets: HashMap<String, Made>,
    pub hooks: Hooks,
    pub detections: HashMap<String, (Number, Detection)>,
    /// Templates in S3, by URL.
    pub objects: HashMap<String, Arc<str>>,
    pub metrics: HashMap<Metric, Vec<(Timestamp, f64)>>,
    pub alarms: BTreeMap<String, Alarm>,
    pub executions: Vec<Executed>,
    pub at_work: usize,
    pub most_at_work: usize,
    start: (Timestamp, Instant),
    timers: BTreeMap<(Instant, Number), Timer>,
    last_number: Number,
}

/// What a test has told to go wrong, by stack name.
#[derive(Default)]
pub(super) struct Hooks {
    /// With the logical ID: the reason, and how often.
    pub failing: HashMap<(String, String), (String, u32)>,
    pub undeletable: HashMap<(String, String), (String, u32)>,
    pub sticking: HashMap<String, u32>,
    pub undetectable: HashMap<String, String>,
}

pub(super) struct Stack {
    pub number: Number,
    pub id: String,
    pub name: String,
    pub status: &'static str,
    pub reason: Option<String>,
    pub content: Content,
    /// What it was before the update that is at work or could not be undone.
    pub before: Option<Content>,
    pub exports: BTreeMap<String, String>,
    /// The exports that count as used by it.
    pub imports: BTreeSet<String>,
    /// What exists of it, by logical ID.
    pub resources: BTreeMap<String, Placed>,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub is_protected: bool,
    pub policy: Option<Policy>,
    /// Of its operations; a change set is for one.
    pub revision: u64,
    pub operation: Option<Operation>,
    /// Resources that made its last operation fail.
    pub stuck: BTreeSet<String>,
    /// The oldest first.
    pub failures: Vec<FailedEvent>,
    /// What was asked with each token.
    pub tokens: HashMap<String, String>,
    /// IDs of its change sets, by name.
    pub change_sets: BTreeMap<String, String>,
    pub drift: Vec<DriftedResource>,
    /// What the last look for drift found.
    pub detected: Option<Vec<DriftedResource>>,
}

/// A template with its tags. A stack that was never created has none.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub body: Arc<str>,
    pub template: Option<Arc<Template>>,
    pub tags: BTreeMap<String, String>,
}

/// A change set.
pub(super) struct Made {
    pub id: String,
    pub stack: Number,
    pub kind: ChangeSetKind,
    pub adopts: bool,
    pub content: Content,
    /// The stack's when it was made.
    pub revision: u64,
    pub state: ChangeSetState,
    pub execution: Execution,
    pub changes: Vec<ResourceChange>,
    /// CloudFormation has dropped it.
    pub is_gone: bool,
}

#[derive(PartialEq, Eq, Hash)]
pub(super) struct Metric {
    namespace: String,
    name: String,
    dimensions: Vec<(String, String)>,
}

pub(super) enum Timer {
    ChangeSet(String),
    /// The operation of this number of a stack.
    Operation(Number, u64),
    Detection(String),
}

impl Metric {
    pub fn new(namespace: &str, name: &str, dimensions: &[(String, String)]) -> Self {
        let mut dimensions = dimensions.to_vec();
        dimensions.sort_unstable();
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self {
            namespace,
            name,
            dimensions,
        }
    }

    pub fn of(query: &MetricQuery) -> Self {
        Self::new(&query.namespace, &query.name, &query.dimensions)
    }
}

impl State {
    pub fn new(place: Place, start: Timestamp, behaviour: Behaviour, replaces: Replaces) -> Self {
        Self {
            place,
            gate: Gate::new(behaviour.rate),
            behaviour,
            replaces,
            estate: Estate::default(),
            stacks: BTreeMap::new(),
            by_name: HashMap::new(),
            by_id: HashMap::new(),
            restless: BTreeSet::new(),
            change_sets: HashMap::new(),
            hooks: Hooks::default(),
            detections: HashMap::new(),
            objects: HashMap::new(),
            metrics: HashMap::new(),
            alarms: BTreeMap::new(),
            executions: Vec::new(),
            at_work: 0,
            most_at_work: 0,
            start: (start, Instant::now()),
            timers: BTreeMap::new(),
            last_number: 0,
        }
    }

    pub fn timestamp(&self, at: Instant) -> Timestamp {
        let (start, began) = self.start;
        start
            .saturating_add(at.saturating_duration_since(began))
            .unwrap_or(Timestamp::MAX)
    }

    /// A number that nothing else in the account has.
    pub fn number(&mut self) -> Number {
        self.last_number += 1;
        self.last_number
    }

    pub fn schedule(&mut self, at: Instant, timer: Timer) {
        let number = self.number();
        self.timers.insert((at, number), timer);
    }

    /// Carries out all that is due, in its order.
    pub fn settle(&mut self, now: Instant) {
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
            let ((at, _), timer) = first.remove_entry();
            match timer {
                Timer::ChangeSet(id) => self.finish_change_set(&id),
                Timer::Operation(stack, operation) => self.go_on(stack, operation, at),
                Timer::Detection(id) => self.finish_detection(&id),
            }
        }
    }

    /// A stack's name in review, without any content.
    pub fn add_stack(&mut self, name: &str, now: Instant) -> Number {
        let number = self.number();
        let Place { account, region } = &self.place;
        let id = format!(
            "arn:aws:cloudformation:{region}:{account}:stack/{name}/{}",
            uuid(number)
        );
        self.by_name.insert(name.to_owned(), number);
        self.by_id.insert(id.clone(), number);
        let stack = Stack {
            number,
            id,
            name: name.to_owned(),
            status: "",
            reason: None,
            content: Content::default(),
            before: None,
            exports: BTreeMap::new(),
            imports: BTreeSet::new(),
            resources: BTreeMap::new(),
            created: self.timestamp(now),
            updated: None,
            is_protected: false,
            policy: None,
            revision: 0,
            operation: None,
            stuck: BTreeSet::new(),
            failures: Vec::new(),
            tokens: HashMap::new(),
            change_sets: BTreeMap::new(),
            drift: Vec::new(),
            detected: None,
        };
        self.stacks.insert(number, stack);
        self.set_status(number, "REVIEW_IN_PROGRESS", None);
        number
    }

    /// A stack by its name, or also a deleted one by its ID.
    pub fn find(&self, name: &str) -> Answer<Number> {
        let found = self.by_name.get(name).or_else(|| self.by_id.get(name));
        found.copied().ok_or_else(|| Refusal::no_stack(name))
    }

    pub fn stack(&self, name: &str) -> Answer<&Stack> {
        let number = self.find(name)?;
        self.stacks.get(&number).ok_or_else(|| Refusal::no_stack(name))
    }

    /// A stack that is not deleted.
    pub fn living(&mut self, name: &str) -> Answer<&mut Stack> {
        let number = self.find(name)?;
        let found = self.stacks.get_mut(&number).filter(|stack| !stack.is_deleted());
        found.ok_or_else(|| Refusal::no_stack(name))
    }

    pub fn set_status(&mut self, number: Number, status: &'static str, reason: Option<String>) {
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        let was_at_work = stack.is_at_work();
        (stack.status, stack.reason) = (status, reason);
        self.at_work = self.at_work + usize::from(stack.is_at_work()) - usize::from(was_at_work);
        self.most_at_work = self.most_at_work.max(self.at_work);
        if matches!(
            status,
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "DELETE_COMPLETE" | "REVIEW_IN_PROGRESS"
        ) {
            self.restless.remove(&number);
        } else {
            self.restless.insert(number);
        }
        if status == "DELETE_COMPLETE" {
            self.by_name.remove(&stack.name);
        }
    }

    /// CloudFormation drops a stack's change sets, but for `kept`.
    pub fn forget_change_sets(&mut self, number: Number, kept: Option<&str>) {
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        let change_sets = &mut self.change_sets;
        stack.change_sets.retain(|_, id| {
            let is_kept = kept == Some(id);
            if let Some(made) = change_sets.get_mut(id).filter(|_| !is_kept) {
                made.is_gone = true;
                made.content = Content::default();
                made.changes = Vec::new();
            }
            is_kept
        });
    }
}

impl Stack {
    pub fn is_deleted(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    pub fn is_in_review(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS"
    }

    pub fn is_at_work(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && !self.is_in_review()
    }

    pub fn live(&self) -> LiveStack {
        LiveStack {
            id: self.id.clone(),
            name: self.name.clone(),
            status: StackStatus::new(self.status),
            reason: self.reason.clone(),
            tags: self.content.tags.clone(),
            exports: self.exports.clone(),
            created: Some(self.created),
            updated: self.updated,
            is_protected: self.is_protected,
            drift: self
                .detected
                .as_ref()
                .map(|found| if found.is_empty() { "IN_SYNC" } else { "DRIFTED" }.to_owned()),
        }
    }

    pub fn summary(&self) -> StackSummary {
        StackSummary {
            id: self.id.clone(),
            name: self.name.clone(),
            status: StackStatus::new(self.status),
            reason: self.reason.clone(),
        }
    }

    /// Notes that a token was used; `false` when it was used for the same before.
    pub fn takes(&mut self, token: &str, what: &str) -> Answer<bool> {
        match self.tokens.get(token) {
            None => {
                self.tokens.insert(token.to_owned(), what.to_owned());
                Ok(true)
            }
            Some(known) if known == what => Ok(false),
            Some(_) => {
                let said = format!("TokenAlreadyExistsException: A client request token already exists: {token}");
                Err(Refusal::new(Kind::Conflict, said))
            }
        }
    }

    pub fn is_known(&self, token: &str, what: &str) -> bool {
        self.tokens.get(token).is_some_and(|known| known == what)
    }
}

/// A number as the last part of an ARN.
pub(super) fn uuid(number: Number) -> String {
    format!(
        "{:08x}-0000-4000-8000-{number:012x}",
        number.wrapping_mul(0x9E37_79B9) & 0xffff_ffff
    )
}
