//! What CloudFormation makes of a change: whether it replaces the resource, what goes along, and what is lost. Pure.
//!
//! Sources: the create-only properties of the resource provider schemas (`types`), and CloudFormation's documentation of
//! `DeletionPolicy`, `UpdateReplacePolicy` and of custom names.

use std::collections::BTreeSet;

use crate::deploy::diff::types::{self, Holds, ResourceType};
use crate::deploy::diff::{Action, Change, DataEffect, Subject};
use crate::deploy::tree::Tree;

/// Attributes of a resource beside its properties: to change them touches no resource.
const ATTRIBUTES: [&str; 6] = [
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "DependsOn",
    "CreationPolicy",
    "UpdatePolicy",
];

/// Lower values of these delete what is older at once: type, property, and whether 0 or nothing means forever.
const RETENTIONS: [(&str, &str, bool); 3] = [
    ("AWS::SQS::Queue", "MessageRetentionPeriod", false),
    ("AWS::Logs::LogGroup", "RetentionInDays", true),
    ("AWS::Events::Archive", "RetentionDays", true),
];

/// A whole stack comes.
pub fn of_creation(template: &Tree) -> Change {
    let resources = template
        .get("Resources")
        .map_or(0, |resources| resources.entries().len());
    Change {
        subject: Subject::Stack,
        action: Action::Create,
        properties: Vec::new(),
        data: DataEffect::None,
        because_of: None,
        notes: vec![format!("{resources} resources")],
    }
}

/// A whole stack goes.
pub fn of_deletion(template: &Tree) -> Change {
    let resources = template.get("Resources").map_or(&[][..], Tree::entries);
    let mut change = Change {
        subject: Subject::Stack,
        action: Action::Delete,
        properties: Vec::new(),
        data: DataEffect::None,
        because_of: None,
        notes: vec![format!("{} resources", resources.len())],
    };
    for (id, resource) in resources {
        let effect = removed(resource);
        change.data = change.data.max(effect);
        if let Some(sentence) = effect.sentence() {
            change.notes.push(format!("{id}: {sentence}"));
        }
    }
    change
}

/// A resource goes.
pub fn of_removal(change: &mut Change, before: &Tree) {
    change.data = removed(before);
}

fn removed(resource: &Tree) -> DataEffect {
    effect(kind_of(resource), policy(resource, "DeletionPolicy"))
}

fn kind_of(resource: &Tree) -> Option<&'static ResourceType> {
    resource.get("Type").and_then(Tree::as_text).and_then(types::of)
}

fn policy<'t>(resource: &'t Tree, name: &str) -> Option<&'t str> {
    resource.get(name).and_then(Tree::as_text)
}

fn effect(kind: Option<&ResourceType>, policy: Option<&str>) -> DataEffect {
    let is_kept = matches!(policy, Some("Retain" | "RetainExceptOnCreate" | "Snapshot"));
    match kind.map(|kind| kind.holds) {
        Some(Holds::Data) if is_kept => DataEffect::LeftBehind,
        Some(Holds::Data) => DataEffect::Lost,
        Some(Holds::Arrivals) if !is_kept => DataEffect::ArrivalsDropped,
        Some(Holds::Arrivals) => DataEffect::LeftBehind,
        Some(Holds::Nothing) | None => DataEffect::None,
    }
}

