//! What the values of a template refer to, and the texts that they become. Pure. Only the long forms of intrinsic
//! functions are known (`Ref`, `Fn::...`), as the renderer writes them. Must not live here: what a resource is.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

/// No property of a resource takes more.
const LONGEST_TEXT: usize = 1 << 16;

/// What an intrinsic function asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    /// A resource's own identity, a parameter or a pseudo parameter.
    Name(&'a str),
    Attribute(&'a str, &'a str),
    Import(&'a str),
}

/// That a value changes with a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mention {
    /// The logical ID, or a parameter.
    pub target: String,
    /// Whether an attribute is meant, which may change without the resource being replaced.
    pub is_attribute: bool,
}

/// Answers references; `None` when one has no value yet.
pub(super) type Scope<'a> = &'a dyn Fn(Reference<'_>) -> Option<String>;

/// The text that a value becomes; `None` for a list, an object, and what `scope` does not answer.
pub(super) fn text(value: &Value, scope: Scope<'_>) -> Option<String> {
    let fields = match value {
        Value::String(text) => return Some(text.clone()),
        Value::Number(number) => return Some(number.to_string()),
        Value::Bool(is) => return Some(is.to_string()),
        Value::Object(fields) => fields,
        Value::Null | Value::Array(_) => return None,
    };
    match intrinsic(fields)? {
        ("Ref", argument) => scope(Reference::Name(argument.as_str()?)),
        ("Fn::GetAtt", argument) => {
            let (target, attribute) = attribute_of(argument)?;
            scope(Reference::Attribute(target, attribute))
        }
        ("Fn::ImportValue", argument) => scope(Reference::Import(&text(argument, scope)?)),
        ("Fn::Sub", Value::Array(parts)) => {
            let variables = parts.get(1)?.as_object()?;
            substituted(parts.first()?.as_str()?, variables, scope)
        }
        ("Fn::Sub", argument) => substituted(argument.as_str()?, &Map::new(), scope),
        ("Fn::Join", Value::Array(parts)) => {
            let items = parts.get(1)?.as_array()?.iter();
            let texts: Option<Vec<_>> = items.map(|item| text(item, scope)).collect();
            Some(texts?.join(parts.first()?.as_str()?))
        }
        _ => None,
    }
}

/// Collects what a value refers to in its own template.
pub(super) fn mentions(value: &Value, found: &mut BTreeSet<Mention>) {
    visit(value, &mut |name, argument| {
        let mut add = |target: &str, is_attribute| {
            found.insert(Mention {
                target: target.to_owned(),
                is_attribute,
            });
        };
        match (name, argument) {
            ("Ref", Value::String(target)) => add(target, false),
            ("Fn::GetAtt", argument) => {
                if let Some((target, _)) = attribute_of(argument) {
                    add(target, true);
                }
            }
            ("Fn::Sub", argument) => {
                let variables = argument.get(1).and_then(Value::as_object);
                for hole in holes(argument.get(0).unwrap_or(argument).as_str().unwrap_or_default()) {
                    match hole.split_once('.') {
                        _ if variables.is_some_and(|variables| variables.contains_key(hole)) => {}
                        Some((target, _)) => add(target, true),
                        None => add(hole, false),
                    }
                }
            }
            _ => {}
        }
    });
}

/// Collects the names of exports that a value imports.
pub(super) fn imports(value: &Value, scope: Scope<'_>, found: &mut BTreeSet<String>) {
    visit(value, &mut |name, argument| {
        if name == "Fn::ImportValue" {
            found.extend(text(argument, scope));
        }
    });
}

/// Calls `on` with every intrinsic function, those in the arguments of others too.
fn visit(value: &Value, on: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, on)),
        Value::Object(fields) => {
            if let Some((name, argument)) = intrinsic(fields) {
                on(name, argument);
            }
            fields.values().for_each(|field| visit(field, on));
        }
        _ => {}
    }
}

fn intrinsic(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = fields.iter().next().filter(|_| fields.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name, argument))
}

/// `[Resource, Attribute]` or `Resource.Attribute`.
fn attribute_of(argument: &Value) -> Option<(&str, &str)> {
    match argument {
        Value::String(text) => text.split_once('.'),
        _ => Some((argument.get(0)?.as_str()?, argument.get(1)?.as_str()?)),
    }
}

/// What stands between `${` and `}`, but for `${!Literal}`.
fn holes(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split("${").skip(1);
    let names = after.filter_map(|rest| Some(rest.split_once('}')?.0.trim()));
    names.filter(|name| !name.starts_with('!'))
}

fn substituted(pattern: &str, variables: &Map<String, Value>, scope: Scope<'_>) -> Option<String> {
    let mut result = String::with_capacity(pattern.len());
    let mut known: HashMap<&str, String> = HashMap::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        if result.len() > LONGEST_TEXT {
            return None;
        }
        let (name, tail) = after.split_once('}')?;
        let name = name.trim();
        result.push_str(before);
        match (name.strip_prefix('!'), variables.get(name), name.split_once('.')) {
            (Some(literal), ..) => result.extend(["${", literal, "}"]),
            (_, Some(value), _) => {
                let text = match known.remove(name) {
                    Some(text) => text,
                    None => text(value, scope)?,
                };
                result.push_str(&text);
                known.insert(name, text);
            }
            (.., Some((target, attribute))) => result.push_str(&scope(Reference::Attribute(target, attribute))?),
            _ => result.push_str(&scope(Reference::Name(name))?),
        }
        rest = tail;
    }
    result.push_str(rest);
    Some(result)
}
