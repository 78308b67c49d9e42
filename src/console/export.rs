//! Tables as files: CSV that no spreadsheet takes for formulas, and JSON lines.

use axum::body::{Body, Bytes};
use futures::{Stream, StreamExt as _};
use serde::Serialize;
use serde_json::Value;

use crate::console::visit::{Answer, Visit};
use crate::ports::{Error, Kind, Result};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    JsonLines,
}

impl Format {
    /// That of a route, by its ending.
    pub fn of(visit: &Visit) -> Self {
        match visit.route.rsplit_once('.') {
            Some((_, "csv")) => Self::Csv,
            _ => Self::JsonLines,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }
}

/// A file of rows that come in pages. A page that cannot be read ends the file early, which its reader sees as a broken answer.
pub fn download<T, S>(name: &str, format: Format, columns: Vec<&'static str>, pages: S) -> Answer
where
    T: Serialize + Send + 'static,
    S: Stream<Item = Result<Vec<T>>> + Send + 'static,
{
    let head = match format {
        Format::Csv => line(columns.iter().map(|name| (*name).to_owned())),
        Format::JsonLines => Ok(Vec::new()),
    };
    let text = move |page: Result<Vec<T>>| -> Result<Vec<u8>> {
        let mut text = Vec::new();
        for row in page? {
            let row = serde_json::to_value(row).map_err(|error| broken(error.into()))?;
            match format {
                Format::Csv => text.extend(line(columns.iter().map(|name| cell(row.get(*name))))?),
                Format::JsonLines => {
                    text.extend(row.to_string().into_bytes());
                    text.push(b'\n');
                }
            }
        }
        Ok(text)
    };
    let all = futures::stream::iter([head]).chain(pages.map(text));
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.@".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    Answer::Download {
        kind: format.kind(),
        name: format!("{plain}.{}", format.ending()),
        body: Body::from_stream(all.map(|part| part.map(Bytes::from))),
    }
}

/// A file of rows that are all here.
pub fn whole<T: Serialize + Send + 'static>(
    name: &str,
    format: Format,
    columns: &[&'static str],
    rows: Vec<T>,
) -> Answer {
    download(name, format, columns.to_vec(), futures::stream::iter([Ok(rows)]))
}

fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::caused(Kind::Invalid, "write a row of a file", error)
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn line(cells: impl Iterator<Item = String>) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let harmless = cells.map(|cell| harmless(&cell));
    writer.write_record(harmless).map_err(|error| broken(error.into()))?;
    writer.into_inner().map_err(|error| broken(error.to_string().into()))
}

/// What a spreadsheet would run begins with one of these; with an apostrophe before it, it is text. Source: OWASP, CSV injection.
fn harmless(cell: &str) -> String {
    if cell.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_every_cell_is_one() {
        let cells = [
            "=1+2", "+1", "-1", "@SUM(A1)", "\tx", "a,b", "a\"b", "a\nb", "plain", "",
        ];
        let text = String::from_utf8(line(cells.into_iter().map(str::to_owned)).unwrap()).unwrap();
        assert_eq!(
            text,
            "'=1+2,'+1,'-1,'@SUM(A1),'\tx,\"a,b\",\"a\"\"b\",\"a\nb\",plain,\r\n"
        );
    }
}
