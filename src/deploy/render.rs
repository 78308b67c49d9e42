//! Templates and validated values -> stacks. Pure: the same sources always render to the same bytes.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment as Engine, UndefinedBehavior, Value, context};
use sha2::{Digest, Sha256};

use crate::deploy::emit::{self, Tree};
use crate::deploy::profile::{Environment, Tenant};
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::yaml;
use crate::model::name::StackName;
use crate::model::stack::StackSpec;

/// Instructions a template may take; a template of ours takes a few thousand.
const FUEL: u64 = 1_000_000;
/// The largest template that goes to CloudFormation in the call itself. Source: CloudFormation quotas.
const INLINE_BYTES: usize = 51_200;
/// The longest event pattern of a rule. Source: EventBridge quotas.
const PATTERN_CHARACTERS: usize = 2_048;

/// Why a stack cannot be rendered. Never shows the value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("{path}:{line}: {why}\n  {line:>4} | {text}")]
    Template {
        path: String,
        line: usize,
        why: String,
        text: String,
    },
    #[error("{path} for {stack} gives no YAML at its line {line}: {why}\n  {line:>4} | {text}")]
    Yaml {
        path: String,
        stack: String,
        line: usize,
        why: String,
        text: String,
    },
    #[error("{stack}: {why}")]
    Limit { stack: String, why: String },
}

/// Every stack of an environment: its foundation, then its tenants by ID.
pub fn render(environment: &Environment, sources: &SourceSet) -> Result<Vec<StackSpec>, RenderError> {
    let foundation = foundation(environment, sources)?;
    let tenants = environment
        .tenants
        .iter()
        .map(|tenant| self::tenant(environment, tenant, sources));
    std::iter::once(Ok(foundation)).chain(tenants).collect()
}

/// One tenant's stack.
pub fn tenant(environment: &Environment, tenant: &Tenant, sources: &SourceSet) -> Result<StackSpec, RenderError> {
    let name = format!("oort-{}-{}", environment.profile.environment, tenant.id);
    let values = context! { profile => Value::from(Serde(&environment.profile)), tenant => Value::from(Serde(tenant)), prefix => name.as_str() };
    let mut tags = tags(environment, &environment.profile.tags);
    tags.extend(tenant.tags.clone());
    tags.insert("oort:tenant".to_owned(), tenant.id.to_string());
    stack(&name, Some(tenant), &sources.tenant_template, &values, tags)
}

fn foundation(environment: &Environment, sources: &SourceSet) -> Result<StackSpec, RenderError> {
    let name = format!("oort-{}-foundation", environment.profile.environment);
    let prefix = format!("oort-{}", environment.profile.environment);
    let values = context! { profile => Value::from(Serde(&environment.profile)), prefix };
    let tags = tags(environment, &environment.profile.tags);
    stack(&name, None, &sources.foundation_template, &values, tags)
}

fn tags(environment: &Environment, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut tags = own.clone();
    tags.insert(
        "oort:environment".to_owned(),
        environment.profile.environment.to_string(),
    );
    tags
}

fn stack(
    name: &str,
    tenant: Option<&Tenant>,
    template: &Source,
    values: &Value,
    mut tags: BTreeMap<String, String>,
) -> Result<StackSpec, RenderError> {
    let limit = |why: String| RenderError::Limit {
        stack: name.to_owned(),
        why,
    };
    let text = fill(template, values)?;
    let root = yaml::parse(&text).map_err(|error| RenderError::Yaml {
        path: template.path.clone(),
        stack: name.to_owned(),
        line: error.at.line,
        why: error.why,
        text: text.lines().nth(error.at.line - 1).unwrap_or_default().to_owned(),
    })?;
    let tree = Tree::from(root);
    check_patterns(&tree).map_err(limit)?;
    let body = emit::template(tree);
    if body.len() > INLINE_BYTES {
        return Err(limit(format!(
            "the template has {} bytes, and CloudFormation takes {INLINE_BYTES}",
            body.len()
        )));
    }
    tags.insert("oort:content-hash".to_owned(), content_hash(&body, &tags));
    let name = StackName::parse(name).map_err(|error| limit(error.to_string()))?;
    Ok(StackSpec {
        name,
        tenant: tenant.map(|tenant| tenant.id.clone()),
        body,
        tags,
    })
}

/// What tells one deployment of a stack from another: the template and the tags.
fn content_hash(body: &str, tags: &BTreeMap<String, String>) -> String {
    let mut digest = Sha256::new_with_prefix(body);
    for (key, value) in tags {
        digest.update([0]);
        digest.update(key);
        digest.update([0]);
        digest.update(value);
    }
    format!("{:x}", digest.finalize())
}

fn fill(template: &Source, values: &Value) -> Result<String, RenderError> {
    let mut engine = Engine::empty();
    // Data becomes JSON, which is YAML too: no value can change the structure around it.
    engine.set_auto_escape_callback(|_| AutoEscape::Json);
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    let failed = |error: &minijinja::Error| template_error(template, error);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    engine.set_syntax(syntax.build().map_err(|error| failed(&error))?);
    engine
        .add_template(&template.path, &template.text)
        .map_err(|error| failed(&error))?;
    engine
        .get_template(&template.path)
        .and_then(|template| template.render(values.clone()))
        .map_err(|error| failed(&error))
}

/// The innermost cause, with the template's own line; the engine's long form would print variables.
fn template_error(template: &Source, error: &minijinja::Error) -> RenderError {
    let mut innermost = error;
    while let Some(deeper) = std::error::Error::source(innermost).and_then(|source| source.downcast_ref()) {
        innermost = deeper;
    }
    let line = innermost.line().or_else(|| error.line()).unwrap_or(1);
    let detail = innermost
        .detail()
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    RenderError::Template {
        path: template.path.clone(),
        line,
        why: format!("{}{detail}", innermost.kind()),
        text: template
            .text
            .lines()
            .nth(line - 1)
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
    }
}

fn check_patterns(tree: &Tree) -> Result<(), String> {
    match tree {
        Tree::List(items) => items.iter().try_for_each(check_patterns),
        Tree::Map(entries) => entries.iter().try_for_each(|(key, value)| {
            if key == "EventPattern" && json_characters(value) > PATTERN_CHARACTERS {
                return Err(format!(
                    "an event pattern has more than {PATTERN_CHARACTERS} characters"
                ));
            }
            check_patterns(value)
        }),
        _ => Ok(()),
    }
}

fn json_characters(tree: &Tree) -> usize {
    match tree {
        Tree::Null | Tree::Bool(_) => 5,
        Tree::Int(number) => number.to_string().len(),
        Tree::Text(text) => text.chars().count() + 2,
        Tree::List(items) => 2 + items.iter().map(|item| json_characters(item) + 1).sum::<usize>(),
        Tree::Map(entries) => {
            2 + entries
                .iter()
                .map(|(key, value)| key.chars().count() + 4 + json_characters(value))
                .sum::<usize>()
        }
    }
}
