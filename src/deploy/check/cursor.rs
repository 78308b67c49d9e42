//! A template's values with their paths, and what intrinsic functions come to as far as a template tells.

use std::rc::Rc;

use crate::deploy::check::Found;
use crate::deploy::tree::Tree;

/// A value of a template and where it stands.
#[derive(Clone)]
pub struct Cursor<'t> {
    pub tree: &'t Tree,
    /// How to come here; `None` at the root.
    path: Option<Rc<Step<'t>>>,
}

/// The last step of a path. Paths share their beginnings, so that walking a template copies none.
struct Step<'t> {
    to: To<'t>,
    before: Option<Rc<Step<'t>>>,
}

enum To<'t> {
    Key(&'t str),
    Index(usize),
}

/// A resource.
pub struct Resource<'t> {
    /// The logical ID.
    pub id: &'t str,
    /// Such as `AWS::SQS::Queue`.
    pub kind: &'t str,
    pub at: Cursor<'t>,
}

/// The resources of a template, in its order.
pub fn resources<'t>(root: &Cursor<'t>) -> Vec<Resource<'t>> {
    let entries = root.get("Resources").map(|resources| resources.entries());
    let resource = |(id, at): (&'t str, Cursor<'t>)| Resource {
        id,
        kind: at.tree.get("Type").and_then(Tree::as_text).unwrap_or_default(),
        at,
    };
    entries.into_iter().flatten().map(resource).collect()
}

impl<'t> Resource<'t> {
    /// The property at the end of a path of keys.
    pub fn property(&self, path: &[&str]) -> Option<Cursor<'t>> {
        self.at.get("Properties")?.at(path)
    }

    /// The property, or the nearest thing around it that is there: where its lack is reported.
    pub(super) fn lacks(&self, path: &[&str], message: impl Into<String>) -> Found {
        let mut nearest = self.at.clone();
        for key in std::iter::once(&"Properties").chain(path) {
            let Some(next) = nearest.get(key) else { break };
            nearest = next;
        }
        nearest.found(message)
    }

    /// Whether a text refers to this resource, or to an attribute of it, and to nothing else.
    pub fn is_meant_by(&self, text: &str) -> bool {
        reference(text).is_some_and(|(id, _)| id == self.id)
    }
}

impl<'t> Cursor<'t> {
    pub fn root(tree: &'t Tree) -> Self {
        Self { tree, path: None }
    }

    fn step(&self, to: To<'t>, tree: &'t Tree) -> Self {
        let before = self.path.clone();
        Self {
            tree,
            path: Some(Rc::new(Step { to, before })),
        }
    }

    pub fn get(&self, key: &str) -> Option<Self> {
        let (key, value) = self.tree.entries().iter().find(|(found, _)| found == key)?;
        Some(self.step(To::Key(key), value))
    }

    pub fn at(&self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self.clone(), |cursor, key| cursor.get(key))
    }

    pub fn entries(&self) -> Vec<(&'t str, Self)> {
        let entry = |(key, value): &'t (String, Tree)| (key.as_str(), self.step(To::Key(key), value));
        self.tree.entries().iter().map(entry).collect()
    }

    pub fn items(&self) -> Vec<Self> {
        let items = self.tree.items().iter().enumerate();
        items.map(|(index, item)| self.step(To::Index(index), item)).collect()
    }

    /// A value where IAM and CloudFormation take one or a list, with each branch of `Fn::If`.
    pub fn many(&self) -> Vec<Self> {
        let inner = match self.tree {
            Tree::List(_) => self.items(),
            tree if tree.entries().len() == 1 => match self.get("Fn::If") {
                Some(choice) => choice.items().into_iter().skip(1).collect(),
                None => return vec![self.clone()],
            },
            _ => return vec![self.clone()],
        };
        inner.iter().flat_map(Self::many).collect()
    }

    /// See [`text_of`].
    pub fn text(&self) -> String {
        text_of(self.tree)
    }

    /// The key under which the value stands; empty in a list.
    pub fn key(&self) -> &'t str {
        match self.path.as_deref() {
            Some(Step { to: To::Key(key), .. }) => key,
            _ => "",
        }
    }

    /// This value and everything below it.
    pub fn walk(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        for (_, inner) in self.entries() {
            inner.walk(visit);
        }
        for inner in self.items() {
            inner.walk(visit);
        }
    }

    pub(super) fn found(&self, message: impl Into<String>) -> Found {
        let mut path = Vec::new();
        let mut next = self.path.as_deref();
        while let Some(step) = next {
            path.push(match step.to {
                To::Key(key) => key.to_owned(),
                To::Index(index) => index.to_string(),
            });
            next = step.before.as_deref();
        }
        path.reverse();
        Found {
            path,
            message: message.into(),
        }
    }
}

