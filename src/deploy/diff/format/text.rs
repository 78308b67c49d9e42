//! For a terminal, with ANSI colours.

use std::fmt::Write as _;

use crate::deploy::diff::Action;
use crate::deploy::diff::fleet::{Fleet, Group};
use crate::deploy::diff::format::{headline, names, property_line, remarks, stacks, title, warnings};

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
/// Stacks that a group names.
const NAMES: usize = 5;

/// Outliers first, the summary at the end, where a terminal stands still.
pub fn text(fleet: &Fleet) -> String {
    let mut out = String::new();
    for group in fleet.outliers_first() {
        block(group, &mut out);
    }
    let summary = fleet.summary();
    for warning in warnings(&summary) {
        let _ = writeln!(out, "{RED}{warning}{RESET}");
    }
    let _ = writeln!(out, "{BOLD}{}{RESET}", headline(&summary));
    out
}

fn block(group: &Group, out: &mut String) {
    let change = &group.change;
    let colour = match change.action {
        Action::Create => GREEN,
        Action::Update => YELLOW,
        Action::MaybeReplace | Action::Replace | Action::Delete => RED,
    };
    let mark = change.action.mark();
    let _ = writeln!(out, "{colour}{mark} {BOLD}{}{RESET}", title(change));
    let _ = writeln!(out, "  in {}: {}", stacks(group.stacks.len()), names(group, NAMES));
    for property in &change.properties {
        let (mark, line) = property_line(property);
        let colour = match mark {
            '+' => GREEN,
            '-' => RED,
            _ => YELLOW,
        };
        let _ = writeln!(out, "    {colour}{mark} {line}{RESET}");
    }
    for remark in remarks(change) {
        let _ = writeln!(out, "    ! {remark}");
    }
    out.push('\n');
}
