//! Takes the keys of a YAML map apart and reports, without stopping, all that is wrong with them: unknown, missing and
//! repeated keys, and values of another type than the key's.

use crate::deploy::problem::{Problem, Problems};
use crate::deploy::yaml::{At, Key, Node, Value};
use crate::model::name::NameError;

/// Collects the problems of one file.
pub struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a str, text: &'a str) -> Self {
        Self {
            path,
            text,
            problems: Vec::new(),
        }
    }

    pub fn report(&mut self, at: At, what: impl Into<String>) {
        let line = self.text.lines().nth(at.line - 1).unwrap_or_default();
        let problem = Problem {
            path: self.path.to_owned(),
            at,
            what: what.into(),
            line: line.to_owned(),
        };
        self.problems.push(problem);
    }

    /// The problems in the order of the file.
    pub fn finish(mut self, problems: &mut Problems) {
        self.problems.sort_by_key(|problem| problem.at);
        problems.0.append(&mut self.problems);
    }

    /// The entries of a map whose keys are `known`. What is no map has no entries.
    pub fn fields<'n>(&mut self, node: &'n Node, name: &str, known: &[&str]) -> Fields<'n> {
        let Value::Map(entries) = &node.value else {
            self.report(node.at, format!("{name} is a map with the keys {}", known.join(", ")));
            return Fields {
                at: node.at,
                is_map: false,
                entries: Vec::new(),
            };
        };
        let mut found: Vec<(&Key, &Node)> = Vec::new();
        for (key, value) in entries {
            if let Some((first, _)) = found.iter().find(|(other, _)| other.text == key.text) {
                self.report(
                    key.at,
                    format!(
                        "`{}` stands here twice; line {} has it already",
                        key.text, first.at.line
                    ),
                );
            } else if known.contains(&key.text.as_str()) {
                found.push((key, value));
            } else {
                self.report(key.at, unknown(&key.text, name, known));
            }
        }
        Fields {
            at: node.at,
            is_map: true,
            entries: found,
        }
    }

    /// A text. A plain scalar that some YAML reader would take for something else must stand in quotes.
    pub fn text<'n>(&mut self, node: &'n Node, name: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar { text, is_plain: true } if is_no_text(text) => {
                let what = if text.is_empty() {
                    format!("`{name}` has no value")
                } else {
                    format!("`{name}` is a text; write \"{text}\" in quotes, or it may be read as something else")
                };
                self.report(node.at, what);
                None
            }
            Value::Scalar { text, .. } => Some(text),
            _ => {
                self.report(node.at, format!("`{name}` is a text"));
                None
            }
        }
    }

    /// A text that `parse` takes.
    pub fn parsed<T>(&mut self, node: &Node, name: &str, parse: impl Fn(&str) -> Result<T, NameError>) -> Option<T> {
        let text = self.text(node, name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(node.at, format!("`{name}`: {error}"));
                None
            }
        }
    }

    /// A whole number from `least` to `most`.
    pub fn number(&mut self, node: &Node, name: &str, least: u32, most: u32) -> Option<u32> {
        let number = match &node.value {
            Value::Scalar { text, is_plain: true } => text.parse().ok().filter(|n| (least..=most).contains(n)),
            _ => None,
        };
        if number.is_none() {
            self.report(node.at, format!("`{name}` is a whole number from {least} to {most}"));
        }
        number
    }

    pub fn list<'n>(&mut self, node: &'n Node, name: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.report(node.at, format!("`{name}` is a list"));
        &[]
    }
}

/// The known entries of a map.
pub struct Fields<'n> {
    at: At,
    /// What is no map was reported as such, and misses nothing besides.
    is_map: bool,
    entries: Vec<(&'n Key, &'n Node)>,
}

impl<'n> Fields<'n> {
    pub fn get(&self, name: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(key, _)| key.text == name)
            .map(|(_, node)| *node)
    }

    /// The value of a key that must be there.
    pub fn required(&self, name: &str, reader: &mut Reader<'_>) -> Option<&'n Node> {
        let found = self.get(name);
        if found.is_none() && self.is_map {
            reader.report(self.at, format!("`{name}` is missing; add it here"));
        }
        found
    }
}

/// Words and numbers that YAML 1.1 or 1.2 reads as something else than a text.
pub fn is_no_text(plain: &str) -> bool {
    const WORDS: [&str; 11] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let lower = plain.to_ascii_lowercase();
    WORDS.contains(&lower.as_str())
        || plain.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && plain
                .chars()
                .all(|c| c.is_ascii_hexdigit() || matches!(c, '+' | '-' | '.' | '_' | ':' | 'x' | 'o'))
}

fn unknown(key: &str, name: &str, known: &[&str]) -> String {
    let close = known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(key, other), other))
        .filter(|(distance, other)| *distance <= 2.max(other.len() / 3))
        .min();
    match close {
        Some((_, other)) => format!("{name} has no key `{key}`; is `{other}` meant?"),
        None => format!("{name} has no key `{key}`; it has {}", known.join(", ")),
    }
}
