//! What CloudFormation does with a stack: operations, from stage to stage. The resources of an operation come and go all at
//! once when its first stage ends. Must not live here: what a template says.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Answer, Refusal};
use super::carry::Failure;
use super::estate::Number;
use super::state::{Content, State, Timer};
use crate::model::stack::{Execution, FailedEvent};
use crate::ports::Kind;

pub(super) const STACK: &str = "AWS::CloudFormation::Stack";

pub(super) struct Operation {
    pub number: u64,
    pub stage: Stage,
    pub token: Option<String>,
    pub change_set: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Create { adopts: bool },
    UndoCreate,
    Update { adopts: bool },
    CleanUp,
    UndoUpdate { skipped: Vec<String> },
    CleanUpUndone,
    Delete { retained: Vec<String> },
}

impl Stage {
    fn status(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CREATE_IN_PROGRESS",
            Self::UndoCreate => "ROLLBACK_IN_PROGRESS",
            Self::Update { .. } => "UPDATE_IN_PROGRESS",
            Self::CleanUp => "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            Self::UndoUpdate { .. } => "UPDATE_ROLLBACK_IN_PROGRESS",
            Self::CleanUpUndone => "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            Self::Delete { .. } => "DELETE_IN_PROGRESS",
        }
    }

    /// The clean-up is the last quarter of an update, so that all of it takes as long as a creation.
    fn duration(&self, operation: Duration) -> Duration {
        match self {
            Self::CleanUp | Self::CleanUpUndone => operation / 4,
            Self::Update { .. } | Self::UndoUpdate { .. } => operation * 3 / 4,
            _ => operation,
        }
    }
}

impl State {
    /// Gives a stack the content that the operation which begins now is to carry out.
    pub fn change_content(&mut self, number: Number, content: Content, now: Instant) {
        let at = self.timestamp(now);
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        let is_update = stack.content.template.is_some();
        let before = std::mem::replace(&mut stack.content, content);
        if is_update {
            stack.updated = Some(at);
            stack.before = Some(before);
        }
        let wanted = stack.content.template.as_ref().map(|template| template.imports.clone());
        let both = stack
            .imports
            .iter()
            .cloned()
            .chain(wanted.unwrap_or_default())
            .collect();
        self.estate.import(number, &stack.name, &stack.imports, &both);
        stack.imports = both;
    }

    /// Begins the first stage of an operation.
    pub fn begin(&mut self, number: Number, stage: Stage, now: Instant, token: Option<&str>, change_set: Option<&str>) {
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        stack.revision += 1;
        stack.stuck.clear();
        let operation = Operation {
            number: stack.revision,
            stage,
            token: token.map(str::to_owned),
            change_set: change_set.map(str::to_owned),
        };
        self.enter(number, operation, now, None);
    }

    fn enter(&mut self, number: Number, operation: Operation, now: Instant, reason: Option<String>) {
        let status = operation.stage.status();
        let due = now + operation.stage.duration(self.behaviour.operation);
        self.schedule(due, Timer::Operation(number, operation.number));
        if let Some(stack) = self.stacks.get_mut(&number) {
            stack.operation = Some(operation);
        }
        self.set_status(number, status, reason);
    }

