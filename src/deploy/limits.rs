//! What a rendered template must keep to although neither a YAML reader nor cfn-lint asks for it. Pure.

use std::collections::HashSet;

use crate::deploy::tree::Tree;
use crate::deploy::yaml::{Node, Unreadable, Value};

/// The longest event pattern of a rule. Source: EventBridge quotas.
const PATTERN_CHARACTERS: usize = 2_048;

/// Resources whose name stands in the template: type, property, longest name. Source: the services' API references.
const NAMES: [(&str, &str, usize); 6] = [
    ("AWS::SQS::Queue", "QueueName", 80),
    ("AWS::Events::Rule", "Name", 64),
    ("AWS::Events::Archive", "ArchiveName", 48),
    ("AWS::Scheduler::Schedule", "Name", 64),
    ("AWS::Scheduler::ScheduleGroup", "Name", 64),
    ("AWS::IAM::Role", "RoleName", 64),
];

/// Refuses what reads as YAML and is never meant: a repeated key, of which readers keep the last, and a value that was
/// joined to a text outside the braces, whose quotes became part of the text.
pub fn shape(node: &Node) -> Result<(), Unreadable> {
    match &node.value {
        Value::Scalar { text, is_plain: true } if text.contains('"') => Err(Unreadable {
            at: node.at,
            why: r#"quotes inside a text; join inside the braces, as in {{ "a-" ~ b }}"#.to_owned(),
        }),
        Value::Scalar { .. } => Ok(()),
        Value::List(items) => items.iter().try_for_each(shape),
        Value::Map(entries) => {
            let mut seen = HashSet::new();
            for (key, value) in entries {
                if !seen.insert(key.text.as_str()) {
                    return Err(Unreadable {
                        at: key.at,
                        why: "this key stands in its map twice".to_owned(),
                    });
                }
                shape(value)?;
            }
            Ok(())
        }
    }
}

/// What [`check`] looks at, and no more: the resources that have a limited property, with these properties.
pub fn limited(template: &Tree) -> Tree {
    let only = |tree: &Tree, is_wanted: &dyn Fn(&str) -> bool| match tree {
        Tree::Map(entries) => Tree::Map(entries.iter().filter(|(key, _)| is_wanted(key)).cloned().collect()),
        other => other.clone(),
    };
    let is_limited = |key: &str| key == "EventPattern" || NAMES.iter().any(|(_, property, _)| *property == key);
    let resource = |(id, resource): &(String, Tree)| {
        let mut kept = only(resource, &|key| matches!(key, "Type" | "Properties"));
        if let Tree::Map(entries) = &mut kept {
            for (_, properties) in entries.iter_mut().filter(|(key, _)| key == "Properties") {
                *properties = only(properties, &is_limited);
            }
        }
        (id.clone(), kept)
    };
    match template.get("Resources") {
        Some(Tree::Map(resources)) => Tree::Map(vec![(
            "Resources".to_owned(),
            Tree::Map(resources.iter().map(resource).collect()),
        )]),
        _ => template.clone(),
    }
}

/// Checks each resource of a template; the error says which resource breaks which limit.
pub fn check(template: &Tree) -> Result<(), String> {
    let Some(Tree::Map(resources)) = template.get("Resources") else {
        return Err("the template has no Resources".to_owned());
    };
    resources.iter().try_for_each(|(id, resource)| {
        name_fits(resource).map_err(|why| format!("{id}: {why}"))?;
        match resource.at(&["Properties", "EventPattern"]) {
            Some(pattern) if json_characters(pattern) > PATTERN_CHARACTERS => Err(format!(
                "{id}: an event pattern has at most {PATTERN_CHARACTERS} characters"
            )),
            _ => Ok(()),
        }
    })
}

/// A name that an intrinsic function makes is known to AWS only, and passes.
fn name_fits(resource: &Tree) -> Result<(), String> {
    let Some(Tree::Text(kind)) = resource.get("Type") else {
        return Err("Type is missing".to_owned());
    };
    let Some((_, property, most)) = NAMES.iter().find(|(named, ..)| named == kind) else {
        return Ok(());
    };
    let name = resource.at(&["Properties", property]);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match name {
        Some(Tree::Text(name)) if !(1..=*most).contains(&name.len()) || !name.chars().all(is_allowed) => Err(format!(
            "{property} is 1 to {most} letters, digits, hyphens and underscores"
        )),
        _ => Ok(()),
    }
}

/// At least as many as the value has as compact JSON.
fn json_characters(tree: &Tree) -> usize {
    match tree {
        Tree::Null | Tree::Bool(_) => 5,
        Tree::Int(number) => number.to_string().len(),
        Tree::Text(text) => text.chars().count() + 2,
        Tree::List(items) => 2 + items.iter().map(|item| json_characters(item) + 1).sum::<usize>(),
        Tree::Map(entries) => {
            let entry = |(key, value): &(String, Tree)| key.chars().count() + 4 + json_characters(value);
            2 + entries.iter().map(entry).sum::<usize>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::yaml;

    fn checked(text: &str) -> Result<(), String> {
        let node = yaml::parse(text).unwrap();
        shape(&node).map_err(|error| format!("{}: {}", error.at.line, error.why))?;
        check(&Tree::from(node))
    }

    fn resource(kind: &str, properties: &str) -> String {
        format!("Resources:\n  A:\n    Type: {kind}\n    Properties: {properties}\n")
    }

    #[test]
    fn names_are_as_long_as_aws_takes() {
        for (kind, property, most) in NAMES {
            let named = |name: &str| resource(kind, &format!("{{{property}: \"{name}\"}}"));
            assert_eq!(checked(&named(&"a".repeat(most))), Ok(()));
            for bad in ["", "a b", "a/b", "ä", &"a".repeat(most + 1)] {
                let error = checked(&named(bad)).unwrap_err();
                assert!(error.starts_with(&format!("A: {property} is 1 to {most}")), "{error}");
            }
        }
        assert_eq!(checked(&resource("AWS::SQS::Queue", "{QueueName: {Ref: X}}")), Ok(()));
        assert_eq!(checked(&resource("AWS::S3::Bucket", "{BucketName: a.b}")), Ok(()));
    }

    #[test]
    fn an_event_pattern_fits_eventbridge() {
        let pattern = |length: usize| {
            let source = "a".repeat(length);
            resource(
                "AWS::Events::Rule",
                &format!("{{EventPattern: {{source: [{source}]}}}}"),
            )
        };
        assert_eq!(checked(&pattern(2_000)), Ok(()));
        assert_eq!(
            checked(&pattern(2_048)),
            Err("A: an event pattern has at most 2048 characters".to_owned())
        );
    }

    #[test]
    fn what_no_template_means_is_refused() {
        let twice = "Resources:\n  A: {Type: X}\n  A: {Type: Y}\n";
        assert_eq!(checked(twice), Err("3: this key stands in its map twice".to_owned()));
        let joined = checked(&resource("X", "{Name: oort-\"acme\"}")).unwrap_err();
        assert!(joined.starts_with("4: quotes inside a text"), "{joined}");
        assert_eq!(checked(&resource("X", r#"{Name: "say \"acme\""}"#)), Ok(()));
        for nothing in ["Outputs: {}\n", "Resources: []\n", "Resources:\n  A: {}\n"] {
            assert!(checked(nothing).is_err(), "{nothing}");
        }
    }
}
