//! Every dependency has its reason beside it, is used, and comes from crates.io at a version that is named.

use std::path::{Path, PathBuf};

/// A reason is a few words at least.
const LEAST_WORDS: usize = 3;

#[test]
fn every_dependency_has_its_reason_and_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (program, tests) = (code(&root.join("src")), code(&root.join("tests")));
    let found = problems(&manifest, &program, &format!("{program}{tests}"));
    assert_eq!(found, Vec::<String>::new());
    assert!(dependencies(&manifest).len() > 50);
}

#[test]
fn a_dependency_without_a_reason_or_a_use_is_found() {
    let planted = [
        ("[dependencies]\na-crate = \"1\"\n", "no reason"),
        ("[dependencies]\na-crate = \"1\" # why not\n", "no reason"),
        ("[dependencies]\nother = \"1\" # reads the letters aloud\n", "unused"),
        ("[dependencies]\nfor-tests = \"1\" # what only tests use\n", "unused"),
        (
            "[dev-dependencies]\nother = \"1\" # reads the letters aloud\n",
            "unused",
        ),
        (
            "[build-dependencies]\nother = \"1\" # reads the letters aloud\n",
            "unused",
        ),
        (
            "[dependencies]\na-crate = { git = \"https://example.com\" } # reads the letters aloud\n",
            "no version",
        ),
        (
            "[dependencies]\na-crate = \"*\" # reads the letters aloud\n",
            "no version",
        ),
        (
            "[dependencies.a-crate]\nversion = \"1\" # reads the letters aloud\n",
            "one line",
        ),
        (
            "[target.'cfg(unix)'.dependencies]\nother = \"1\" # reads the letters aloud\n",
            "unused",
        ),
    ];
    let (program, all) = (
        "use a_crate::x; // other::y",
        "use a_crate::x; use for_tests::z; // other::y",
    );
    let uses = |text: &str| code_of(text);
    for (manifest, why) in planted {
        let found = problems(manifest, &uses(program), &uses(all));
        assert!(found.len() == 1 && found[0].contains(why), "{manifest}: {found:?}");
    }
    let innocent = "[dependencies]\n# A heading\na-crate = { version = \"1\" } # reads the letters aloud\n\n[dev-dependencies]\nfor-tests = \"1\" # reads the letters aloud\n[features]\nx = []\n";
    assert_eq!(problems(innocent, &uses(program), &uses(all)), Vec::<String>::new());
}

/// Each line of a section of dependencies, and whether it is for tests only.
fn dependencies(manifest: &str) -> Vec<(&str, bool)> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            if section.contains("dependencies.") {
                found.push((line, false));
            }
        } else if section.ends_with("dependencies") && !line.is_empty() && !line.starts_with('#') {
            found.push((line, section.ends_with("dev-dependencies")));
        }
    }
    found
}

fn problems(manifest: &str, program: &str, all: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (line, is_for_tests) in dependencies(manifest) {
        if line.starts_with('[') {
            problems.push(format!("{line}: a dependency stands on one line"));
            continue;
        }
        let (entry, reason) = line.split_once('#').unwrap_or((line, ""));
        let (name, source) = entry.split_once('=').unwrap();
        let name = name.trim().trim_matches('"');
        if reason.split_whitespace().count() < LEAST_WORDS {
            problems.push(format!("{name}: no reason stands beside it"));
        }
        let is_pinned = source.trim().starts_with('"') || source.contains("version = ");
        if !is_pinned || source.contains("\"*\"") || source.contains("git = ") || source.contains("path = ") {
            problems.push(format!("{name}: no version of crates.io"));
        }
        let used = name.replace('-', "_");
        let code = if is_for_tests { all } else { program };
        if !mentions(code, &used) {
            problems.push(format!("{name}: unused"));
        }
    }
    problems
}

/// Whether a path begins with the crate's name.
fn mentions(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    let is_whole = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let renamed = format!("use {name} as ");
    code.match_indices(&path).any(|(at, _)| is_whole(at)) || code.contains(&renamed)
}

fn code(folder: &Path) -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&code_of(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    text
}

/// Without comments.
fn code_of(text: &str) -> String {
    text.lines().fold(String::new(), |code, line| {
        let own = if line.trim_start().starts_with("//") { "" } else { line };
        let own = own.split(" // ").next().unwrap_or_default();
        code + own + "\n"
    })
}
