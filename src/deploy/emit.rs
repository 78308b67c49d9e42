//! Canonical YAML: one tree has one text, and every reader, whether it follows YAML 1.1 as CloudFormation does or 1.2,
//! reads the tree that was meant. Pure.

use crate::deploy::fields::is_no_text;
use crate::deploy::yaml::{Node, Value};

/// A value without a place.
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

/// The order of a template's sections, as CloudFormation's documentation has them; others follow in their own order.
const SECTIONS: [&str; 9] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
];

impl From<Node> for Tree {
    /// A plain scalar is a number, a truth value or null where JSON would say so, and a text otherwise.
    fn from(node: Node) -> Self {
        match node.value {
            Value::Scalar { text, is_plain: true } => match text.as_str() {
                "null" | "" => Self::Null,
                "true" => Self::Bool(true),
                "false" => Self::Bool(false),
                _ => match text.parse::<i64>() {
                    Ok(number) if number.to_string() == text => Self::Int(number),
                    _ => Self::Text(text),
                },
            },
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

/// A template's canonical text: sections in their order, everything below as the template has it.
pub fn template(tree: Tree) -> String {
    let Tree::Map(mut sections) = tree else {
        return document(&tree);
    };
    let rank = |key: &str| {
        SECTIONS
            .iter()
            .position(|section| *section == key)
            .unwrap_or(SECTIONS.len())
    };
    sections.sort_by_key(|(key, _)| rank(key));
    document(&Tree::Map(sections))
}

/// Any tree's canonical text, with a line break at the end.
pub fn document(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Map(entries) if !entries.is_empty() => map(entries, 0, &mut out),
        Tree::List(items) if !items.is_empty() => list(items, 0, &mut out),
        scalar => {
            inline(scalar, &mut out);
            out.push('\n');
        }
    }
    out
}

fn map(entries: &[(String, Tree)], indent: usize, out: &mut String) {
    for (index, (key, value)) in entries.iter().enumerate() {
        // The first entry may follow the dash of a list.
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            out.push_str(&" ".repeat(indent));
        }
        text(key, out);
        out.push(':');
        match value {
            Tree::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                map(inner, indent + 2, out);
            }
            Tree::List(inner) if !inner.is_empty() => {
                out.push('\n');
                list(inner, indent + 2, out);
            }
            scalar => {
                out.push(' ');
                inline(scalar, out);
                out.push('\n');
            }
        }
    }
}

fn list(items: &[Tree], indent: usize, out: &mut String) {
    for item in items {
        if out.is_empty() || out.ends_with('\n') {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str("- ");
        match item {
            Tree::Map(inner) if !inner.is_empty() => map(inner, indent + 2, out),
            Tree::List(inner) if !inner.is_empty() => list(inner, indent + 2, out),
            scalar => {
                inline(scalar, out);
                out.push('\n');
            }
        }
    }
}

fn inline(value: &Tree, out: &mut String) {
    match value {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Int(value) => out.push_str(&value.to_string()),
        Tree::Text(value) => text(value, out),
        Tree::List(_) => out.push_str("[]"),
        Tree::Map(_) => out.push_str("{}"),
    }
}

fn text(value: &str, out: &mut String) {
    if is_plainly_safe(value) {
        out.push_str(value);
        return;
    }
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ if c.is_alphanumeric() && u32::from(c) <= 0xffff => out.push(c),
            _ => out.push_str(&escape(u32::from(c))),
        }
    }
    out.push('"');
}

