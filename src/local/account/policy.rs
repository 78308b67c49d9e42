//! A stack policy: which resources an update may modify, replace or delete. Pure.

use serde_json::Value;

use super::changes::Effect;

#[derive(Debug)]
pub(super) struct Policy {
    pub text: String,
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    allows: bool,
    /// Without `Update:`.
    actions: Vec<String>,
    resources: Patterns,
    /// Of resource types; `None` for all.
    types: Option<Vec<String>>,
}

/// Patterns of `LogicalResourceId/...`.
#[derive(Debug)]
enum Patterns {
    Of(Vec<String>),
    AllBut(Vec<String>),
}

impl Policy {
    /// Reads a policy; otherwise what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let root: Value =
            serde_json::from_str(text).map_err(|error| format!("Error validating stack policy: {error}"))?;
        let statements = root.get("Statement").and_then(Value::as_array);
        let statements = statements.ok_or("Error validating stack policy: it has no list `Statement`")?;
        Ok(Self {
            text: text.to_owned(),
            statements: statements.iter().map(Statement::read).collect::<Result<_, _>>()?,
        })
    }

    /// Why the policy does not let this happen to a resource; `None` when it does. What no statement allows is denied, and
    /// a denial wins.
    pub fn denies(&self, effect: Effect, id: &str, resource_type: &str) -> Option<String> {
        let action = match effect {
            Effect::Add => return None,
            Effect::Modify => "Modify",
            Effect::Replace => "Replace",
            Effect::Remove => "Delete",
        };
        let mut fitting = self
            .statements
            .iter()
            .enumerate()
            .filter(|(_, one)| one.fits(action, id, resource_type));
        let denying = fitting.clone().find(|(_, statement)| !statement.allows);
        let why = match denying {
            Some((index, _)) => format!("Statement [#{}] does not allow", index + 1),
            None if fitting.next().is_none() => "no statement allows".to_owned(),
            None => return None,
        };
        Some(format!(
            "Action denied by stack policy: {why} [Update:{action}] on resource [{id}]"
        ))
    }
}

impl Statement {
    fn read(statement: &Value) -> Result<Self, String> {
        let wrong = |what: &str| format!("Error validating stack policy: {what} in {statement}");
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(wrong("`Effect` is neither Allow nor Deny")),
        };
        let actions = texts(statement.get("Action")).ok_or_else(|| wrong("no `Action`"))?;
        let actions = actions
            .iter()
            .map(|action| action.strip_prefix("Update:").map(str::to_owned));
        let resources = match (texts(statement.get("Resource")), texts(statement.get("NotResource"))) {
            (Some(patterns), None) => Patterns::Of(patterns),
            (None, Some(patterns)) => Patterns::AllBut(patterns),
            _ => return Err(wrong("neither or both of `Resource` and `NotResource`")),
        };
        Ok(Self {
            allows,
            actions: actions
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("an `Action` that does not begin with Update:"))?,
            resources,
            types: statement
                .get("Condition")
                .map(types)
                .transpose()
                .map_err(|what| wrong(&what))?,
        })
    }

    fn fits(&self, action: &str, id: &str, resource_type: &str) -> bool {
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| is_like(pattern, text));
        let resource = format!("LogicalResourceId/{id}");
        any(&self.actions, action)
            && match &self.resources {
                Patterns::Of(patterns) => any(patterns, &resource),
                Patterns::AllBut(patterns) => !any(patterns, &resource),
            }
            && self.types.as_ref().is_none_or(|types| any(types, resource_type))
    }
}

/// `{"StringEquals": {"ResourceType": [...]}}`, or the same with `StringLike`.
fn types(condition: &Value) -> Result<Vec<String>, String> {
    let operator = condition.get("StringEquals").or_else(|| condition.get("StringLike"));
    let types = texts(operator.and_then(|operator| operator.get("ResourceType")));
    types.ok_or_else(|| "a `Condition` other than of `ResourceType`".to_owned())
}

/// A text, or a list of texts.
fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}
