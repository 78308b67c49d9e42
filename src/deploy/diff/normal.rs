//! The form in which templates are compared: what CloudFormation takes for the same is the same here. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::deploy::diff::types::ResourceType;
use crate::deploy::tree::Tree;

/// A value without what means nothing: the order of keys and of sets, `"10"` against `10`, short against long forms.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Normal {
    Scalar(String),
    List(Vec<Normal>),
    /// Of items without an order, by what is shown of each.
    Set(BTreeMap<String, Normal>),
    /// A list whose items have names, by name.
    Named(BTreeMap<String, Normal>),
    Map(BTreeMap<String, Normal>),
}

/// Lists of IAM's policy language whose order means nothing. A single value stands for a list of one. Source: IAM JSON
/// policy elements reference.
const POLICY_SETS: [&str; 9] = [
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Service",
    "AWS",
    "Federated",
    "CanonicalUser",
    "aws:PrincipalArn",
];

/// Lists whose order means nothing wherever they stand.
const SETS: [&str; 8] = [
    "DependsOn",
    "ManagedPolicyArns",
    "AlarmActions",
    "OKActions",
    "Subnets",
    "SecurityGroups",
    "CapacityProviders",
    "RequiresCompatibilities",
];

/// Lists whose items have names wherever they stand, and the key of the name.
const NAMED: [(&str, &str); 5] = [
    ("Tags", "Key"),
    ("Statement", "Sid"),
    ("Dimensions", "Name"),
    ("Environment", "Name"),
    ("Policies", "PolicyName"),
];

/// Values all of whose lists are sets: patterns that name what is let through. Source: EventBridge event patterns and SNS
/// subscription filter policies.
const PATTERNS: [&str; 3] = ["EventPattern", "FilterPolicy", "Condition"];

/// In bytes. No place that anything is known of has a longer name, so that the end of it does as well.
const LONGEST_PLACE: usize = 1_000;

/// The normal form of a resource, or of any other part of a template when it has no type that is known.
pub fn normal(tree: &Tree, kind: Option<&'static ResourceType>) -> Normal {
    let place = Place {
        kind,
        property: String::new(),
        is_pattern: false,
    };
    at(tree, &place)
}

/// Where a value stands.
struct Place {
    kind: Option<&'static ResourceType>,
    /// Keys from `Properties` on, joined by dots; `*` for the items of a list.
    property: String,
    is_pattern: bool,
}

impl Place {
    fn key(&self) -> &str {
        self.property.rsplit('.').next().unwrap_or_default()
    }

    fn inside(&self, key: &str) -> Self {
        let property = match (self.property.as_str(), key) {
            ("", "Properties") => String::new(),
            ("", key) => key.to_owned(),
            (outer, key) if outer.len() > LONGEST_PLACE => key.to_owned(),
            (outer, key) => format!("{outer}.{key}"),
        };
        Self {
            kind: self.kind,
            property,
            is_pattern: self.is_pattern || PATTERNS.contains(&key),
        }
    }

    fn is_set(&self) -> bool {
        self.is_pattern
            || POLICY_SETS.contains(&self.key())
            || SETS.contains(&self.key())
            || self
                .kind
                .is_some_and(|kind| kind.sets.contains(&self.property.as_str()))
    }

    fn name_key(&self) -> Option<&'static str> {
        let of_kind = self.kind.and_then(|kind| {
            let named = kind.keyed.iter().find(|(path, _)| *path == self.property);
            named.map(|(_, key)| *key)
        });
        let anywhere = || NAMED.iter().find(|(list, _)| *list == self.key()).map(|(_, key)| *key);
        of_kind.or_else(anywhere)
    }
}

fn at(tree: &Tree, place: &Place) -> Normal {
    match tree {
        Tree::Null => Normal::Scalar("null".to_owned()),
        Tree::Bool(value) => one(Normal::Scalar(value.to_string()), place),
        Tree::Int(value) => one(Normal::Scalar(value.to_string()), place),
        Tree::Text(value) => one(Normal::Scalar(value.clone()), place),
        Tree::List(items) => list(items, place),
        // A policy may have one statement without a list around it.
        Tree::Map(_) if place.key() == "Statement" => list(std::slice::from_ref(tree), place),
        Tree::Map(entries) => match function_call(entries) {
            Some(call) => one(call, place),
            None => map(entries, place),
        },
    }
}

fn map(entries: &[(String, Tree)], place: &Place) -> Normal {
    let entry = |(key, value): &(String, Tree)| (key.clone(), at(value, &place.inside(key)));
    Normal::Map(entries.iter().map(entry).collect())
}

/// A call of an intrinsic function in its simplest form. The order of its arguments counts, wherever it stands.
fn function_call(entries: &[(String, Tree)]) -> Option<Normal> {
    let [(function, argument)] = entries else { return None };
    if function != "Ref" && function != "Condition" && !function.starts_with("Fn::") {
        return None;
    }
    intrinsic(entries).or_else(|| {
        // A policy's `Condition` is a map of operators.
        let is_call = function != "Condition" || matches!(argument, Tree::Text(_));
        is_call.then(|| Normal::Map(BTreeMap::from([(function.clone(), normal(argument, None))])))
    })
}

