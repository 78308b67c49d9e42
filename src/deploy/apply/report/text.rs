//! For a terminal, with ANSI colours.

use std::fmt::Write as _;

use crate::deploy::apply::report::{Report, Result};
use crate::deploy::wording::{number, plural, printable, some_of};

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
/// Stacks that a cause names.
const NAMES: usize = 5;

/// Failures by cause, then every stack that was not started, then the counts, where a terminal stands still.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    for cause in &report.causes {
        let names = some_of(cause.stacks.iter().map(String::as_str), NAMES);
        let same = if cause.stacks.len() == 1 { "" } else { ", same cause" };
        let _ = writeln!(
            out,
            "{RED}{BOLD}{} failed{same}{RESET}: {names}",
            plural(cause.stacks.len(), "stack")
        );
        if let Some(resource) = &cause.resource {
            let _ = writeln!(out, "  resource: {}", printable(resource));
        }
        let _ = writeln!(out, "  because: {}", printable(&cause.why));
        if let Some(way_out) = &cause.way_out {
            let _ = writeln!(out, "  hint: {way_out}");
        }
        out.push('\n');
    }
    let waiting: Vec<&str> = report
        .stacks
        .iter()
        .filter(|stack| stack.result == Result::NotStarted)
        .map(|stack| stack.stack.as_str())
        .collect();
    if !waiting.is_empty() {
        let names = some_of(waiting.into_iter(), NAMES);
        let _ = writeln!(out, "Not started: {names}\n");
    }
    if let Some(why) = &report.stopped {
        let _ = writeln!(out, "{RED}Stopped: {}{RESET}", printable(why));
    }
    let _ = writeln!(out, "{BOLD}{}{RESET}", headline(report));
    out
}

/// `12 stacks done, 1 failed, 3 not started; 61 calls to AWS.`
pub fn headline(report: &Report) -> String {
    let (done, failed, not_started) = report.counts();
    let calls: u64 = report.calls.values().sum();
    let calls = number(usize::try_from(calls).unwrap_or(usize::MAX));
    let mut text = format!("{} done", plural(done, "stack"));
    if failed > 0 {
        let _ = write!(text, ", {} failed", number(failed));
    }
    if not_started > 0 {
        let _ = write!(text, ", {} not started", number(not_started));
    }
    format!("{text}; {calls} calls to AWS.")
}
