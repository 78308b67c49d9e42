//! Templates and validated values -> stacks. Pure: the same sources always render to the same bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{
    AutoEscape, Environment as Engine, ErrorKind, Output, OutputSpan, OutputSpanKind, State, UndefinedBehavior, Value,
    context, escape_formatter,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::deploy::profile::{Environment, Profile, Tenant};
use crate::deploy::skeleton::{self, Skeleton};
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::tree::Tree;
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
    #[error("{stack}: {why}")]
    Limit { stack: String, why: String },
}

/// A stack with what it was rendered from.
#[derive(Debug, Clone)]
pub struct Rendered {
    pub spec: StackSpec,
    /// The template's file.
    pub template: Arc<str>,
    skeleton: Arc<Skeleton>,
    values: Vec<Tree>,
}

impl Rendered {
    /// The template as a tree.
    pub fn tree(&self) -> Tree {
        self.skeleton.tree(&self.values)
    }

    /// The line of the template's file that wrote what stands at a path of keys and indices, or the nearest thing
    /// around it.
    pub fn line_of(&self, path: &[&str]) -> usize {
        self.skeleton.line_of(path, &self.values)
    }
}

/// Renders the stacks of an environment. Can be shared by threads.
pub struct Renderer<'a> {
    profile: &'a Profile,
    profile_value: Value,
    foundation: Template<'a>,
    tenant: Template<'a>,
}

impl<'a> Renderer<'a> {
    pub fn new(profile: &'a Profile, sources: &'a SourceSet) -> Result<Self, RenderError> {
        Ok(Self {
            profile,
            profile_value: Value::from(Serde(profile)),
            foundation: Template::new(&sources.foundation_template)?,
            tenant: Template::new(&sources.tenant_template)?,
        })
    }

    /// What the tenants share.
    pub fn foundation(&self) -> Result<Rendered, RenderError> {
        let prefix = format!("oort-{}", self.profile.environment);
        let values = context! { profile => self.profile_value.clone(), prefix => prefix.as_str() };
        let name = format!("{prefix}-foundation");
        self.foundation.stack(&name, None, &values, self.tags())
    }

    /// One tenant's stack.
    pub fn tenant(&self, tenant: &Tenant) -> Result<Rendered, RenderError> {
        let name = format!("oort-{}-{}", self.profile.environment, tenant.id);
        // Query engines take letters, digits and underscores in a table's name; no tenant ID has an underscore.
        let table = format!("{}_activity", tenant.id.as_str().replace('-', "_"));
        let values = context! {
            profile => self.profile_value.clone(),
            tenant => Value::from(Serde(tenant)),
            prefix => name.as_str(),
            table,
        };
        let mut tags = self.tags();
        tags.extend(tenant.tags.clone());
        tags.insert("oort:tenant".to_owned(), tenant.id.to_string());
        self.tenant.stack(&name, Some(tenant), &values, tags)
    }

    fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.profile.tags.clone();
        tags.insert("oort:environment".to_owned(), self.profile.environment.to_string());
        tags
    }
}

/// Which stacks of an environment are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    All,
    /// Those of tenants, without the foundation.
    Tenants,
}

/// Renders stacks on all cores: the foundation, then tenants by ID. `work` is done where a stack was rendered; `take` gets
/// the results in order, a batch at a time, so that no more than a batch is held.
pub fn for_each<T: Send, E: From<RenderError> + Send>(
    environment: &Environment,
    sources: &SourceSet,
    scope: Scope,
    work: impl Fn(Rendered) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    const BATCH: usize = 256;
    let renderer = Renderer::new(&environment.profile, sources)?;
    if scope == Scope::All {
        take(work(renderer.foundation()?)?)?;
    }
    for batch in environment.tenants.chunks(BATCH) {
        let done: Vec<Result<T, E>> = batch.par_iter().map(|tenant| work(renderer.tenant(tenant)?)).collect();
        done.into_iter().try_for_each(|result| take(result?))?;
    }
    Ok(())
}

/// Every stack of an environment: its foundation, then its tenants by ID.
pub fn render(environment: &Environment, sources: &SourceSet) -> Result<Vec<Rendered>, RenderError> {
    let mut stacks = Vec::with_capacity(environment.tenants.len() + 1);
    for_each(environment, sources, Scope::All, Ok, |stack| {
        stacks.push(stack);
        Ok::<_, RenderError>(())
    })?;
    Ok(stacks)
}

