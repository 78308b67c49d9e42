//! What IAM would decide of a request, by the policies of rendered stacks: an explicit denial wins, otherwise one statement
//! that allows is enough, otherwise it is refused. Within one account. Source: IAM's policy evaluation logic.
//!
//! A condition that this does not know fails the test that meets it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Somebody asks for something.
pub struct Request<'a> {
    /// The ARN of the role that asks, or a service's name.
    pub principal: &'a str,
    /// As in `sqs:ReceiveMessage`.
    pub action: &'a str,
    pub resource: &'a str,
    /// What the service tells IAM besides, as `s3:prefix`.
    pub context: BTreeMap<&'a str, &'a str>,
}

/// A policy that hangs on roles or on a resource.
pub struct Policy {
    /// The role whose identity policy it is; `None` for a resource's, whose statements name their principals.
    pub role: Option<String>,
    pub document: Value,
}

pub fn is_allowed(policies: &[Policy], request: &Request<'_>) -> bool {
    let mut is_allowed = false;
    for policy in policies {
        for statement in list(&policy.document["Statement"]) {
            let is_about_them = match &policy.role {
                Some(role) => role == request.principal,
                None => names_principal(&statement["Principal"], request.principal),
            };
            if !is_about_them || !applies(statement, request) {
                continue;
            }
            match statement["Effect"].as_str() {
                Some("Deny") => return false,
                Some("Allow") => is_allowed = true,
                other => panic!("an effect {other:?}"),
            }
        }
    }
    is_allowed
}

fn applies(statement: &Value, request: &Request<'_>) -> bool {
    for unknown in ["NotAction", "NotResource", "NotPrincipal"] {
        assert!(statement.get(unknown).is_none(), "{unknown} is not evaluated here");
    }
    let action = list(&statement["Action"]).any(|pattern| {
        // Case does not matter in an action, and all of ours are written alike.
        matches(pattern.as_str().unwrap(), request.action)
    });
    let resource = list(&statement["Resource"]).any(|pattern| matches(pattern.as_str().unwrap(), request.resource));
    action && resource && holds(&statement["Condition"], request)
}

fn names_principal(principal: &Value, who: &str) -> bool {
    let all = match principal {
        Value::Object(kinds) => kinds.values().flat_map(list).collect::<Vec<_>>(),
        one => list(one).collect(),
    };
    all.iter().any(|named| {
        let named = named.as_str().unwrap();
        // An account as principal delegates to its identity policies and allows nobody by itself.
        named == "*" || named == who
    })
}

/// Every operator of a condition must hold; of the values of a key, one.
fn holds(condition: &Value, request: &Request<'_>) -> bool {
    let Some(operators) = condition.as_object() else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, wanted)| {
            let Some(actual) = request.context.get(key.as_str()) else {
                return operator.ends_with("IfExists");
            };
            list(wanted).any(|wanted| {
                let wanted = wanted.as_str().unwrap();
                match operator.trim_end_matches("IfExists") {
                    "StringEquals" | "Bool" => wanted == *actual,
                    "StringLike" | "ArnLike" | "ArnEquals" => matches(wanted, actual),
                    other => panic!("the operator {other} is not evaluated here"),
                }
            })
        })
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(items) => items.iter(),
        Value::Null => [].iter(),
        one => std::slice::from_ref(one).iter(),
    }
}

/// Whether a text is as a pattern says, in which `*` stands for any text and `?` for any character.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut here) = (0, 0);
    // Where to go on when what followed the last `*` did not match: one character further in the text.
    let mut again: Option<(usize, usize)> = None;
    while here < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                again = Some((at + 1, here + 1));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == text[here] => (at, here) = (at + 1, here + 1),
            _ => match again {
                Some((after, next)) => {
                    (at, here) = (after, next);
                    again = Some((after, next + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
}
