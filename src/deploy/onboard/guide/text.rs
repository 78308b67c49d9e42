//! For a terminal or an e-mail.

use crate::deploy::onboard::guide::{Guide, Part};

/// Columns of a line.
const WIDTH: usize = 100;

pub fn text(guide: &Guide) -> String {
    let mut lines = vec![guide.title.clone(), "=".repeat(guide.title.chars().count())];
    for section in &guide.sections {
        lines.extend([
            String::new(),
            section.title.to_owned(),
            "-".repeat(section.title.chars().count()),
        ]);
        for (index, part) in section.parts.iter().enumerate() {
            if index > 0 {
                lines.push(String::new());
            }
            match part {
                Part::Sentence(sentence) => wrap("", "", sentence, &mut lines),
                Part::List(items) => items.iter().for_each(|item| wrap("- ", "  ", item, &mut lines)),
                Part::Steps(steps) => {
                    for (index, step) in steps.iter().enumerate() {
                        wrap(&format!("{}. ", index + 1), "   ", step, &mut lines);
                    }
                }
                Part::Fields(fields) => {
                    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or(0);
                    for field in fields {
                        lines.push(format!("   {:width$}  {}", field.name, field.value));
                        wrap(
                            "",
                            &format!("   {:width$}  ", ""),
                            &format!("({})", field.remark),
                            &mut lines,
                        );
                    }
                }
            }
        }
    }
    lines.join("\n") + "\n"
}

/// Words in lines; the first begins with `first`, the others with `next`. Without a beginning of its own the first line
/// is like the others.
fn wrap(first: &str, next: &str, words: &str, lines: &mut Vec<String>) {
    let mut line = if first.is_empty() { next } else { first }.to_owned();
    let mut is_empty = true;
    for word in words.split_whitespace() {
        if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, next.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
}
