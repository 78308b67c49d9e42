//! Takes the keys of a YAML map apart and reports, without stopping, all that is wrong with them: unknown, missing and
//! repeated keys, and values of another type than the key's.

use crate::deploy::problem::{Problem, Problems};
use crate::deploy::shape::{self, Key as Known, Shape};
use crate::deploy::yaml::{At, Key, Node, Value};
use crate::model::name::NameError;

/// More problems of a file are not told of: who has corrected so many sees the rest.
const MOST_PROBLEMS: usize = 100;
/// More of a line is not shown.
const MOST_SHOWN: usize = 200;
/// A list has no more items.
const MOST_ITEMS: usize = 10_000;
/// A longer word is no misspelt key.
const LONGEST_KEY: usize = 100;

/// Collects the problems of one file.
pub struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Goes on with the problems that were found in the file so far.
    pub fn resumed(path: &'a str, text: &'a str, so_far: Problems) -> Self {
        Self {
            path,
            text,
            problems: so_far.0,
        }
    }

    pub fn report(&mut self, at: At, what: impl Into<String>) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        let line = self.text.lines().nth(at.line - 1).unwrap_or_default();
        let problem = Problem {
            path: self.path.to_owned(),
            at,
            what: what.into(),
            line: line.chars().take(MOST_SHOWN).collect(),
        };
        self.problems.push(problem);
    }

    /// The problems in the order of the file.
    pub fn finish(mut self, problems: &mut Problems) {
        self.problems.sort_by_key(|problem| problem.at);
        problems.0.append(&mut self.problems);
    }

    /// The entries of a map whose keys are `known`. What is no map has no entries.
    pub fn fields<'n>(&mut self, node: &'n Node, name: &str, known: &'static [Known]) -> Fields<'n> {
        let names = || known.iter().map(|key| key.name).collect::<Vec<_>>();
        let mut fields = Fields {
            at: node.at,
            is_map: true,
            known,
            entries: Vec::new(),
        };
        let Value::Map(entries) = &node.value else {
            self.report(node.at, format!("{name} is a map with the keys {}", names().join(", ")));
            fields.is_map = false;
            return fields;
        };
        for (key, value) in entries {
            if let Some((first, _)) = fields.entries.iter().find(|(other, _)| other.text == key.text) {
                self.report(
                    key.at,
                    format!(
                        "`{}` stands here twice; line {} has it already",
                        key.text, first.at.line
                    ),
                );
            } else if known.iter().any(|known| known.name == key.text) {
                fields.entries.push((key, value));
            } else {
                self.report(key.at, unknown(&key.text, name, &names()));
            }
        }
        fields
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
        let number = whole_number(node).filter(|n| (least..=most).contains(n));
        if number.is_none() {
            self.report(node.at, format!("`{name}` is a whole number from {least} to {most}"));
        }
        number
    }

    /// One of these numbers.
    fn one_of(&mut self, node: &Node, name: &str, allowed: &[u32]) -> Option<u32> {
        let number = whole_number(node).filter(|n| allowed.contains(n));
        if number.is_none() {
            let allowed: Vec<String> = allowed.iter().map(u32::to_string).collect();
            self.report(node.at, format!("`{name}` is one of {}", allowed.join(", ")));
        }
        number
    }

    /// One of these words.
    fn choice<'n>(&mut self, node: &'n Node, name: &str, words: &[&str]) -> Option<&'n str> {
        let text = self.text(node, name)?;
        if words.contains(&text) {
            return Some(text);
        }
        let told = match words.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => words.concat(),
        };
        self.report(node.at, format!("`{name}` is {told}"));
        None
    }

    pub fn list<'n>(&mut self, node: &'n Node, name: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) if items.len() <= MOST_ITEMS => return items,
            Value::List(_) => self.report(node.at, format!("`{name}` has at most {MOST_ITEMS} items")),
            _ => self.report(node.at, format!("`{name}` is a list")),
        }
        &[]
    }
}

fn whole_number(node: &Node) -> Option<u32> {
    match &node.value {
        Value::Scalar { text, is_plain: true } => text.parse().ok(),
        _ => None,
    }
}

/// The known entries of a map. A key that its shape requires is reported when it is asked for and missing.
pub struct Fields<'n> {
    at: At,
    /// What is no map was reported as such, and misses nothing besides.
    is_map: bool,
    known: &'static [Known],
    entries: Vec<(&'n Key, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// Where the map begins.
    pub fn at(&self) -> At {
        self.at
    }

    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.text == name)
    }

    pub fn get(&self, name: &str, reader: &mut Reader<'_>) -> Option<&'n Node> {
        let found = self.entries.iter().find(|(key, _)| key.text == name);
        if found.is_none() && self.is_map && self.known.iter().any(|key| key.name == name && key.is_required) {
            reader.report(self.at, format!("`{name}` is missing; add it here"));
        }
        found.map(|(_, node)| *node)
    }

    /// The entries of a map inside this one.
    pub fn fields(&self, name: &str, reader: &mut Reader<'_>) -> Option<Fields<'n>> {
        let node = self.get(name, reader)?;
        Some(reader.fields(node, &format!("`{name}`"), shape::keys(self.shape(name)?)))
    }

    pub fn text(&self, name: &str, reader: &mut Reader<'_>) -> Option<(&'n Node, &'n str)> {
        let node = self.get(name, reader)?;
        let text = match self.shape(name)? {
            Shape::Choice(words) => reader.choice(node, name, words)?,
            _ => reader.text(node, name)?,
        };
        Some((node, text))
    }

    /// A text that `parse` takes.
    pub fn parsed<T>(
        &self,
        name: &str,
        reader: &mut Reader<'_>,
        parse: impl Fn(&str) -> Result<T, NameError>,
    ) -> Option<(&'n Node, T)> {
        let node = self.get(name, reader)?;
        Some((node, reader.parsed(node, name, parse)?))
    }

    /// A number within the limits of its shape.
    pub fn number(&self, name: &str, reader: &mut Reader<'_>) -> Option<Result<u32, ()>> {
        let node = self.get(name, reader)?;
        let number = match self.shape(name)? {
            Shape::Number(least, most) => reader.number(node, name, *least, *most),
            Shape::OneOf(allowed) => reader.one_of(node, name, allowed),
            _ => None,
        };
        Some(number.ok_or(()))
    }

    pub fn list(&self, name: &str, reader: &mut Reader<'_>) -> &'n [Node] {
        self.get(name, reader).map_or(&[], |node| reader.list(node, name))
    }

    fn shape(&self, name: &str) -> Option<&'static Shape> {
        self.known.iter().find(|key| key.name == name).map(|key| &key.shape)
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
    match closest(key, known) {
        Some(other) => format!("{name} has no key `{key}`; is `{other}` meant?"),
        None => format!("{name} has no key `{key}`; it has {}", known.join(", ")),
    }
}

/// The known word that a misspelt one most likely means.
pub fn closest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > LONGEST_KEY {
        return None;
    }
    known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(word, other), *other))
        .filter(|(distance, other)| *distance <= 2.max(other.len() / 3))
        .min()
        .map(|(_, other)| other)
}
