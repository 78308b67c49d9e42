//! A rendered CloudFormation template as a graph of resources: typed look-ups, references followed, intrinsics resolved.
//! Pure. Must not live here: what the resources mean to the embedded target.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// What CloudFormation fills in for a stack's pseudo-parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudo {
    pub account: String,
    pub region: String,
}

/// A template that the embedded target cannot stand in for.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {place}: {problem}")]
pub struct TwinError {
    /// The template, as the caller named it.
    pub file: String,
    /// The resource, with the property where there is one.
    pub place: String,
    pub problem: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// No property of a resource takes more.
const LONGEST_TEXT: usize = 1 << 16;

pub(super) const BUS: &str = "AWS::Events::EventBus";

pub(super) type Result<T> = std::result::Result<T, TwinError>;

/// One template.
pub(super) struct Template<'a> {
    file: &'a str,
    pseudo: &'a Pseudo,
    resources: Map<String, Value>,
}

/// One resource of a template.
#[derive(Clone, Copy)]
pub(super) struct Resource<'a> {
    template: &'a Template<'a>,
    pub id: &'a str,
    body: &'a Value,
}

impl<'a> Template<'a> {
    pub fn read(file: &'a str, text: &str, pseudo: &'a Pseudo) -> Result<Self> {
        let failed = |problem: &str, source| TwinError {
            file: file.to_owned(),
            place: "template".to_owned(),
            problem: problem.to_owned(),
            source,
        };
        let mut root: Value =
            serde_saphyr::from_str(text).map_err(|error| failed("is not readable YAML", Some(error.into())))?;
        match root.get_mut("Resources").map(Value::take) {
            Some(Value::Object(resources)) => Ok(Self {
                file,
                pseudo,
                resources,
            }),
            _ => Err(failed("has no `Resources`; a rendered stack is expected", None)),
        }
    }

    fn resource(&'a self, id: &str) -> Option<Resource<'a>> {
        let (id, body) = self.resources.get_key_value(id)?;
        Some(Resource {
            template: self,
            id,
            body,
        })
    }

    /// The resources of a type, in the order of their names.
    pub fn of_type(&'a self, kind: &str) -> Vec<Resource<'a>> {
        let all = self.resources.iter().map(|(id, body)| Resource {
            template: self,
            id,
            body,
        });
        let mut found: Vec<_> = all.filter(|resource| resource.kind() == kind).collect();
        found.sort_unstable_by_key(|resource| resource.id);
        found
    }

    /// The one resource of a type.
    pub fn only(&'a self, kind: &str) -> Result<Resource<'a>> {
        match self.of_type(kind)[..] {
            [resource] => Ok(resource),
            [] => Err(self.failed(kind, "the stack has none; one is expected")),
            [first, second, ..] => Err(self.failed(
                kind,
                format!("the stack has `{}` and `{}`; one is expected", first.id, second.id),
            )),
        }
    }

    pub fn failed(&self, place: &str, problem: impl Into<String>) -> TwinError {
        TwinError {
            file: self.file.to_owned(),
            place: place.to_owned(),
            problem: problem.into(),
            source: None,
        }
    }

    /// The value with every intrinsic replaced by what CloudFormation would put there; otherwise the problem in words.
    fn resolve(&self, value: &Value) -> std::result::Result<Value, String> {
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(fields) => match intrinsic(fields) {
                Some((name, argument)) => self.call(name, argument).map(Value::String),
                None => fields
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.resolve(value)?)))
                    .collect(),
            },
            _ => Ok(value.clone()),
        }
    }

    fn call(&self, name: &str, argument: &Value) -> std::result::Result<String, String> {
        match (name, argument) {
            ("Ref", Value::String(target)) => self.named(target, None),
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &Map::new()),
            ("Fn::Sub", Value::Array(parts)) => match &parts[..] {
                [Value::String(text), Value::Object(variables)] => self.substitute(text, variables),
                _ => Err("`Fn::Sub` takes a text, or a text and its variables".to_owned()),
            },
            ("Fn::Join", Value::Array(parts)) => match &parts[..] {
                [Value::String(separator), Value::Array(items)] => {
                    let texts: std::result::Result<Vec<_>, _> = items.iter().map(|item| self.text_of(item)).collect();
                    Ok(texts?.join(separator))
                }
                _ => Err("`Fn::Join` takes a separator and a list".to_owned()),
            },
            ("Fn::GetAtt", _) => match attribute(argument) {
                Some((target, attribute)) => self.named(target, Some(attribute)),
                None => Err("`Fn::GetAtt` takes a resource and an attribute".to_owned()),
            },
            _ => Err(format!("`{name}` has no value outside AWS")),
        }
    }

    fn text_of(&self, value: &Value) -> std::result::Result<String, String> {
        match self.resolve(value)? {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(format!("`{other}` is not a text")),
        }
    }

    /// A pseudo-parameter, or what names an event bus: the only resource whose name is known before it is deployed.
    fn named(&self, target: &str, attribute: Option<&str>) -> std::result::Result<String, String> {
        match (target, attribute) {
            ("AWS::AccountId", None) => return Ok(self.pseudo.account.clone()),
            ("AWS::Region", None) => return Ok(self.pseudo.region.clone()),
            ("AWS::Partition", None) => return Ok("aws".to_owned()),
            ("AWS::URLSuffix", None) => return Ok("amazonaws.com".to_owned()),
            _ => {}
        }
        let name = self
            .resource(target)
            .filter(|bus| bus.kind() == BUS)
            .and_then(|bus| bus.raw("Name"));
        if let (Some(name), None | Some("Name")) = (name, attribute) {
            // A bus that was named after another could be named after itself in the end.
            let alone = Template {
                resources: Map::new(),
                ..*self
            };
            return alone.text_of(name);
        }
        let dotted = attribute.map(|attribute| format!(".{attribute}")).unwrap_or_default();
        Err(format!("`{target}{dotted}` has no value outside AWS"))
    }

    fn substitute(&self, text: &str, variables: &Map<String, Value>) -> std::result::Result<String, String> {
        // Each once, however often it is named.
        let variables: std::result::Result<HashMap<_, _>, String> = variables
            .iter()
            .map(|(name, value)| Ok((name.as_str(), self.text_of(value)?)))
            .collect();
        let variables = variables?;
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if result.len() > LONGEST_TEXT {
                return Err(format!("`Fn::Sub` gives a text of more than {LONGEST_TEXT} bytes"));
            }
            let (name, tail) = after
                .split_once('}')
                .ok_or_else(|| format!("`{text}` has `${{` without `}}`"))?;
            result.push_str(before);
            match (name.strip_prefix('!'), variables.get(name), name.split_once('.')) {
                (Some(literal), ..) => result.extend(["${", literal, "}"]),
                (_, Some(value), _) => result.push_str(value),
                (.., Some((target, attribute))) => result.push_str(&self.named(target, Some(attribute))?),
                _ => result.push_str(&self.named(name, None)?),
            }
            rest = tail;
        }
        result.push_str(rest);
        Ok(result)
    }
}

