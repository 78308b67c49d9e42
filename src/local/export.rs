//! Takes a file of events apart: an export of the System Log as a JSON array, as JSON lines, or as objects printed over
//! several lines. Cuts only; whether a piece is an event is judged elsewhere, so that a broken piece costs itself alone.

use std::io::{self, BufRead};

/// A piece longer than this is cut here, so that one missing quote cannot swallow memory.
const PIECE_BYTES: usize = 8 << 20;

/// One element of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The line of the file, from 1, on which the piece starts.
    pub line: u64,
    pub text: String,
    /// Whether the bytes were UTF-8; if not, `text` shows what could be read of them and is no event.
    pub is_unicode: bool,
}

/// The pieces of a file, read as they are asked for.
pub struct Export<R> {
    reader: R,
    /// The line that the next byte belongs to.
    line: u64,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Unknown,
    Lines,
    /// Values one after the other, in an array or not, cut where their brackets close.
    Values,
}

impl<R: BufRead> Export<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            line: 1,
            shape: Shape::Unknown,
        }
    }

    /// An array starts with a bracket, an object printed over several lines with a brace alone on its line.
    fn recognise(&mut self) -> io::Result<()> {
        self.skip(|byte| byte.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(&byte))?;
        let start = self.reader.fill_buf()?;
        self.shape = match start {
            [b'[', ..] => {
                self.reader.consume(1);
                Shape::Values
            }
            [b'{', b'\n' | b'\r', ..] => Shape::Values,
            _ => Shape::Lines,
        };
        Ok(())
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let length = buffer.iter().take_while(|byte| skipped(**byte)).count();
            let is_done = length < buffer.len() || buffer.is_empty();
            self.line += count_lines(&buffer[..length]);
            self.reader.consume(length);
            if is_done {
                return Ok(());
            }
        }
    }

    fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        if self.shape == Shape::Unknown {
            self.recognise()?;
        }
        let is_value = self.shape == Shape::Values;
        self.skip(|byte| byte.is_ascii_whitespace() || (is_value && matches!(byte, b',' | b']')))?;
        let line = self.line;
        let mut bytes = Vec::new();
        let mut cut = Cut::default();
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let room = &buffer[..buffer.len().min(PIECE_BYTES - bytes.len())];
            let end = if is_value {
                cut.value_end(room)
            } else {
                memchr::memchr(b'\n', room)
            };
            let taken = end.unwrap_or(room.len());
            bytes.extend_from_slice(&room[..taken]);
            self.line += count_lines(&room[..taken]);
            self.reader.consume(taken);
            if end.is_some() || bytes.len() >= PIECE_BYTES {
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let (text, is_unicode) = match String::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
        };
        Ok(Some(Piece {
            line,
            text: text.trim_ascii_end().to_owned(),
            is_unicode,
        }))
    }
}

impl<R: BufRead> Iterator for Export<R> {
    type Item = io::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_piece().transpose()
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Finds where a JSON value ends, over as many buffers as it takes.
#[derive(Default)]
struct Cut {
    depth: u32,
    in_string: bool,
    is_escaped: bool,
}

impl Cut {
    /// How many of `bytes` still belong to the value; `None` when it goes on after them.
    fn value_end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, &byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => return Some(index + 1),
                b',' | b']' if self.depth == 0 => return Some(index),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(text: &str, buffer: usize) -> Vec<(u64, String)> {
        let reader = io::BufReader::with_capacity(buffer, text.as_bytes());
        Export::new(reader)
            .map(|piece| piece.map(|p| (p.line, p.text)).unwrap())
            .collect()
    }

    #[test]
    fn a_broken_line_costs_itself_alone() {
        let found = pieces("\u{feff}{\"a\":1}\n\n{\"b\":\"\n{\"c\":[1,\r\n7\n", 1 << 10);
        let expected = [(1, "{\"a\":1}"), (3, "{\"b\":\""), (4, "{\"c\":[1,"), (5, "7")];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_line_of_odd_blanks_is_a_piece_and_no_end() {
        let found = pieces("{\"a\":1}\n\u{a0}\n{\"b\":2}\n", 1 << 10);
        assert_eq!(found.len(), 3);
        let broken = Export::new(&b"{\"a\":\"\xff\"}\n{}\n"[..]).map(|piece| piece.unwrap().is_unicode);
        assert!(broken.eq([false, true]));
    }

    #[test]
    fn a_broken_element_of_an_array_is_a_piece_of_its_own() {
        let found = pieces("[\n {\"a\":\"]},{\\\"\"}\n, oops, {\"b\":[{}]} ]\n", 1 << 10);
        let expected = [(2, "{\"a\":\"]},{\\\"\"}"), (3, "oops"), (3, "{\"b\":[{}]}")];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    proptest! {
        #[test]
        fn every_shape_gives_the_same_values(
            values in prop::collection::vec(prop::collection::hash_map(".{0,5}", prop::option::of(".{0,5}"), 1..4), 0..6),
            buffer in 1_usize..40,
        ) {
            let expected: Vec<_> = values.iter().map(|v| serde_json::to_value(v).unwrap()).collect();
            let lines: Vec<String> = expected.iter().map(ToString::to_string).collect();
            let printed: Vec<String> = expected.iter().map(|v| format!("{v:#}")).collect();
            let array = serde_json::to_string_pretty(&expected).unwrap();
            for text in [lines.join("\n"), array, printed.join("\n")] {
                let found: Vec<serde_json::Value> = pieces(&text, buffer.max(2)).iter().map(|(_, t)| serde_json::from_str(t).unwrap()).collect();
                prop_assert_eq!(&found, &expected, "{}", text);
            }
        }
    }
}
