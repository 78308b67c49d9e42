//! For machines: every violation of every stack by itself.

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
