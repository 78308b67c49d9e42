//! What CloudFormation says of a change set, laid over what we read out of the two templates; and what of it nobody may
//! do unasked. Pure.
//!
//! Change sets are asked for without property values: with them CloudFormation can leave resources out in silence. The
//! values that people see come from the templates, which we have.

use std::collections::BTreeSet;

use crate::deploy::diff::types::{self, Holds};
use crate::deploy::diff::{Action, Change, DataEffect, Subject};
use crate::deploy::tree::Tree;
use crate::model::stack::{Replacement, ResourceAction, ResourceChange};

/// Our own changes with CloudFormation's word on each. Where the two differ, the graver holds: but that a replacement is
/// only possible is nothing new where we know the type.
pub fn overlay(mut changes: Vec<Change>, said: &[ResourceChange]) -> Vec<Change> {
    if changes.iter().any(|change| change.subject == Subject::Stack) {
        return changes;
    }
    for resource in said {
        let known = changes
            .iter_mut()
            .find(|change| matches!(&change.subject, Subject::Resource { id, .. } if *id == resource.id));
        match known {
            Some(change) => lay(change, resource),
            None if is_follow_on(resource) => {}
            None => changes.push(unforeseen(resource)),
        }
    }
    changes.sort_by(|a, b| b.action.cmp(&a.action).then_with(|| a.subject.cmp(&b.subject)));
    changes
}

fn lay(change: &mut Change, said: &ResourceChange) {
    let action = match (said.action, said.replacement) {
        (ResourceAction::Remove, _) => Action::Delete,
        (ResourceAction::Modify, Replacement::Yes) => Action::Replace,
        (ResourceAction::Modify | ResourceAction::Dynamic, Replacement::Conditional)
            if types::of(&said.resource_type).is_none() =>
        {
            Action::MaybeReplace
        }
        _ => change.action,
    };
    if action > change.action {
        change.action = action;
        change.notes.push(format!("CloudFormation says {}.", action.as_str()));
    }
    change.data = change.data.max(data(said));
}

/// What becomes of what a resource holds, by CloudFormation's word.
fn data(said: &ResourceChange) -> DataEffect {
    let holds = types::of(&said.resource_type).map(|known| known.holds);
    let Some(policy) = said.policy_action.as_deref().filter(|_| is_grave(said)) else {
        return DataEffect::None;
    };
    match (holds, policy) {
        (Some(Holds::Nothing) | None, _) => DataEffect::None,
        (Some(Holds::Data), "Delete" | "ReplaceAndDelete") => DataEffect::Lost,
        (Some(Holds::Arrivals), "Delete" | "ReplaceAndDelete") => DataEffect::ArrivalsDropped,
        _ => DataEffect::LeftBehind,
    }
}

fn is_grave(said: &ResourceChange) -> bool {
    said.action == ResourceAction::Remove || said.replacement == Replacement::Yes
}

/// A stack's tags go on to its resources, so that each is touched whenever the content hash changes; and with each, in
/// CloudFormation's eyes, whatever refers to it.
fn is_follow_on(said: &ResourceChange) -> bool {
    said.action == ResourceAction::Modify
        && said.replacement != Replacement::Yes
        && said.targets.iter().all(|target| target == "Tags")
}

/// A change that the two templates do not show: a value changes that this resource takes from elsewhere.
fn unforeseen(said: &ResourceChange) -> Change {
    let mut change = Change {
        subject: Subject::Resource {
            id: said.id.clone(),
            resource_type: said.resource_type.clone(),
        },
        action: match said.action {
            ResourceAction::Add | ResourceAction::Import => Action::Create,
            ResourceAction::Remove => Action::Delete,
            ResourceAction::Modify | ResourceAction::Dynamic => Action::Update,
        },
        properties: Vec::new(),
        data: DataEffect::None,
        because_of: None,
        notes: vec![format!(
            "The templates do not show this; CloudFormation names {}.",
            if said.targets.is_empty() {
                "no property".to_owned()
            } else {
                said.targets.join(", ")
            }
        )],
    };
    lay(&mut change, said);
    change
}

