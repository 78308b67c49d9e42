//! Counts, lists and foreign texts in sentences for people. Pure.

pub use crate::model::shown::printable;
pub use crate::ports::chain;

/// `1 stack`, `10,000 stacks`
pub fn plural(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {what}{ending}", number(count))
}

/// `10,000`
pub fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `a, b and 5 more`, with `most` names.
pub fn some_of<'n>(names: impl ExactSizeIterator<Item = &'n str>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let shown = names.take(most).collect::<Vec<_>>().join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {} more", number(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_names_read_well() {
        assert_eq!(
            (plural(1, "stack"), plural(10_000, "stack")),
            ("1 stack".to_owned(), "10,000 stacks".to_owned())
        );
        assert_eq!(
            (number(0), number(999), number(1_234_567)),
            ("0".to_owned(), "999".to_owned(), "1,234,567".to_owned())
        );
        let names = ["a", "b", "c"];
        assert_eq!(some_of(names.into_iter(), 3), "a, b, c");
        assert_eq!(some_of(names.into_iter(), 1), "a and 2 more");
    }
}