    /// Ends the stage that a stack is in.
    pub fn go_on(&mut self, number: Number, operation: u64, now: Instant) {
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        let Some(mut at_work) = stack.operation.take_if(|at_work| at_work.number == operation) else {
            return;
        };
        let change_set = at_work.change_set.clone();
        match at_work.stage.clone() {
            Stage::Create { adopts } | Stage::Update { adopts } => {
                let is_update = matches!(at_work.stage, Stage::Update { .. });
                match self.carry_out(number, adopts, now) {
                    Err(failure) => {
                        self.executed(change_set.as_deref(), Execution::Failed);
                        self.note(number, &failure, at_work.token.as_deref(), now);
                        self.blame(number, [failure.resource.clone()].into());
                        let verb = if is_update { "update" } else { "create" };
                        let reason = format!("The following resource(s) failed to {verb}: [{}]. ", failure.resource);
                        at_work.stage = if is_update {
                            Stage::UndoUpdate { skipped: Vec::new() }
                        } else {
                            Stage::UndoCreate
                        };
                        self.enter(number, at_work, now, Some(reason));
                    }
                    Ok(()) if is_update => {
                        self.executed(change_set.as_deref(), Execution::Complete);
                        at_work.stage = Stage::CleanUp;
                        self.enter(number, at_work, now, None);
                    }
                    Ok(()) => {
                        self.executed(change_set.as_deref(), Execution::Complete);
                        self.set_status(number, "CREATE_COMPLETE", None);
                    }
                }
            }
            Stage::CleanUp => self.set_status(number, "UPDATE_COMPLETE", None),
            Stage::UndoCreate => {
                if self.sticks(number, &[]) {
                    self.stick(number, &at_work, "ROLLBACK_FAILED", now);
                } else {
                    self.forget_imports(number);
                    self.set_status(number, "ROLLBACK_COMPLETE", None);
                }
            }
            Stage::UndoUpdate { skipped } => {
                if self.sticks(number, &skipped) {
                    self.stick(number, &at_work, "UPDATE_ROLLBACK_FAILED", now);
                } else {
                    self.restore(number);
                    at_work.stage = Stage::CleanUpUndone;
                    self.enter(number, at_work, now, None);
                }
            }
            Stage::CleanUpUndone => self.set_status(number, "UPDATE_ROLLBACK_COMPLETE", None),
            Stage::Delete { retained } => match self.remove(number, &retained, now) {
                Ok(()) => {
                    self.forget_imports(number);
                    self.set_status(number, "DELETE_COMPLETE", None);
                }
                Err(failures) => self.keep_undeleted(number, &failures, at_work.token.as_deref(), now),
            },
        }
    }

    pub fn delete(&mut self, id: &str, token: Option<&str>, retained: &[String], now: Instant) -> Answer<()> {
        // Deleting what is not there succeeds.
        let Ok(stack) = self.living(id) else { return Ok(()) };
        let (number, what) = (stack.number, format!("delete {}", stack.id));
        if token.is_some_and(|token| stack.is_known(token, &what)) || stack.status == "DELETE_IN_PROGRESS" {
            return Ok(());
        }
        let name = &stack.name;
        if stack.is_protected {
            let said = format!("Stack [{name}] cannot be deleted while TerminationProtection is enabled");
            return Err(Refusal::new(Kind::Invalid, said));
        }
        if stack.is_at_work() && stack.status != "CREATE_IN_PROGRESS" {
            let said = format!("Stack [{name}] cannot be deleted while in status {}", stack.status);
            return Err(Refusal::new(Kind::Conflict, said));
        }
        let wrong: Vec<&str> = retained
            .iter()
            .filter(|id| !stack.stuck.contains(*id))
            .map(String::as_str)
            .collect();
        if !retained.is_empty() && (stack.status != "DELETE_FAILED" || !wrong.is_empty()) {
            let said = format!(
                "The specified resources to retain must be in a valid state: stack [{name}] is in status {}, and it could delete {}",
                stack.status,
                wrong.join(", ")
            );
            return Err(Refusal::new(Kind::Invalid, said));
        }
        if let Some(token) = token {
            stack.takes(token, &what)?;
        }
        let is_in_review = stack.is_in_review();
        let cancelled = stack.operation.take().and_then(|operation| operation.change_set);
        self.executed(cancelled.as_deref(), Execution::Failed);
        self.forget_change_sets(number, None);
        if is_in_review {
            self.set_status(number, "DELETE_COMPLETE", None);
        } else {
            let stage = Stage::Delete {
                retained: retained.to_vec(),
            };
            self.begin(number, stage, now, token, None);
        }
        Ok(())
    }

