//! What a change set says of two templates, and what carrying it out does to each resource. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::template::{Definition, Disposal, Template};
use crate::model::stack::{Replacement, ResourceAction, ResourceChange};

/// Whether a change of a property replaces the resource: `fn(resource_type, property)`.
pub type Replaces = fn(&str, &str) -> bool;

/// Types whose resources have no tags of their own, so that a change of the stack's tags does not touch them.
const UNTAGGED: [&str; 14] = [
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::Archive",
    "AWS::Events::EventBusPolicy",
    "AWS::Glue::Database",
    "AWS::IAM::Policy",
    "AWS::IAM::RolePolicy",
    "AWS::KMS::Alias",
    "AWS::Lambda::Permission",
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
];

/// What becomes of one resource when a change set is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Add,
    Modify,
    Replace,
    Remove,
}

/// A stack's content before and after.
#[derive(Clone, Copy)]
pub(super) struct Versions<'a> {
    pub old: Option<&'a Template>,
    pub new: &'a Template,
    pub is_retagged: bool,
    pub replaces: Replaces,
}

impl<'a> Versions<'a> {
    /// Every change as `DescribeChangeSet` tells it. `is_adopted` tells which new resources exist already and are taken in.
    pub fn changes(&self, is_adopted: impl Fn(&Definition) -> bool) -> Vec<ResourceChange> {
        let mut changes = Vec::new();
        for (id, definition) in self.added() {
            let is_adopted = is_adopted(definition);
            let action = if is_adopted {
                ResourceAction::Import
            } else {
                ResourceAction::Add
            };
            changes.push(change(id, definition, action));
        }
        for (id, definition) in self.removed() {
            let policy_action = match definition.on_delete {
                Disposal::Delete => "Delete",
                Disposal::Retain => "Retain",
                Disposal::Snapshot => "Snapshot",
            };
            changes.push(ResourceChange {
                policy_action: Some(policy_action.to_owned()),
                ..change(id, definition, ResourceAction::Remove)
            });
        }
        for (id, replacement) in self.touched() {
            let Some((old, new)) = self.pair(id) else { continue };
            let policy_action = match (replacement, new.on_replace) {
                (Replacement::No, _) => None,
                (_, Disposal::Delete) => Some("ReplaceAndDelete"),
                (_, Disposal::Retain) => Some("ReplaceAndRetain"),
                (_, Disposal::Snapshot) => Some("ReplaceAndSnapshot"),
            };
            changes.push(ResourceChange {
                replacement,
                policy_action: policy_action.map(str::to_owned),
                targets: self.targets(old, new).into_iter().collect(),
                ..change(id, new, ResourceAction::Modify)
            });
        }
        changes.sort_unstable();
        changes
    }

    /// Whether there is something to carry out, be it no resource.
    pub fn differ(&self) -> bool {
        let outputs = self.old.map(|old| old.outputs);
        self.is_retagged || outputs != Some(self.new.outputs) || !self.effects().is_empty()
    }

