//! For a pull request or a job's summary.

use std::fmt::Write as _;

use crate::deploy::apply::report::text::headline;
use crate::deploy::apply::report::{Report, Result};
use crate::deploy::markdown::plain;
use crate::deploy::wording::some_of;

/// Stacks that a cause names.
const NAMES: usize = 20;
/// Stacks that the table shows; a comment on GitHub takes 65,536 characters.
const ROWS: usize = 300;

/// Causes, then a table of every stack that is not done.
pub fn markdown(report: &Report) -> String {
    let mut out = format!("### {}: {}\n\n", plain(&report.environment), headline(report));
    if let Some(why) = &report.stopped {
        let _ = writeln!(out, "> ⚠️ **Stopped: {}**\n", plain(why));
    }
    for cause in report.causes.iter().take(ROWS) {
        let names = some_of(cause.stacks.iter().map(String::as_str), NAMES);
        let _ = writeln!(out, "- **{}**", plain(&cause.why));
        if let Some(resource) = &cause.resource {
            let _ = writeln!(out, "  - resource: {}", plain(resource));
        }
        let _ = writeln!(out, "  - stacks: {}", plain(&names));
        if let Some(way_out) = &cause.way_out {
            let _ = writeln!(out, "  - {}", plain(way_out));
        }
    }
    let open: Vec<_> = report
        .stacks
        .iter()
        .filter(|stack| stack.result != Result::Done)
        .collect();
    if !open.is_empty() {
        out.push_str("\n| stack | wave | |\n| --- | --- | --- |\n");
        for stack in open.iter().take(ROWS) {
            let word = if stack.result.is_failure() {
                "failed"
            } else {
                "not started"
            };
            let _ = writeln!(out, "| {} | {} | {word} |", plain(&stack.stack), plain(&stack.wave));
        }
        if open.len() > ROWS {
            let _ = writeln!(out, "\n_and {} more_", open.len() - ROWS);
        }
    }
    out
}
