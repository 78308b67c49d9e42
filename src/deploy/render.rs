//! Templates and validated values -> stacks. Pure: the same sources always render to the same bytes.

mod engine;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use minijinja::value::Serde;
use minijinja::{Value, context};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::deploy::profile::{Environment, Profile, Tenant};
use crate::deploy::render::engine::Engine;
use crate::deploy::skeleton::Skeleton;
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::tree::Tree;
use crate::model::name::StackName;
use crate::model::resources::{devices_table, table_name, users_table};
use crate::model::stack::{INLINE_BYTES, StackSpec, TEMPLATE_BYTES};

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
        let values = context! {
            profile => self.profile_value.clone(),
            tenant => Value::from(Serde(tenant)),
            prefix => name.as_str(),
            table => table_name(tenant.id.as_str()),
            users_table => users_table(tenant.id.as_str()),
            devices_table => devices_table(tenant.id.as_str()),
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

/// A template and the skeletons that it gave so far.
struct Template<'a> {
    path: Arc<str>,
    engine: Engine<'a>,
    /// With what the template gave for each. There are few, and most differ in length.
    skeletons: RwLock<Vec<(String, Arc<Skeleton>)>>,
}

impl<'a> Template<'a> {
    fn new(source: &'a Source) -> Result<Self, RenderError> {
        Ok(Self {
            path: source.path.as_str().into(),
            engine: Engine::new(source)?,
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
        let (given, mut values) = self.engine.run(context)?;
        // What the renderer adds to `Metadata`: the stack's tags, so that a reviewer sees them.
        let shown_tags = tags.iter().map(|(key, value)| (key.clone(), Tree::text(value)));
        values.push(Tree::Map(vec![("Tags".to_owned(), Tree::Map(shown_tags.collect()))]));
        let skeleton = self.skeleton(given, context, values.len() - 1)?;
        let body = skeleton.fill(&values).map_err(limit)?;
        // The foundation makes the bucket that a larger one would go through.
        let most = if tenant.is_some() { TEMPLATE_BYTES } else { INLINE_BYTES };
        if body.len() > most {
            return Err(limit(format!(
                "the template has {} bytes, and CloudFormation takes {most}",
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

    fn skeleton(&self, given: String, context: &Value, metadata: usize) -> Result<Arc<Skeleton>, RenderError> {
        let known = self.skeletons.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, skeleton)) = known.iter().find(|(text, _)| *text == given) {
            return Ok(Arc::clone(skeleton));
        }
        drop(known);
        let lines = self.engine.lines(context)?;
        let skeleton =
            Skeleton::read(&given, &lines, metadata).map_err(|fault| self.engine.failed_at(fault.line, fault.why))?;
        let skeleton = Arc::new(skeleton);
        let mut known = self.skeletons.write().unwrap_or_else(PoisonError::into_inner);
        known.push((given, Arc::clone(&skeleton)));
        Ok(skeleton)
    }
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
