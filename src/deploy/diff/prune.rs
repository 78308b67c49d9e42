//! Leaves out of two templates what is the same text in both, so that only the rest must be read. Pure.

use std::collections::HashSet;

/// Both texts without the blocks that they share. Texts that are not laid out in blocks (JSON, flow style, anything but
/// keys at the left edge) come back whole.
///
/// A block is a section's line, or an entry of a section: a line that is indented by two, with all that is indented
/// deeper. The same block under the same section means the same in both.
pub fn pruned(before: &str, after: &str) -> (String, String) {
    match (blocks(before), blocks(after)) {
        (Some(old), Some(new)) => (without(&old, &new), without(&new, &old)),
        _ => (before.to_owned(), after.to_owned()),
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Block<'t> {
    section: &'t str,
    text: &'t str,
}

fn blocks(text: &str) -> Option<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut section = "";
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_section = line.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_entry = line.starts_with("  ") && line[2..].starts_with(|c: char| c.is_ascii_alphanumeric());
        let is_inside = line.starts_with("   ") || line.starts_with("  - ");
        if !(is_section || is_entry || is_inside) || line.contains(['&', '*', '\t', '|', '>']) && may_span(line) {
            return None;
        }
        if is_section || is_entry {
            if at > start {
                let text = &text[start..at];
                blocks.push(Block { section, text });
            }
            start = at;
        }
        if is_section {
            section = line.trim_end();
        }
        at += line.len();
    }
    let text = &text[start..];
    blocks.push(Block { section, text });
    Some(blocks)
}

/// Whether a line may mean something that goes on beyond its block, or that comes from another: an anchor, an alias, a
/// block of text.
fn may_span(line: &str) -> bool {
    let value = line.split_once(": ").map_or(line.trim_start(), |(_, value)| value);
    value.trim_start_matches("- ").starts_with(['&', '*', '|', '>']) || line.contains('\t')
}

fn without(blocks: &[Block<'_>], others: &[Block<'_>]) -> String {
    let known: HashSet<&Block<'_>> = others.iter().collect();
    blocks
        .iter()
        // A section's own line stays: its entries need it.
        .filter(|block| block.text.trim_end() == block.section || !known.contains(block))
        .map(|block| block.text)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_have_is_left_out() {
        let before = "A: 1\nResources:\n  A:\n    B: 1\n  C:\n    D: 1\nOutputs:\n  C:\n    D: 1\n";
        let after = "A: 1\nResources:\n  A:\n    B: 2\n  C:\n    D: 1\nOutputs:\n  E:\n    D: 1\n";
        let (old, new) = pruned(before, after);
        assert_eq!(old, "A: 1\nResources:\n  A:\n    B: 1\nOutputs:\n  C:\n    D: 1\n");
        assert_eq!(new, "A: 1\nResources:\n  A:\n    B: 2\nOutputs:\n  E:\n    D: 1\n");
    }

    #[test]
    fn what_is_laid_out_otherwise_stays_whole() {
        for other in [
            "{\"Resources\": {}}\n",
            "Resources:\n    A: 1\n---\n",
            "Resources:\n  A: &x\n    B: 1\n",
            "Resources:\n  A: |\n  text\n",
        ] {
            assert_eq!(
                pruned(other, "A: 1\n"),
                (other.to_owned(), "A: 1\n".to_owned()),
                "{other}"
            );
        }
    }
}
