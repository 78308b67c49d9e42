//! What changes when one template takes the place of another: each change with what CloudFormation makes of it, what else
//! is replaced by it, and what is lost. Pure.

pub mod compare;
mod consequence;
pub mod fleet;
pub mod format;
pub mod normal;
mod prune;
pub mod types;

use serde::{Deserialize, Serialize};

/// What changes in one stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackDiff {
    pub environment: String,
    /// The file's name without its ending: a tenant's ID, or `foundation`.
    pub stack: String,
    pub changes: Vec<Change>,
}

/// A change of one resource, of a section of the template, or of the whole stack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Change {
    pub subject: Subject,
    pub action: Action,
    pub properties: Vec<PropertyChange>,
    pub data: DataEffect,
    /// The replaced resource that takes this one along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because_of: Option<String>,
    /// What a reviewer should know besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Subject {
    Stack,
    Resource {
        /// The logical ID.
        id: String,
        #[serde(rename = "type")]
        resource_type: String,
    },
    /// `Outputs` and the like.
    Section {
        name: String,
    },
}

/// What CloudFormation does. From the mildest to the gravest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Create,
    Update,
    /// CloudFormation decides when it runs.
    MaybeReplace,
    Replace,
    Delete,
}

/// What becomes of what a resource holds. From the mildest to the gravest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataEffect {
    /// The resource holds nothing, or stays.
    None,
    /// The old resource stays with its data, outside of the stack.
    LeftBehind,
    /// Events that arrive meanwhile are dropped for good.
    ArrivalsDropped,
    Lost,
}

/// A value that differs. A list whose order means nothing differs by its items.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PropertyChange {
    /// Keys joined by dots; a named item of a list in brackets.
    pub path: String,
    /// In one line; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Whether this is what makes CloudFormation replace the resource.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::MaybeReplace => "Replace?",
            Self::Replace => "Replace",
            Self::Delete => "Delete",
        }
    }

    /// The mark in front of a change.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::MaybeReplace | Self::Replace => "±",
            Self::Delete => "-",
        }
    }
}

impl DataEffect {
    /// One sentence, or nothing.
    pub fn sentence(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::LeftBehind => Some("The old resource is retained with its data, outside of the stack."),
            Self::ArrivalsDropped => Some("Events that arrive while it is missing are dropped for good."),
            Self::Lost => Some("Data is lost."),
        }
    }
}

impl Subject {
    /// What a person calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Stack => "stack",
            Self::Resource { id, .. } => id,
            Self::Section { name } => name,
        }
    }
}
