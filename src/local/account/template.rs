//! A template as the embedded account keeps it: of each resource what tells it from another version of itself, and not its
//! text, so that an account of thousands of stacks fits into memory. Pure.
//!
//! Parameters have their defaults. Conditions, mappings, macros and `Fn::ForEach` are not known.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

use super::resolve::{Mention, Reference, Scope, imports, mentions, text};

pub(super) const BUS: &str = "AWS::Events::EventBus";

/// The attributes of a resource, besides its properties, whose change is a change of the resource.
const ATTRIBUTES: [&str; 5] = [
    "CreationPolicy",
    "DeletionPolicy",
    "Metadata",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// Where a template is deployed.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub account: String,
    pub region: String,
}

#[derive(Debug)]
pub(super) struct Template {
    /// By logical ID.
    pub resources: BTreeMap<String, Definition>,
    pub exports: Vec<Export>,
    /// Of all outputs with their values.
    pub outputs: u64,
    /// The exports that anything in it imports.
    pub imports: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct Export {
    pub name: String,
    pub value: Value,
}

#[derive(Debug)]
pub(super) struct Definition {
    pub resource_type: String,
    pub properties: BTreeMap<String, Property>,
    /// Those of [`ATTRIBUTES`] that it has.
    pub attributes: BTreeMap<&'static str, u64>,
    pub on_delete: Disposal,
    pub on_replace: Disposal,
    pub name: Option<CustomName>,
    /// The partner event source that an event bus accepts.
    pub source: Option<String>,
    pub imports: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// Of the value; the same for the same value.
    pub digest: u64,
    pub mentions: BTreeSet<Mention>,
}

/// A name that the template gives a resource, and that no other of its type may have.
#[derive(Debug, Clone)]
pub(super) struct CustomName {
    pub name: String,
    /// The name with that of the bus or group in which it is unique.
    pub identity: String,
    /// Whether it is written out, without any function. CloudFormation adopts only such.
    pub is_static: bool,
}

/// What becomes of a resource that its stack has no more use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposal {
    Delete,
    Retain,
    Snapshot,
}

impl Disposal {
    fn of(resource: &Value, attribute: &str) -> Self {
        match resource.get(attribute).and_then(Value::as_str) {
            Some("Retain" | "RetainExceptOnCreate") => Self::Retain,
            Some("Snapshot") => Self::Snapshot,
            _ => Self::Delete,
        }
    }
}

impl Template {
    /// Reads a template; otherwise what CloudFormation says is wrong with it.
    pub fn read(body: &str, stack: &str, place: &Place) -> Result<Self, String> {
        let root: Value = serde_saphyr::from_str(body).map_err(|error| format!("Template format error: {error}"))?;
        let none = Map::new();
        let parameters = root.get("Parameters").and_then(Value::as_object).unwrap_or(&none);
        let bodies = root.get("Resources").and_then(Value::as_object).unwrap_or(&none);
        if bodies.is_empty() {
            return Err("Template format error: At least one Resources member must be defined.".to_owned());
        }
        let pseudo = |reference: Reference<'_>| match reference {
            Reference::Name("AWS::StackName") => Some(stack.to_owned()),
            Reference::Name(name) => place.pseudo(name).or_else(|| text_default(parameters.get(name)?)),
            _ => None,
        };
        // A rule is unique in its bus, so the names of other resources count.
        let scope = |reference: Reference<'_>| {
            pseudo(reference).or_else(|| match reference {
                Reference::Name(id) => name_of(bodies.get(id)?, &pseudo).map(|named| named.name),
                _ => None,
            })
        };
        let mut resources = BTreeMap::new();
        for (id, body) in bodies {
            resources.insert(id.clone(), Definition::read(id, body, &scope)?);
        }
        let outputs = root.get("Outputs").unwrap_or(&Value::Null);
        let is_known =
            |name: &str| name.starts_with("AWS::") || parameters.contains_key(name) || resources.contains_key(name);
        refuse_unknown(&resources, outputs, is_known)?;
        let mut imported: BTreeSet<String> = resources.values().flat_map(|one| one.imports.iter().cloned()).collect();
        imports(outputs, &scope, &mut imported);
        Ok(Self {
            exports: exports(outputs, &scope),
            outputs: digest(outputs),
            imports: imported,
            resources,
        })
    }
}

impl Place {
    /// The value of a pseudo parameter that is the same in all stacks.
    pub fn pseudo(&self, name: &str) -> Option<String> {
        Some(match name {
            "AWS::AccountId" => self.account.clone(),
            "AWS::Region" => self.region.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => return None,
        })
    }
}

