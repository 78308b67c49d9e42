//! A document's values without their places: what is emitted, compared and checked. Pure.

use crate::deploy::yaml::{Node, Value};

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Tree>),
    /// Emitted in this order.
    Map(Vec<(String, Tree)>),
}

impl From<Node> for Tree {
    /// A plain scalar is a number, a truth value or null where JSON would say so, and a text otherwise.
    fn from(node: Node) -> Self {
        match node.value {
            Value::Scalar { text, is_plain: true } => Self::plain(text),
            Value::Scalar { text, .. } => Self::Text(text),
            Value::List(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Map(entries) => Self::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.text, value.into()))
                    .collect(),
            ),
        }
    }
}

impl Tree {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What a scalar without quotes means.
    pub fn plain(text: String) -> Self {
        match text.as_str() {
            "null" | "" => Self::Null,
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            _ => match text.parse::<i64>() {
                Ok(number) if number.to_string() == text => Self::Int(number),
                _ => Self::Text(text),
            },
        }
    }

    /// The value of a map's key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|(found, _)| found == key)
            .map(|(_, value)| value)
    }

    /// The value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |tree, key| tree.get(key))
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