/// A template, ready to run, and the skeletons that it gave so far.
struct Template<'a> {
    source: &'a Source,
    path: Arc<str>,
    engine: Engine<'static>,
    /// With what the template gave for each. There are few, and most differ in length.
    skeletons: RwLock<Vec<(String, Arc<Skeleton>)>>,
}

impl<'a> Template<'a> {
    fn new(source: &'a Source) -> Result<Self, RenderError> {
        let mut engine = Engine::empty();
        // Data stands in holes that JSON could fill: no value can change the structure around it.
        engine.set_auto_escape_callback(|_| AutoEscape::Json);
        engine.set_formatter(leave_hole);
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_fuel(Some(FUEL));
        let failed = |error: &minijinja::Error| template_error(source, error);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        engine.set_syntax(syntax.build().map_err(|error| failed(&error))?);
        if skeleton::is_marked(&source.text) {
            let why = "U+FDD0 marks the renderer's holes and may not stand in a template";
            return Err(at_line(source, 1, why.to_owned()));
        }
        engine
            .add_template_owned(source.path.clone(), source.text.clone())
            .map_err(|error| failed(&error))?;
        Ok(Self {
            source,
            path: source.path.as_str().into(),
            engine,
            skeletons: RwLock::default(),
        })
    }

    fn stack(
        &self,
        name: &str,
        tenant: Option<&Tenant>,
        context: &Value,
        mut tags: BTreeMap<String, String>,
    ) -> Result<Rendered, RenderError> {
        let limit = |why: String| RenderError::Limit {
            stack: name.to_owned(),
            why,
        };
        let run = self.run(context, &tags);
        let (given, values) = run.map_err(|error| template_error(self.source, &error))?;
        let skeleton = self.skeleton(given, context, values.len() - 1)?;
        let body = skeleton.fill(&values).map_err(limit)?;
        if body.len() > INLINE_BYTES {
            return Err(limit(format!(
                "the template has {} bytes, and CloudFormation takes {INLINE_BYTES}",
                body.len()
            )));
        }
        tags.insert("oort:content-hash".to_owned(), content_hash(&body, &tags));
        let name = StackName::parse(name).map_err(|error| limit(error.to_string()))?;
        Ok(Rendered {
            spec: StackSpec {
                name,
                tenant: tenant.map(|tenant| tenant.id.clone()),
                body,
                tags,
            },
            template: Arc::clone(&self.path),
            skeleton,
            values,
        })
    }

    /// The template's output with holes, and what goes into them. The last is what the renderer adds to `Metadata`: the
    /// stack's tags, so that a reviewer sees them.
    fn run(&self, context: &Value, tags: &BTreeMap<String, String>) -> Result<(String, Vec<Tree>), minijinja::Error> {
        let mut captured = self.engine.get_template(&self.source.path)?.render_captured(context)?;
        let mut values = captured.with_state_mut(|state| std::mem::take(&mut holes(state).0));
        let tags = tags.iter().map(|(key, value)| (key.clone(), Tree::text(value)));
        values.push(Tree::Map(vec![("Tags".to_owned(), Tree::Map(tags.collect()))]));
        Ok((captured.into_output(), values))
    }

    fn skeleton(&self, given: String, context: &Value, metadata: usize) -> Result<Arc<Skeleton>, RenderError> {
        let known = self.skeletons.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, skeleton)) = known.iter().find(|(text, _)| *text == given) {
            return Ok(Arc::clone(skeleton));
        }
        drop(known);
        let template = self.engine.get_template(&self.source.path);
        let (_, spans) = template
            .and_then(|template| template.render_with_spans(context))
            .map_err(|error| template_error(self.source, &error))?;
        let skeleton = Skeleton::read(&given, &lines(&given, &spans, &self.source.text), metadata)
            .map_err(|fault| at_line(self.source, fault.line, fault.why))?;
        let skeleton = Arc::new(skeleton);
        let mut known = self.skeletons.write().unwrap_or_else(PoisonError::into_inner);
        known.push((given, Arc::clone(&skeleton)));
        Ok(skeleton)
    }
}