/// A value as text. What only AWS knows stands in braces: `${Queue.Arn}` for an attribute, `${AWS::Region}` for a
/// reference, `${import oort-staging-DataKeyArn}` for an import, `${Fn::Select}` for what is not followed.
pub fn text_of(tree: &Tree) -> String {
    match tree {
        Tree::Null => String::new(),
        Tree::Bool(value) => value.to_string(),
        Tree::Int(value) => value.to_string(),
        Tree::Text(text) => text.clone(),
        Tree::List(_) => "${list}".to_owned(),
        Tree::Map(entries) => match &entries[..] {
            [(function, argument)] => intrinsic(function, argument),
            _ => "${map}".to_owned(),
        },
    }
}

fn intrinsic(function: &str, argument: &Tree) -> String {
    match (function, argument) {
        ("Fn::GetAtt", Tree::List(parts)) => {
            let parts: Vec<String> = parts.iter().map(text_of).collect();
            Part::Unknown(&parts.join(".")).written()
        }
        ("Ref" | "Fn::GetAtt", _) => Part::Unknown(&text_of(argument)).written(),
        ("Fn::ImportValue", _) => format!("${{import {}}}", text_of(argument)),
        ("Fn::Sub", Tree::Text(text)) => substitute(text, &[]),
        ("Fn::Sub", Tree::List(parts)) => match &parts[..] {
            [Tree::Text(text), values] => substitute(text, values.entries()),
            _ => "${Fn::Sub}".to_owned(),
        },
        ("Fn::Join", Tree::List(parts)) => match &parts[..] {
            [separator, Tree::List(parts)] => {
                let parts: Vec<String> = parts.iter().map(text_of).collect();
                parts.join(&text_of(separator))
            }
            _ => "${Fn::Join}".to_owned(),
        },
        _ => format!("${{{function}}}"),
    }
}

fn substitute(text: &str, values: &[(String, Tree)]) -> String {
    let mut out = String::new();
    for part in parts(text) {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Unknown(name) => match values.iter().find(|(key, _)| key == name.trim()) {
                Some((_, value)) => out.push_str(&text_of(value)),
                // `${!Name}` is how Fn::Sub writes `${Name}` itself.
                None => out.push_str(&Part::Unknown(name.trim_start_matches('!')).written()),
            },
        }
    }
    out
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'s> {
    Literal(&'s str),
    /// What stands in `${…}`.
    Unknown(&'s str),
}

impl Part<'_> {
    /// As it stands in the text.
    fn written(&self) -> String {
        match self {
            Self::Literal(text) => (*text).to_owned(),
            Self::Unknown(name) => format!("${{{name}}}"),
        }
    }
}

/// What a text says itself, and what only AWS knows. An import may name its export by another `${…}`.
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = closing(&rest[start + 2..]) else {
            break;
        };
        if start > 0 {
            parts.push(Part::Literal(&rest[..start]));
        }
        parts.push(Part::Unknown(&rest[start + 2..start + 2 + length]));
        rest = &rest[start + 3 + length..];
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest));
    }
    parts
}