    pub fn continue_rollback(&mut self, id: &str, token: &str, skipped: &[String], now: Instant) -> Answer<()> {
        let stack = self.living(id)?;
        let (number, what) = (stack.number, format!("continue {}", stack.id));
        if stack.is_known(token, &what) {
            return Ok(());
        }
        if stack.status != "UPDATE_ROLLBACK_FAILED" {
            let said = format!(
                "Stack:{id} is in {} state and can not be rolled back further.",
                stack.status
            );
            return Err(Refusal::new(Kind::Conflict, said));
        }
        if let Some(wrong) = skipped.iter().find(|id| !stack.stuck.contains(*id)) {
            let said = format!("Resources [{wrong}] cannot be skipped: only those that could not be rolled back can");
            return Err(Refusal::new(Kind::Invalid, said));
        }
        stack.takes(token, &what)?;
        let stage = Stage::UndoUpdate {
            skipped: skipped.to_vec(),
        };
        let in_the_way = stack.stuck.clone();
        self.begin(number, stage, now, Some(token), None);
        self.blame(number, in_the_way);
        Ok(())
    }

    /// Gives a stack the content back that it had before its update.
    fn restore(&mut self, number: Number) {
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        if let Some(before) = stack.before.take() {
            stack.content = before;
        }
        stack.stuck.clear();
        let imports = stack.content.template.as_ref().map(|template| template.imports.clone());
        let imports = imports.unwrap_or_default();
        self.estate.import(number, &stack.name, &stack.imports, &imports);
        stack.imports = imports;
    }

    fn forget_imports(&mut self, number: Number) {
        if let Some(stack) = self.stacks.get_mut(&number) {
            let imports = std::mem::take(&mut stack.imports);
            self.estate.import(number, &stack.name, &imports, &BTreeSet::new());
        }
    }

    /// Whether undoing fails, as a test has told. Resources that are skipped cannot make it fail.
    fn sticks(&mut self, number: Number, skipped: &[String]) -> bool {
        let Some(stack) = self.stacks.get(&number) else {
            return false;
        };
        let is_left = skipped.is_empty() || stack.stuck.iter().any(|id| !skipped.contains(id));
        let Some(left) = self
            .hooks
            .sticking
            .get_mut(&stack.name)
            .filter(|left| **left > 0 && is_left)
        else {
            return false;
        };
        *left -= 1;
        true
    }

    fn stick(&mut self, number: Number, at_work: &Operation, status: &'static str, now: Instant) {
        let at = self.timestamp(now);
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        let listed = listed(&stack.stuck);
        let mut note = |resource: &str, resource_type: &str, status: &str, reason: &str| {
            stack.failures.push(FailedEvent {
                resource: resource.to_owned(),
                resource_type: resource_type.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                at,
                token: at_work.token.clone(),
            });
        };
        for id in &stack.stuck {
            let placed = stack.resources.get(id);
            let resource_type = placed.map_or("", |placed| &placed.resource_type);
            note(id, resource_type, "UPDATE_FAILED", "Internal Failure");
        }
        let reason = format!("The following resource(s) failed to update: [{listed}]. ");
        note(&stack.name, STACK, status, &reason);
        self.set_status(number, status, Some(reason));
    }

    fn keep_undeleted(&mut self, number: Number, failures: &[Failure], token: Option<&str>, now: Instant) {
        for failure in failures {
            self.note(number, failure, token, now);
        }
        let resources: BTreeSet<String> = failures.iter().map(|failure| failure.resource.clone()).collect();
        let reason = format!("The following resource(s) failed to delete: [{}]. ", listed(&resources));
        self.blame(number, resources);
        self.set_status(number, "DELETE_FAILED", Some(reason));
    }

    fn blame(&mut self, number: Number, resources: BTreeSet<String>) {
        if let Some(stack) = self.stacks.get_mut(&number) {
            stack.stuck = resources;
        }
    }
}

fn listed(ids: &BTreeSet<String>) -> String {
    ids.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
