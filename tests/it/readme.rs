//! What the README shows was run: every `$ oort …` line, in order, in one fresh world; those of the section on deploying
//! against an emulated AWS.

use std::path::Path;
use std::process::Stdio;

use crate::console::doors::{free_port, started};
use crate::emulator::STAGING;
use crate::rollout::Rollout;
use crate::world::World;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The README's sections on what is done on AWS, and all the rest.
fn parted() -> (String, String) {
    let readme = readme();
    let (before, rest) = readme.split_once("\n## Deploy\n").unwrap();
    let (sections, after) = rest.split_once("\n## Run it here\n").unwrap();
    (sections.to_owned(), format!("{before}\n{after}"))
}

fn shown(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("$ oort "))
}

#[test]
fn every_command_that_deploys_works() {
    let (section, _) = parted();
    let rollout = Rollout::new();
    rollout.offer_all();
    for line in shown(&section) {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = rollout.run(STAGING, &words);
        assert!(matches!(ended.code, 0 | 2), "oort {line}: {}\n{}", ended.out, ended.err);
    }
    assert!(shown(&section).count() >= 6);
}

#[test]
fn every_command_of_the_readme_works() {
    let (_, rest) = parted();
    let world = World::new();
    for line in shown(&rest) {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "console" {
            // It serves until it is asked to stop.
            let listen = format!("127.0.0.1:{}", free_port());
            let mut command = world.command(&[&words[..], &["--listen", &listen]].concat());
            let child = command.current_dir(world.root()).stdout(Stdio::piped()).spawn();
            let said = &started(child.unwrap()).said;
            assert!(said.contains(&listen), "oort {line}: {said}");
            continue;
        }
        let output = world.command(&words).current_dir(world.root()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "oort {line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            !said.contains("no activity") && !said.contains("no findings") && said.trim() != "[]",
            "oort {line}: {said}"
        );
    }
    assert!(shown(&rest).count() >= 8);
}

#[test]
fn the_makefile_has_what_the_readme_names() {
    let read = |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (readme, makefile) = (readme(), read("Makefile"));
    for target in ["demo", "test", "test-browser", "lint", "bench"] {
        assert!(
            readme.contains(&format!("make {target}")) && makefile.contains(&format!("\n{target}:")),
            "{target}"
        );
    }
}

/// What the threat model says is shown by a test is shown by one that exists.
#[test]
fn the_threat_model_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.split(" | ").nth(2));
    let named: Vec<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(named.len() > 30, "{named:?}");
    let mut sources = String::new();
    for folder in ["src", "tests/it"] {
        read_all(&root.join(folder), &mut sources);
    }
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
