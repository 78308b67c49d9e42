//! One template against another. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::deploy::diff::normal::{Normal, normal, shown};
use crate::deploy::diff::{Action, Change, DataEffect, PropertyChange, StackDiff, Subject, consequence, prune, types};
use crate::deploy::template;
use crate::deploy::tree::Tree;
use crate::deploy::yaml::Unreadable;

/// In bytes. A longer one is of no template that is deployed.
const LONGEST_PATH: usize = 1_000;

/// A template as it will be: its text, and on demand the whole of it as a tree.
pub struct After<'a> {
    pub text: &'a str,
    pub tree: &'a dyn Fn() -> Tree,
}

/// What changes in a stack; `None` when nothing does. The error is in `before`, at its own line.
pub fn compare(
    environment: &str,
    stack: &str,
    before: Option<&str>,
    after: Option<&After<'_>>,
) -> Result<Option<StackDiff>, Unreadable> {
    let mut changes = match (before, after) {
        (None, None) => Vec::new(),
        (None, Some(after)) => vec![consequence::of_creation(&(after.tree)())],
        (Some(before), None) => vec![consequence::of_deletion(&template::read(before)?)],
        (Some(before), Some(after)) if before == after.text => Vec::new(),
        (Some(before), Some(after)) => {
            let (old, new) = prune::pruned(before, after.text);
            // The place of an error counts in the file, not in what is left of it.
            let old = template::read(&old).or_else(|_| template::read(before))?;
            let new = template::read(&new).unwrap_or_else(|_| (after.tree)());
            let mut changes = sections(&old, &new);
            consequence::spread(&mut changes, after.tree);
            changes
        }
    };
    if changes.is_empty() {
        return Ok(None);
    }
    changes.sort_by(|a, b| b.action.cmp(&a.action).then_with(|| a.subject.cmp(&b.subject)));
    Ok(Some(StackDiff {
        environment: environment.to_owned(),
        stack: stack.to_owned(),
        changes,
    }))
}

/// Every section of both templates.
fn sections(before: &Tree, after: &Tree) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before_by_name, after_by_name) = (by_key(before), by_key(after));
    for name in keys(before, after) {
        let (old, new) = (before_by_name.get(name).copied(), after_by_name.get(name).copied());
        if name == "Resources" {
            let (old, new) = (old.unwrap_or(&Tree::Null), new.unwrap_or(&Tree::Null));
            let (old_by_id, new_by_id) = (by_key(old), by_key(new));
            changes.extend(
                keys(old, new)
                    .into_iter()
                    .filter_map(|id| resource(id, old_by_id.get(id).copied(), new_by_id.get(id).copied())),
            );
        } else {
            changes.extend(section(name, old, new));
        }
    }
    changes
}

fn keys<'t>(before: &'t Tree, after: &'t Tree) -> BTreeSet<&'t str> {
    let names = |tree: &'t Tree| tree.entries().iter().map(|(key, _)| key.as_str());
    names(before).chain(names(after)).collect()
}

/// Of a key that stands there twice, the first.
fn by_key(tree: &Tree) -> HashMap<&str, &Tree> {
    let entries = tree.entries().iter().rev();
    entries.map(|(key, value)| (key.as_str(), value)).collect()
}

fn section(name: &str, before: Option<&Tree>, after: Option<&Tree>) -> Option<Change> {
    // A section of which nothing is left to compare.
    let empty = |tree: &&Tree| !matches!(tree, Tree::Null);
    let (before, after) = (before.filter(empty), after.filter(empty));
    let none = Normal::Map(BTreeMap::new());
    let side = |tree: Option<&Tree>| match tree {
        Some(tree) => normal(tree, None),
        None => none.clone(),
    };
    let mut properties = Vec::new();
    differ(&side(before), &side(after), "", &mut properties);
    let mut change = Change {
        subject: Subject::Section { name: name.to_owned() },
        action: match (before, after) {
            (None, _) => Action::Create,
            (_, None) => Action::Delete,
            _ => Action::Update,
        },
        properties,
        data: DataEffect::None,
        because_of: None,
        notes: Vec::new(),
    };
    consequence::of_section(&mut change);
    (!change.properties.is_empty()).then_some(change)
}

fn resource(id: &str, before: Option<&Tree>, after: Option<&Tree>) -> Option<Change> {
    let kind_of = |tree: Option<&Tree>| {
        let kind = tree.and_then(|tree| tree.get("Type")).and_then(Tree::as_text);
        kind.unwrap_or("unknown").to_owned()
    };
    let resource_type = kind_of(after.or(before));
    let kind = types::of(&resource_type);
    let mut change = Change {
        subject: Subject::Resource {
            id: id.to_owned(),
            resource_type,
        },
        action: Action::Update,
        properties: Vec::new(),
        data: DataEffect::None,
        because_of: None,
        notes: Vec::new(),
    };
    match (before, after) {
        (None, _) => change.action = Action::Create,
        (Some(before), None) => {
            change.action = Action::Delete;
            consequence::of_removal(&mut change, before);
        }
        (Some(before), Some(after)) => {
            let (old, new) = (normal(before, kind), normal(after, kind));
            differ(&old, &new, "", &mut change.properties);
            if change.properties.is_empty() {
                return None;
            }
            consequence::of_update(&mut change, before, after);
        }
    }
    Some(change)
}

/// Notes each value that differs, at the highest place where one side has nothing.
fn differ(before: &Normal, after: &Normal, path: &str, changes: &mut Vec<PropertyChange>) {
    if before == after {
        return;
    }
    let mut note = |path: String, before: Option<&Normal>, after: Option<&Normal>| {
        changes.push(PropertyChange {
            path,
            before: before.map(shown),
            after: after.map(shown),
            replaces: false,
        });
    };
    match (before, after) {
        // What stands at such a place is told of as a whole, or all that stands below would repeat the place.
        _ if path.len() > LONGEST_PATH => note(path.to_owned(), Some(before), Some(after)),
        (Normal::Map(old), Normal::Map(new)) => {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                inside(old.get(key), new.get(key), joined(path, key), changes);
            }
        }
        (Normal::Named(old), Normal::Named(new)) => {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                inside(old.get(key), new.get(key), format!("{path}[{key}]"), changes);
            }
        }
        (Normal::Set(old), Normal::Set(new)) => {
            for (shown, item) in old {
                if !new.contains_key(shown) {
                    note(path.to_owned(), Some(item), None);
                }
            }
            for (shown, item) in new {
                if !old.contains_key(shown) {
                    note(path.to_owned(), None, Some(item));
                }
            }
        }
        (Normal::List(old), Normal::List(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                inside(Some(old), Some(new), format!("{path}[{index}]"), changes);
            }
        }
        _ => note(path.to_owned(), Some(before), Some(after)),
    }
}

fn inside(before: Option<&Normal>, after: Option<&Normal>, path: String, changes: &mut Vec<PropertyChange>) {
    match (before, after) {
        (Some(before), Some(after)) => differ(before, after, &path, changes),
        _ => changes.push(PropertyChange {
            path,
            before: before.map(shown),
            after: after.map(shown),
            replaces: false,
        }),
    }
}

fn joined(path: &str, key: &str) -> String {
    match (path, key) {
        ("" | "Properties", key) => key.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}
