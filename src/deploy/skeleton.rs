//! A template's output with holes where its values go. Values never meet a YAML parser, so that none can change what
//! stands around it; and as the output without them depends on the template's branches only, the stacks of a fleet share
//! a few skeletons, each read, checked and emitted once. Pure.

use std::collections::HashSet;
use std::fmt::{self, Write};

use crate::deploy::emit::{self, Cut, Place, Writer};
use crate::deploy::limits;
use crate::deploy::tree::Tree;
use crate::deploy::yaml::{self, Node, Value};

/// Stands around the number of a hole. Unicode keeps this code point for use inside programs.
const HOLE: char = '\u{fdd0}';
/// What is wrong with a template's output, and the template's line that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    pub why: String,
}

/// What a template gave, without its values.
#[derive(Debug)]
pub struct Skeleton {
    /// As the template has it, with holes.
    tree: Tree,
    /// The same with the template's lines as places.
    node: Node,
    /// The canonical text between the holes.
    text: String,
    cuts: Vec<Cut>,
    /// The part that limits speak of.
    limited: Tree,
    /// The keys of each map with a hole among them: they may turn out equal.
    open_maps: Vec<Vec<String>>,
}

/// Writes what stands in place of a template's `index`th value.
pub fn write_hole(index: usize, out: &mut impl Write) -> fmt::Result {
    write!(out, "{HOLE}{index}{HOLE}")
}

fn hole(index: usize) -> String {
    format!("{HOLE}{index}{HOLE}")
}

/// The hole that a text is.
fn hole_of(text: &str) -> Option<usize> {
    text.strip_prefix(HOLE)?.strip_suffix(HOLE)?.parse().ok()
}

/// Whether a template has the character that marks a skeleton's holes.
pub fn is_marked(template: &str) -> bool {
    template.contains(HOLE)
}

/// Whether a text has a part of a skeleton in it.
pub fn is_torn(text: &str) -> bool {
    text.split(HOLE)
        .skip(1)
        .step_by(2)
        .any(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Skeleton {
    /// Reads what a template gave. `lines` has the template's line of each line; `metadata` is the number of the hole
    /// with what the renderer adds to the template's `Metadata`.
    pub fn read(given: &str, lines: &[usize], metadata: usize) -> Result<Self, Fault> {
        let line_of = |line: usize| lines.get(line - 1).or(lines.last()).copied().unwrap_or(1);
        let fault = |error: yaml::Unreadable| Fault {
            line: line_of(error.at.line),
            why: error.why,
        };
        let mut node = yaml::parse(given).map_err(fault)?;
        place(&mut node, &line_of);
        limits::shape(&node).map_err(|error| Fault {
            line: error.at.line,
            why: error.why,
        })?;
        let mut open_maps = Vec::new();
        check_holes(&node, &mut open_maps)?;
        let tree = emit::sorted(with_metadata(node.clone().into(), metadata));
        let mut writer = Writer::new(hole_of);
        writer.document(&tree);
        Ok(Self {
            limited: limits::limited(&tree),
            text: writer.out,
            cuts: writer.cuts,
            tree,
            node,
            open_maps,
        })
    }

    /// The canonical text with the values in their places.
    pub fn fill(&self, values: &[Tree]) -> Result<String, String> {
        for keys in &self.open_maps {
            check_keys(keys, values)?;
        }
        limits::check(&filled(&self.limited, values))?;
        let mut writer = Writer::new(|_| None);
        writer.out.reserve(self.text.len() * 3 / 2);
        let mut from = 0;
        for cut in &self.cuts {
            writer.out.push_str(&self.text[from..cut.at]);
            let value = values.get(cut.hole).unwrap_or(&Tree::Null);
            match (value, cut.place) {
                (Tree::List(_) | Tree::Map(_), Place::Key) => return Err("a key is a list or a map".to_owned()),
                // A character may take ten when it is escaped.
                (Tree::Text(text), Place::Key) if text.len() > emit::KEY_BYTES / 10 => {
                    return Err(format!(
                        "the key `{}…` is too long",
                        text.chars().take(40).collect::<String>()
                    ));
                }
                _ => writer.value(value, cut.place),
            }
            from = cut.at;
        }
        writer.out.push_str(&self.text[from..]);
        Ok(writer.out)
    }

    /// The tree with the values in their places.
    pub fn tree(&self, values: &[Tree]) -> Tree {
        filled(&self.tree, values)
    }

    /// The template's line that wrote what stands at a path, or the nearest thing around it.
    pub fn line_of(&self, path: &[&str], values: &[Tree]) -> usize {
        let mut node = &self.node;
        let mut line = node.at.line;
        for step in path {
            let found = match &node.value {
                Value::Map(entries) => entries
                    .iter()
                    .find(|(key, _)| key_text(&key.text, values) == *step)
                    .map(|(key, value)| (key.at.line, value)),
                Value::List(items) => step
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index))
                    .map(|item| (item.at.line, item)),
                Value::Scalar { .. } => None,
            };
            let Some((at, next)) = found else { break };
            (line, node) = (at, next);
        }
        line
    }
}

