//! A disk that is full, cannot be written, or gives back other bytes than were written: a clear word and nothing lost, or a repair;
//! never a wrong table.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::world::{Sight, World};

const DETECT: [&str; 3] = ["detect", "--tenant", "acme"];
const COMPACT: [&str; 3] = ["compact", "--tenant", "acme"];

/// A small disk in memory.
struct Disk(PathBuf);

impl Disk {
    /// Fails on a machine that lets nobody mount one.
    fn mount(at: &Path, size: &str) -> Result<Self, String> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "oort-test"])
            .arg(at)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Self(at.to_owned())),
            told => Err(format!("{told:?}")),
        }
    }

    fn set(&self, option: &str) {
        let output = Command::new("mount")
            .args(["-o", &format!("remount,{option}")])
            .arg(&self.0)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Takes all the room that there is.
fn fill(path: &Path) {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    while file.write_all(&[1; 512]).is_ok() {}
}

/// The run fails with an exit code, and says of the causes what is expected.
fn fails(world: &World, arguments: &[&str], code: i32, says: &[&str]) {
    let output = world.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "oort {arguments:?}: {said}");
    for one in says {
        assert!(said.contains(one), "oort {arguments:?} does not say {one:?}: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

async fn undisturbed(sample: &str) -> Sight {
    let world = World::new();
    world.send(sample);
    world.json(&DETECT);
    world.json(&COMPACT);
    world.sight().await
}

#[tokio::test]
async fn a_full_disk_loses_nothing_that_was_taken() {
    let world = World::new();
    let sample = world.sample(6_000, 21);
    let mounted = Disk::mount(&world.data(), "900k");
    let Ok(disk) = mounted.inspect_err(|why| println!("skipped: no disk can be mounted here: {why}")) else {
        return;
    };
    let lines: Vec<&str> = sample.lines().collect();
    let mut taken = Vec::new();
    let mut was_full = false;
    for part in lines.chunks(500) {
        let file = world.file("events", &part.join("\n"));
        let output = world.run(&["local", "send", &file, "--tenant", "acme"]);
        if output.status.success() {
            taken.extend_from_slice(part);
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(6), "{said}");
            assert!(said.contains("full") || said.contains("space"), "{said}");
            was_full = true;
            // What a sender is refused it sends again.
            break;
        }
    }
    assert!(was_full && !taken.is_empty(), "{} events were taken", taken.len());
    let mut refused = 0;
    for verb in [&DETECT[..], &COMPACT[..], &DETECT[..]] {
        fill(&world.data().join("filler"));
        let output = world.run(verb);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() || output.status.code() == Some(6),
            "{verb:?}: {said}"
        );
        assert!(!said.contains("panicked"), "{said}");
        refused += u32::from(!output.status.success());
    }
    assert!(refused > 0, "no run noticed that the disk is full");

    disk.set("size=256m");
    // Of the failed sending a part may have been taken, and comes again.
    let rest = lines[taken.len()..].join("\n");
    world.json(&["local", "send", &world.file("rest", &rest), "--tenant", "acme"]);
    until_drained(&world);
    world.json(&COMPACT);
    assert_eq!(world.sight().await, undisturbed(&sample).await);
}

/// What a run that failed had in hand comes back after a while.
fn until_drained(world: &World) {
    for _ in 0..60 {
        let report = world.json(&DETECT);
        if report["queue"]["visible"] == 0 && report["queue"]["in_flight"] == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    panic!("the queue never became empty");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_changes_nothing() {
    let world = World::new();
    let sample = world.sample(2_000, 22);
    let mounted = Disk::mount(&world.data(), "128m");
    let Ok(disk) = mounted.inspect_err(|why| println!("skipped: no disk can be mounted here: {why}")) else {
        return;
    };
    world.send(&sample);
    world.json(&DETECT);
    disk.set("ro");
    for verb in [
        &DETECT[..],
        &COMPACT[..],
        &[
            "local",
            "send",
            &world.file("one", sample.lines().next().unwrap()),
            "--tenant",
            "acme",
        ],
    ] {
        let output = world.run(verb);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(6), "{verb:?}: {said}");
        assert!(
            said.to_lowercase().contains("read-only") || said.contains("readonly"),
            "{verb:?}: {said}"
        );
    }
    disk.set("rw");
    world.json(&DETECT);
    world.json(&COMPACT);
    assert_eq!(world.sight().await, undisturbed(&sample).await);
}

/// The files below a folder whose names end so, in order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// A bit that turns, a part that is missing, all of it: noticed, named, and harmless once the file is as it was.
#[tokio::test]
async fn a_segment_with_a_wrong_bit_is_never_read_as_another() {
    let world = World::new();
    let sample = world.sample(3_000, 23);
    let lines: Vec<&str> = sample.lines().collect();
    for half in lines.chunks(lines.len().div_ceil(2)) {
        world.send(&half.join("\n"));
        world.json(&DETECT);
    }
    let segment = files(&world.stored(), ".jsonl.zst").remove(0);
    let bytes = std::fs::read(&segment).unwrap();
    for place in 1..12 {
        let mut wrong = bytes.clone();
        let at = bytes.len() * place / 12;
        wrong[at] ^= 1 << (place % 8);
        std::fs::write(&segment, &wrong).unwrap();
        fails(&world, &COMPACT, 1, &["segments/000000000000.jsonl.zst"]);
    }
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&segment, &bytes[..length]).unwrap();
        fails(&world, &COMPACT, 1, &["segments/000000000000.jsonl.zst"]);
    }
    std::fs::remove_file(&segment).unwrap();
    fails(&world, &COMPACT, 1, &["segments/000000000000.jsonl.zst", "not found"]);
    std::fs::write(&segment, &bytes).unwrap();
    world.json(&COMPACT);
    assert_eq!(world.sight().await, undisturbed(&sample).await);
}

