//! What a file of the repository says, where a change is reviewed: Markdown, HTML and text show it and do nothing.

use super::{TRAPS, assert_harmless, fools, quoted};
use crate::world::World;

const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(1)> [ok](javascript:alert(1)) @security-team | `x` **b** \
                      ```\n## forged\n";

/// A golden file in which a stranger wrote.
fn world() -> World {
    let world = World::new();
    world.ok(&["render"]);
    let folder = world.root().join("snapshots/local");
    let golden = std::fs::read_dir(&folder).unwrap();
    let golden = golden
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("acme"))
        .unwrap();
    let text = std::fs::read_to_string(&golden).unwrap();
    let hostile = quoted(&format!("{MARKUP}{TRAPS}"));
    let planted = text.replacen(
        "Resources:\n",
        &format!("Resources:\n  {hostile}:\n    Type: {hostile}\n    Properties: {{A: {hostile}}}\n"),
        1,
    );
    assert_ne!(planted, text);
    std::fs::write(&golden, planted).unwrap();
    world
}

fn diff(world: &World, format: &str) -> String {
    let output = world.run(&["diff", "--format", format]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{format}: {said}");
    assert!(!said.contains(fools), "{said:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_diff_shows_markup_of_a_file_and_runs_none_of_it() {
    let world = world();
    let markdown = diff(&world, "markdown");
    assert_harmless("markdown", &markdown);
    let mut fence: Option<String> = None;
    let mut outside = String::new();
    for line in markdown.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if *open == line => fence = None,
            Some(_) => assert!(line.starts_with(['+', '-', '!', ' ']), "{line}"),
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => outside.push_str(line),
        }
    }
    assert_eq!(fence, None, "a fence is left open");
    assert!(outside.contains("alert"), "{outside}");
    for live in ["<script", "<img", "[ok](", "@security", "| `x`", "**b**"] {
        assert!(!outside.contains(live), "{live}: {outside}");
    }
    let html = diff(&world, "html");
    assert!(!html.contains(fools), "{html:?}");
    assert!(html.contains("&lt;script&gt;"));
    for live in ["<script", "<img", "javascript:alert(1)\"", "onerror=\""] {
        assert!(!html.contains(live), "{live}");
    }
    let text = diff(&world, "text");
    assert_harmless("text", &text);
    assert!(text.contains("owned"));
    let json = diff(&world, "json");
    assert!(!json.contains(fools), "{json:?}");
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
}

#[test]
fn a_problem_of_a_file_is_told_in_words_that_move_no_terminal() {
    let world = World::new();
    let path = world.root().join("environments/local/tenants/acme.yaml");
    let file = std::fs::read_to_string(&path).unwrap();
    let hostile = quoted(&format!("{MARKUP}{TRAPS}"));
    for (from, to) in [
        ("tenant: acme", format!("tenant: {hostile}")),
        ("subdomain: acme", format!("subdomain: {hostile}")),
        ("tier: demo", format!("tier: {hostile}")),
        ("tier: demo", format!("{hostile}: demo")),
        ("tags:", format!("{hostile}: 1\ntags:")),
        ("tags:", format!("# {TRAPS}\ntags:\n  x: [\u{1b}[2J\u{202e}]\n")),
    ] {
        assert!(file.contains(from), "{from}");
        std::fs::write(&path, file.replacen(from, &to, 1)).unwrap();
        for verb in [
            &["render"][..],
            &["check"],
            &["tenant", "show", "-e", "local", "-t", "acme"],
            &["tenant", "guide", "-e", "local", "-t", "acme"],
        ] {
            let output = world.run(verb);
            assert!(!output.status.success(), "{verb:?} takes {to}");
            for bytes in [output.stdout, output.stderr] {
                let text = String::from_utf8(bytes).unwrap();
                assert!(!text.contains(fools), "{verb:?}: {text:?}");
            }
        }
    }
}
