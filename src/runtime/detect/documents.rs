//! A rule file as documents, and the lines of a document as those of its file. Pure.

/// Each document that holds more than comments, with the number of its first line that does.
pub fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = (1, 0);
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        at += line.len();
        if line.trim_end() == "---" || line.starts_with("--- ") {
            found.push((start.0, &text[start.1..at - line.len()]));
            start = (index + 2, at);
        }
    }
    found.push((start.0, &text[start.1..]));
    found
        .into_iter()
        .filter_map(|(line, text)| trimmed(line, text))
        .collect()
}

fn trimmed(first_line: usize, text: &str) -> Option<(usize, &str)> {
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            return Some((first_line + index, &text[at..]));
        }
        at += line.len();
    }
    None
}

const AT_LINE: &str = " at line ";

/// The line in `... at line 7 column 3`.
pub fn yaml_line(why: &str) -> Option<usize> {
    let (_, rest) = why.split_once(AT_LINE)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The same words with the lines of the document as those of the file.
pub fn in_file(why: &str, first_line: usize) -> String {
    let mut pieces = why.split(AT_LINE);
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let (digits, rest) = piece.split_at(end);
        text += AT_LINE;
        text += &digits.parse::<usize>().map_or(digits.to_owned(), |line| {
            line.saturating_add(first_line - 1).to_string()
        });
        text += rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_document_become_those_of_its_file() {
        let text = "a: b\n---\n# a comment\n\n---\nc: d\n";
        assert_eq!(documents(text), [(1, "a: b\n"), (6, "c: d\n")]);
        let why = "no end at line 7 column 3, of what begins at line 5 column 1 at line noise";
        let moved = "no end at line 12 column 3, of what begins at line 10 column 1 at line noise";
        assert_eq!(in_file(why, 6), moved);
        assert_eq!(yaml_line(moved), Some(12));
    }
}
