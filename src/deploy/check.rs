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

/// Compares `(file name, text)` lists, each sorted by name; nothing when they agree.
pub fn compare(rendered: &[(String, String)], golden: &[(String, String)]) -> Vec<Staleness> {
    let find = |files: &[(String, String)], name: &str| {
        files
            .iter()
            .find(|(file, _)| file == name)
            .map(|(_, text)| text.clone())
    };
    let mut stale: Vec<Staleness> = rendered
        .iter()
        .filter_map(|(file, new)| {
            let kind = match find(golden, file) {
                None => StalenessKind::Missing,
                Some(old) if old != *new => StalenessKind::Different(diff(file, &old, new)),
                Some(_) => return None,
            };
            Some(Staleness {
                file: file.clone(),
                kind,
            })
        })
        .collect();
    let extra = golden.iter().filter(|(file, _)| find(rendered, file).is_none());
    stale.extend(extra.map(|(file, _)| Staleness {
        file: file.clone(),
        kind: StalenessKind::Extra,
    }));
    stale.sort_by(|a, b| a.file.cmp(&b.file));
    stale
}

fn diff(file: &str, old: &str, new: &str) -> String {
    TextDiff::from_lines(old, new)
        .unified_diff()
        .header(&format!("golden/{file}"), &format!("rendered/{file}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_extra_or_different_is_told_apart() {
        let files = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter()
                .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
                .collect()
        };
        let stale = compare(
            &files(&[("a", "1\n"), ("b", "2\n"), ("c", "3\n")]),
            &files(&[("b", "2\n"), ("c", "x\n"), ("d", "4\n")]),
        );
        let kinds: Vec<_> = stale.iter().map(|s| (s.file.as_str(), &s.kind)).collect();
        assert_eq!(kinds[0], ("a", &StalenessKind::Missing));
        assert_eq!(kinds[2], ("d", &StalenessKind::Extra));
        let StalenessKind::Different(text) = kinds[1].1 else {
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
