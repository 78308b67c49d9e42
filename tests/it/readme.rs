//! What the README shows was run: every `$ oort …` line, in order, in one fresh world.

use std::path::Path;

use crate::world::World;

#[test]
fn every_command_of_the_readme_works() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let world = World::new();
    let mut shown = 0;
    for line in readme.lines().filter_map(|line| line.strip_prefix("$ oort ")) {
        let words: Vec<&str> = line.split(' ').collect();
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
        shown += 1;
    }
    assert!(shown >= 8, "the README shows {shown} commands");
}

#[test]
fn the_makefile_has_what_the_readme_names() {
    let read = |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (readme, makefile) = (read("README.md"), read("Makefile"));
    for target in ["demo", "test", "lint", "bench"] {
        assert!(
            readme.contains(&format!("make {target}")) && makefile.contains(&format!("\n{target}:")),
            "{target}"
        );
    }
}
