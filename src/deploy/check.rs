//! Named rules over rendered stacks: what a reviewer would look for in each template, with the place in the template's
//! source that wrote it. One file a theme; none knows how a violation is shown. Pure.

pub mod cursor;
mod delivery;
mod encryption;
pub mod format;
mod iam;
mod isolation;
#[cfg(test)]
mod planted;
mod policy;
mod reach;
mod retention;
mod secrets;
pub mod skips;
mod suppression;
mod trust;

use serde::Serialize;

pub use crate::deploy::check::suppression::{IDLE, Judge};

use crate::deploy::check::cursor::{Cursor, Resource};
use crate::deploy::check::policy::Statement;
use crate::deploy::tree::Tree;
use crate::model::name::TenantId;

/// How much a violation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The stack must not be deployed.
    Error,
    /// Someone should look.
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One demand on a stack.
#[derive(Debug)]
pub struct Rule {
    /// In kebab-case; what a suppression names.
    pub id: &'static str,
    pub severity: Severity,
    /// What is demanded, as one sentence.
    pub demand: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about a violation.
    pub help: &'static str,
    /// What the rule admits although it looks like a violation, each with its reason.
    pub admits: &'static [Admitted],
    find: fn(&Template<'_>) -> Vec<Found>,
}

/// An exception that holds everywhere.
#[derive(Debug, Clone, Copy)]
pub struct Admitted {
    pub what: &'static str,
    pub reason: &'static str,
}

/// A stack to be checked.
pub struct Subject<'a> {
    pub environment: &'a str,
    pub stack: &'a str,
    /// `None` for an environment's foundation.
    pub tenant: Option<&'a TenantId>,
    pub template: &'a Tree,
    /// The file that the template was rendered from.
    pub file: &'a str,
    /// The line of that file which wrote what stands at a path of keys and indices, or the nearest thing around it.
    pub line_of: &'a dyn Fn(&[&str]) -> usize,
}

/// A demand that a stack does not meet.
#[derive(Debug, Clone)]
pub struct Violation {
    pub rule: &'static Rule,
    pub environment: String,
    /// `None` for what belongs to no single stack, such as a suppression.
    pub stack: Option<String>,
    /// The logical ID.
    pub resource: Option<String>,
    /// Keys and indices in the rendered template.
    pub path: Vec<String>,
    pub file: String,
    pub line: Option<usize>,
    pub message: String,
    /// The reason, when the profile accepts it.
    pub suppressed: Option<String>,
}

impl Violation {
    /// Whether it stands in the way of a deployment.
    pub fn is_error(&self) -> bool {
        self.rule.severity == Severity::Error && self.suppressed.is_none()
    }

    /// The place in the rendered template as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        let escaped = self.path.iter().map(|step| step.replace('~', "~0").replace('/', "~1"));
        escaped.fold(String::new(), |pointer, step| pointer + "/" + &step)
    }
}

/// What a rule found: where, and what is wrong there.
struct Found {
    path: Vec<String>,
    message: String,
}

/// A stack as rules see it.
struct Template<'a> {
    subject: &'a Subject<'a>,
    root: Cursor<'a>,
    resources: Vec<Resource<'a>>,
    /// Of all policies.
    statements: Vec<Statement<'a>>,
}

impl<'a> Template<'a> {
    fn new(subject: &'a Subject<'a>) -> Self {
        let root = Cursor::root(subject.template);
        let resources = cursor::resources(&root);
        Self {
            subject,
            statements: policy::statements(&resources),
            resources,
            root,
        }
    }

    fn of_type<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Resource<'a>> + 's {
        self.resources.iter().filter(move |resource| resource.kind == kind)
    }

    fn resource(&self, id: &str) -> Option<&Resource<'a>> {
        self.resources.iter().find(|resource| resource.id == id)
    }

    /// What the names of the stack's resources start with: `oort-<environment>`, and a tenant's `-<tenant>` after it.
    fn prefix(&self) -> String {
        let environment = self.subject.environment;
        match self.subject.tenant {
            Some(tenant) => format!("oort-{environment}-{tenant}"),
            None => format!("oort-{environment}"),
        }
    }
}

/// Every rule, by theme.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    iam::RULES
        .iter()
        .chain(trust::RULES)
        .chain(delivery::RULES)
        .chain(encryption::RULES)
        .chain(retention::RULES)
        .chain(isolation::RULES)
        .chain(reach::RULES)
        .chain(secrets::RULES)
        .chain([&IDLE])
}

/// Everything that is wrong with a stack, in the order of the rules and, for each, of the template.
pub fn check(subject: &Subject<'_>) -> Vec<Violation> {
    let template = Template::new(subject);
    rules()
        .flat_map(|rule| {
            let found = (rule.find)(&template);
            found.into_iter().map(move |found| violation(rule, subject, found))
        })
        .collect()
}

fn violation(rule: &'static Rule, subject: &Subject<'_>, found: Found) -> Violation {
    let steps: Vec<&str> = found.path.iter().map(String::as_str).collect();
    let resource = match steps[..] {
        ["Resources", id, ..] => Some(id.to_owned()),
        _ => None,
    };
    Violation {
        rule,
        environment: subject.environment.to_owned(),
        stack: Some(subject.stack.to_owned()),
        resource,
        line: Some((subject.line_of)(&steps)),
        path: found.path,
        file: subject.file.to_owned(),
        message: found.message,
        suppressed: None,
    }
}
