//! Reads stacks.

use async_trait::async_trait;
use tokio::time::Instant;

use super::answer::{Answer, Refusal, page};
use super::estate::Number;
use super::state::{Stack, State, Timer, uuid};
use super::{Account, Api};
use crate::model::stack::{ChangeSet, FailedEvent, LiveStack, StackSummary};
use crate::ports::cloud::{Detection, DriftedResource, Page, Quota, ReadStacks, StackResource};
use crate::ports::{Kind, Result};

#[async_trait]
impl ReadStacks for Account {
    async fn stacks(&self, next: Option<String>) -> Result<Page<LiveStack>> {
        self.call(Api::DescribeStacks, "", move |state, _| {
            let all = state
                .stacks
                .range(..before(next.as_deref())?)
                .rev()
                .map(|(_, stack)| stack);
            let living = all.filter(|stack| !stack.is_deleted());
            Ok(newest_first(living, state.behaviour.list_page, Stack::live))
        })
        .await
    }

    async fn stack(&self, name: &str) -> Result<Option<LiveStack>> {
        self.call(Api::DescribeStacks, name, |state, _| {
            Ok(state.stack(name).ok().map(Stack::live))
        })
        .await
    }

    async fn restless(&self, next: Option<String>) -> Result<Page<StackSummary>> {
        self.call(Api::ListStacks, "", move |state, _| {
            let all = state.restless.range(..before(next.as_deref())?).rev();
            let stacks = all.filter_map(|number| state.stacks.get(number));
            Ok(newest_first(stacks, state.behaviour.list_page, Stack::summary))
        })
        .await
    }

    async fn template(&self, stack: &str) -> Result<String> {
        let work = |state: &mut State, _| {
            let found = state.stack(stack)?;
            Ok(if found.is_in_review() {
                "{}".to_owned()
            } else {
                found.content.body.to_string()
            })
        };
        self.call(Api::GetTemplate, stack, work).await
    }

    async fn change_set(&self, id: &str, next: Option<String>) -> Result<(ChangeSet, Option<String>)> {
        self.call(Api::DescribeChangeSet, id, move |state, _| {
            state.describe(id, next.as_deref())
        })
        .await
    }

    async fn failures(&self, stack_id: &str, next: Option<String>) -> Result<Page<FailedEvent>> {
        self.call(Api::DescribeEvents, stack_id, move |state, _| {
            let mut failures = state.stack(stack_id)?.failures.clone();
            failures.reverse();
            page(&failures, next.as_deref(), state.behaviour.list_page)
        })
        .await
    }

    async fn resources(&self, stack: &str, next: Option<String>) -> Result<Page<StackResource>> {
        self.call(Api::ListStackResources, stack, move |state, _| {
            let all = state.stack(stack)?.resources.iter().map(|(id, placed)| StackResource {
                id: id.clone(),
                resource_type: placed.resource_type.clone(),
                physical_id: placed.physical_id.clone(),
            });
            page(&all.collect::<Vec<_>>(), next.as_deref(), state.behaviour.list_page)
        })
        .await
    }

    async fn quota(&self, quota: Quota) -> Result<u64> {
        let Quota::Stacks = quota;
        self.call(Api::DescribeAccountLimits, "", |state, _| {
            Ok(state.behaviour.stack_limit)
        })
        .await
    }

    async fn detect_drift(&self, stack: &str) -> Result<String> {
        self.call(Api::DetectStackDrift, stack, |state, now| state.detect(stack, now))
            .await
    }

    async fn detection(&self, id: &str) -> Result<Detection> {
        let work = |state: &mut State, _| match state.detections.get(id) {
            Some((_, detection)) => Ok(detection.clone()),
            None => Err(Refusal::new(
                Kind::NotFound,
                format!("Drift detection [{id}] does not exist"),
            )),
        };
        self.call(Api::DescribeStackDriftDetectionStatus, id, work).await
    }

    async fn drifted(&self, stack: &str, next: Option<String>) -> Result<Page<DriftedResource>> {
        self.call(Api::DescribeStackResourceDrifts, stack, move |state, _| {
            page(
                state.stack(stack)?.detected.as_deref().unwrap_or_default(),
                next.as_deref(),
                state.behaviour.list_page,
            )
        })
        .await
    }
}

impl State {
    fn detect(&mut self, name: &str, now: Instant) -> Answer<String> {
        let stack = self.living(name)?;
        if stack.is_at_work() || stack.is_in_review() {
            let said = format!(
                "Drift detection cannot be run on stack [{name}] in state {}",
                stack.status
            );
            return Err(Refusal::new(Kind::Conflict, said));
        }
        let stack = stack.number;
        let id = uuid(self.number());
        self.detections.insert(id.clone(), (stack, Detection::Running));
        self.schedule(now + self.behaviour.change_set, Timer::Detection(id.clone()));
        Ok(id)
    }

    pub fn finish_detection(&mut self, id: &str) {
        let Some((number, detection)) = self.detections.get_mut(id) else {
            return;
        };
        let Some(stack) = self.stacks.get_mut(number) else {
            return;
        };
        *detection = if let Some(reason) = self.hooks.undetectable.remove(&stack.name) {
            Detection::Failed(reason)
        } else {
            stack.detected = Some(stack.drift.clone());
            Detection::Done
        };
    }
}

/// The number before which a page ends, as its token says.
fn before(next: Option<&str>) -> Answer<Number> {
    let number = next.map_or(Some(Number::MAX), |next| next.parse().ok());
    number.ok_or_else(|| Refusal::new(Kind::Invalid, "The next token is not valid"))
}

/// A page whose token is the last stack on it, so that no stack is missed or told twice when others come and go meanwhile.
fn newest_first<'s, T>(stacks: impl Iterator<Item = &'s Stack>, size: usize, told: impl Fn(&Stack) -> T) -> Page<T> {
    let mut stacks = stacks.peekable();
    let mut items = Vec::new();
    while let Some(stack) = stacks.next() {
        items.push(told(stack));
        if items.len() >= size {
            let next = stacks.peek().map(|_| stack.number.to_string());
            return Page { items, next };
        }
    }
    Page { items, next: None }
}
