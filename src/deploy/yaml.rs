//! YAML as written: a tree in which every node knows where it stands. Reads only; what a value means is decided by whoever
//! asks for it.

use granit_parser::{Event, Marker, Parser, ScalarStyle};

/// A place in a file: line and column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub line: usize,
    pub column: usize,
}

impl From<Marker> for At {
    fn from(marker: Marker) -> Self {
        Self {
            line: marker.line(),
            column: marker.col() + 1,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub at: At,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A scalar's text; `is_plain` when it stands without quotes.
    Scalar {
        text: String,
        is_plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the file, repeats included.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub at: At,
    pub text: String,
}

impl Node {
    /// The value at the end of a path of keys.
    pub fn find(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| match &node.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.text == *step)
                .map(|(_, value)| value),
            _ => None,
        })
    }

    pub fn has(&self, path: &[&str]) -> bool {
        self.find(path).is_some()
    }
}

/// Values stand in each other so deep at most. No file that a person writes comes near to it, and whoever walks a tree may call
/// itself.
const MOST_DEPTH: usize = 64;

/// Why a text is no YAML that is read here, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub at: At,
    pub why: String,
}

/// The one document of `text`. Anchors, aliases and tags are refused: configuration says what it means where it means it.
pub fn parse(text: &str) -> Result<Node, Unreadable> {
    document(text, false)
}

/// The same with the short tags of CloudFormation's intrinsic functions: `!Sub x` is read as `{"Fn::Sub": x}`.
pub fn parse_tagged(text: &str) -> Result<Node, Unreadable> {
    document(text, true)
}

fn document(text: &str, takes_tags: bool) -> Result<Node, Unreadable> {
    let mut builder = Builder {
        parser: Parser::new_from_str(text),
        last: At { line: 1, column: 1 },
        takes_tags,
        depth: 0,
    };
    loop {
        let (event, at) = builder.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::StreamEnd => {
                return Err(Unreadable {
                    at,
                    why: "the file is empty".to_owned(),
                });
            }
            event => {
                let root = builder.node(event, at)?;
                return builder.end().map(|()| root);
            }
        }
    }
}

/// The long form of a function's short tag. Source: CloudFormation's intrinsic function reference.
fn function(handle: &str, suffix: &str) -> Option<String> {
    match (handle, suffix) {
        ("!", "Ref" | "Condition") => Some(suffix.to_owned()),
        ("!", name) if name.starts_with(|c: char| c.is_ascii_uppercase()) => Some(format!("Fn::{name}")),
        _ => None,
    }
}

struct Builder<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    last: At,
    takes_tags: bool,
    /// How many lists and maps the value stands in.
    depth: usize,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, At), Unreadable> {
        loop {
            match self.parser.next_event() {
                None => return Ok((Event::StreamEnd, self.last)),
                Some(Err(error)) => {
                    return Err(Unreadable {
                        at: (*error.marker()).into(),
                        why: error.info().clone(),
                    });
                }
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => {
                    self.last = span.start.into();
                    return Ok((event, self.last));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: At) -> Result<Node, Unreadable> {
        let refused = |why: &str| {
            Err(Unreadable {
                at,
                why: why.to_owned(),
            })
        };
        let function = match &event {
            Event::Scalar(.., Some(tag)) | Event::SequenceStart(.., Some(tag)) | Event::MappingStart(.., Some(tag)) => {
                match function(tag.handle(), tag.suffix()) {
                    Some(name) if self.takes_tags => Some(name),
                    _ => return refused("tags such as !Ref are not read here; use the long form, as in {Ref: Name}"),
                }
            }
            _ => None,
        };
        if self.depth == MOST_DEPTH {
            return refused("values stand in each other deeper than is read here");
        }
        self.depth += 1;
        let value = match event {
            Event::Alias(_) => return refused("aliases are not read here; write the value out"),
            Event::Scalar(text, style, ..) => Value::Scalar {
                text: text.into_owned(),
                is_plain: style == ScalarStyle::Plain,
            },
            Event::SequenceStart(..) => Value::List(self.list()?),
            Event::MappingStart(..) => Value::Map(self.map()?),
            other => return refused(&format!("a value was expected, not {other:?}")),
        };
        self.depth -= 1;
        let node = Node { at, value };
        Ok(match function {
            None => node,
            Some(text) => Node {
                at,
                value: Value::Map(vec![(Key { at, text }, node)]),
            },
        })
    }

    fn list(&mut self) -> Result<Vec<Node>, Unreadable> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<(Key, Node)>, Unreadable> {
        let mut entries = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(entries);
            }
            let Node {
                value: Value::Scalar { text, .. },
                ..
            } = self.node(event, at)?
            else {
                return Err(Unreadable {
                    at,
                    why: "a key is a single word".to_owned(),
                });
            };
            let (event, value_at) = self.next()?;
            entries.push((Key { at, text }, self.node(event, value_at)?));
        }
    }

    fn end(&mut self) -> Result<(), Unreadable> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentEnd, _) => {}
                (_, at) => {
                    return Err(Unreadable {
                        at,
                        why: "one document a file".to_owned(),
                    });
                }
            }
        }
    }
}
