//! What somebody could try who controls a text, a name, an object or an answer: tried at the program as people run it.

mod bombs;
mod elsewhere;
mod messages;
mod names;
mod review;
mod texts;

/// Everything with which a text could fool a terminal, a reader of logs or a person: it clears the screen, sets its title and the
/// clipboard, rings, hides a link, begins a line, breaks out of JSON, runs backwards, and shows as nothing.
pub const TRAPS: &str = concat!(
    "\u{1b}[2J\u{1b}[1;1H\u{1b}[8m",
    "\u{1b}]0;owned\u{7}\u{1b}]52;c;b3duZWQ=\u{7}\u{1b}]8;;https://evil.example\u{1b}\\",
    "\u{9b}31m\u{9d}0;owned\u{9c}\u{90}q\u{85}\u{7f}\u{8}\u{c}",
    "\r\nforged: line\nforged: line\u{2028}forged: line\u{2029}",
    r#""}{"level":"ERROR","message":"forged"}\"#,
    "\u{202e}exe.gpj\u{2066}\u{200f}\u{61c}\u{200b}\u{2060}\u{feff}",
);

/// What no person's terminal may be sent. Beside the program's own list on purpose, so that neither can forget for both.
pub fn fools(c: char) -> bool {
    let code = u32::from(c);
    let is_control = (code < 0x20 && c != '\n') || (0x7f..0xa0).contains(&code);
    let is_direction = matches!(code, 0x61c | 0x200e | 0x200f | 0x202a..=0x202e | 0x2066..=0x2069);
    is_control || is_direction || matches!(code, 0x2028 | 0x2029 | 0x200b | 0x2060 | 0xfeff)
}

/// A text in quotes, for JSON and for YAML, with nothing in it that a reader of either refuses.
pub fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.chars().fold(String::new(), |quoted, c| match c {
        c if fools(c) => quoted + &format!("\\u{:04x}", u32::from(c)),
        c => quoted + &c.to_string(),
    })
}

/// A text for people, which fools nobody and in which nobody else begins a line.
pub fn assert_harmless(what: &str, text: &str) {
    assert!(!text.contains(fools), "{what}: {text:?}");
    for line in text.lines() {
        assert!(!line.trim_start().starts_with("forged"), "{what}: {text:?}");
    }
}
