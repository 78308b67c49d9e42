//! Event patterns as EventBridge and SNS know them, matched by the `quamina` library. Pure.
//!
//! What the library does not know, or takes in another sense than EventBridge, is refused when the pattern is read, so
//! that no event is let through here that AWS would hold back, or the other way round. Syntax: EventBridge user guide,
//! "Comparison operators for use in event patterns".

use std::net::IpAddr;

use quamina::Quamina;
use serde_json::{Map, Value};

/// EventBridge's own limit to what `$or` multiplies out to.
const ALTERNATIVES: usize = 1_000;
/// What a pattern's alternatives take together as JSON: far more than AWS takes, and what fits in memory many times.
const MOST_BYTES: usize = 1 << 20;
/// The library (0.7.0) takes 0 for above 0 and texts for below 5, and compares values where AWS compares spellings.
const NO_NUMBERS: &str = "numbers in patterns are not supported by the embedded target";

/// A pattern that decides about JSON documents.
pub struct Pattern {
    /// Any must match. Each has a matcher of its own: the library (0.7.0) takes `"5"` for `"a"` when one matcher holds
    /// both `"5"` and `anything-but` for a field of different patterns.
    alternatives: Vec<Quamina<()>>,
}

/// A pattern that is not valid, or that this machine cannot decide as AWS does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{path}`: {problem}")]
pub struct PatternError {
    /// The keys that lead to the place, joined by dots; empty for the whole pattern.
    pub path: String,
    pub problem: String,
}

type Checked<T> = Result<T, PatternError>;

fn refuse<T>(path: &str, problem: impl Into<String>) -> Checked<T> {
    Err(PatternError {
        path: path.to_owned(),
        problem: problem.into(),
    })
}

impl Pattern {
    pub fn new(pattern: &Value) -> Checked<Self> {
        let Value::Object(fields) = pattern else {
            return refuse("", "a pattern is an object of fields");
        };
        if pattern.to_string().len().saturating_mul(count(fields)) > MOST_BYTES {
            return refuse("", "it is larger than any pattern that AWS takes");
        }
        let alternatives = alternatives("", fields)?.into_iter().map(|alternative| {
            let mut library = Quamina::new();
            let added = library.add_pattern((), &Value::Object(alternative).to_string());
            added.map(|()| library).or_else(|error| refuse("", error.to_string()))
        });
        Ok(Self {
            alternatives: alternatives.collect::<Checked<_>>()?,
        })
    }