impl Definition {
    fn read(id: &str, body: &Value, scope: Scope<'_>) -> Result<Self, String> {
        let resource_type = body.get("Type").and_then(Value::as_str);
        let resource_type = resource_type.ok_or_else(|| {
            format!("Template format error: [/Resources/{id}] Every Resources object must contain a Type member.")
        })?;
        let none = Map::new();
        let properties = body.get("Properties").and_then(Value::as_object).unwrap_or(&none);
        let mut imported = BTreeSet::new();
        imports(body, scope, &mut imported);
        let attributes = ATTRIBUTES.into_iter();
        let source = properties.get("EventSourceName").filter(|_| resource_type == BUS);
        Ok(Self {
            resource_type: resource_type.to_owned(),
            properties: properties
                .iter()
                .map(|(name, value)| (name.clone(), Property::read(value)))
                .collect(),
            attributes: attributes
                .filter_map(|name| Some((name, digest(body.get(name)?))))
                .collect(),
            on_delete: Disposal::of(body, "DeletionPolicy"),
            on_replace: Disposal::of(body, "UpdateReplacePolicy"),
            name: name_of(body, scope),
            source: source.and_then(|source| text(source, scope)),
            imports: imported,
        })
    }
}

impl Property {
    fn read(value: &Value) -> Self {
        let mut found = BTreeSet::new();
        mentions(value, &mut found);
        Self {
            digest: digest(value),
            mentions: found,
        }
    }
}

/// The name that a resource's property `Name`, or the one named after its type as in `QueueName`, gives it.
fn name_of(body: &Value, scope: Scope<'_>) -> Option<CustomName> {
    let resource_type = body.get("Type")?.as_str()?;
    // Names of policies inside a role.
    if matches!(resource_type, "AWS::IAM::Policy" | "AWS::IAM::RolePolicy") {
        return None;
    }
    let kind = resource_type.rsplit("::").next()?;
    let properties = body.get("Properties")?;
    let value = properties
        .get(format!("{kind}Name"))
        .or_else(|| properties.get("Name"))?;
    let name = text(value, scope)?;
    let container = properties.get("EventBusName").or_else(|| properties.get("GroupName"));
    let container = container.filter(|container| *container != value);
    let identity = match container {
        None => name.clone(),
        Some(container) => {
            let container = text(container, scope).unwrap_or_else(|| format!("#{:x}", digest(container)));
            format!("{container}/{name}")
        }
    };
    Some(CustomName {
        name,
        identity,
        is_static: value.is_string(),
    })
}

fn text_default(parameter: &Value) -> Option<String> {
    text(parameter.get("Default")?, &|_| None)
}

fn exports(outputs: &Value, scope: Scope<'_>) -> Vec<Export> {
    let outputs = outputs.as_object().into_iter().flat_map(Map::values);
    let export = |output: &Value| {
        Some(Export {
            name: text(output.get("Export")?.get("Name")?, scope)?,
            value: output.get("Value")?.clone(),
        })
    };
    outputs.filter_map(export).collect()
}

fn refuse_unknown(
    resources: &BTreeMap<String, Definition>,
    outputs: &Value,
    is_known: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let mut of_outputs = BTreeSet::new();
    mentions(outputs, &mut of_outputs);
    let of_resources = resources
        .values()
        .flat_map(|one| one.properties.values())
        .flat_map(|one| &one.mentions);
    for (section, mentioned) in of_resources
        .map(|one| ("Resources", one))
        .chain(of_outputs.iter().map(|one| ("Outputs", one)))
    {
        let target = &mentioned.target;
        if !is_known(target) {
            return Err(format!(
                "Template format error: Unresolved resource dependencies [{target}] in the {section} block of the template"
            ));
        }
    }
    Ok(())
}

/// The same for values that CloudFormation takes for the same: the order of keys and the quotes of a number do not count.
fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    add(value, &mut hasher);
    hasher.finish()
}

fn add(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(is) => (1_u8, is.to_string()).hash(hasher),
        Value::Number(number) => (1_u8, number.to_string()).hash(hasher),
        Value::String(text) => (1_u8, text).hash(hasher),
        Value::Array(items) => {
            (2_u8, items.len()).hash(hasher);
            for item in items {
                add(item, hasher);
            }
        }
        Value::Object(fields) => {
            (3_u8, fields.len()).hash(hasher);
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            for (key, field) in sorted {
                key.hash(hasher);
                add(field, hasher);
            }
        }
    }
}
