//! The only place that prints. Standard output carries results, standard error everything else.

use std::error::Error;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

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
    write(|out| writeln!(out, "{text}"));
}

/// A text that has its own line breaks.
pub fn text(text: &str) {
    write(|out| out.write_all(text.as_bytes()));
}

/// A text with ANSI colours, which reach a terminal only, and none where `NO_COLOR` is set.
pub fn coloured(text: &str) {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => self::text(&anstream::adapter::strip_str(text).to_string()),
        _ => self::text(text),
    }
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
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
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

/// A cell as a terminal may show it: control characters, which could move the cursor or hide text, become spaces.
fn shown(cell: &str, most: usize) -> String {
    let printable = cell.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut text: String = printable.clone().take(most).collect();
    if printable.count() > most {
        text.pop();
        text.push('…');
    }
    text
}

/// What happens meanwhile, on standard error.
pub fn progress(text: impl std::fmt::Display) {
    // Nothing can be told when standard error is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error with its causes, then what to do next, on standard error.
pub fn failure(error: &dyn Error, hint: Option<&str>) {
    let mut stderr = io::stderr().lock();
    // Nothing can be told when standard error is gone too.
    let _ = writeln!(stderr, "error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = writeln!(stderr, "  because: {error}");
        cause = error.source();
    }
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "hint: {hint}");
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
        a [2J                                             é
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…  y
        ");
    }
}
