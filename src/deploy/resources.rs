//! The resources of a rendered stack, as a person asks for them. Pure.

use serde::Serialize;

use crate::deploy::diff::types;
use crate::deploy::tree::Tree;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// The logical ID.
    pub id: String,
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Its own name, where the template gives it.
    pub name: Option<String>,
    /// Whether it stays, with what it holds, when the stack is deleted.
    pub is_retained: bool,
}

/// Every resource, in the template's order.
pub fn resources(template: &Tree) -> Vec<Resource> {
    let all = template.get("Resources").map_or(&[][..], Tree::entries);
    all.iter()
        .map(|(id, resource)| {
            let text = |path: &[&str]| resource.at(path).and_then(Tree::as_text).map(str::to_owned);
            let resource_type = text(&["Type"]).unwrap_or_default();
            let identifier = types::of(&resource_type).and_then(|known| known.identifier);
            Resource {
                id: id.clone(),
                name: identifier.and_then(|property| text(&["Properties", property])),
                is_retained: text(&["DeletionPolicy"]).is_some_and(|policy| policy != "Delete"),
                resource_type,
            }
        })
        .collect()
}
