//! Policy documents as IAM reads them: the statements of a template, wherever they stand.

use crate::deploy::check::cursor::{Cursor, Part, Resource, parts, segments};
use crate::deploy::check::{Found, Template};
use crate::deploy::tree::Tree;

/// What a document is attached to, which decides what its elements mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// Who may take on a role.
    Trust,
    /// A KMS key.
    Key,
    /// Another resource.
    Resource,
    /// A role, a user or a group.
    Identity,
}

/// One statement.
pub struct Statement<'t> {
    pub at: Cursor<'t>,
    pub attached: Attached,
}

/// A condition: operator, key and values.
pub struct Condition<'t> {
    operator: &'t str,
    key: &'t str,
    pub values: Vec<Cursor<'t>>,
}

/// Every statement of every document in a template's resources.
pub fn statements<'a>(resources: &[Resource<'a>]) -> Vec<Statement<'a>> {
    let mut found = Vec::new();
    for resource in resources {
        resource.at.walk(&mut |at| {
            let Some(statements) = at.get("Statement") else { return };
            for statement in statements.many() {
                let has_principal = ["Principal", "NotPrincipal"]
                    .iter()
                    .any(|element| statement.get(element).is_some());
                let attached = match at.key() {
                    "AssumeRolePolicyDocument" => Attached::Trust,
                    "KeyPolicy" => Attached::Key,
                    _ if has_principal => Attached::Resource,
                    _ => Attached::Identity,
                };
                found.push(Statement {
                    at: statement,
                    attached,
                });
            }
        });
    }
    found
}

/// The statements that allow something.
pub fn allowing<'s, 'a>(template: &'s Template<'a>) -> impl Iterator<Item = &'s Statement<'a>> {
    let statements = template.statements.iter();
    statements.filter(|statement| statement.at.get("Effect").is_none_or(|effect| effect.text() != "Deny"))
}

impl<'t> Statement<'t> {
    fn element(&self, name: &str) -> Vec<Cursor<'t>> {
        self.at.get(name).map(|value| value.many()).unwrap_or_default()
    }

    pub fn actions(&self) -> Vec<Cursor<'t>> {
        self.element("Action")
    }

    pub fn resources(&self) -> Vec<Cursor<'t>> {
        self.element("Resource")
    }

    /// Whether it has actions, and each is one of `names`. IAM does not tell the case of an action.
    pub fn acts_only_by(&self, names: &[&str]) -> bool {
        let actions = self.actions();
        let is_named = |action: &Cursor<'_>| names.iter().any(|name| action.text().eq_ignore_ascii_case(name));
        !actions.is_empty() && actions.iter().all(is_named)
    }

    /// Who is meant, with the kind: `AWS`, `Service`, `Federated`, or `*` for the bare star.
    pub fn principals(&self) -> Vec<(&'t str, Cursor<'t>)> {
        let Some(principal) = self.at.get("Principal") else {
            return Vec::new();
        };
        if let Tree::Text(_) = principal.tree {
            return vec![("*", principal)];
        }
        let entries = principal.entries().into_iter();
        entries
            .flat_map(|(kind, value)| value.many().into_iter().map(move |value| (kind, value)))
            .collect()
    }

    /// The service principals, such as `events.amazonaws.com`.
    pub fn services(&self) -> Vec<String> {
        let principals = self.principals().into_iter();
        principals
            .filter(|(kind, _)| *kind == "Service")
            .map(|(_, value)| value.text())
            .collect()
    }

    fn conditions(&self) -> Vec<Condition<'t>> {
        let operators = self.at.get("Condition").map(|condition| condition.entries());
        let conditions = |(operator, keys): (&'t str, Cursor<'t>)| {
            keys.entries().into_iter().map(move |(key, value)| Condition {
                operator,
                key,
                values: value.many(),
            })
        };
        operators.into_iter().flatten().flat_map(conditions).collect()
    }

    /// The values that a request must have for a condition key; empty when a request without that key would pass.
    pub fn required(&self, key: &str) -> Vec<Cursor<'t>> {
        let holds = |condition: &Condition<'_>| condition.key.eq_ignore_ascii_case(key) && condition.demands_presence();
        let conditions = self.conditions().into_iter().filter(holds);
        conditions.flat_map(|condition| condition.values).collect()
    }

    pub fn found(&self, message: impl Into<String>) -> Found {
        self.at.found(message)
    }
}

impl Condition<'_> {
    /// `…IfExists` and `ForAllValues:` hold for a request that has no such key. Source: IAM user guide, condition
    /// operators.
    fn demands_presence(&self) -> bool {
        const COMPARISONS: [&str; 5] = [
            "StringEquals",
            "StringEqualsIgnoreCase",
            "StringLike",
            "ArnEquals",
            "ArnLike",
        ];
        let operator = self.operator.strip_prefix("ForAnyValue:").unwrap_or(self.operator);
        COMPARISONS.contains(&operator)
    }
}

/// Whether a text names exactly one account: the stack's own or 12 digits.
pub fn is_account(text: &str) -> bool {
    text == "${AWS::AccountId}" || text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether an ARN belongs to one account: a reference to a resource does, and an ARN whose fifth field is an account.
pub fn names_account(arn: &str) -> bool {
    match parts(arn)[..] {
        [Part::Unknown(name), ..] => !matches!(name, "list" | "map") && !name.starts_with("Fn::"),
        _ => segments(arn).get(4).is_some_and(|account| is_account(account)),
    }
}
