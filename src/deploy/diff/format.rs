//! A fleet's changes as people and machines read them: one format a file. Pure.

pub mod html;
pub mod json;
pub mod markdown;
pub mod text;

use std::fmt::Write as _;

use crate::deploy::diff::fleet::{Group, Summary};
use crate::deploy::diff::{Change, PropertyChange, Subject};
use crate::deploy::wording::{number, plural, printable, some_of};

/// `12 of 10,000 stacks change: …`
fn headline(summary: &Summary) -> String {
    if summary.changed == 0 {
        return format!("No change in {}.", stacks(summary.stacks));
    }
    let mut text = format!("{} of {} change", number(summary.changed), stacks(summary.stacks));
    let parts: Vec<String> = [(summary.created, "created"), (summary.deleted, "deleted")]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", number(*count)))
        .collect();
    if !parts.is_empty() {
        let _ = write!(text, " ({})", parts.join(", "));
    }
    let alike = if summary.groups == 1 {
        "all alike".to_owned()
    } else {
        format!("in {} different ways", number(summary.groups))
    };
    text + &format!(", {alike}.")
}

/// What a reviewer must not overlook.
fn warnings(summary: &Summary) -> Vec<String> {
    let mut warnings = Vec::new();
    if summary.losing > 0 {
        warnings.push(format!("{} would lose data or drop events.", changes(summary.losing)));
    }
    if summary.replaced > 0 {
        warnings.push(format!("{} would be replaced.", resources(summary.replaced)));
    }
    if summary.removed > 0 {
        warnings.push(format!(
            "{} would be deleted from stacks that stay.",
            resources(summary.removed)
        ));
    }
    warnings
}

fn stacks(count: usize) -> String {
    plural(count, "stack")
}

fn changes(count: usize) -> String {
    plural(count, "change")
}

fn resources(count: usize) -> String {
    plural(count, "resource")
}

/// The stacks of a group: all of a few, a few of many.
fn names(group: &Group, most: usize) -> String {
    printable(&some_of(group.stacks.iter().map(String::as_str), most))
}

/// `Replace EventQueue (AWS::SQS::Queue)`, on one line whatever a template calls its resources.
fn title(change: &Change) -> String {
    let action = change.action.as_str();
    let title = match &change.subject {
        Subject::Stack => format!("{action} the stack"),
        Subject::Resource { id, resource_type } => format!("{action} {id} ({resource_type})"),
        Subject::Section { name } => format!("{action} {name}"),
    };
    printable(&title)
}

/// A change's lines of prose: why it is replaced, what is lost, and notes.
fn remarks(change: &Change) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(cause) = &change.because_of {
        remarks.push(format!("Because {cause} is replaced."));
    }
    // What a note tells at length need not be told again.
    if change.subject != Subject::Stack {
        remarks.extend(change.data.sentence().map(str::to_owned));
    }
    remarks.extend(change.notes.iter().cloned());
    remarks.iter().map(|remark| printable(remark)).collect()
}

/// A property's change in lines that begin with `-`, `+` or `~`.
fn property_line(property: &PropertyChange) -> (char, String) {
    let replaces = if property.replaces { "  (replaces)" } else { "" };
    let path = printable(&property.path);
    let value = |value: &Option<String>| printable(value.as_deref().unwrap_or_default());
    match (&property.before, &property.after) {
        (None, _) => ('+', format!("{path}: {}{replaces}", value(&property.after))),
        (_, None) => ('-', format!("{path}: {}{replaces}", value(&property.before))),
        _ => (
            '~',
            format!(
                "{path}: {} -> {}{replaces}",
                value(&property.before),
                value(&property.after)
            ),
        ),
    }
}