/// A resource changes.
pub fn of_update(change: &mut Change, before: &Tree, after: &Tree) {
    let Subject::Resource { resource_type, .. } = &change.subject else {
        return;
    };
    if before.get("Type") != after.get("Type") {
        change.action = Action::Replace;
        change
            .notes
            .push("CloudFormation changes no resource's type; give it another logical ID.".to_owned());
        change.data = removed(before);
        return;
    }
    let kind = types::of(resource_type);
    if kind.is_none() {
        change
            .notes
            .push("It is not known here which of its properties replace this type.".to_owned());
    }
    for property in &mut change.properties {
        let path = plain_path(&property.path);
        let is_in = |paths: &[&str]| paths.iter().any(|other| covers(other, &path) || covers(&path, other));
        let Some(kind) = kind.filter(|_| !ATTRIBUTES.contains(&first(&path))) else {
            continue;
        };
        if is_in(kind.create_only) {
            property.replaces = true;
            change.action = Action::Replace;
        } else if is_in(kind.maybe_create_only) {
            property.replaces = true;
            change.action = change.action.max(Action::MaybeReplace);
        } else if is_in(kind.refused) {
            change.notes.push(format!(
                "CloudFormation tries to change {path} in place, and the service refuses it; give the resource another logical ID."
            ));
        }
    }
    if change.action >= Action::MaybeReplace {
        replaced(change, kind, Some(before), after);
    }
    shortened(change, before, after);
    if change
        .properties
        .iter()
        .all(|property| ATTRIBUTES.contains(&first(&property.path)))
    {
        change.notes.push("No resource is touched.".to_owned());
    }
}

/// What a replacement brings besides.
fn replaced(change: &mut Change, kind: Option<&ResourceType>, before: Option<&Tree>, after: &Tree) {
    change.data = change.data.max(effect(kind, policy(after, "UpdateReplacePolicy")));
    let Some(name) = kind.and_then(|kind| kind.identifier) else {
        return;
    };
    let named = |tree: &Tree| tree.at(&["Properties", name]).cloned();
    let is_kept = named(after).is_some() && before.is_none_or(|before| named(before) == named(after));
    if is_kept {
        change.notes.push(format!(
            "CloudFormation refuses this: a resource that keeps its custom name cannot be replaced. Change {name} too."
        ));
    }
}

/// Notes that what is older than the new retention goes.
fn shortened(change: &mut Change, before: &Tree, after: &Tree) {
    let Subject::Resource { resource_type, .. } = &change.subject else {
        return;
    };
    for (kind, property, has_forever) in RETENTIONS {
        let days = |tree: &Tree| match tree.at(&["Properties", property]) {
            Some(Tree::Int(0)) | None if has_forever => Some(i64::MAX),
            Some(Tree::Int(number)) => Some(*number),
            Some(Tree::Text(text)) => text.parse().ok(),
            _ => None,
        };
        if kind == resource_type
            && let (Some(old), Some(new)) = (days(before), days(after))
            && new < old
        {
            change.data = DataEffect::Lost;
            change
                .notes
                .push(format!("What is older than the new {property} is deleted."));
        }
    }
}

