//! Canonical YAML: one tree has one text, and every reader, whether it follows YAML 1.1 as CloudFormation does or 1.2,
//! reads the tree that was meant. Pure.

use crate::deploy::fields::is_no_text;
pub use crate::deploy::tree::Tree;

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

/// A longer key must be announced. YAML takes 1,024 characters before a colon.
pub const KEY_BYTES: usize = 1_000;

/// A template with its sections in their order, everything below as it is.
pub fn sorted(tree: Tree) -> Tree {
    let Tree::Map(mut sections) = tree else {
        return tree;
    };
    let rank = |key: &str| {
        SECTIONS
            .iter()
            .position(|section| *section == key)
            .unwrap_or(SECTIONS.len())
    };
    sections.sort_by_key(|(key, _)| rank(key));
    Tree::Map(sections)
}

/// Any tree's canonical text, with a line break at the end.
pub fn document(tree: &Tree) -> String {
    let mut writer = Writer::new(|_| None);
    writer.document(tree);
    writer.out
}

/// Where a value stands, which decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Key,
    /// After a key's colon; the number is the indentation of what is inside.
    Value(usize),
    /// After a list's dash; likewise.
    Item(usize),
}

/// A hole of a document: where its text is cut to let a value in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Byte offset in the text.
    pub at: usize,
    pub hole: usize,
    pub place: Place,
}

/// Writes canonical text. Texts that `hole_of` knows are left out, and noted as cuts.
pub struct Writer {
    pub out: String,
    pub cuts: Vec<Cut>,
    hole_of: fn(&str) -> Option<usize>,
}

impl Writer {
    pub fn new(hole_of: fn(&str) -> Option<usize>) -> Self {
        Self {
            out: String::new(),
            cuts: Vec::new(),
            hole_of,
        }
    }

    pub fn document(&mut self, tree: &Tree) {
        match tree {
            Tree::Map(entries) if !entries.is_empty() => self.map(entries, 0),
            Tree::List(items) if !items.is_empty() => self.list(items, 0),
            scalar => {
                scalar_text(scalar, &mut self.out);
                self.out.push('\n');
            }
        }
    }

    /// A value at its place, up to the end of its last line.
    pub fn value(&mut self, tree: &Tree, place: Place) {
        if let Some(hole) = tree.as_text().and_then(self.hole_of) {
            let at = self.out.len();
            return self.cuts.push(Cut { at, hole, place });
        }
        match (tree, place) {
            (scalar, Place::Key) => scalar_text(scalar, &mut self.out),
            (Tree::Map(inner), Place::Value(indent)) if !inner.is_empty() => {
                self.out.push('\n');
                self.map(inner, indent);
            }
            (Tree::List(inner), Place::Value(indent)) if !inner.is_empty() => {
                self.out.push('\n');
                self.list(inner, indent);
            }
            (Tree::Map(inner), Place::Item(indent)) if !inner.is_empty() => self.map(inner, indent),
            (Tree::List(inner), Place::Item(indent)) if !inner.is_empty() => self.list(inner, indent),
            (scalar, Place::Value(_) | Place::Item(_)) => {
                if matches!(place, Place::Value(_)) {
                    self.out.push(' ');
                }
                scalar_text(scalar, &mut self.out);
                self.out.push('\n');
            }
        }
    }

    fn map(&mut self, entries: &[(String, Tree)], indent: usize) {
        for (index, (key, value)) in entries.iter().enumerate() {
            self.indent(index, indent);
            if let Some(hole) = (self.hole_of)(key) {
                let at = self.out.len();
                self.cuts.push(Cut {
                    at,
                    hole,
                    place: Place::Key,
                });
            } else {
                let start = self.out.len();
                text(key, &mut self.out);
                if self.out.len() - start > KEY_BYTES {
                    self.out.insert_str(start, "? ");
                    self.out.push('\n');
                    self.indent(1, indent);
                }
            }
            self.out.push(':');
            self.value(value, Place::Value(indent + 2));
        }
    }

    fn list(&mut self, items: &[Tree], indent: usize) {
        for (index, item) in items.iter().enumerate() {
            self.indent(index, indent);
            self.out.push_str("- ");
            self.value(item, Place::Item(indent + 2));
        }
    }

    /// Every line but the one that a list's dash began.
    fn indent(&mut self, index: usize, indent: usize) {
        if index > 0 || !self.out.ends_with("- ") {
            self.out.extend(std::iter::repeat_n(' ', indent));
        }
    }
}

fn scalar_text(value: &Tree, out: &mut String) {
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
fn escape(code: u32) -> String {
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
            "[a:]{1020,1030}",
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
