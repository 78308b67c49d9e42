//! For machines: every violation of every stack by itself. `oort schema check` prints the schema.

use serde_json::{Value, json};

use crate::deploy::check::Violation;
use crate::deploy::check::format::Report;

/// Counts, the stacks that were checked, and every violation.
pub fn json(report: &Report) -> Value {
    json!({
        "errors": report.errors(),
        "warnings": report.warnings(),
        "accepted": report.accepted(),
        "stacks": report.stacks,
        "violations": report.violations.iter().map(violation).collect::<Vec<_>>(),
    })
}

fn violation(violation: &Violation) -> Value {
    json!({
        "rule": violation.rule.id,
        "severity": violation.rule.severity,
        "environment": violation.environment,
        "stack": violation.stack,
        "resource": violation.resource,
        "pointer": violation.pointer(),
        "file": violation.file,
        "line": violation.line,
        "message": violation.message,
        "help": violation.rule.help,
        "accepted_because": violation.suppressed,
    })
}

/// The JSON Schema of [`json`], draft 2020-12.
pub fn schema() -> Value {
    let count = json!({"type": "integer", "minimum": 0});
    let text = json!({"type": "string"});
    let maybe = |kind: &str| json!({"type": [kind, "null"]});
    let violation = json!({
        "rule": text,
        "severity": {"enum": ["error", "warning"]},
        "environment": text,
        "stack": maybe("string"),
        "resource": maybe("string"),
        "pointer": text,
        "file": text,
        "line": maybe("integer"),
        "message": text,
        "help": text,
        "accepted_because": maybe("string"),
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the checks found in rendered stacks",
        "type": "object",
        "additionalProperties": false,
        "required": ["errors", "warnings", "accepted", "stacks", "violations"],
        "properties": {
            "errors": count,
            "warnings": count,
            "accepted": count,
            "stacks": {"type": "array", "items": text},
            "violations": {"type": "array", "items": {
                "type": "object",
                "additionalProperties": false,
                "required": violation.as_object().map(|keys| keys.keys().collect::<Vec<_>>()),
                "properties": violation,
            }},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::check::format::tests::report;

    #[test]
    fn every_violation_stands_by_itself() {
        let value = json(&report());
        assert_eq!(value["violations"].as_array().unwrap().len(), 15);
        insta::assert_snapshot!(format!("{:#}", value["violations"][1]), @r#"
        {
          "accepted_because": "rotated by hand <yearly>",
          "environment": "staging",
          "file": "templates/tenant.yaml.j2",
          "help": "Set EnableKeyRotation: true.",
          "line": 2,
          "message": "the key is not rotated",
          "pointer": "/Resources/K",
          "resource": "K",
          "rule": "key-rotated",
          "severity": "error",
          "stack": "oort-staging-t1"
        }
        "#);
    }
}