#[tokio::test]
async fn a_truncated_queue_or_catalog_is_told_of_and_works_again_when_it_is_brought_back() {
    let world = World::new();
    let sample = world.sample(3_000, 24);
    let (first, second) = sample.split_at(sample.len() / 2 + sample[sample.len() / 2..].find('\n').unwrap() + 1);
    world.send(first);
    world.json(&DETECT);
    world.json(&COMPACT);
    world.send(second);
    for (name, verb) in [("queues/acme.sqlite", &DETECT[..]), ("catalog.sqlite", &COMPACT[..])] {
        let path = world.stored().join(name);
        // With what a process may have left beside it.
        let all = ["sqlite", "sqlite-wal", "sqlite-shm"].map(|ending| path.with_extension(ending));
        let kept = all.clone().map(|path| std::fs::read(path).ok());
        for length in [1_000, 9_000] {
            for beside in &all[1..] {
                let _ = std::fs::remove_file(beside);
            }
            std::fs::write(&path, &kept[0].as_ref().unwrap()[..length]).unwrap();
            fails(&world, verb, 1, &[name.rsplit('/').next().unwrap()]);
        }
        for (path, bytes) in all.iter().zip(kept) {
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
        }
    }
    world.json(&DETECT);
    world.json(&COMPACT);
    assert_eq!(world.sight().await, undisturbed(&sample).await);
}

#[tokio::test]
async fn a_half_written_file_of_the_table_is_told_of_and_nothing_is_committed_beside_it() {
    let world = World::new();
    let sample = world.sample(2_000, 25);
    world.send(&sample);
    world.json(&DETECT);
    world.json(&COMPACT);
    let expected = world.sight().await;
    let table = files(&world.stored().join("warehouse"), ".parquet").remove(0);
    let bytes = std::fs::read(&table).unwrap();
    // Events of the same days, which have to be compared with it.
    world.send(&sample);
    world.json(&DETECT);
    let commits = || files(&world.stored().join("warehouse"), ".metadata.json").len();
    let before = commits();
    for length in [0, 7, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&table, &bytes[..length]).unwrap();
        fails(&world, &COMPACT, 1, &[table.file_name().unwrap().to_str().unwrap()]);
        assert_eq!(commits(), before, "it was committed to");
    }
    std::fs::write(&table, &bytes).unwrap();
    let report: Value = world.json(&COMPACT);
    assert_eq!(report["added"], 0, "{report}");
    assert_eq!(world.sight().await, expected);
}
