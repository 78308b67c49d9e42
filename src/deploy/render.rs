//! Templates and validated values -> stacks. Pure: the same sources always render to the same bytes.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{
    AutoEscape, Environment as Engine, ErrorKind, Output, State, UndefinedBehavior, Value, context, escape_formatter,
};
use sha2::{Digest, Sha256};

use crate::deploy::emit::{self, Tree};
use crate::deploy::limits;
use crate::deploy::profile::{Environment, Tenant};
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::yaml;
use crate::model::name::StackName;
use crate::model::stack::StackSpec;

/// Instructions a template may take; a template of ours takes a few thousand.
const FUEL: u64 = 1_000_000;
/// The largest template that goes to CloudFormation in the call itself. Source: CloudFormation quotas.
const INLINE_BYTES: usize = 51_200;

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
    /// `line` counts in what the template gives, where `text` stands up to its first quote.
    #[error("{path} for {stack} gives no good YAML at line {line} of its result: {why}\n  {line:>4} | {text}")]
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
    // Query engines take letters, digits and underscores in a table's name; no tenant ID has an underscore.
    let table = format!("{}_activity", tenant.id.as_str().replace('-', "_"));
    let values = context! {
        profile => Value::from(Serde(&environment.profile)),
        tenant => Value::from(Serde(tenant)),
        prefix => name.as_str(),
        table,
    };
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
    let root = yaml::parse(&text).and_then(|root| limits::shape(&root).map(|()| root));
    let root = root.map_err(|error| RenderError::Yaml {
        path: template.path.clone(),
        stack: name.to_owned(),
        line: error.at.line,
        why: error.why,
        text: without_values(text.lines().nth(error.at.line - 1).unwrap_or_default()),
    })?;
    let tree = Tree::from(root);
    limits::check(&tree).map_err(limit)?;
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
    engine.set_formatter(write_value);
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

/// Writes a value as JSON in ASCII: JSON allows characters in its texts that YAML refuses or takes for line breaks.
fn write_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    // Text of a macro is written already, and what is undefined is refused by the engine's own writer.
    if value.is_safe() || value.is_undefined() {
        return escape_formatter(out, state, value);
    }
    let json = serde_json::to_string(value)
        .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, "a value is no JSON").with_source(error))?;
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        match u32::from(c) {
            0x20..=0x7e => ascii.push(c),
            code => ascii.push_str(&emit::escape(code)),
        }
    }
    Ok(out.write_str(&ascii)?)
}

/// The innermost cause, with the template's own line; the engine's long form would print variables.
fn template_error(template: &Source, error: &minijinja::Error) -> RenderError {
    let mut innermost = error;
    while let Some(deeper) = std::error::Error::source(innermost).and_then(|source| source.downcast_ref()) {
        innermost = deeper;
    }
    let line = innermost.line().or_else(|| error.line()).unwrap_or(1);
    // The one message of the engine that shows operands.
    let shows_no_value = |detail: &&str| !detail.starts_with("unable to calculate");
    let detail = innermost
        .detail()
        .filter(shows_no_value)
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

/// A rendered line up to its first quote: a template's texts stand in quotes, as JSON.
fn without_values(line: &str) -> String {
    match line.split_once('"') {
        Some((before, _)) => format!("{before}…"),
        None => line.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rendered(template: &str) -> Result<StackSpec, RenderError> {
        let source = Source {
            path: "t.j2".to_owned(),
            text: template.to_owned(),
        };
        let values = context! { secret => "hunter2", count => i64::MAX };
        stack("oort-test-acme", None, &source, &values, BTreeMap::new())
    }

    #[test]
    fn sections_stand_in_their_order_and_values_are_data() {
        let template = "Outputs: {}\nResources:\n  {{ secret }}:\n    Type: X\n    Properties: [{{ secret ~ \": no\" }}, {{ count }}, {{ true }}]\nDescription: d\n";
        let stack = rendered(template).unwrap();
        insta::assert_snapshot!(stack.body, @r#"
        Description: d
        Resources:
          hunter2:
            Type: X
            Properties:
              - "hunter2: no"
              - 9223372036854775807
              - true
        Outputs: {}
        "#);
        assert_eq!(stack.tags["oort:content-hash"].len(), 64);
        assert_eq!(rendered(template).unwrap(), stack);
    }

    proptest! {
        #[test]
        fn no_value_changes_what_stands_around_it(value in prop_oneof![any::<String>(), "[\\x00-\\xff\u{feff}\u{2028}\u{ffff}]{0,8}"]) {
            let source = Source {
                path: "t.j2".to_owned(),
                text: "Resources: {A: {Type: {{ value }}}}\n".to_owned(),
            };
            let body = stack("oort-test-acme", None, &source, &context! { value => value.as_str() }, BTreeMap::new()).unwrap().body;
            let read: serde_yaml::Value = serde_yaml::from_str(&body).unwrap();
            prop_assert_eq!(read["Resources"]["A"]["Type"].as_str(), Some(value.as_str()), "{}", body);
        }
    }

    #[test]
    fn errors_show_the_line_and_no_value() {
        let told: Vec<String> = [
            "A: 1\nB: {{ count * count * count }}\n",
            "A: 1\nB: {{ secret.inner.deeper }}\n",
            "A: 1\nB: oort-{{ secret }}\n",
            "A: 1\nB: \"oort-{{ secret }}\"\n",
            "A: {{ secret }}\nA: {{ secret }}\n",
            "{% for i in [1, 2] %}\nA: {{ secret }}\n",
            "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: {{ secret ~ \"!\" }}}\n",
        ]
        .into_iter()
        .map(|template| rendered(template).unwrap_err().to_string())
        .collect();
        let told = told.join("\n");
        assert!(
            !told.contains("hunter2") && !told.contains("9223372036854775807"),
            "{told}"
        );
        insta::assert_snapshot!(told, @r#"
        t.j2:2: invalid operation
             2 | B: {{ count * count * count }}
        t.j2:2: undefined value: `secret.inner` is undefined
             2 | B: {{ secret.inner.deeper }}
        t.j2 for oort-test-acme gives no good YAML at line 2 of its result: quotes inside a text; join inside the braces, as in {{ "a-" ~ b }}
             2 | B: oort-…
        t.j2 for oort-test-acme gives no good YAML at line 2 of its result: invalid trailing content after double-quoted scalar
             2 | B: …
        t.j2 for oort-test-acme gives no good YAML at line 2 of its result: this key stands in its map twice
             2 | A: …
        t.j2:2: syntax error: unexpected end of input, expected end of block
             2 | A: {{ secret }}
        oort-test-acme: Q: QueueName is 1 to 80 letters, digits, hyphens and underscores
        "#);
    }

    #[test]
    fn a_template_is_small_enough_to_be_sent_inline() {
        let resources = |count: usize| {
            let resource = |index| format!("  A{index}: {{Type: AWS::SQS::Queue}}\n");
            format!("Resources:\n{}", (0..count).map(resource).collect::<String>())
        };
        assert!(rendered(&resources(1_000)).is_ok());
        let error = rendered(&resources(2_000)).unwrap_err();
        assert!(matches!(error, RenderError::Limit { .. }), "{error}");
    }
}
