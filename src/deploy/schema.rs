//! JSON Schema of the files that people write, so that editors complete and check them. Pure.

use serde_json::{Map, Value, json};

use crate::deploy::shape::{self, Key, Shape};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    Defaults,
    Profile,
    Group,
    Tenant,
}

/// The schema of a kind of file, draft 2020-12.
pub fn of(file: File) -> Value {
    let (title, keys) = match file {
        File::Defaults => ("Defaults of all environments", shape::DEFAULTS),
        File::Profile => ("Profile of an environment", shape::PROFILE),
        File::Group => ("Group of tenants", shape::GROUP),
        File::Tenant => ("Tenant", shape::TENANT),
    };
    let mut schema = map(keys);
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".to_owned(), title.into());
    Value::Object(schema)
}

fn map(keys: &[Key]) -> Map<String, Value> {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut schema = value(&key.shape);
            schema.insert("description".to_owned(), key.about.into());
            (key.name.to_owned(), Value::Object(schema))
        })
        .collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.is_required).map(|key| key.name).collect();
    let mut schema = object(json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    }));
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

fn value(shape: &Shape) -> Map<String, Value> {
    match shape {
        Shape::Text(pattern) => object(json!({"type": "string", "pattern": pattern})),
        Shape::Choice(words) => object(json!({"enum": words})),
        Shape::Number(least, most) => object(json!({"type": "integer", "minimum": least, "maximum": most})),
        Shape::OneOf(numbers) => object(json!({"enum": numbers})),
        Shape::Map(keys) => map(keys),
        Shape::List(item) => object(json!({"type": "array", "items": value(item)})),
        Shape::Texts => object(json!({"type": "object", "additionalProperties": {"type": "string"}})),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
