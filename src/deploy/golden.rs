//! Rendered stacks against their golden files. Pure.

use similar::TextDiff;

/// A golden file that is not what is rendered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staleness {
    pub file: String,
    pub kind: StalenessKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StalenessKind {
    /// There is no golden file yet.
    Missing,
    /// Nothing renders to this file any more.
    Extra,
    /// The difference as a unified diff, from the golden file to what is rendered.
    Different(String),
}

/// Compares a rendered stack with its golden file; `None` when they agree.
pub fn compare(file: &str, rendered: &str, golden: Option<&str>) -> Option<Staleness> {
    let kind = match golden {
        None => StalenessKind::Missing,
        Some(old) if old != rendered => StalenessKind::Different(diff(file, old, rendered)),
        Some(_) => return None,
    };
    Some(Staleness {
        file: file.to_owned(),
        kind,
    })
}

/// In lines. To compare longer files takes as long as one is times the other, and nobody reads what comes of it.
const LONGEST: usize = 20_000;

fn diff(file: &str, old: &str, new: &str) -> String {
    let (before, after) = (old.lines().count(), new.lines().count());
    if before.max(after) > LONGEST {
        return format!(
            "golden/{file} has {before} lines, rendered/{file} has {after}: too many to show how they differ\n"
        );
    }
    TextDiff::from_lines(old, new)
        .unified_diff()
        .header(&format!("golden/{file}"), &format!("rendered/{file}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_different_is_told_apart() {
        let kind = |golden| compare("c", "3\n", golden).map(|stale| stale.kind);
        assert_eq!(kind(Some("3\n")), None);
        assert_eq!(kind(None), Some(StalenessKind::Missing));
        let Some(StalenessKind::Different(text)) = kind(Some("x\n")) else {
            panic!("c differs")
        };
        insta::assert_snapshot!(text, @r"
        --- golden/c
        +++ rendered/c
        @@ -1 +1 @@
        -x
        +3
        ");
    }
}
