//! What a test may do to the embedded account besides calling it: what others do in it, what goes wrong in it, and what was
//! asked of it. None of this counts as a call or takes time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Instant;

use super::gate::Fault;
use super::operation::Stage;
use super::state::Metric;
use super::{Account, Api, Executed};
use crate::model::source::{EventSource, SourceState};
use crate::model::stack::TemplateBody;
use crate::ports::Kind;
use crate::ports::cloud::{Alarm, DriftedResource};

/// What others do.
impl Account {
    /// Okta makes a partner event source, which EventBridge deletes at `expires` unless a bus accepts it.
    pub fn offer_source(&self, name: &str, expires: Option<Timestamp>) {
        let mut state = self.now();
        let source = EventSource {
            name: name.to_owned(),
            state: SourceState::Pending,
            created: Some(state.timestamp(Instant::now())),
            expires,
        };
        state.estate.sources.insert(name.to_owned(), source);
    }

    /// Okta deletes it. A bus that has accepted it stays and gets nothing any more.
    pub fn withdraw_source(&self, name: &str) {
        if let Some(source) = self.now().estate.sources.get_mut(name) {
            source.state = SourceState::Deleted;
            source.expires = None;
        }
    }

    /// Somebody makes a resource by hand.
    pub fn put_outside(&self, resource_type: &str, name: &str) {
        self.now().estate.put_outside(resource_type, name);
    }

    /// Somebody updates a stack without a change set, which makes its change sets obsolete. `false` when the stack takes no
    /// update or the template is none.
    pub fn update_outside(&self, stack: &str, template: &str, tags: &BTreeMap<String, String>) -> bool {
        let (mut state, now) = (self.now(), Instant::now());
        let content = state.content(stack, &TemplateBody::Inline(template.to_owned()), tags);
        let is_ready = |status| {
            matches!(
                status,
                "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
            )
        };
        let number = state
            .living(stack)
            .ok()
            .filter(|stack| is_ready(stack.status))
            .map(|stack| stack.number);
        let (Ok(content), Some(number)) = (content, number) else {
            return false;
        };
        state.change_content(number, content, now);
        state.begin(number, Stage::Update { adopts: false }, now, None, None);
        true
    }

    /// Somebody changes or deletes a resource of a stack, which the next look for drift finds.
    pub fn drift(&self, stack: &str, resource: DriftedResource) {
        if let Ok(stack) = self.now().living(stack) {
            stack.drift.retain(|other| other.id != resource.id);
            stack.drift.push(resource);
        }
    }

    /// Adds a value to a metric.
    pub fn measure(&self, namespace: &str, name: &str, dimensions: &[(String, String)], at: Timestamp, value: f64) {
        let metric = Metric::new(namespace, name, dimensions);
        self.now().metrics.entry(metric).or_default().push((at, value));
    }

    /// An alarm goes off.
    pub fn raise_alarm(&self, name: &str, reason: &str) {
        let mut state = self.now();
        let alarm = Alarm {
            name: name.to_owned(),
            reason: reason.to_owned(),
            since: Some(state.timestamp(Instant::now())),
        };
        state.alarms.insert(name.to_owned(), alarm);
    }

    pub fn clear_alarm(&self, name: &str) {
        self.now().alarms.remove(name);
    }
}

/// What goes wrong.
impl Account {
    /// A resource fails to be made or changed, the next `times` that an operation of the stack does so.
    pub fn fail(&self, stack: &str, resource: &str, reason: &str, times: u32) {
        let key = (stack.to_owned(), resource.to_owned());
        self.now().hooks.failing.insert(key, (reason.to_owned(), times));
    }

    /// A resource fails to be deleted, the next `times` that its stack is.
    pub fn fail_deletion(&self, stack: &str, resource: &str, reason: &str, times: u32) {
        let key = (stack.to_owned(), resource.to_owned());
        self.now().hooks.undeletable.insert(key, (reason.to_owned(), times));
    }

    /// Undoing an operation of a stack fails, once for each call of this; so does going on with that, unless the resource
    /// that failed is skipped.
    pub fn stick(&self, stack: &str) {
        *self.now().hooks.sticking.entry(stack.to_owned()).or_default() += 1;
    }

    /// The next look for drift in a stack fails.
    pub fn fail_detection(&self, stack: &str, reason: &str) {
        self.now()
            .hooks
            .undetectable
            .insert(stack.to_owned(), reason.to_owned());
    }

    /// From now on, of a thousand calls about `per_mille` fail: throttled or unavailable before anything was done, or, when
    /// they change something, also after it. The same calls in the same order fail with the same seed.
    pub fn faults(&self, seed: u64, per_mille: u32) {
        self.now().gate.seed(seed, per_mille);
    }

    /// The `nth` call of an API from now on, 1 for the next, fails before anything was done.
    pub fn fail_call(&self, api: Api, nth: u64, kind: Kind) {
        self.now().gate.script(api, nth, Fault::Refused(kind));
    }

    /// The `nth` call of an API from now on, 1 for the next, is carried out, and nobody learns of it.
    pub fn lose_answer(&self, api: Api, nth: u64) {
        self.now().gate.script(api, nth, Fault::AnswerLost);
    }
}

/// What was asked, and what is there.
impl Account {
    /// Calls so far, those that failed too.
    pub fn calls(&self) -> BTreeMap<Api, u64> {
        self.now().gate.calls.clone()
    }

    /// Calls so far that were throttled, by the rate or as a fault.
    pub fn throttled(&self) -> u64 {
        self.now().gate.throttled
    }

    /// Every change set that was carried out, in order.
    pub fn executions(&self) -> Vec<Executed> {
        self.now().executions.clone()
    }

    /// How many stacks were at work at once, at most.
    pub fn most_at_work(&self) -> usize {
        self.now().most_at_work
    }

    /// What has a name and belongs to no stack, by type and name.
    pub fn leftovers(&self) -> Vec<(String, String)> {
        self.now().estate.leftovers()
    }

    /// A stack's policy as it was set.
    pub fn policy(&self, stack: &str) -> Option<String> {
        let state = self.now();
        Some(state.stack(stack).ok()?.policy.as_ref()?.text.clone())
    }

    /// What time it is in the account.
    pub fn timestamp(&self) -> Timestamp {
        self.now().timestamp(Instant::now())
    }
}
