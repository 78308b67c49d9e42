//! For a ticket or a wiki.

use crate::deploy::onboard::guide::{Guide, Part};

pub fn markdown(guide: &Guide) -> String {
    let mut blocks = vec![format!("# {}", plain(&guide.title))];
    for section in &guide.sections {
        blocks.push(format!("## {}", plain(section.title)));
        for part in &section.parts {
            blocks.push(match part {
                Part::Sentence(sentence) => plain(sentence),
                Part::List(items) => lines(items.iter().map(|item| format!("- {}", plain(item)))),
                Part::Steps(steps) => {
                    let step = |(index, step): (usize, &String)| format!("{}. {}", index + 1, plain(step));
                    lines(steps.iter().enumerate().map(step))
                }
                Part::Fields(fields) => {
                    let head = "| field | value | |\n| --- | --- | --- |".to_owned();
                    let rows = fields
                        .iter()
                        .map(|field| format!("| {} | `{}` | {} |", field.name, field.value, plain(&field.remark)));
                    lines(std::iter::once(head).chain(rows))
                }
            });
        }
    }
    blocks.join("\n\n") + "\n"
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

/// A text that means nothing to Markdown.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
