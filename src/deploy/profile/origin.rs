//! Where each effective value comes from: the layers of files laid over each other, as they are written.

use crate::deploy::source::{Source, SourceSet};
use crate::deploy::yaml::{self, Node, Value};

/// An effective value.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Origin {
    /// Keys joined by dots, such as `detector.cpu`.
    pub key: String,
    /// As it is written, a list in brackets.
    pub value: String,
    pub path: String,
    pub line: usize,
}

/// Every value that holds for an environment or, with the file of a tenant, for the tenant; in the order of its first
/// layer's files. Later layers have the last word: defaults, environment, group, tenant.
///
/// The files must be valid: what cannot be read is left out.
pub fn origins(sources: &SourceSet, tenant: Option<&Source>) -> Vec<Origin> {
    let group = tenant.and_then(|tenant| {
        let root = yaml::parse(&tenant.text).ok()?;
        let name = scalar(root.find(&["group"])?)?;
        sources.groups.iter().find(|group| group.stem() == name)
    });
    let layers = [sources.defaults.as_ref(), Some(&sources.profile), group, tenant];
    let mut origins = Vec::new();
    for source in layers.into_iter().flatten() {
        if let Ok(root) = yaml::parse(&source.text) {
            lay(&root, "", source, &mut origins);
        }
    }
    origins
}

fn lay(node: &Node, prefix: &str, source: &Source, origins: &mut Vec<Origin>) {
    let Value::Map(entries) = &node.value else { return };
    for (key, value) in entries {
        let name = if prefix.is_empty() {
            key.text.clone()
        } else {
            format!("{prefix}.{}", key.text)
        };
        match &value.value {
            Value::Map(_) => {
                lay(value, &name, source, origins);
                continue;
            }
            Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Map(_))) => {
                for (index, item) in items.iter().enumerate() {
                    let own = item.find(&["name"]).or(item.find(&["rule"])).and_then(scalar);
                    let inner = format!("{name}[{}]", own.map_or_else(|| index.to_string(), str::to_owned));
                    lay(item, &inner, source, origins);
                }
                continue;
            }
            _ => {}
        }
        let origin = Origin {
            value: written(value),
            path: source.path.clone(),
            line: key.at.line,
            key: name,
        };
        match origins.iter_mut().find(|known| known.key == origin.key) {
            // Suppressions of all layers hold together.
            Some(known) if !known.key.starts_with("suppressions") => *known = origin,
            _ => origins.push(origin),
        }
    }
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

fn written(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, is_plain: true } => text.clone(),
        Value::Scalar { text, .. } => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entry = |(key, value): &(yaml::Key, Node)| format!("{}: {}", key.text, written(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
