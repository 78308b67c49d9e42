//! Rows as columns for a terminal, with ANSI colours.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::deploy::status::{Deployed, Gravity, Row, Source, span};
use crate::deploy::wording::printable;

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const HEADER: [&str; 9] = [
    "TENANT",
    "SOURCE",
    "STACK",
    "DRIFT",
    "QUEUE",
    "OLDEST",
    "DETECTOR",
    "COMPACTOR",
    "LAST EVENT",
];

/// The rows with their concerns below them.
pub fn table(rows: &[Row], now: Timestamp) -> String {
    let cells: Vec<[String; 9]> = rows.iter().map(|row| cells(row, now)).collect();
    let width = |column: usize| {
        let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        widest.max(HEADER[column].len())
    };
    let widths: Vec<usize> = (0..HEADER.len()).map(width).collect();
    let line = |row: &[String; 9]| {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut out = format!("{BOLD}{}{RESET}\n", line(&HEADER.map(str::to_owned)));
    for (row, cells) in rows.iter().zip(&cells) {
        out.push_str(&line(cells));
        out.push('\n');
        for concern in &row.concerns {
            let colour = match concern.gravity {
                Gravity::Alarm => RED,
                Gravity::Notice => YELLOW,
            };
            let _ = writeln!(out, "  {colour}! {}{RESET}", printable(&concern.what));
        }
    }
    out
}

fn cells(row: &Row, now: Timestamp) -> [String; 9] {
    let none = || "-".to_owned();
    let ago = |at: Option<Timestamp>| at.map_or_else(none, |at| format!("{} ago", span(now.duration_since(at))));
    let signs = &row.signs;
    [
        row.name.clone(),
        match row.source {
            None => none(),
            Some(Source::Missing) => "missing".to_owned(),
            Some(Source::Pending { .. }) => "pending".to_owned(),
            Some(Source::Active) => "active".to_owned(),
            Some(Source::Deleted) => "deleted".to_owned(),
        },
        match &row.deployed {
            Deployed::No => "none".to_owned(),
            Deployed::Same => "deployed".to_owned(),
            Deployed::Other => "other content".to_owned(),
            Deployed::Status(word) => word.clone(),
        },
        match row.drift.as_deref() {
            Some("IN_SYNC") => "none".to_owned(),
            Some("DRIFTED") => "drifted".to_owned(),
            _ => none(),
        },
        signs.queue.map_or_else(none, |count| count.to_string()),
        signs.oldest_seconds.map_or_else(none, |seconds| {
            span(jiff::SignedDuration::from_secs(
                i64::try_from(seconds).unwrap_or(i64::MAX),
            ))
        }),
        ago(signs.last_detector),
        ago(signs.last_compactor),
        ago(signs.last_event),
    ]
}
