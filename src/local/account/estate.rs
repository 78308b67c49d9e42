//! What stands in the account beside its stacks: resources by name, partner event sources and exports. Must not live here:
//! how a stack gets to have them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;

use super::template::{BUS, CustomName, Definition, Disposal};
use crate::model::source::{EventSource, SourceState};

/// How long EventBridge keeps a source that no event bus accepts.
const PENDING: Duration = Duration::from_hours(14 * 24);

/// A stack's number in its account.
pub(super) type Number = u64;

#[derive(Default)]
pub(super) struct Estate {
    /// By type and identity.
    owners: BTreeMap<(String, String), Owner>,
    pub sources: BTreeMap<String, EventSource>,
    pub exports: HashMap<String, Exported>,
    /// Which stacks import an export, with their names.
    pub importers: HashMap<String, BTreeMap<Number, String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Stack,
    Nobody,
}

pub(super) struct Exported {
    pub stack: Number,
    pub value: String,
}

/// A resource that exists.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub resource_type: String,
    pub physical_id: String,
    identity: Option<String>,
    source: Option<String>,
}

impl Placed {
    /// A resource as its template has it; `fallback` is its physical ID when the template does not name it.
    pub fn new(definition: &Definition, fallback: impl FnOnce() -> String) -> Self {
        let name = definition.name.as_ref();
        Self {
            resource_type: definition.resource_type.clone(),
            physical_id: name.map_or_else(fallback, |name| name.name.clone()),
            identity: name.map(|name| name.identity.clone()),
            source: definition.source.clone(),
        }
    }

    /// Whether the two cannot exist beside each other.
    pub fn clashes(&self, other: &Self) -> bool {
        self.identity.is_some() && self.identity == other.identity && self.resource_type == other.resource_type
    }
}

impl Estate {
    /// Whether a change set that adopts takes this in: it is there, belongs to no stack, has its name written out and stays
    /// when its stack goes. Source: CloudFormation, "Import AWS resources into a CloudFormation stack automatically".
    pub fn is_adoptable(&self, definition: &Definition) -> bool {
        let is_free = |name: &CustomName| name.is_static && self.owner(definition, name) == Some(Owner::Nobody);
        definition.on_delete == Disposal::Retain && definition.name.as_ref().is_some_and(is_free)
    }

    /// Whether something of its type and name exists.
    pub fn has(&self, definition: &Definition) -> bool {
        definition
            .name
            .as_ref()
            .is_some_and(|name| self.owner(definition, name).is_some())
    }

    /// Why a resource cannot be made; `None` when it can.
    pub fn refuses(&self, definition: &Definition, adopts: bool, now: Timestamp) -> Option<String> {
        if adopts && self.is_adoptable(definition) {
            return None;
        }
        if let Some(name) = definition.name.as_ref().filter(|_| self.has(definition)) {
            let resource_type = &definition.resource_type;
            return Some(format!(
                "Resource of type '{resource_type}' with identifier '{}' already exists.",
                name.name
            ));
        }
        let source = definition.source.as_ref()?;
        let is_pending = |found: &&EventSource| found.state == SourceState::Pending && !is_expired(found, now);
        match self.sources.get(source).filter(is_pending) {
            Some(_) => None,
            None => Some(format!("Event source {source} does not exist.")),
        }
    }

    /// Makes or adopts a resource. Whoever calls has seen that nothing refuses it.
    pub fn occupy(&mut self, placed: &Placed) {
        if let Some(identity) = &placed.identity {
            let key = (placed.resource_type.clone(), identity.clone());
            self.owners.insert(key, Owner::Stack);
        }
        if let Some(source) = placed.source.as_ref().and_then(|source| self.sources.get_mut(source))
            && source.state == SourceState::Pending
        {
            source.state = SourceState::Active;
            source.expires = None;
        }
    }

    /// Deletes a resource, or lets it stay without a stack.
    pub fn release(&mut self, placed: &Placed, stays: bool, now: Timestamp) {
        if let Some(identity) = &placed.identity {
            let key = (placed.resource_type.clone(), identity.clone());
            if stays {
                self.owners.insert(key, Owner::Nobody);
            } else {
                self.owners.remove(&key);
            }
        }
        if stays {
            return;
        }
        if let Some(source) = placed.source.as_ref().and_then(|source| self.sources.get_mut(source))
            && source.state == SourceState::Active
        {
            source.state = SourceState::Pending;
            source.expires = now.checked_add(PENDING).ok();
        }
    }

    /// Something that somebody made by hand.
    pub fn put_outside(&mut self, resource_type: &str, name: &str) {
        let key = (resource_type.to_owned(), name.to_owned());
        self.owners.entry(key).or_insert(Owner::Nobody);
    }

    /// What belongs to no stack, by type and name.
    pub fn leftovers(&self) -> Vec<(String, String)> {
        let free = self.owners.iter().filter(|(_, owner)| **owner == Owner::Nobody);
        free.map(|(key, _)| key.clone()).collect()
    }

    /// The names of all event buses.
    pub fn buses(&self) -> Vec<String> {
        let from = (BUS.to_owned(), String::new());
        let all = self
            .owners
            .range(from..)
            .take_while(|((resource_type, _), _)| resource_type == BUS);
        let mut names: Vec<String> = all.map(|((_, name), _)| name.clone()).collect();
        names.push("default".to_owned());
        names.sort_unstable();
        names
    }

    /// Another stack that imports an export, by name.
    pub fn importer(&self, export: &str, but: Number) -> Option<&str> {
        let importers = self.importers.get(export)?;
        let (_, name) = importers.iter().find(|(stack, _)| **stack != but)?;
        Some(name)
    }

    /// Notes that a stack imports exactly these.
    pub fn import(&mut self, stack: Number, name: &str, before: &BTreeSet<String>, now: &BTreeSet<String>) {
        for export in before.difference(now) {
            if let Some(importers) = self.importers.get_mut(export) {
                importers.remove(&stack);
            }
        }
        for export in now {
            self.importers
                .entry(export.clone())
                .or_default()
                .insert(stack, name.to_owned());
        }
    }

    fn owner(&self, definition: &Definition, name: &CustomName) -> Option<Owner> {
        let key = (definition.resource_type.clone(), name.identity.clone());
        self.owners.get(&key).copied()
    }
}

pub(super) fn is_expired(source: &EventSource, now: Timestamp) -> bool {
    source.state == SourceState::Pending && source.expires.is_some_and(|expires| expires <= now)
}
