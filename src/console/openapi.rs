//! The API's own description, made from the table of routes and from the types that the handlers give.

use futures::future::BoxFuture;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::console::problem::Problem;
use crate::console::route::{Field, FieldKind, Operation, ROUTES};
use crate::console::visit::{Answer, Outcome, Visit};

/// OpenAPI 3.1, whose schemas are JSON Schema 2020-12.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let Some(operation) = &route.api else { continue };
        let method = route.method.as_str().to_ascii_lowercase();
        let described = described(route.path, operation, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(method, described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Oort Log Streams",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the console shows, for programs. Actions need the header `X-CSRF-Token` of the session, which stands in \
                            every page. Failures are problems as RFC 9457 has them.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {
                "Problem": {
                    "description": "What went wrong, and what to do about it",
                    "content": {"application/problem+json": {"schema": problem}},
                },
            },
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-oort-session"},
            },
        },
        "security": [{"session": []}],
    })
}

fn described(path: &str, operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let answer = (operation.answer)(generator);
    let in_path = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(operation.query.iter().map(|field| {
        json!({
            "name": field.name, "in": "query", "required": field.is_required, "description": field.about, "schema": schema(field),
        })
    }));
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": {"application/json": {"schema": answer}}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    });
    if !operation.body.is_empty() {
        let properties: Map<String, Value> = operation
            .body
            .iter()
            .map(|field| (field.name.to_owned(), schema(field)))
            .collect();
        let required: Vec<&str> = operation
            .body
            .iter()
            .filter(|field| field.is_required)
            .map(|field| field.name)
            .collect();
        described["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": {"type": "object", "properties": properties, "required": required}}},
        });
    }
    described
}

fn schema(field: &Field) -> Value {
    match field.kind {
        FieldKind::Text => json!({"type": "string"}),
        FieldKind::Number { most } => {
            let least = u8::from(field.name != "days");
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        FieldKind::One(choices) => json!({"type": "string", "enum": choices}),
        FieldKind::Many(choices) => json!({"type": "array", "items": {"type": "string", "enum": choices}}),
    }
}

pub fn serve(_: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async { Answer::json(&document()) })
}
