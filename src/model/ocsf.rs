//! Findings and System Log events in the words of OCSF 1.5, for whoever keeps all their logs in one schema. What an event has
//! beside them stays in `unmapped` and `raw_data`: nothing is lost. Source: the OCSF schema's event classes.

mod event;
mod finding;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub use event::event;
pub use finding::finding;

const VERSION: &str = "1.5.0";

/// Which event of which class one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Class {
    uid: u32,
    name: &'static str,
    category_uid: u32,
    category: &'static str,
}

impl Class {
    const fn iam(uid: u32, name: &'static str) -> Self {
        Self {
            uid,
            name,
            category_uid: 3,
            category: "Identity & Access Management",
        }
    }
}

/// What is not mapped to an activity of its class.
const OTHER: u32 = 99;

/// The attributes by which every event of OCSF says what it is.
fn base(class: Class, activity: (u32, &str), time: i64) -> Map<String, Value> {
    let (id, name) = activity;
    let mut map = Map::new();
    for (key, value) in [
        ("class_uid", json!(class.uid)),
        ("class_name", json!(class.name)),
        ("category_uid", json!(class.category_uid)),
        ("category_name", json!(class.category)),
        ("activity_id", json!(id)),
        ("activity_name", json!(name)),
        ("type_uid", json!(class.uid * 100 + id)),
        ("type_name", json!(format!("{}: {name}", class.name))),
        ("time", json!(time)),
    ] {
        map.insert(key.to_owned(), value);
    }
    map
}

/// An object of those fields that have a value; `None` for none.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Option<Value> {
    let given = fields.into_iter().filter(|(_, value)| !is_empty(value));
    let map: Map<String, Value> = given.map(|(key, value)| (key.to_owned(), value)).collect();
    (!map.is_empty()).then_some(Value::Object(map))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn set(map: &mut Map<String, Value>, key: &str, value: impl Into<Option<Value>>) {
    if let Some(value) = value.into().filter(|value| !is_empty(value)) {
        map.insert(key.to_owned(), value);
    }
}