/// What CloudFormation will have to say of a change set that cannot be made yet, by our own reading of the templates.
pub fn promised(changes: &[Change], template: &Tree) -> Vec<ResourceChange> {
    let change = |id: &str, resource_type: &str, action, replacement| ResourceChange {
        id: id.to_owned(),
        resource_type: resource_type.to_owned(),
        action,
        replacement,
        policy_action: None,
        targets: Vec::new(),
    };
    let mut promised = Vec::new();
    for one in changes {
        match (&one.subject, one.action) {
            (Subject::Stack, Action::Create) => {
                let resources = template.get("Resources").map_or(&[][..], Tree::entries);
                promised.extend(resources.iter().map(|(id, resource)| {
                    let resource_type = resource.get("Type").and_then(Tree::as_text).unwrap_or_default();
                    change(id, resource_type, ResourceAction::Add, Replacement::No)
                }));
            }
            (Subject::Resource { id, resource_type }, action) => promised.push(match action {
                Action::Create => change(id, resource_type, ResourceAction::Add, Replacement::No),
                Action::Update => change(id, resource_type, ResourceAction::Modify, Replacement::No),
                Action::MaybeReplace | Action::Replace => {
                    change(id, resource_type, ResourceAction::Modify, Replacement::Yes)
                }
                Action::Delete => change(id, resource_type, ResourceAction::Remove, Replacement::No),
            }),
            _ => {}
        }
    }
    promised
}

/// In what a change set goes beyond what was promised, in one line each.
pub fn beyond(promised: &[ResourceChange], actual: &[ResourceChange]) -> Vec<String> {
    actual
        .iter()
        .filter_map(|said| {
            let promise = promised.iter().find(|promise| promise.id == said.id);
            let is_kept = match promise {
                // What exists already is taken in instead of created, when that was asked for.
                Some(promise) if promise.action == ResourceAction::Add => {
                    matches!(said.action, ResourceAction::Add | ResourceAction::Import)
                }
                Some(promise) if promise.replacement == Replacement::Yes => said.action != ResourceAction::Remove,
                Some(promise) => promise.action == said.action && said.replacement != Replacement::Yes,
                None => is_follow_on(said),
            };
            (!is_kept).then(|| {
                let what = match (said.action, said.replacement) {
                    (ResourceAction::Modify, Replacement::Yes) => "Replace",
                    (ResourceAction::Add, _) => "Add",
                    (ResourceAction::Remove, _) => "Remove",
                    (ResourceAction::Import, _) => "Import",
                    (ResourceAction::Modify | ResourceAction::Dynamic, _) => "Modify",
                };
                format!("{what} {} ({})", said.id, said.resource_type)
            })
        })
        .collect()
}

/// Resources that hold something, such as queues, buses, buckets and keys, and that these changes replace or delete: by
/// logical ID.
pub fn guarded(changes: &[Change]) -> BTreeSet<String> {
    changes
        .iter()
        .filter(|change| change.action >= Action::MaybeReplace)
        .filter_map(|change| match &change.subject {
            Subject::Resource { id, resource_type } => {
                let holds = types::of(resource_type).map(|known| known.holds);
                matches!(holds, Some(Holds::Data | Holds::Arrivals)).then(|| id.clone())
            }
            Subject::Stack | Subject::Section { .. } => None,
        })
        .collect()
}

/// Whether a person allowed the replacement or deletion of a resource: named by its logical ID, or as `<tenant>/<ID>`.
pub fn is_allowed(allowed: &BTreeSet<String>, short: &str, id: &str) -> bool {
    allowed.contains(id) || allowed.contains(&format!("{short}/{id}"))
}

/// The stack policy: what holds something is neither replaced nor deleted by an update, but for the resources of `allowed`.
/// JSON.
pub fn stack_policy(allowed: &[String]) -> String {
    let held: Vec<&str> = types::all()
        .filter(|known| known.holds != Holds::Nothing)
        .map(|known| known.name)
        .collect();
    let mut statements =
        vec![serde_json::json!({"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"})];
    let mut deny = serde_json::json!({
        "Effect": "Deny",
        "Action": ["Update:Replace", "Update:Delete"],
        "Principal": "*",
        "Condition": {"StringEquals": {"ResourceType": held}},
    });
    if allowed.is_empty() {
        deny["Resource"] = "*".into();
    } else {
        let named: Vec<String> = allowed.iter().map(|id| format!("LogicalResourceId/{id}")).collect();
        deny["NotResource"] = named.into();
    }
    statements.push(deny);
    serde_json::json!({ "Statement": statements }).to_string()
}
