//! Changes of a whole fleet: the same change in many stacks is one group. Pure.

use std::collections::HashMap;

use serde::Serialize;

use crate::deploy::diff::{Action, Change, DataEffect, StackDiff};
use crate::model::name::TenantId;
use crate::model::stack::StackSpec;

/// What changes in the stacks of one or more environments.
#[derive(Debug, Default)]
pub struct Fleet {
    groups: Vec<Group>,
    /// The groups' places, by their general change.
    known: HashMap<Change, usize>,
    compared: usize,
    changed: usize,
}

/// A change, and the stacks in which it is the same but for a stack's own names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// With `<tenant>` and the like in place of each stack's own names, where these differ.
    pub change: Change,
    /// As `<environment>/<stack>`, in order.
    pub stacks: Vec<String>,
}

/// How many stacks there are of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub stacks: usize,
    pub changed: usize,
    pub created: usize,
    pub deleted: usize,
    /// Groups of identical changes.
    pub groups: usize,
    /// Replaced or deleted resources, over all stacks.
    pub replaced: usize,
    pub removed: usize,
    /// Changes by which data is lost or events are dropped, over all stacks.
    pub losing: usize,
}

/// A stack's own names, the longest first, with what stands for each.
pub type OwnNames = Vec<(String, &'static str)>;

/// The names that a stack alone has.
pub fn own_names(stack: &StackSpec) -> OwnNames {
    own_names_of(stack.name.as_str(), stack.tenant.as_ref().map(TenantId::as_str))
}

/// The same for a stack that is known by name.
pub fn own_names_of(stack: &str, tenant: Option<&str>) -> OwnNames {
    let Some(tenant) = tenant else {
        return OwnNames::new();
    };
    let mut names = vec![
        (stack.to_owned(), "<stack>"),
        (tenant.replace('-', "_"), "<tenant>"),
        (tenant.to_owned(), "<tenant>"),
    ];
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
}

impl Fleet {
    /// Counts a stack, and what changes in it.
    pub fn add(&mut self, diff: Option<StackDiff>, own_names: &OwnNames) {
        self.compared += 1;
        let Some(diff) = diff else { return };
        self.changed += 1;
        let name = format!("{}/{}", diff.environment, diff.stack);
        for change in diff.changes {
            let general = general(&change, own_names);
            if let Some(index) = self.known.get(&general) {
                let group = &mut self.groups[*index];
                if group.change != change {
                    group.change = general;
                }
                group.stacks.push(name.clone());
            } else {
                self.known.insert(general, self.groups.len());
                self.groups.push(Group {
                    change,
                    stacks: vec![name.clone()],
                });
            }
        }
    }

    /// Those in the fewest stacks first; among these the gravest first.
    pub fn outliers_first(&self) -> Vec<&Group> {
        let mut groups: Vec<&Group> = self.groups.iter().collect();
        groups.sort_by(|a, b| {
            let gravity = |group: &Group| (group.change.data, group.change.action);
            let by_size = a.stacks.len().cmp(&b.stacks.len());
            by_size
                .then_with(|| gravity(b).cmp(&gravity(a)))
                .then_with(|| a.change.subject.cmp(&b.change.subject))
        });
        groups
    }

    /// Those in the most stacks first; among these the gravest first.
    pub fn largest_first(&self) -> Vec<&Group> {
        let mut groups = self.outliers_first();
        // Stable, so that the gravest stay first among groups of one size.
        groups.sort_by_key(|group| std::cmp::Reverse(group.stacks.len()));
        groups
    }

    pub fn summary(&self) -> Summary {
        let count = |is_meant: &dyn Fn(&Change) -> bool| {
            let meant = self.groups.iter().filter(|group| is_meant(&group.change));
            meant.map(|group| group.stacks.len()).sum()
        };
        let is_stack = |change: &Change| change.subject == super::Subject::Stack;
        Summary {
            stacks: self.compared,
            changed: self.changed,
            created: count(&|change| is_stack(change) && change.action == Action::Create),
            deleted: count(&|change| is_stack(change) && change.action == Action::Delete),
            groups: self.groups.len(),
            replaced: count(&|change| matches!(change.action, Action::Replace | Action::MaybeReplace)),
            removed: count(&|change| !is_stack(change) && change.action == Action::Delete),
            losing: count(&|change| change.data >= DataEffect::ArrivalsDropped),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// The change without a stack's own names.
fn general(change: &Change, own_names: &OwnNames) -> Change {
    let mut change = change.clone();
    let rewrite = |text: &mut String| *text = generalised(text, own_names);
    for property in &mut change.properties {
        rewrite(&mut property.path);
        property.before.iter_mut().for_each(rewrite);
        property.after.iter_mut().for_each(rewrite);
    }
    change.notes.iter_mut().for_each(rewrite);
    change
}

/// A text with what stands for a stack's own names in their place.
pub fn generalised(text: &str, own_names: &OwnNames) -> String {
    let mut general = text.to_owned();
    for (name, stands_for) in own_names {
        if general.contains(name.as_str()) {
            general = replaced(&general, name, stands_for);
        }
    }
    general
}

/// Replaces a name where it stands for itself, and not as a part of a longer word.
fn replaced(text: &str, name: &str, stands_for: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at);
        let after = &from[name.len()..];
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let last = before.chars().next_back().or_else(|| out.chars().next_back());
        out.push_str(before);
        out.push_str(if is_word(last) || is_word(after.chars().next()) {
            name
        } else {
            stands_for
        });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::diff::{PropertyChange, Subject};

    fn diff(stack: &str, value: &str) -> StackDiff {
        StackDiff {
            environment: "test".to_owned(),
            stack: stack.to_owned(),
            changes: vec![Change {
                subject: Subject::Stack,
                action: Action::Update,
                properties: vec![PropertyChange {
                    path: "Name".to_owned(),
                    before: None,
                    after: Some(value.to_owned()),
                    replaces: false,
                }],
                data: DataEffect::None,
                because_of: None,
                notes: Vec::new(),
            }],
        }
    }

    #[test]
    fn the_same_change_but_for_own_names_is_one_group() {
        let mut fleet = Fleet::default();
        for stack in ["acme", "globex"] {
            let own = vec![(stack.to_owned(), "<tenant>")];
            fleet.add(Some(diff(stack, &format!("oort-{stack}-queue"))), &own);
        }
        fleet.add(Some(diff("log", "oort-other")), &vec![("log".to_owned(), "<tenant>")]);
        fleet.add(None, &Vec::new());
        let groups = fleet.outliers_first();
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].stacks, ["test/log"]);
        assert_eq!(groups[1].stacks, ["test/acme", "test/globex"]);
        assert_eq!(
            groups[1].change.properties[0].after.as_deref(),
            Some("oort-<tenant>-queue")
        );
        let summary = fleet.summary();
        assert_eq!((summary.stacks, summary.changed, summary.groups), (4, 3, 2));
    }

    #[test]
    fn a_name_is_replaced_as_a_word_only() {
        assert_eq!(
            replaced("aws:logs log-log blog log", "log", "<t>"),
            "aws:logs <t>-<t> blog <t>"
        );
    }
}