    /// What really becomes of each resource: by now it is known which are replaced, and whom that touches.
    pub fn effects(&self) -> BTreeMap<&'a str, Effect> {
        let replaced = self.replaced();
        let mut effects: BTreeMap<_, _> = self.added().map(|(id, _)| (id, Effect::Add)).collect();
        effects.extend(self.removed().map(|(id, _)| (id, Effect::Remove)));
        for (id, old, new) in self.kept() {
            let refers = || {
                new.properties
                    .values()
                    .flat_map(|one| &one.mentions)
                    .any(|one| replaced.contains(one.target.as_str()))
            };
            if replaced.contains(id) {
                effects.insert(id, Effect::Replace);
            } else if refers() || !self.targets(old, new).is_empty() {
                effects.insert(id, Effect::Modify);
            }
        }
        effects
    }

    /// Resources that have another type than before, which CloudFormation refuses.
    pub fn retyped(&self) -> impl Iterator<Item = &'a str> {
        self.kept()
            .filter(|(_, old, new)| old.resource_type != new.resource_type)
            .map(|(id, ..)| id)
    }

    fn added(&self) -> impl Iterator<Item = (&'a str, &'a Definition)> {
        let old = self.old;
        let all = self.new.resources.iter().map(|(id, new)| (id.as_str(), new));
        all.filter(move |(id, _)| old.is_none_or(|old| !old.resources.contains_key(*id)))
    }

    fn removed(&self) -> impl Iterator<Item = (&'a str, &'a Definition)> {
        let new = self.new;
        let all = self.old.into_iter().flat_map(|old| &old.resources);
        all.map(|(id, old)| (id.as_str(), old))
            .filter(move |(id, _)| !new.resources.contains_key(*id))
    }

    fn kept(&self) -> impl Iterator<Item = (&'a str, &'a Definition, &'a Definition)> {
        let old = self.old;
        self.new
            .resources
            .iter()
            .filter_map(move |(id, new)| Some((id.as_str(), old?.resources.get(id)?, new)))
    }

    fn pair(&self, id: &str) -> Option<(&'a Definition, &'a Definition)> {
        Some((self.old?.resources.get(id)?, self.new.resources.get(id)?))
    }

    /// What changes for sure in a resource.
    fn targets(&self, old: &Definition, new: &Definition) -> BTreeSet<String> {
        let mut targets: BTreeSet<String> = changed(old, new)
            .map(|name| match name {
                "Tags" => name.to_owned(),
                _ => format!("Properties.{name}"),
            })
            .collect();
        let attributes: BTreeSet<&str> = old.attributes.keys().chain(new.attributes.keys()).copied().collect();
        let differs = |name: &&str| old.attributes.get(name) != new.attributes.get(name);
        targets.extend(attributes.into_iter().filter(differs).map(str::to_owned));
        if self.is_retagged && !UNTAGGED.contains(&new.resource_type.as_str()) {
            targets.insert("Tags".to_owned());
        }
        targets
    }

    /// Every kept resource that changes or may, because it refers to one that does, as CloudFormation knows before the fact.
    fn touched(&self) -> BTreeMap<&'a str, Replacement> {
        let mut touched: BTreeMap<&str, Replacement> = BTreeMap::new();
        for (id, old, new) in self.kept() {
            if changed(old, new).any(|name| (self.replaces)(&new.resource_type, name)) {
                touched.insert(id, Replacement::Yes);
            } else if !self.targets(old, new).is_empty() {
                touched.insert(id, Replacement::No);
            }
        }
        while let Some((id, replacement)) = self.kept().find_map(|(id, _, new)| {
            let replacement = self.may_become(new, &touched)?;
            (touched.get(id) < Some(&replacement)).then_some((id, replacement))
        }) {
            touched.insert(id, replacement);
        }
        touched
    }

    /// What the resources that a resource refers to may make of it; `None` when they leave it alone.
    fn may_become(&self, new: &Definition, touched: &BTreeMap<&str, Replacement>) -> Option<Replacement> {
        let reached = new.properties.iter().filter(|(_, property)| {
            property
                .mentions
                .iter()
                .any(|mention| match touched.get(mention.target.as_str()) {
                    // What `Ref` gives is the same as long as the resource is.
                    Some(Replacement::No) => mention.is_attribute,
                    Some(_) => true,
                    None => false,
                })
        });
        reached
            .map(|(name, _)| {
                if (self.replaces)(&new.resource_type, name) {
                    Replacement::Conditional
                } else {
                    Replacement::No
                }
            })
            .max()
    }

    fn replaced(&self) -> BTreeSet<&'a str> {
        let mut replaced = BTreeSet::new();
        loop {
            let next = self.kept().find(|(id, old, new)| {
                let refers = |name: &str| {
                    let mentions = new.properties.get(name).into_iter().flat_map(|one| &one.mentions);
                    mentions
                        .into_iter()
                        .any(|mention| replaced.contains(mention.target.as_str()))
                };
                let moved =
                    changed(old, new).chain(new.properties.keys().map(String::as_str).filter(|name| refers(name)));
                !replaced.contains(id) && moved.into_iter().any(|name| (self.replaces)(&new.resource_type, name))
            });
            match next {
                Some((id, ..)) => replaced.insert(id),
                None => return replaced,
            };
        }
    }
}

/// The properties that are not the same in both.
fn changed<'d>(old: &'d Definition, new: &'d Definition) -> impl Iterator<Item = &'d str> {
    let gone = old.properties.keys().filter(|name| !new.properties.contains_key(*name));
    let differs = |(name, property): &(&String, &_)| old.properties.get(*name) != Some(*property);
    let other = new.properties.iter().filter(differs).map(|(name, _)| name);
    gone.chain(other).map(String::as_str)
}

fn change(id: &str, definition: &Definition, action: ResourceAction) -> ResourceChange {
    ResourceChange {
        id: id.to_owned(),
        resource_type: definition.resource_type.clone(),
        action,
        replacement: Replacement::No,
        policy_action: None,
        targets: Vec::new(),
    }
}