/// The template's line of each line of its output: of the first character that is no blank.
fn lines(given: &str, spans: &[OutputSpan], source: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in given.split_inclusive('\n') {
        let first = start + (line.len() - line.trim_start().len());
        let index = spans.partition_point(|span| span.output_range().end <= first);
        lines.push(spans.get(index).map_or(1, |span| {
            let before = match span.kind() {
                OutputSpanKind::Raw => first.saturating_sub(span.output_range().start),
                _ => 0,
            };
            let from = span.source_range().start;
            let passed = source.get(from..from + before).unwrap_or_default();
            span.line() + passed.matches('\n').count()
        }));
        start += line.len();
    }
    lines
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

/// The values of one run of a template.
#[derive(Default)]
struct Holes(Vec<Tree>);

fn holes<'s>(state: &'s mut State<'_, '_>) -> &'s mut Holes {
    state.get_or_insert_extension_with(Holes::default)
}

/// Writes a hole for a value, and keeps the value.
fn leave_hole(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    // Text of a macro has its holes already, and what is undefined is refused by the engine's own writer.
    if value.is_safe() || value.is_undefined() {
        return escape_formatter(out, state, value);
    }
    let tree = tree(value).map_err(|why| minijinja::Error::new(ErrorKind::InvalidOperation, why))?;
    let holes = holes(state);
    holes.0.push(tree);
    Ok(skeleton::write_hole(holes.0.len() - 1, out)?)
}

fn tree(value: &Value) -> Result<Tree, &'static str> {
    if let Some(text) = value.as_str() {
        return if skeleton::is_torn(text) {
            Err("what a macro wrote is joined to a text; write it alone")
        } else {
            Ok(Tree::text(text))
        };
    }
    let inside = |value: Option<Value>| tree(&value.unwrap_or_default());
    match value.kind() {
        ValueKind::None => Ok(Tree::Null),
        ValueKind::Bool => Ok(Tree::Bool(value.is_true())),
        ValueKind::Number => value
            .as_i64()
            .map(Tree::Int)
            .ok_or("a number that is no whole number of 64 bits"),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|_| "a list that cannot be read")?;
            items.map(|item| tree(&item)).collect::<Result<_, _>>().map(Tree::List)
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|_| "a map that cannot be read")?;
            keys.map(|key| {
                let name = key.as_str().ok_or("a map with a key that is no text")?.to_owned();
                Ok((name, inside(value.get_item(&key).ok())?))
            })
            .collect::<Result<_, _>>()
            .map(Tree::Map)
        }
        _ => Err("a value that is no text, number, truth value, list or map"),
    }
}

fn at_line(template: &Source, line: usize, why: String) -> RenderError {
    RenderError::Template {
        path: template.path.clone(),
        line,
        why,
        text: template
            .text
            .lines()
            .nth(line - 1)
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
    }
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
    at_line(template, line, format!("{}{detail}", innermost.kind()))
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
        stack(&source, &values)
    }

    fn stack(source: &Source, values: &Value) -> Result<StackSpec, RenderError> {
        let template = Template::new(source)?;
        let first = template.stack("oort-test-acme", None, values, BTreeMap::new())?;
        let again = template.stack("oort-test-acme", None, values, BTreeMap::new())?;
        assert_eq!(first.spec, again.spec);
        let read = Tree::from(crate::deploy::yaml::parse(&first.spec.body).unwrap());
        assert_eq!(read, first.tree());
        Ok(first.spec)
    }

    #[test]
    fn sections_stand_in_their_order_and_values_are_data() {
        let template = "Outputs: {}\nResources:\n  {{ secret }}:\n    Type: X\n    Properties: [{{ secret ~ \": no\" }}, {{ count }}, {{ true }}]\nDescription: d\n";
        let stack = rendered(template).unwrap();
        insta::assert_snapshot!(stack.body, @r#"
        Description: d
        Metadata:
          Oort:
            Tags: {}
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
            let body = stack(&source, &context! { value => value.as_str() }).unwrap().body;
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
        t.j2:2: a value joined to a text outside the braces; join inside, as in {{ "a-" ~ b }}
             2 | B: oort-{{ secret }}
        t.j2:2: a value joined to a text outside the braces; join inside, as in {{ "a-" ~ b }}
             2 | B: "oort-{{ secret }}"
        t.j2:2: this key stands in its map twice
             2 | A: {{ secret }}
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