fn place(node: &mut Node, line_of: &impl Fn(usize) -> usize) {
    node.at.line = line_of(node.at.line);
    match &mut node.value {
        Value::Scalar { .. } => {}
        Value::List(items) => items.iter_mut().for_each(|item| place(item, line_of)),
        Value::Map(entries) => {
            for (key, value) in entries {
                key.at.line = line_of(key.at.line);
                place(value, line_of);
            }
        }
    }
}

/// Refuses a value that is only a part of a text: it would be pasted as it is meant for a reader of JSON, quotes included.
fn check_holes(node: &Node, open_maps: &mut Vec<Vec<String>>) -> Result<(), Fault> {
    let check = |text: &str, line: usize, is_plain: bool| match hole_of(text) {
        Some(_) if is_plain => Ok(true),
        None if !text.contains(HOLE) => Ok(false),
        _ => Err(Fault {
            line,
            why: r#"a value joined to a text outside the braces; join inside, as in {{ "a-" ~ b }}"#.to_owned(),
        }),
    };
    match &node.value {
        Value::Scalar { text, is_plain } => check(text, node.at.line, *is_plain).map(|_| ()),
        Value::List(items) => items.iter().try_for_each(|item| check_holes(item, open_maps)),
        Value::Map(entries) => {
            let mut is_open = false;
            for (key, value) in entries {
                is_open |= check(&key.text, key.at.line, true)?;
                check_holes(value, open_maps)?;
            }
            if is_open {
                open_maps.push(entries.iter().map(|(key, _)| key.text.clone()).collect());
            }
            Ok(())
        }
    }
}

fn with_metadata(tree: Tree, hole_index: usize) -> Tree {
    let Tree::Map(mut sections) = tree else { return tree };
    let added = ("Oort".to_owned(), Tree::Text(hole(hole_index)));
    match sections.iter_mut().find(|(key, _)| key == "Metadata") {
        Some((_, Tree::Map(entries))) => entries.push(added),
        _ => sections.push(("Metadata".to_owned(), Tree::Map(vec![added]))),
    }
    Tree::Map(sections)
}

fn filled(tree: &Tree, values: &[Tree]) -> Tree {
    match tree {
        Tree::Text(text) => match hole_of(text) {
            Some(index) => values.get(index).cloned().unwrap_or(Tree::Null),
            None => tree.clone(),
        },
        Tree::List(items) => Tree::List(items.iter().map(|item| filled(item, values)).collect()),
        Tree::Map(entries) => Tree::Map(
            entries
                .iter()
                .map(|(key, value)| (key_text(key, values), filled(value, values)))
                .collect(),
        ),
        scalar => scalar.clone(),
    }
}

fn key_text(key: &str, values: &[Tree]) -> String {
    match hole_of(key).and_then(|index| values.get(index)) {
        Some(Tree::Text(text)) => text.clone(),
        Some(other) => emit::document(other).trim_end().to_owned(),
        None => key.to_owned(),
    }
}

fn check_keys(keys: &[String], values: &[Tree]) -> Result<(), String> {
    let mut seen = HashSet::with_capacity(keys.len());
    keys.iter().try_for_each(|key| {
        let key = key_text(key, values);
        if seen.contains(&key) {
            return Err(format!("the key `{key}` stands in its map twice"));
        }
        seen.insert(key);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_skeleton_in_a_value_is_noticed() {
        assert!(is_torn(&format!("a{}b", hole(12))));
        for whole in ["", "a", "\u{fdd0}", "\u{fdd0}\u{fdd0}", "\u{fdd0}x\u{fdd0}1"] {
            assert!(!is_torn(whole), "{whole:?}");
        }
    }
}
