//! For a pull request: fits a comment, whatever the fleet.

use std::fmt::Write as _;

use crate::deploy::diff::fleet::{Fleet, Group};
use crate::deploy::diff::format::{headline, names, property_line, remarks, stacks, title, warnings};
use crate::deploy::markdown::plain;
use crate::deploy::wording::number;

/// What a comment on GitHub takes, in characters.
pub const MOST_CHARACTERS: usize = 65_536;
/// Kept for the last line, which says what was left out.
const RESERVED: usize = 400;
/// Stacks that a group names.
const NAMES: usize = 10;
/// Lines of properties that a block shows, and characters that a line shows.
const LINES: usize = 40;
const LINE_CHARACTERS: usize = 400;

/// The largest groups first; a group is shown whole or left out.
pub fn markdown(fleet: &Fleet) -> String {
    let summary = fleet.summary();
    let mut out = format!("### {}\n\n", headline(&summary));
    for warning in warnings(&summary) {
        let _ = writeln!(out, "> ⚠️ **{warning}**\n");
    }
    let mut used = out.chars().count();
    let (mut left_out, mut left_out_stacks) = (0, 0);
    for group in fleet.largest_first() {
        let block = block(group);
        let length = block.chars().count();
        if used + length + RESERVED > MOST_CHARACTERS {
            left_out += 1;
            left_out_stacks += group.stacks.len();
        } else {
            used += length;
            out.push_str(&block);
        }
    }
    if left_out > 0 {
        let plural = if left_out == 1 { "" } else { "s" };
        let _ = writeln!(
            out,
            "_{} more group{plural} of changes, in {}, did not fit here; `oort diff --format html` shows all._",
            number(left_out),
            stacks(left_out_stacks)
        );
    }
    out
}

fn block(group: &Group) -> String {
    let change = &group.change;
    let mut lines: Vec<String> = change
        .properties
        .iter()
        .take(LINES)
        .flat_map(|property| {
            let (mark, line) = property_line(property);
            // GitHub colours lines that begin with these.
            let mark = if mark == '~' { '!' } else { mark };
            vec![format!("{mark} {}", cut(&line))]
        })
        .collect();
    if change.properties.len() > LINES {
        lines.push(format!("  and {} more", number(change.properties.len() - LINES)));
    }
    let mut out = format!(
        "**{}** in {}: {}\n",
        plain(&title(change)),
        stacks(group.stacks.len()),
        plain(&names(group, NAMES))
    );
    for remark in remarks(change).iter().take(LINES) {
        let _ = writeln!(out, "- {}", plain(&cut(remark)));
    }
    if !lines.is_empty() {
        let body = lines.join("\n");
        let fence = fence(&body);
        let _ = writeln!(out, "\n{fence}diff\n{body}\n{fence}");
    }
    out.push('\n');
    out
}

fn cut(line: &str) -> String {
    if line.chars().count() <= LINE_CHARACTERS {
        return line.to_owned();
    }
    line.chars().take(LINE_CHARACTERS).chain(std::iter::once('…')).collect()
}

/// A fence that is longer than any in the text.
fn fence(body: &str) -> String {
    let (mut longest, mut run) = (2, 0);
    for c in body.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::diff::{Action, Change, DataEffect, PropertyChange, StackDiff, Subject};

    /// Changes of 4,000 stacks: the first half alike, each of the others in its own way, and full of traps.
    fn fleet() -> Fleet {
        let mut fleet = Fleet::default();
        for index in 0..4_000 {
            let value = if index < 2_000 {
                "same".to_owned()
            } else {
                format!("{index} ```\n<script>&[x](y)")
            };
            let property = PropertyChange {
                path: "Name".to_owned(),
                before: None,
                after: Some(value),
                replaces: false,
            };
            let change = Change {
                subject: Subject::Section {
                    name: "Out*puts`".to_owned(),
                },
                action: Action::Update,
                properties: vec![property; 1 + index % 60],
                data: DataEffect::None,
                because_of: None,
                notes: vec!["@everyone <b>".to_owned()],
            };
            let diff = StackDiff {
                environment: "test".to_owned(),
                stack: format!("t{index}"),
                changes: vec![change],
            };
            fleet.add(Some(diff), &Vec::new());
        }
        fleet
    }

    #[test]
    fn a_comment_fits_and_no_block_is_cut() {
        let text = markdown(&fleet());
        assert!(text.chars().count() <= MOST_CHARACTERS);
        assert!(
            text.chars().count() > MOST_CHARACTERS - 8_000,
            "{}",
            text.chars().count()
        );
        let mut open: Option<&str> = None;
        for line in text.lines().filter(|line| line.starts_with("```")) {
            match open {
                None => open = Some(line.trim_end_matches("diff")),
                Some(fence) if line == fence => open = None,
                Some(_) => {}
            }
        }
        assert_eq!(open, None);
        assert!(
            text.trim_end().ends_with("shows all._"),
            "{}",
            &text[text.len() - 200..]
        );
        // The largest groups come first: those of the first half.
        let first = text.lines().find(|line| line.starts_with("**")).unwrap();
        assert!(first.contains("in 34 stacks"), "{first}");
        assert!(!text.contains("@everyone") && !text.contains("<b>") && text.contains("Out\\*puts\\`"));
    }
}
