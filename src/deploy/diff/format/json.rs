//! For machines. `oort schema diff` prints the schema.

use serde_json::{Value, json};

use crate::deploy::diff::fleet::Fleet;

/// The summary and every group, those in the fewest stacks first.
pub fn json(fleet: &Fleet) -> Value {
    json!({"summary": fleet.summary(), "groups": fleet.outliers_first()})
}

/// The JSON Schema of [`json`], draft 2020-12.
pub fn schema() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    let text = json!({"type": "string"});
    let strict = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
    let summary = [
        "stacks", "changed", "created", "deleted", "groups", "replaced", "removed", "losing",
    ];
    let counts: serde_json::Map<String, Value> =
        summary.iter().map(|name| ((*name).to_owned(), count.clone())).collect();
    let property = strict(
        json!({"path": text, "before": text, "after": text, "replaces": {"const": true}}),
        &["path"],
    );
    let subject = json!({"oneOf": [
        strict(json!({"kind": {"const": "stack"}}), &["kind"]),
        strict(json!({"kind": {"const": "resource"}, "id": text, "type": text}), &["kind", "id", "type"]),
        strict(json!({"kind": {"const": "section"}, "name": text}), &["kind", "name"]),
    ]});
    let change = strict(
        json!({
            "subject": subject,
            "action": {"enum": ["create", "update", "maybe-replace", "replace", "delete"]},
            "properties": {"type": "array", "items": property},
            "data": {"enum": ["none", "left-behind", "arrivals-dropped", "lost"]},
            "because_of": text,
            "notes": {"type": "array", "items": text},
        }),
        &["subject", "action", "properties", "data"],
    );
    let stacks = json!({"type": "array", "items": text, "minItems": 1});
    let group = strict(json!({"change": change, "stacks": stacks}), &["change", "stacks"]);
    let mut schema = strict(
        json!({"summary": strict(counts.into(), &summary), "groups": {"type": "array", "items": group}}),
        &["summary", "groups"],
    );
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Changes of a fleet of stacks".into();
    schema
}
