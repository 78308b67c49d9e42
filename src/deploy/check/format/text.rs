//! For a terminal, with ANSI colours: what a person should do, and where.

use std::fmt::Write as _;

use crate::deploy::check::format::{Group, Report};
use crate::deploy::check::{Severity, rules};
use crate::deploy::wording::{plural, printable};

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const GREEN: &str = "\u{1b}[32m";
/// Stacks that a group names.
const NAMES: usize = 3;

/// Every group, then the summary, where a terminal stands still.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    for group in report.groups() {
        block(&group, &mut out);
    }
    let (colour, verdict) = match (report.errors(), report.warnings()) {
        (0, 0) => (GREEN, "nothing is wrong".to_owned()),
        (errors, 0) => (RED, plural(errors, "error")),
        (0, warnings) => (YELLOW, plural(warnings, "warning")),
        (errors, warnings) => (
            RED,
            format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
        ),
    };
    let accepted = match report.accepted() {
        0 => String::new(),
        accepted => format!(", {accepted} accepted"),
    };
    let checked = format!(
        "{}, {}",
        plural(report.stacks.len(), "stack"),
        plural(rules().count(), "rule")
    );
    let _ = writeln!(out, "{BOLD}{checked}: {colour}{verdict}{RESET}{BOLD}{accepted}.{RESET}");
    out
}

fn block(group: &Group<'_>, out: &mut String) {
    let violation = group.first;
    let (colour, word) = match (&violation.suppressed, violation.rule.severity) {
        (Some(_), _) => (GREEN, "accepted"),
        (None, Severity::Error) => (RED, "error"),
        (None, Severity::Warning) => (YELLOW, "warning"),
    };
    let message = printable(&violation.message);
    let _ = writeln!(out, "{colour}{BOLD}{word}[{}]{RESET}: {message}", violation.rule.id);
    let line = violation.line.map(|line| format!(":{line}")).unwrap_or_default();
    let resource = violation
        .resource
        .as_deref()
        .map(|id| format!(" {id}"))
        .unwrap_or_default();
    let stacks = match group.stacks.len() {
        0 => String::new(),
        1 => format!(" in {}", group.names(1)),
        count => format!(" in {}: {}", plural(count, "stack"), group.names(NAMES)),
    };
    let place = printable(&format!("{}{line}{resource}{stacks}", violation.file));
    let _ = writeln!(out, "  --> {place}");
    let _ = match &violation.suppressed {
        Some(reason) => writeln!(out, "  reason: {}\n", printable(reason)),
        None => writeln!(out, "  why: {}\n  help: {}\n", violation.rule.why, violation.rule.help),
    };
}

/// Every rule with its reason and what it admits.
pub fn list() -> String {
    let mut out = String::new();
    for rule in rules() {
        let _ = writeln!(out, "{BOLD}{}{RESET} ({})", rule.id, rule.severity.as_str());
        let _ = writeln!(out, "  {}\n  why: {}\n  help: {}", rule.demand, rule.why, rule.help);
        for admitted in rule.admits {
            let _ = writeln!(out, "  admits {}: {}", admitted.what, admitted.reason);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::check::format::tests::report;

    #[test]
    fn a_fleets_report_is_short() {
        let shown = anstream::adapter::strip_str(&text(&report())).to_string();
        insta::assert_snapshot!(shown, @r"
        error[encrypted-at-rest]: needs KmsMasterKeyId
          --> templates/tenant.yaml.j2:3 A in 7 stacks: oort-staging-t1, oort-staging-t2, oort-staging-t3 and 4 more
          why: They hold tenants' sign-ins and findings. A default that AWS could change is not what was reviewed.
          help: Set the property that the message names. What AWS always encrypts, such as event buses and archives, is not asked for.

        warning[idle-suppression]: `iam-anyone` finds nothing
          --> environments/staging/profile.yaml
          why: An acceptance that nothing needs any more hides the next violation of the same kind.
          help: Remove it from the profile or from environments/defaults.yaml.

        accepted[key-rotated]: the key is not rotated
          --> templates/tenant.yaml.j2:2 K in 7 stacks: oort-staging-t1, oort-staging-t2, oort-staging-t3 and 4 more
          reason: rotated by hand <yearly>

        7 stacks, 20 rules: 7 errors, 1 warning, 7 accepted.
        ");
        let all = anstream::adapter::strip_str(&text(&Report::default())).to_string();
        assert_eq!(all, format!("0 stacks, {} rules: nothing is wrong.\n", rules().count()));
    }

    #[test]
    fn the_list_tells_every_rule_and_all_it_admits() {
        let list = list();
        for rule in rules() {
            assert!(list.contains(rule.id) && list.contains(rule.why) && list.contains(rule.help));
            assert!(rule.admits.iter().all(|admitted| list.contains(admitted.what)));
        }
    }

    #[test]
    fn what_could_move_a_cursor_is_not_shown() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{202e}c"), "a\u{fffd}[2J\u{fffd}b\u{fffd}c");
    }
}