/// A single value where a list of one means the same.
fn one(value: Normal, place: &Place) -> Normal {
    let takes_both = POLICY_SETS.contains(&place.key()) || place.key() == "DependsOn";
    if takes_both || (place.is_pattern && is_condition_value(place)) {
        set(vec![value])
    } else {
        value
    }
}

/// Condition values of a policy: `Condition.<operator>.<key>`.
fn is_condition_value(place: &Place) -> bool {
    let mut parts = place.property.rsplit('.');
    parts.nth(2) == Some("Condition")
}

fn list(items: &[Tree], place: &Place) -> Normal {
    let inner = place.inside("*");
    let normal: Vec<Normal> = items.iter().map(|item| at(item, &inner)).collect();
    if let Some(key) = place.name_key()
        && let Some(named) = named(&normal, key)
    {
        return Normal::Named(named);
    }
    // Statements without names have no order either.
    if place.is_set() || place.key() == "Statement" {
        return set(normal);
    }
    Normal::List(normal)
}

/// Items by the scalar under their key; `None` when one has none, or two have the same.
fn named(items: &[Normal], key: &str) -> Option<BTreeMap<String, Normal>> {
    let mut found = BTreeMap::new();
    for item in items {
        let Normal::Map(entries) = item else { return None };
        let Normal::Scalar(name) = entries.get(key)? else {
            return None;
        };
        if found.insert(name.clone(), item.clone()).is_some() {
            return None;
        }
    }
    Some(found)
}

fn set(items: Vec<Normal>) -> Normal {
    Normal::Set(items.into_iter().map(|item| (shown(&item), item)).collect())
}

/// Forms of an intrinsic function that mean the same as a simpler one.
fn intrinsic(entries: &[(String, Tree)]) -> Option<Normal> {
    let [(function, argument)] = entries else { return None };
    let map = |value: Normal| Some(Normal::Map(BTreeMap::from([(function.clone(), value)])));
    match (function.as_str(), argument) {
        ("Fn::GetAtt", Tree::Text(text)) => {
            let (resource, attribute) = text.split_once('.')?;
            let parts = [resource, attribute].map(|part| Normal::Scalar(part.to_owned()));
            map(Normal::List(parts.to_vec()))
        }
        ("Fn::Sub", Tree::Text(text)) if !text.contains("${") => Some(Normal::Scalar(text.clone())),
        ("Fn::Sub", Tree::List(items)) => match &items[..] {
            [text @ Tree::Text(_), Tree::Map(variables)] if variables.is_empty() => {
                let alone = [(function.clone(), text.clone())];
                intrinsic(&alone).or_else(|| map(Normal::Scalar(text.as_text()?.to_owned())))
            }
            _ => None,
        },
        ("Fn::Join", Tree::List(items)) => match &items[..] {
            [Tree::Text(separator), Tree::List(parts)] => {
                let texts: Option<Vec<&str>> = parts.iter().map(Tree::as_text).collect();
                Some(Normal::Scalar(texts?.join(separator)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A value in one line, functions in their short form.
pub fn shown(value: &Normal) -> String {
    let mut text = String::new();
    show(value, &mut text);
    text
}

fn show(value: &Normal, out: &mut String) {
    match value {
        Normal::Scalar(text) => scalar(text, out),
        Normal::List(items) => sequence(items.iter(), out),
        Normal::Set(items) | Normal::Named(items) => sequence(items.values(), out),
        Normal::Map(entries) => {
            if let Some((name, argument)) = function(entries) {
                let _ = write!(out, "!{name} ");
                return match (name, argument) {
                    ("GetAtt", Normal::List(parts)) => {
                        let parts: Vec<String> = parts.iter().map(shown).collect();
                        out.push_str(&parts.join("."));
                    }
                    _ => show(argument, out),
                };
            }
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                scalar(key, out);
                out.push_str(": ");
                show(value, out);
            }
            out.push('}');
        }
    }
}

fn function(entries: &BTreeMap<String, Normal>) -> Option<(&str, &Normal)> {
    let (key, argument) = entries.iter().next().filter(|_| entries.len() == 1)?;
    let name = match key.as_str() {
        "Ref" => "Ref",
        other => other.strip_prefix("Fn::")?,
    };
    Some((name, argument))
}

fn sequence<'v>(items: impl Iterator<Item = &'v Normal>, out: &mut String) {
    out.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        show(item, out);
    }
    out.push(']');
}

/// A text as it is, in quotes where a comma, a bracket or a line break would confuse a reader.
fn scalar(text: &str, out: &mut String) {
    let is_plain = !text.is_empty()
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.chars().any(|c| c.is_control() || "[]{},\"".contains(c));
    if is_plain {
        out.push_str(text);
    } else {
        let _ = write!(out, "{text:?}");
    }
}
