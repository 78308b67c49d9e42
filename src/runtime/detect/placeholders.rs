//! Sigma's placeholders, such as `%admins%`, whose values each organisation has to give. Nobody gives them here, so that a
//! comparison with one matches nothing.

use rsigma_parser::{Detection, DetectionItem, Detections, Modifier, SigmaValue};

/// Takes each value with a placeholder out of its comparison and returns the placeholders.
pub fn silence_placeholders(detections: &mut Detections) -> Vec<String> {
    let mut found: Vec<String> = detections.named.values_mut().flat_map(silence_detection).collect();
    found.sort();
    found.dedup();
    found
}

fn silence_detection(detection: &mut Detection) -> Vec<String> {
    match detection {
        Detection::AllOf(items) => items.iter_mut().flat_map(silence_item).collect(),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter_mut().flat_map(silence_detection).collect(),
        Detection::ArrayMatch { body, .. } => silence_detection(body),
        Detection::Conditional { named, .. } => named.values_mut().flat_map(silence_detection).collect(),
        Detection::Keywords(_) => Vec::new(),
    }
}

fn silence_item(item: &mut DetectionItem) -> Vec<String> {
    if !item.field.has_modifier(Modifier::Expand) {
        return Vec::new();
    }
    item.field.modifiers.retain(|modifier| *modifier != Modifier::Expand);
    let placeholders: Vec<String> = item.values.iter().filter_map(placeholder).collect();
    item.values.retain(|value| placeholder(value).is_none());
    // What is left of `all` or of a negation would match more than its author meant; no value at all matches nothing.
    let widened = item.field.has_modifier(Modifier::All) || item.field.has_modifier(Modifier::Neq);
    if !placeholders.is_empty() && (widened || item.values.is_empty()) {
        item.values.clear();
        item.field.modifiers.clear();
    }
    placeholders
}

/// `%name%` in a value.
fn placeholder(value: &SigmaValue) -> Option<String> {
    let SigmaValue::String(text) = value else {
        return None;
    };
    let (_, rest) = text.original.split_once('%')?;
    let (name, _) = rest.split_once('%')?;
    Some(format!("%{name}%"))
}
