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