    /// Whether the pattern lets `document`, JSON text of an object, through.
    pub fn matches(&self, document: &str) -> Checked<bool> {
        for alternative in &self.alternatives {
            if alternative
                .has_matches(document.as_bytes())
                .or_else(|error| refuse("", error.to_string()))?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// How many patterns without `$or` it multiplies out to.
fn count(fields: &Map<String, Value>) -> usize {
    let of_field = |(key, value): (&String, &Value)| match value {
        Value::Array(branches) if key == "$or" => {
            let counts = branches.iter().filter_map(Value::as_object).map(count);
            counts.fold(0_usize, usize::saturating_add).max(1)
        }
        Value::Object(inner) => count(inner),
        _ => 1,
    };
    fields.iter().map(of_field).fold(1, usize::saturating_mul)
}

/// The patterns without `$or` of which any must match, each checked.
fn alternatives(path: &str, fields: &Map<String, Value>) -> Checked<Vec<Map<String, Value>>> {
    if fields.is_empty() {
        return refuse(path, "an empty object matches nothing; name a field");
    }
    let mut found = vec![Map::new()];
    for (key, value) in fields {
        let place = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let choices = match value {
            Value::Array(branches) if key == "$or" => or_branches(path, &place, branches)?,
            Value::Object(inner) => {
                let nested = alternatives(&place, inner)?.into_iter();
                nested.map(|fields| field(key, Value::Object(fields))).collect()
            }
            Value::Array(values) => {
                check_key(&place, key)?;
                check_values(&place, values)?;
                vec![field(key, value.clone())]
            }
            _ => return refuse(&place, "a field takes an array of values or an object of fields"),
        };
        found = product(&place, found, &choices)?;
    }
    Ok(found)
}

fn field(key: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(key.to_owned(), value)])
}

fn or_branches(path: &str, place: &str, branches: &[Value]) -> Checked<Vec<Map<String, Value>>> {
    if branches.len() < 2 {
        return refuse(place, "`$or` takes two or more objects");
    }
    let mut choices = Vec::new();
    for branch in branches {
        let Value::Object(fields) = branch else {
            return refuse(place, "`$or` takes two or more objects");
        };
        choices.extend(alternatives(path, fields)?);
    }
    Ok(choices)
}

fn product(
    place: &str,
    mut left: Vec<Map<String, Value>>,
    right: &[Map<String, Value>],
) -> Checked<Vec<Map<String, Value>>> {
    if left.len() * right.len() > ALTERNATIVES {
        return refuse(
            place,
            format!("`$or` multiplies out to more than {ALTERNATIVES} patterns"),
        );
    }
    for one in &left {
        if let Some(key) = right.iter().flat_map(Map::keys).find(|key| one.contains_key(*key)) {
            return refuse(place, format!("`{key}` is named beside `$or` and in it; name it once"));
        }
    }
    if let [only] = right {
        for one in &mut left {
            one.extend(only.clone());
        }
        return Ok(left);
    }
    let with =
        |one: &Map<String, Value>, other: &Map<String, Value>| one.clone().into_iter().chain(other.clone()).collect();
    Ok(left
        .iter()
        .flat_map(|one| right.iter().map(move |other| with(one, other)))
        .collect())
}

fn check_key(place: &str, key: &str) -> Checked<()> {
    if key.is_empty() || key.contains(['.', '\n']) {
        return refuse(
            place,
            "a field's name with a dot is not told from nested fields; nest the fields",
        );
    }
    Ok(())
}

fn check_values(place: &str, values: &[Value]) -> Checked<()> {
    if values.is_empty() {
        return refuse(place, "an empty array matches nothing; name a value");
    }
    for value in values {
        match value {
            Value::String(_) | Value::Bool(_) | Value::Null => {}
            Value::Number(_) => return refuse(place, NO_NUMBERS),
            Value::Array(_) => return refuse(place, "an array in an array matches nothing"),
            Value::Object(operator) => {
                let mut entries = operator.iter();
                let (Some((name, operand)), None) = (entries.next(), entries.next()) else {
                    return refuse(place, "a comparison is an object with exactly one operator");
                };
                // The library forgets the other values when `exists` stands among them.
                if name == "exists" && values.len() > 1 {
                    return refuse(
                        place,
                        "`exists` beside other values is not supported by the embedded target; use `$or`",
                    );
                }
                check_operator(place, name, operand)?;
            }
        }
    }
    Ok(())
}

fn check_operator(place: &str, name: &str, operand: &Value) -> Checked<()> {
    match (name, operand) {
        // The library matches texts with their quotes on.
        (_, Value::String(text)) if text.contains('"') => refuse(
            place,
            format!("a quote in `{name}` is not supported by the embedded target"),
        ),
        ("prefix" | "suffix" | "wildcard" | "anything-but", Value::String(_)) | ("exists", Value::Bool(_)) => Ok(()),
        ("equals-ignore-case", Value::String(text)) if text.is_ascii() => Ok(()),
        ("equals-ignore-case", Value::String(_)) => refuse(
            place,
            "`equals-ignore-case` takes ASCII only in the embedded target; list the spellings",
        ),
        ("cidr", Value::String(text)) => check_cidr(place, text),
        ("numeric", _) => refuse(place, NO_NUMBERS),
        ("anything-but", Value::Array(texts)) if !texts.is_empty() && texts.iter().all(Value::is_string) => Ok(()),
        ("anything-but", Value::Object(_)) => refuse(
            place,
            "`anything-but` with an operator inside is not supported by the embedded target; list the values",
        ),
        ("anything-but", _) => refuse(
            place,
            "`anything-but` takes a text or a list of texts in the embedded target",
        ),
        ("prefix" | "suffix", Value::Object(_)) => refuse(
            place,
            format!("`{name}` without regard to case is not supported by the embedded target"),
        ),
        ("prefix" | "suffix" | "wildcard" | "equals-ignore-case" | "exists" | "cidr", _) => {
            refuse(place, format!("`{name}` does not take {operand}"))
        }
        _ => refuse(place, format!("`{name}` is not an operator of EventBridge")),
    }
}

fn check_cidr(place: &str, text: &str) -> Checked<()> {
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    match (address.parse(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(0..=32)) => Ok(()),
        (Ok(IpAddr::V6(_)), Ok(0..=128)) => refuse(place, "`cidr` takes IPv4 ranges only in the embedded target"),
        _ => refuse(place, format!("`{text}` is not an address range like 10.0.0.0/24")),
    }
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
