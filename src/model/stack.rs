//! A stack as it should be.

use std::collections::BTreeMap;

use crate::model::name::{StackName, TenantId};

/// A rendered stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackSpec {
    pub name: StackName,
    /// `None` for an environment's foundation.
    pub tenant: Option<TenantId>,
    /// The template as canonical YAML.
    pub body: String,
    pub tags: BTreeMap<String, String>,
}

impl StackSpec {
    /// The golden file's name in its environment's folder under `snapshots/`.
    pub fn file_name(&self) -> String {
        match &self.tenant {
            Some(tenant) => format!("{tenant}.yaml"),
            None => "foundation.yaml".to_owned(),
        }
    }
}
