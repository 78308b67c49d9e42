//! Texts from outside where people read them: no character moves a cursor, hides what stands beside it or turns it round. Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character shows as nothing and changes how others show: control characters, those that begin a line, have no width,
/// or set the direction of a text.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text on one line, with a mark where a hidden character stood.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if is_hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Lines and columns as they are; every other hidden character as JSON escapes it, so that JSON says the same as before.
pub fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, |c| matches!(c, '\n' | '\t'))
}

/// As [`escaped`], on one line.
pub fn escaped_line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

fn escape(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_bad = |c: char| is_hidden(c) && !is_kept(c);
    // A fleet's stacks are hundreds of megabytes of plain ASCII, and bytes are looked at many at once.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    let is_plain_text = text.as_bytes().iter().all(is_plain) && (is_kept('\n') || !text.contains('\n'));
    if is_plain_text || !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_bad(c) {
            // All of them have four digits at most, so that one escape is one character.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal or a reader could be fooled with: CSI, OSC, BEL, C1, directions, separators, no width.
    const HOSTILE: &str = "a\u{1b}[2J\u{1b}]8;;https://evil.example\u{7}b\u{9b}31m\u{85}\u{202e}c\u{2066}\u{2028}\u{200b}\u{feff}\u{7f}é 🚀";

    #[test]
    fn hidden_characters_show() {
        assert_eq!(
            printable("a\u{1b}[2J\nb\u{202e}c é 🚀"),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}c é 🚀"
        );
        assert!(!printable(HOSTILE).contains(is_hidden));
        assert!(!escaped_line(HOSTILE).contains(is_hidden));
        assert_eq!(escaped("a\n\tb\rc"), "a\n\tb\\u000dc");
        assert_eq!(escaped_line("a\nb"), "a\\u000ab");
    }

    #[test]
    fn json_says_the_same_when_it_is_escaped() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE, "a\nb"] });
        for text in [value.to_string(), format!("{value:#}")] {
            let safe = escaped(&text);
            assert!(!safe.contains(|c| is_hidden(c) && c != '\n'));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }
}
