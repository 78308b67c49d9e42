//! The embedded event bus: the patterns of the rendered rules decide, by a library, which envelope enters the queue.

use quamina::Quamina;
use serde_json::Value;

use crate::local::twin::TwinStack;
use crate::ports::{Error, Kind, Result};

/// A compiled set of event patterns; any of them admits.
pub struct Patterns(Quamina<usize>);

impl Patterns {
    /// Compiles patterns; one that the library would read otherwise than EventBridge is refused.
    pub fn compile<'a>(patterns: impl IntoIterator<Item = &'a Value>) -> Result<Self> {
        let mut compiled = Quamina::new();
        for (index, pattern) in patterns.into_iter().enumerate() {
            let refused =
                |why: String| Error::caused(Kind::Invalid, format!("compile the event pattern {pattern}"), why);
            check(pattern).map_err(refused)?;
            compiled
                .add_pattern(index, &pattern.to_string())
                .map_err(|error| refused(error.to_string()))?;
        }
        Ok(Self(compiled))
    }

    /// Whether any pattern matches the JSON text.
    pub fn admit(&self, text: &str) -> Result<bool> {
        self.0
            .has_matches(text.as_bytes())
            .map_err(|error| Error::caused(Kind::Invalid, "match an envelope with the rule", error.to_string()))
    }
}

/// Content filters that EventBridge and the library read alike.
const FILTERS: [&str; 8] = [
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "numeric",
    "cidr",
    "wildcard",
    "equals-ignore-case",
];

fn check(pattern: &Value) -> std::result::Result<(), String> {
    let Some(fields) = pattern.as_object() else {
        return Err("a pattern is an object".to_owned());
    };
    for (name, value) in fields {
        if name.starts_with('$') {
            return Err(format!("{name} is not supported by the embedded bus"));
        }
        match value {
            Value::Object(_) => check(value)?,
            Value::Array(choices) => choices.iter().try_for_each(check_choice)?,
            _ => return Err(format!("{name}: a value to match stands in a list")),
        }
    }
    Ok(())
}

fn check_choice(choice: &Value) -> std::result::Result<(), String> {
    let Value::Object(filter) = choice else {
        return if choice.is_array() {
            Err("a list inside a list".to_owned())
        } else {
            Ok(())
        };
    };
    for (name, argument) in filter {
        let is_plain = !argument.is_object();
        if !FILTERS.contains(&name.as_str()) || !is_plain {
            return Err(format!(
                "the filter {name} with {argument} is not supported by the embedded bus"
            ));
        }
    }
    Ok(())
}

/// A tenant's bus.
pub struct Bus(Patterns);

impl Bus {
    pub fn new(stack: &TwinStack) -> Result<Self> {
        Patterns::compile(&stack.patterns).map(Self)
    }

    /// Whether a rule of the bus lets the envelope into the queue.
    pub fn admits(&self, envelope: &str) -> Result<bool> {
        self.0.admit(envelope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_match_as_eventbridge_documents_them() {
        let envelope = json!({
            "source": "aws.partner/okta.com/acme/1", "account": "012345678901", "region": "us-east-2", "tags": ["a", "b"],
            "detail": {"eventType": "user.session.start", "n": 5, "ip": "10.1.2.3", "nothing": null, "empty": ""},
        })
        .to_string();
        let table = [
            (
                json!({"source": [{"prefix": "aws.partner/okta.com/"}], "account": ["012345678901"]}),
                true,
            ),
            (
                json!({"source": [{"prefix": "aws.partner/okta.com/"}], "account": ["210987654321"]}),
                false,
            ),
            (json!({"source": ["aws.partner/okta.com/acme/1"]}), true),
            (json!({"source": ["aws.partner/okta.com/acme"]}), false),
            (json!({"account": [12_345_678_901_u64]}), false),
            (json!({"tags": ["b"]}), true),
            (json!({"detail": {"eventType": [{"suffix": ".start"}]}}), true),
            (
                json!({"detail": {"eventType": [{"anything-but": ["user.session.start"]}]}}),
                false,
            ),
            (
                json!({"detail": {"eventType": [{"anything-but": ["user.session.end"]}]}}),
                true,
            ),
            (json!({"detail": {"eventType": [{"wildcard": "user.*.start"}]}}), true),
            (
                json!({"detail": {"eventType": [{"equals-ignore-case": "USER.session.START"}]}}),
                true,
            ),
            (json!({"detail": {"n": [{"numeric": [">", 4, "<=", 5]}]}}), true),
            (json!({"detail": {"n": [{"numeric": ["<", 5]}]}}), false),
            (json!({"detail": {"ip": [{"cidr": "10.0.0.0/8"}]}}), true),
            (json!({"detail": {"ip": [{"cidr": "192.168.0.0/16"}]}}), false),
            (json!({"detail": {"missing": [{"exists": false}]}}), true),
            (json!({"detail": {"n": [{"exists": true}]}}), true),
            (json!({"detail": {"nothing": [null]}}), true),
            (json!({"detail": {"empty": [""]}}), true),
            (json!({"detail-type": ["SystemLog"]}), false),
        ];
        for (pattern, expected) in table {
            let admitted = Patterns::compile([&pattern]).unwrap().admit(&envelope).unwrap();
            assert_eq!(admitted, expected, "{pattern}");
        }
    }

    #[test]
    fn what_the_library_reads_otherwise_is_refused() {
        for pattern in [
            json!({"$or": [{"source": ["a"]}]}),
            json!({"source": "a"}),
            json!({"source": [{"prefix": {"equals-ignore-case": "a"}}]}),
            json!({"source": [{"anything-but": {"prefix": "a"}}]}),
            json!({"source": [{"regexp": "a"}]}),
            json!([]),
        ] {
            assert!(Patterns::compile([&pattern]).is_err(), "{pattern}");
        }
    }
}
