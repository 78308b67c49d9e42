//! The only place that prints. Standard output carries results, standard error everything else. Neither passes on what a stranger
//! wrote to move a terminal's cursor or to hide a line.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::model::shown::{escaped, escaped_line, printable};

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Columns for people.
    Table,
    /// One JSON value for machines.
    Json,
}

/// Whether a result did not reach standard output whole.
static CUT_SHORT: AtomicBool = AtomicBool::new(false);

/// Whether a result did not reach standard output whole, so that the command has failed whatever else it did.
pub fn is_cut_short() -> bool {
    CUT_SHORT.load(Ordering::Relaxed)
}

/// Writes to standard output. A reader that went away, as `head` does, is no failure of ours.
fn write(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = write(&mut stdout).and_then(|()| stdout.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        failure(
            &error,
            Some("standard output could not be written; the result is cut short"),
        );
        CUT_SHORT.store(true, Ordering::Relaxed);
    }
}

pub fn line(text: impl std::fmt::Display) {
    let text = text.to_string();
    write(|out| writeln!(out, "{}", escaped(&text)));
}

/// A text that has its own line breaks.
pub fn text(text: &str) {
    write(|out| out.write_all(escaped(text).as_bytes()));
}

/// What is wrong with a command line, in colours where standard error shows them.
pub fn usage(text: &str) {
    let text = match anstream::AutoStream::choice(&io::stderr()) {
        anstream::ColorChoice::Never => escaped(&anstream::adapter::strip_str(text).to_string()).into_owned(),
        _ => with_colours(text),
    };
    // Nothing can be told when standard error is gone.
    let _ = write!(io::stderr().lock(), "{text}");
}

/// Clears the terminal that standard output is.
pub fn clear() {
    write(|out| out.write_all(b"\x1b[2J\x1b[H"));
}

/// A text with ANSI colours, which reach a terminal only, and none where `NO_COLOR` is set.
pub fn coloured(text: &str) {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => self::text(&anstream::adapter::strip_str(text).to_string()),
        _ => write(|out| out.write_all(with_colours(text).as_bytes())),
    }
}

/// As [`escaped`], but for sequences that choose a colour.
fn with_colours(text: &str) -> String {
    const ESCAPE: char = '\u{1b}';
    let mut parts = text.split(ESCAPE);
    let mut out = escaped(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        let digits = part.strip_prefix('[').unwrap_or_default();
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != ';');
        let (colour, rest) = match end {
            Some(end) if digits[end..].starts_with('m') => part.split_at(end + 2),
            _ => ("", part),
        };
        let _ = match colour {
            "" => write!(out, "{}", escaped_line("\u{1b}")),
            colour => write!(out, "{ESCAPE}{colour}"),
        };
        out.push_str(&escaped(rest));
    }
    out
}

/// A result to a file, or to standard output without one.
pub fn to_file_or_stdout(path: Option<&std::path::Path>, text: &str) -> io::Result<()> {
    if let Some(path) = path {
        return std::fs::write(path, text);
    }
    self::text(text);
    Ok(())
}

pub fn json<T: Serialize>(value: &T) {
    write(|out| {
        let text = serde_json::to_string_pretty(value)?;
        writeln!(out, "{}", escaped(&text))
    });
}

/// Many lines, without holding them; `false` when the reader went away.
pub fn lines(lines: impl Iterator<Item = String>, out: &mut dyn Write) -> io::Result<()> {
    for line in lines {
        out.write_all(line.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Standard output for a long stream of lines.
pub fn stream(rows: impl Iterator<Item = String>) {
    write(|out| {
        let mut buffered = io::BufWriter::with_capacity(1 << 16, out);
        lines(rows, &mut buffered)
    });
}

/// Longest a cell may be; longer texts end in an ellipsis.
const CELL_CHARACTERS: usize = 48;

/// Columns as wide as their widest cell, two spaces apart.
pub fn table(header: &[&str], rows: &[Vec<String>]) {
    for text in table_lines(header, rows, CELL_CHARACTERS) {
        line(text);
    }
}

/// The same with cells of any length.
pub fn table_in_full(header: &[&str], rows: &[Vec<String>]) {
    for text in table_lines(header, rows, usize::MAX) {
        line(text);
    }
}

fn table_lines(header: &[&str], rows: &[Vec<String>], most: usize) -> Vec<String> {
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let cells: Vec<Vec<String>> = std::iter::once(&header)
        .chain(rows)
        .map(|row| row.iter().map(|cell| shown(cell, most)).collect())
        .collect();
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            cells
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let pad = |(cell, width): (&String, &usize)| format!("{cell:width$}");
    cells
        .iter()
        .map(|row| {
            row.iter()
                .zip(&widths)
                .map(pad)
                .collect::<Vec<_>>()
                .join("  ")
                .trim_end()
                .to_owned()
        })
        .collect()
}

/// A cell as a terminal may show it.
fn shown(cell: &str, most: usize) -> String {
    let mut text: String = printable(cell).chars().take(most).collect();
    if cell.chars().count() > most {
        text.pop();
        text.push('…');
    }
    text
}

/// What happens meanwhile, on standard error.
pub fn progress(text: impl std::fmt::Display) {
    // Nothing can be told when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{}", escaped(&text.to_string()));
}

/// Standard error for log lines. Each record comes in one piece and goes as one line, whatever it tells of.
pub struct LogLines;

impl Write for LogLines {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        let line = escaped_line(text.strip_suffix('\n').unwrap_or(&text));
        io::stderr().lock().write_all(format!("{line}\n").as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// An error with its causes, then what to do next, on standard error.
pub fn failure(error: &dyn Error, hint: Option<&str>) {
    let mut stderr = io::stderr().lock();
    // Nothing can be told when standard error is gone too.
    let _ = writeln!(stderr, "error: {}", escaped(&error.to_string()));
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = writeln!(stderr, "  because: {}", escaped(&error.to_string()));
        cause = error.source();
    }
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "hint: {}", escaped(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_shows_no_control_character() {
        let rows = vec![
            vec!["a\u{1b}[2J".to_owned(), "é".to_owned()],
            vec!["x".repeat(60), "y".to_owned()],
        ];
        insta::assert_snapshot!(table_lines(&["ONE", "TWO"], &rows, CELL_CHARACTERS).join("\n"), @r"
        ONE                                               TWO
        a�[2J                                             é
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  y
        ");
    }

    #[test]
    fn of_what_reaches_a_terminal_only_colours_are_left() {
        let hostile = "\u{1b}[31mred\u{1b}[0m \u{1b}[2J\u{1b}]8;;x\u{7}\u{1b}\u{9b}1m\u{1b}[1;4mé\u{1b}[";
        assert_eq!(
            with_colours(hostile),
            "\u{1b}[31mred\u{1b}[0m \\u001b[2J\\u001b]8;;x\\u0007\\u001b\\u009b1m\u{1b}[1;4mé\\u001b["
        );
    }
}
