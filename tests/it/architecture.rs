//! The directions in which one room of the crate may use another, read from every `crate::` path in the source.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A room and the rooms it may use besides itself. `ARCHITECTURE.md` shows the same table.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("telemetry", &[]),
    ("ports", &["model"]),
    ("deploy", &["model", "ports"]),
    ("lake", &["model", "ports"]),
    ("sample", &["model", "ports"]),
    ("local", &["model", "ports"]),
    ("aws", &["model", "ports"]),
    ("channels", &["model", "ports"]),
    ("okta", &["model", "ports"]),
    ("runtime", &["model", "ports", "lake"]),
    ("console", &["model", "ports", "lake", "runtime"]),
    (
        "cli",
        &[
            "model",
            "telemetry",
            "ports",
            "deploy",
            "lake",
            "sample",
            "local",
            "aws",
            "channels",
            "okta",
            "runtime",
            "console",
        ],
    ),
];

/// Rooms whose files decide only: no `async`, no port.
const PURE: &[&str] = &[
    "model",
    "sample",
    "runtime/detect",
    "runtime/notify/pace.rs",
    "deploy/profile",
    "deploy/render.rs",
    "deploy/skeleton.rs",
    "deploy/diff",
    "deploy/onboard",
    "deploy/lint.rs",
    "deploy/template.rs",
    "deploy/emit.rs",
    "deploy/golden.rs",
    "deploy/check",
    "deploy/plan",
    "deploy/guard.rs",
    "deploy/apply/judge.rs",
    "deploy/apply/record.rs",
    "deploy/apply/report",
];

#[test]
fn every_room_uses_only_what_it_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    let mut rooms = BTreeSet::new();
    for file in source_files(&root) {
        let relative = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&file).unwrap();
        rooms.insert(room_of(&relative).to_owned());
        violations.extend(violations_in(&relative, &text));
    }
    assert_eq!(violations, Vec::<String>::new());
    for (room, _) in ALLOWED {
        assert!(
            rooms.contains(*room),
            "the table names the room `{room}`, which does not exist"
        );
    }
}

#[test]
fn a_planted_violation_is_found() {
    let planted = [
        ("model/event.rs", "use crate::ports::Queue;"),
        ("ports.rs", "fn f() { crate::lake::segment::key(1); }"),
        (
            "deploy/plan.rs",
            "use crate::{\n    model::name::TenantId,\n    runtime::notify,\n};",
        ),
        ("runtime/compact.rs", "pub(crate) use crate::local::queue;"),
        ("local/bus.rs", "use super::super::runtime::ingest;"),
        ("lake/mod.rs", "let x = oort_streams::cli::Exit::Done;"),
        ("newroom/mod.rs", "use crate::model::name;"),
        ("model/event.rs", "pub async fn fetch() {}"),
        ("runtime/detect/mod.rs", "use crate::ports::Objects;"),
        ("deploy/diff/compare.rs", "let text = std::fs::read_to_string(path);"),
    ];
    for (file, text) in planted {
        assert_ne!(violations_in(file, text), Vec::<String>::new(), "{file}: {text}");
    }
    let innocent = [
        (
            "runtime/compact.rs",
            "use crate::lake::{Lake, segment};\nuse super::notify;\n// use crate::cli in a comment",
        ),
        ("lake/mod.rs", "use crate::ports::{Error, Kind};"),
        ("model/event.rs", "use super::loose::Text;"),
    ];
    for (file, text) in innocent {
        assert_eq!(violations_in(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn room_of(relative: &str) -> &str {
    relative.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

fn violations_in(relative: &str, text: &str) -> Vec<String> {
    let room = room_of(relative);
    if matches!(room, "lib" | "main") {
        return Vec::new();
    }
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{relative}: the room `{room}` is not in the table of allowed directions"
        )];
    };
    let mut violations: Vec<String> = rooms_used(&code, relative)
        .into_iter()
        .filter(|used| used != room && !allowed.contains(&used.as_str()))
        .map(|used| format!("{relative}: `{room}` may not use `{used}`"))
        .collect();
    if PURE.iter().any(|pure| relative.starts_with(pure)) {
        if code.contains("async fn") || code.contains("async move") {
            violations.push(format!("{relative}: a pure room has no async"));
        }
        if rooms_used(&code, relative).contains("ports") {
            violations.push(format!("{relative}: a pure room uses no port"));
        }
        for outside in ["std::fs", "std::process", "std::net", "std::env", "std::io::std"] {
            if code.contains(outside) {
                violations.push(format!("{relative}: a pure room uses no `{outside}`"));
            }
        }
    }
    violations
}

/// The first segment after every `crate::`, after the crate's own name, or after as many `super::` as lead to the root.
fn rooms_used(code: &str, relative: &str) -> BTreeSet<String> {
    let depth = relative.trim_end_matches("/mod.rs").matches('/').count();
    let to_root = "super::".repeat(depth + 1);
    ["crate::", "oort_streams::", to_root.as_str()]
        .iter()
        .flat_map(|start| code.match_indices(start).map(move |(at, _)| &code[at + start.len()..]))
        .flat_map(first_segments)
        .collect()
}

/// `a::b` gives `a`; `{a::b, c}` gives `a` and `c`.
fn first_segments(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut depth = 0_u32;
    let mut starts = vec![0];
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(index + 1),
            _ => {}
        }
    }
    starts
        .into_iter()
        .map(|start| name(&group[start..]))
        .filter(|name| !name.is_empty())
        .collect()
}
