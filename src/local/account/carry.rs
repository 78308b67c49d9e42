//! Carries an operation out on the account: checks that each resource can be as the template says, then makes all of them,
//! or none. Must not live here: the stages of an operation.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::changes::{Effect, Versions};
use super::estate::{Estate, Exported, Number, Placed};
use super::operation::STACK;
use super::resolve::{Reference, text};
use super::state::{Hooks, Stack, State};
use super::template::{Disposal, Place, Template};
use crate::model::stack::FailedEvent;

/// Why an operation fails.
pub(super) struct Failure {
    /// The logical ID.
    pub resource: String,
    resource_type: String,
    status: &'static str,
    reason: String,
    /// With their types: resources that CloudFormation stops working on.
    cancelled: Vec<(String, String)>,
}

/// How many resources are at work when another fails.
const AT_ONCE: usize = 2;

/// An operation of one stack.
struct Task<'a> {
    stack: &'a Stack,
    estate: &'a Estate,
    place: &'a Place,
    versions: Versions<'a>,
    effects: BTreeMap<&'a str, Effect>,
    adopts: bool,
    now: Timestamp,
}

impl State {
    /// Makes the account's resources what the stack's template says.
    pub fn carry_out(&mut self, number: Number, adopts: bool, now: Instant) -> Result<(), Failure> {
        let unique = self.number();
        let at = self.timestamp(now);
        let Some(stack) = self.stacks.get(&number) else {
            return Ok(());
        };
        let Some(new) = stack.content.template.clone() else {
            return Ok(());
        };
        let old: Option<Arc<Template>> = stack.before.as_ref().and_then(|before| before.template.clone());
        let versions = Versions {
            old: old.as_deref(),
            new: &new,
            is_retagged: stack
                .before
                .as_ref()
                .is_some_and(|before| before.tags != stack.content.tags),
            replaces: self.replaces,
        };
        let task = Task {
            stack,
            estate: &self.estate,
            place: &self.place,
            effects: versions.effects(),
            versions,
            adopts,
            now: at,
        };
        task.refusal(&mut self.hooks)?;
        let resources = task.resources(unique)?;
        let exports = task.exports(&resources)?;
        let effects: Vec<(String, Effect)> = task
            .effects
            .iter()
            .map(|(id, effect)| ((*id).to_owned(), *effect))
            .collect();
        self.settle_in(number, &effects, resources, exports, old.as_deref(), &new, at);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the outcome of one operation, as it is found")]
    fn settle_in(
        &mut self,
        number: Number,
        effects: &[(String, Effect)],
        resources: BTreeMap<String, Placed>,
        exports: BTreeMap<String, String>,
        old: Option<&Template>,
        new: &Template,
        at: Timestamp,
    ) {
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        for (id, effect) in effects {
            let stays = match effect {
                Effect::Add | Effect::Modify => continue,
                Effect::Remove => old.and_then(|old| old.resources.get(id)).map(|one| one.on_delete),
                Effect::Replace => new.resources.get(id).map(|one| one.on_replace),
            };
            if let Some(placed) = stack.resources.get(id) {
                self.estate.release(placed, stays == Some(Disposal::Retain), at);
            }
            stack.drift.retain(|drifted| drifted.id != *id);
        }
        for (id, effect) in effects {
            if let (Effect::Add | Effect::Replace, Some(placed)) = (effect, resources.get(id)) {
                self.estate.occupy(placed);
            }
        }
        for name in stack.exports.keys() {
            self.estate.exports.remove(name);
        }
        for (name, value) in &exports {
            let value = value.clone();
            self.estate
                .exports
                .insert(name.clone(), Exported { stack: number, value });
        }
        self.estate.import(number, &stack.name, &stack.imports, &new.imports);
        stack.imports.clone_from(&new.imports);
        stack.resources = resources;
        stack.exports = exports;
        stack.before = None;
    }

    /// Deletes a stack's resources, but for those that stay; otherwise what could not be deleted.
    pub fn remove(&mut self, number: Number, retained: &[String], now: Instant) -> Result<(), Vec<Failure>> {
        let at = self.timestamp(now);
        let Some(stack) = self.stacks.get_mut(&number) else {
            return Ok(());
        };
        let used = |name: &String| Some((name.clone(), self.estate.importer(name, number)?.to_owned()));
        if let Some((export, user)) = stack.exports.keys().find_map(used) {
            let reason = format!("Cannot delete export {export} as it is in use by {user}.");
            return Err(vec![Failure::of_stack(&stack.name, "DELETE_FAILED", reason)]);
        }
        let deployed = stack.before.as_ref().unwrap_or(&stack.content).template.clone();
        let mut failures = Vec::new();
        for (id, placed) in std::mem::take(&mut stack.resources) {
            let definition = deployed.as_ref().and_then(|template| template.resources.get(&id));
            let stays = definition.is_some_and(|one| one.on_delete == Disposal::Retain) || retained.contains(&id);
            let reason = if stays {
                None
            } else {
                due(&mut self.hooks.undeletable, &stack.name, &id)
            };
            match reason {
                None => self.estate.release(&placed, stays, at),
                Some(reason) => {
                    failures.push(Failure {
                        resource: id.clone(),
                        resource_type: placed.resource_type.clone(),
                        status: "DELETE_FAILED",
                        reason,
                        cancelled: Vec::new(),
                    });
                    stack.resources.insert(id, placed);
                }
            }
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        for name in stack.exports.keys() {
            self.estate.exports.remove(name);
        }
        stack.exports.clear();
        Ok(())
    }

    /// Writes down what failed, and what was cancelled because of it.
    pub fn note(&mut self, number: Number, failure: &Failure, token: Option<&str>, now: Instant) {
        let at = self.timestamp(now);
        let Some(stack) = self.stacks.get_mut(&number) else {
            return;
        };
        let mut push = |resource: &str, resource_type: &str, reason: &str| {
            stack.failures.push(FailedEvent {
                resource: resource.to_owned(),
                resource_type: resource_type.to_owned(),
                status: failure.status.to_owned(),
                reason: reason.to_owned(),
                at,
                token: token.map(str::to_owned),
            });
        };
        push(&failure.resource, &failure.resource_type, &failure.reason);
        let what = if failure.status == "CREATE_FAILED" {
            "creation"
        } else {
            "update"
        };
        for (id, resource_type) in &failure.cancelled {
            push(id, resource_type, &format!("Resource {what} cancelled"));
        }
    }
}

impl Task<'_> {
    /// The first resource that does not get through.
    fn refusal(&self, hooks: &mut Hooks) -> Result<(), Failure> {
        for (id, effect) in &self.effects {
            let reason = match effect {
                Effect::Remove => None,
                _ => due(&mut hooks.failing, &self.stack.name, id),
            };
            if let Some(reason) = reason
                .or_else(|| self.denial(id, *effect))
                .or_else(|| self.obstacle(id, *effect))
            {
                return Err(self.failure(id, *effect, reason));
            }
        }
        Ok(())
    }

    fn denial(&self, id: &str, effect: Effect) -> Option<String> {
        let placed = self.stack.resources.get(id)?;
        self.stack.policy.as_ref()?.denies(effect, id, &placed.resource_type)
    }

    fn obstacle(&self, id: &str, effect: Effect) -> Option<String> {
        let definition = self.versions.new.resources.get(id)?;
        if let Some(name) = definition
            .imports
            .iter()
            .find(|name| !self.estate.exports.contains_key(*name))
        {
            return Some(format!("No export named {name} found."));
        }
        match effect {
            Effect::Add => self.estate.refuses(definition, self.adopts, self.now),
            Effect::Replace => {
                let next = Placed::new(definition, String::new);
                match self.stack.resources.get(id).filter(|placed| placed.clashes(&next)) {
                    Some(_) => Some(format!(
                        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {} and update the stack again.",
                        next.physical_id
                    )),
                    None => self.estate.refuses(definition, false, self.now),
                }
            }
            Effect::Modify | Effect::Remove => None,
        }
    }

    fn failure(&self, id: &str, effect: Effect, reason: String) -> Failure {
        let known = self.versions.new.resources.get(id).map(|one| &one.resource_type);
        let known = known.or_else(|| self.stack.resources.get(id).map(|placed| &placed.resource_type));
        let same = self
            .effects
            .iter()
            .filter(|(other, what)| **other != id && **what == effect);
        let cancelled = same.filter_map(|(other, _)| {
            let definition = self.versions.new.resources.get(*other)?;
            Some(((*other).to_owned(), definition.resource_type.clone()))
        });
        Failure {
            resource: id.to_owned(),
            resource_type: known.cloned().unwrap_or_default(),
            status: if effect == Effect::Add {
                "CREATE_FAILED"
            } else {
                "UPDATE_FAILED"
            },
            reason,
            cancelled: cancelled.take(AT_ONCE).collect(),
        }
    }

    /// The stack's resources afterwards. Two of one name cannot be.
    fn resources(&self, unique: u64) -> Result<BTreeMap<String, Placed>, Failure> {
        let mut resources = self.stack.resources.clone();
        for (id, effect) in &self.effects {
            if *effect == Effect::Remove {
                resources.remove(*id);
            }
        }
        for (id, effect) in &self.effects {
            let Some(definition) = self.versions.new.resources.get(*id) else {
                continue;
            };
            if matches!(effect, Effect::Add | Effect::Replace) {
                let placed = Placed::new(definition, || format!("{}-{id}-{unique:X}", self.stack.name));
                if resources.iter().any(|(other, one)| other != id && one.clashes(&placed)) {
                    let reason = format!("{} already exists.", placed.physical_id);
                    return Err(self.failure(id, *effect, reason));
                }
                resources.insert((*id).to_owned(), placed);
            }
        }
        Ok(resources)
    }

    /// The stack's exports afterwards. One that another stack uses can neither go nor change.
    fn exports(&self, resources: &BTreeMap<String, Placed>) -> Result<BTreeMap<String, String>, Failure> {
        let status = if self.versions.old.is_some() {
            "UPDATE_FAILED"
        } else {
            "CREATE_FAILED"
        };
        let failed = |reason| Err(Failure::of_stack(&self.stack.name, status, reason));
        let scope = |reference: Reference<'_>| self.value_of(reference, resources);
        let mut exports = BTreeMap::new();
        for export in &self.versions.new.exports {
            let holder = self
                .estate
                .exports
                .get(&export.name)
                .filter(|other| other.stack != self.stack.number);
            if holder.is_some() {
                return failed(format!(
                    "Export with name {} is already exported by another stack.",
                    export.name
                ));
            }
            exports.insert(export.name.clone(), text(&export.value, &scope).unwrap_or_default());
        }
        for (name, value) in &self.stack.exports {
            let user = self.estate.importer(name, self.stack.number);
            match (exports.get(name), user) {
                (None, Some(user)) => return failed(format!("Cannot delete export {name} as it is in use by {user}.")),
                (Some(other), Some(user)) if other != value => {
                    return failed(format!("Cannot update export {name} as it is in use by {user}."));
                }
                _ => {}
            }
        }
        Ok(exports)
    }

    fn value_of(&self, reference: Reference<'_>, resources: &BTreeMap<String, Placed>) -> Option<String> {
        let Place { account, region } = self.place;
        match reference {
            Reference::Name("AWS::StackName") => Some(self.stack.name.clone()),
            Reference::Name("AWS::StackId") => Some(self.stack.id.clone()),
            Reference::Name(name) => {
                let placed = resources.get(name).map(|placed| placed.physical_id.clone());
                placed.or_else(|| self.place.pseudo(name))
            }
            Reference::Attribute(id, attribute) => {
                let placed = resources.get(id)?;
                let name = &placed.physical_id;
                let service = placed
                    .resource_type
                    .split("::")
                    .nth(1)
                    .unwrap_or_default()
                    .to_lowercase();
                Some(match attribute {
                    "Arn" => format!("arn:aws:{service}:{region}:{account}:{name}"),
                    _ if attribute.ends_with("Name") => name.clone(),
                    _ => format!("{name}.{attribute}"),
                })
            }
            Reference::Import(name) => self.estate.exports.get(name).map(|export| export.value.clone()),
        }
    }
}

impl Failure {
    fn of_stack(name: &str, status: &'static str, reason: String) -> Self {
        Self {
            resource: name.to_owned(),
            resource_type: STACK.to_owned(),
            status,
            reason,
            cancelled: Vec::new(),
        }
    }
}

/// The reason with which a test has told a resource to fail, which counts as one time.
fn due(hooks: &mut HashMap<(String, String), (String, u32)>, stack: &str, id: &str) -> Option<String> {
    if hooks.is_empty() {
        return None;
    }
    let (reason, left) = hooks
        .get_mut(&(stack.to_owned(), id.to_owned()))
        .filter(|(_, left)| *left > 0)?;
    *left -= 1;
    Some(reason.clone())
}