/// A character as it may stand in double quotes.
pub fn escape(code: u32) -> String {
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

/// Whether a text may stand without quotes: words of letters that no reader takes for anything else.
fn is_plainly_safe(value: &str) -> bool {
    let is_word = value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | ':'))
        && !value.ends_with(':');
    is_word && !is_no_text(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::yaml;
    use proptest::prelude::*;

    fn tree() -> impl Strategy<Value = Tree> {
        let text = prop_oneof![
            ".{0,12}",
            "[a-zA-Z0-9_.:/+-]{0,12}",
            prop::sample::select(vec![
                "no",
                "Yes",
                "ON",
                "off",
                "y",
                "N",
                "null",
                "~",
                "true",
                "12:30:45",
                "012345678901",
                "1_000",
                "0x1f",
                "1e3",
                ".inf",
                "-",
                "- a",
                "a: b",
                "a #b",
                "!Ref",
                "&a",
                "*a",
                "|",
                ">",
                "%",
                "@",
                "`",
                "\n",
                "a\nb",
                " a",
                "a ",
                "🚀",
                "<<",
                "=",
                "---",
                "\u{85}",
                "\u{2028}",
                "\u{feff}",
            ])
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            Just(Tree::Null),
            any::<bool>().prop_map(Tree::Bool),
            any::<i64>().prop_map(Tree::Int),
            text.clone().prop_map(Tree::Text),
        ];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            let entries = prop::collection::vec((text.clone(), inner.clone()), 0..5).prop_map(|entries| {
                let mut seen = std::collections::BTreeSet::new();
                Tree::Map(
                    entries
                        .into_iter()
                        .filter(|(key, _)| seen.insert(key.clone()))
                        .collect(),
                )
            });
            prop_oneof![prop::collection::vec(inner, 0..5).prop_map(Tree::List), entries]
        })
    }

    fn meant(tree: &Tree) -> serde_yaml::Value {
        match tree {
            Tree::Null => serde_yaml::Value::Null,
            Tree::Bool(value) => (*value).into(),
            Tree::Int(value) => (*value).into(),
            Tree::Text(value) => value.clone().into(),
            Tree::List(items) => serde_yaml::Value::Sequence(items.iter().map(meant).collect()),
            Tree::Map(entries) => serde_yaml::Value::Mapping(
                entries
                    .iter()
                    .map(|(key, value)| (key.clone().into(), meant(value)))
                    .collect(),
            ),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn another_reader_reads_what_was_meant(tree in tree()) {
            let text = document(&tree);
            let read: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
            prop_assert_eq!(read, meant(&tree), "{}", text);
        }

        #[test]
        fn what_stands_without_quotes_is_a_text_in_yaml_1_1(tree in tree()) {
            let mut plain = Vec::new();
            plain_texts(&tree, &mut plain);
            for text in plain {
                prop_assert!(is_text_in_yaml_1_1(&text), "{}", text);
            }
        }

        #[test]
        fn our_own_reader_reads_what_was_meant(tree in tree()) {
            let text = document(&tree);
            prop_assert_eq!(Tree::from(yaml::parse(&text).unwrap()), tree, "{}", text);
        }
    }

    /// Whether a plain scalar is a text by the types of YAML 1.1 (yaml.org/type): each number, time, merge or default
    /// value starts with a digit, a sign or a mark, and the rest are these words.
    fn is_text_in_yaml_1_1(plain: &str) -> bool {
        let words = "y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF|null|Null|NULL";
        plain.starts_with(|c: char| c.is_ascii_alphabetic()) && !words.split('|').any(|word| word == plain)
    }

    fn plain_texts(tree: &Tree, found: &mut Vec<String>) {
        let mut note = |value: &str| {
            if is_plainly_safe(value) {
                found.push(value.to_owned());
            }
        };
        match tree {
            Tree::Text(value) => note(value),
            Tree::List(items) => items.iter().for_each(|item| plain_texts(item, found)),
            Tree::Map(entries) => {
                for (key, _) in entries {
                    note(key);
                }
                for (_, value) in entries {
                    plain_texts(value, found);
                }
            }
            Tree::Null | Tree::Bool(_) | Tree::Int(_) => {}
        }
    }

    #[test]
    fn what_yaml_1_1_would_misread_stands_in_quotes() {
        for trap in [
            "no",
            "Yes",
            "on",
            "y",
            "12:30:45",
            "012345678901",
            "1_000",
            "2026-11-01",
            "0b1",
            "~",
            "a: b",
            "10",
        ] {
            assert_eq!(document(&Tree::Text(trap.to_owned())), format!("\"{trap}\"\n"));
        }
        assert_eq!(document(&Tree::Text("AWS::SQS::Queue".to_owned())), "AWS::SQS::Queue\n");
    }
}