impl<'a> Resource<'a> {
    pub fn kind(&self) -> &'a str {
        self.body.get("Type").and_then(Value::as_str).unwrap_or_default()
    }

    pub fn failed(&self, property: &str, problem: impl Into<String>) -> TwinError {
        self.template.failed(
            &format!("resource `{}` ({}), {property}", self.id, self.kind()),
            problem,
        )
    }

    pub fn caused(
        &self,
        property: &str,
        problem: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> TwinError {
        TwinError {
            source: Some(source.into()),
            ..self.failed(property, problem)
        }
    }

    /// The property as it is written. `path` joins keys and indexes by `/`.
    pub fn raw(&self, path: &str) -> Option<&'a Value> {
        self.body.get("Properties")?.pointer(&format!("/{path}"))
    }

    /// The property with its intrinsics resolved.
    pub fn value(&self, path: &str) -> Result<Option<Value>> {
        let resolved = self.raw(path).map(|raw| self.template.resolve(raw)).transpose();
        resolved.map_err(|problem| self.failed(path, problem))
    }

    pub fn text(&self, path: &str) -> Result<Option<String>> {
        match self.value(path)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.failed(path, format!("`{other}` is not a text"))),
        }
    }

    /// A whole number, also when it is written as a text, as CloudFormation allows.
    pub fn number(&self, path: &str) -> Result<Option<u64>> {
        let Some(value) = self.value(path)? else {
            return Ok(None);
        };
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        number
            .map(Some)
            .ok_or_else(|| self.failed(path, format!("`{value}` is not a whole number")))
    }

    pub fn missing(&self, path: &str) -> TwinError {
        self.failed(path, "is missing")
    }

    /// The resource that the property refers to by `Ref` or `Fn::GetAtt`; an error when it is not of type `kind`.
    pub fn referred(&self, path: &str, kind: &str) -> Result<Resource<'a>> {
        let raw = self.raw(path).ok_or_else(|| self.missing(path))?;
        let resource = referred_id(raw).and_then(|id| self.template.resource(id));
        resource
            .filter(|resource| resource.kind() == kind)
            .ok_or_else(|| self.failed(path, format!("`{raw}` refers to no {kind} of this stack")))
    }

    /// Fails when a property is set that would change what the embedded target does, and that it does not know.
    pub fn refuse(&self, paths: &[&str]) -> Result<()> {
        let neutral = [Value::Null, Value::Bool(false), Value::from(0)];
        match paths
            .iter()
            .find(|path| self.raw(path).is_some_and(|value| !neutral.contains(value)))
        {
            Some(path) => Err(self.failed(path, "is not supported by the embedded target")),
            None => Ok(()),
        }
    }
}

fn intrinsic(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = fields.iter().next().filter(|_| fields.len() == 1)?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name, argument))
}

/// `[Resource, Attribute]` or `Resource.Attribute`.
fn attribute(argument: &Value) -> Option<(&str, &str)> {
    match argument {
        Value::String(text) => text.split_once('.'),
        _ => Some((argument.get(0)?.as_str()?, argument.get(1)?.as_str()?)),
    }
}

fn referred_id(value: &Value) -> Option<&str> {
    match intrinsic(value.as_object()?)? {
        ("Ref", target) => target.as_str(),
        ("Fn::GetAtt", argument) => attribute(argument).map(|(target, _)| target),
        _ => None,
    }
}
