//! For code scanning: SARIF 2.1.0 (OASIS standard, "Static Analysis Results Interchange Format"). One result a line of a
//! template, however many stacks it has, so that a fleet stays within what a reader of SARIF takes.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::deploy::check::format::{Group, Report};
use crate::deploy::check::{Rule, rules};

/// Stacks that a result names.
const NAMES: usize = 10;

/// One run with every rule and a result for each group.
pub fn sarif(report: &Report) -> Value {
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "oort",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": report.groups().iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.demand},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": rule.severity},
    })
}

fn result(group: &Group<'_>) -> Value {
    let violation = group.first;
    let stacks = if group.stacks.is_empty() {
        String::new()
    } else {
        format!(" In {}.", group.names(NAMES))
    };
    let logical = |stack: &&str| {
        let resource = violation
            .resource
            .as_deref()
            .map(|id| format!("/{id}"))
            .unwrap_or_default();
        json!({"fullyQualifiedName": format!("{stack}{resource}"), "kind": "resource"})
    };
    // Without any entry here a reader could not tell what is accepted from what is not looked at.
    let suppressions: Vec<Value> = violation
        .suppressed
        .iter()
        .map(|reason| json!({"kind": "external", "status": "accepted", "justification": reason}))
        .collect();
    json!({
        "ruleId": violation.rule.id,
        "ruleIndex": rules().position(|rule| rule.id == violation.rule.id),
        "level": violation.rule.severity,
        "message": {"text": format!("{}.{stacks} {}", violation.message, violation.rule.help)},
        "occurrenceCount": group.count,
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&violation.file)},
                "region": {"startLine": violation.line.unwrap_or(1)},
            },
            "logicalLocations": group.stacks.iter().take(NAMES).map(logical).collect::<Vec<_>>(),
        }],
        "suppressions": suppressions,
    })
}

/// A relative path as a URI reference (RFC 3986): what may not stand in one is percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(byte)),
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::check::format::tests::report;

    #[test]
    fn a_group_is_a_result() {
        let value = sarif(&report());
        let run = &value["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 3);
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        }
        assert_eq!(results[0]["suppressions"], json!([]));
        insta::assert_snapshot!(format!("{:#}", results[2]), @r#"
        {
          "level": "error",
          "locations": [
            {
              "logicalLocations": [
                {
                  "fullyQualifiedName": "oort-staging-t1/K",
                  "kind": "resource"
                },
                {
                  "fullyQualifiedName": "oort-staging-t2/K",
                  "kind": "resource"
                },
                {
                  "fullyQualifiedName": "oort-staging-t3/K",
                  "kind": "resource"
                },
                {
                  "fullyQualifiedName": "oort-staging-t4/K",
                  "kind": "resource"
                },
                {
                  "fullyQualifiedName": "oort-staging-t5/K",
                  "kind": "resource"
                },
                {
                  "fullyQualifiedName": "oort-staging-t6/K",
                  "kind": "resource"
                },
                {
                  "fullyQualifiedName": "oort-staging-t7/K",
                  "kind": "resource"
                }
              ],
              "physicalLocation": {
                "artifactLocation": {
                  "uri": "templates/tenant.yaml.j2"
                },
                "region": {
                  "startLine": 2
                }
              }
            }
          ],
          "message": {
            "text": "the key is not rotated. In oort-staging-t1, oort-staging-t2, oort-staging-t3, oort-staging-t4, oort-staging-t5, oort-staging-t6, oort-staging-t7. Set EnableKeyRotation: true."
          },
          "occurrenceCount": 7,
          "ruleId": "key-rotated",
          "ruleIndex": 9,
          "suppressions": [
            {
              "justification": "rotated by hand <yearly>",
              "kind": "external",
              "status": "accepted"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(uri("templates/a b#é.yaml"), "templates/a%20b%23%C3%A9.yaml");
    }
}
