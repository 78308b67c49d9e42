//! What a shell, `man` and a terminal get of the command line.

use std::process::Stdio;

use crate::world::World;

#[test]
fn shells_and_man_know_every_verb() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.ok(&["completions", shell]);
        for verb in ["render", "diff", "profile", "template", "schema"] {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
    }
    assert!(world.ok(&["man"]).contains(".TH oort 1"));
    let pages = world.root().join("man");
    world.ok(&["man", "--output", pages.to_str().unwrap()]);
    for page in ["oort.1", "oort-render.1", "oort-diff.1", "oort-profile-show.1"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
}

#[test]
fn a_pipe_gets_no_colour_and_no_progress() {
    let world = World::new();
    world.ok(&["render"]);
    world.edit_profile(|profile| *profile = profile.replace("queue:", "queue:\n  receive_limit: 6"));
    let output = world.command(&["diff"]).stdin(Stdio::null()).output().unwrap();
    assert!(
        !output.stdout.contains(&0x1b),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let forced = world.command(&["diff"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(forced.stdout.contains(&0x1b));
    let plain = world
        .command(&["diff"])
        .env("CLICOLOR_FORCE", "0")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!plain.stdout.contains(&0x1b));
}