/// Where the brace closes that stands open before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(index),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The logical ID and the attribute of a text that is one reference and nothing else; a `Ref` has no attribute.
pub fn reference(text: &str) -> Option<(&str, &str)> {
    match parts(text)[..] {
        [Part::Unknown(name)] if !name.contains([' ', '{']) => Some(name.split_once('.').unwrap_or((name, ""))),
        _ => None,
    }
}

/// Whether IAM would take a part of the text for a wildcard.
pub fn has_wildcard(text: &str) -> bool {
    parts(text)
        .iter()
        .any(|part| matches!(part, Part::Literal(text) if text.contains(['*', '?'])))
}

/// An ARN's or a path's pieces: the text cut at `:` and `/`, but not within `${…}`.
pub fn segments(text: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    for part in parts(text) {
        match part {
            Part::Unknown(_) => {
                if let Some(last) = segments.last_mut() {
                    last.push_str(&part.written());
                }
            }
            Part::Literal(text) => {
                for (index, piece) in text.split([':', '/']).enumerate() {
                    match segments.last_mut() {
                        Some(last) if index == 0 => last.push_str(piece),
                        _ => segments.push(piece.to_owned()),
                    }
                }
            }
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::deploy::template;

    #[test]
    fn intrinsics_come_to_one_text() {
        for (written, meant) in [
            ("plain", "plain"),
            ("!Ref Queue", "${Queue}"),
            ("!GetAtt Queue.Arn", "${Queue.Arn}"),
            ("{'Fn::GetAtt': [Queue, Arn]}", "${Queue.Arn}"),
            (
                "!Sub 'arn:${AWS::Partition}:s3:::${Bucket}/*'",
                "arn:${AWS::Partition}:s3:::${Bucket}/*",
            ),
            (
                "!Sub ['${B}/tenants/${!aws:x}', {B: !ImportValue shared}]",
                "${import shared}/tenants/${aws:x}",
            ),
            ("!ImportValue {'Fn::Sub': '${Env}-key'}", "${import ${Env}-key}"),
            (
                "!Join [':', [arn, !Ref 'AWS::Partition', '*']]",
                "arn:${AWS::Partition}:*",
            ),
            ("!Select [0, [a]]", "${Fn::Select}"),
            ("!Sub '${unclosed'", "${unclosed"),
        ] {
            let tree = template::read(&format!("A: {written}\n")).unwrap();
            assert_eq!(text_of(tree.get("A").unwrap()), meant, "{written}");
        }
    }

    #[test]
    fn wildcards_references_and_segments_see_through_braces() {
        assert!(has_wildcard("a*") && has_wildcard("${A}?") && !has_wildcard("${a*}") && !has_wildcard("a"));
        assert_eq!(reference("${Queue.Arn}"), Some(("Queue", "Arn")));
        assert_eq!(reference("${Queue}"), Some(("Queue", "")));
        for none in ["x${Queue}", "${A}${B}", "${import x}", "Queue"] {
            assert_eq!(reference(none), None, "{none}");
        }
        assert_eq!(
            segments("arn:${AWS::Partition}:s3:::b/${X.Y}-z/*"),
            ["arn", "${AWS::Partition}", "s3", "", "", "b", "${X.Y}-z", "*"]
        );
    }

    #[test]
    fn a_list_and_both_branches_of_a_choice_are_many() {
        let tree = template::read("A: [x, !If [c, a, [z, !If [d, 1, 2]]]]\n").unwrap();
        let all: Vec<String> = Cursor::root(&tree)
            .get("A")
            .unwrap()
            .many()
            .iter()
            .map(Cursor::text)
            .collect();
        assert_eq!(all, ["x", "a", "z", "1", "2"]);
    }

    proptest! {
        #[test]
        fn parts_lose_nothing(text in "[a${}!*:/. ]{0,24}") {
            let joined: String = parts(&text).iter().map(Part::written).collect();
            prop_assert_eq!(&joined, &text);
            let cut: usize = segments(&text).iter().map(String::len).sum();
            prop_assert!(cut <= text.len());
        }
    }
}