/// `Targets[events].Arn` is `Targets.*.Arn`.
fn plain_path(path: &str) -> String {
    let mut plain = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        plain.push_str(".*");
        rest = after.split_once(']').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

fn first(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default()
}

fn covers(outer: &str, inner: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A change of a section that is no resource.
pub fn of_section(change: &mut Change) {
    if change.subject.name() != "Outputs" {
        return;
    }
    let is_export = |path: &str| path.contains(".Export") || path.contains(".Value") || !path.contains('.');
    if change
        .properties
        .iter()
        .any(|property| property.before.is_some() && is_export(&property.path))
    {
        change
            .notes
            .push("CloudFormation refuses to change or remove an export while another stack imports it.".to_owned());
    }
}

/// Adds what a replaced resource takes along: those that are created from its name, and those that are told its new one.
pub fn spread(changes: &mut Vec<Change>, template: &dyn Fn() -> Tree) {
    let id_of = |change: &Change| match (&change.subject, change.action) {
        (Subject::Resource { id, .. }, Action::Replace | Action::MaybeReplace) => Some(id.clone()),
        _ => None,
    };
    let mut replaced: Vec<String> = changes.iter().filter_map(id_of).collect();
    if replaced.is_empty() {
        return;
    }
    let template = template();
    let resources = template.get("Resources").map_or(&[][..], Tree::entries);
    let mut next = 0;
    while let Some(cause) = replaced.get(next).cloned() {
        next += 1;
        for (id, resource) in resources.iter().filter(|(id, _)| *id != cause) {
            let Some(mut change) = carried(id, resource, &cause) else {
                continue;
            };
            let known = changes.iter_mut().find(|known| known.subject.name() == id);
            let was_replaced = known.as_ref().is_some_and(|known| known.action >= Action::MaybeReplace);
            if change.action >= Action::MaybeReplace && !was_replaced {
                replaced.push(id.clone());
            }
            match known {
                Some(known) if known.action < change.action && known.action != Action::Create => {
                    known.action = change.action;
                    known.data = known.data.max(change.data);
                    known.because_of = change.because_of;
                    known.notes.append(&mut change.notes);
                }
                Some(_) => {}
                None => changes.push(change),
            }
        }
    }
    let exports: BTreeSet<&str> = template
        .get("Outputs")
        .map_or(&[][..], Tree::entries)
        .iter()
        .filter(|(_, output)| output.get("Export").is_some() && replaced.iter().any(|id| refers(output, id)))
        .map(|(name, _)| name.as_str())
        .collect();
    if !exports.is_empty()
        && let Some(change) = changes.iter_mut().find(|change| id_of(change).is_some())
    {
        let names: Vec<&str> = exports.into_iter().collect();
        change.notes.push(format!(
            "Changes the exports {}, which CloudFormation refuses while another stack imports them.",
            names.join(", ")
        ));
    }
}

/// What becomes of a resource that refers to a replaced one.
fn carried(id: &str, resource: &Tree, cause: &str) -> Option<Change> {
    let properties = resource.get("Properties")?;
    let kind = kind_of(resource);
    let told: Vec<&String> = properties
        .entries()
        .iter()
        .filter(|(_, value)| refers(value, cause))
        .map(|(name, _)| name)
        .collect();
    if told.is_empty() {
        return None;
    }
    let is_told = |paths: &[&str]| {
        told.iter()
            .any(|name| paths.iter().any(|path| first(path) == name.as_str()))
    };
    let action = match kind {
        Some(kind) if is_told(kind.create_only) => Action::Replace,
        Some(kind) if is_told(kind.maybe_create_only) => Action::MaybeReplace,
        _ => Action::Update,
    };
    let mut change = Change {
        subject: Subject::Resource {
            id: id.to_owned(),
            resource_type: resource
                .get("Type")
                .and_then(Tree::as_text)
                .unwrap_or("unknown")
                .to_owned(),
        },
        action,
        properties: Vec::new(),
        data: DataEffect::None,
        because_of: Some(cause.to_owned()),
        notes: Vec::new(),
    };
    if action >= Action::MaybeReplace {
        replaced(&mut change, kind, None, resource);
    }
    Some(change)
}

/// Whether a value has a reference to a resource in it.
fn refers(tree: &Tree, id: &str) -> bool {
    match tree {
        Tree::Map(entries) => entries.iter().any(|(key, value)| match (key.as_str(), value) {
            ("Ref", Tree::Text(name)) => name == id,
            ("Fn::GetAtt", Tree::List(parts)) => parts.first().and_then(Tree::as_text) == Some(id),
            ("Fn::GetAtt", Tree::Text(text)) => covers(id, text),
            ("Fn::Sub", Tree::Text(text)) => substitutes(text, id),
            ("Fn::Sub", Tree::List(parts)) => {
                parts
                    .first()
                    .and_then(Tree::as_text)
                    .is_some_and(|text| substitutes(text, id))
                    || parts.get(1).is_some_and(|variables| refers(variables, id))
            }
            _ => refers(value, id),
        }),
        Tree::List(items) => items.iter().any(|item| refers(item, id)),
        _ => false,
    }
}

fn substitutes(text: &str, id: &str) -> bool {
    text.split("${")
        .skip(1)
        .filter_map(|part| part.split_once('}'))
        .any(|(name, _)| covers(id, name))
}
