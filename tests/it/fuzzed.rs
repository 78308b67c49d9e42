//! Whatever bytes come in from outside, no reader of them panics, and a hostile megabyte costs bounded time and memory. The fuzz
//! targets of `tests/fuzz` look for more of the same, for as long as one lets them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;

use crate::emulator::setting;

#[path = "../fuzz/entries.rs"]
mod entries;
mod shapes;

use entries::{ALL, Entry};

/// The largest input.
const MEGABYTE: usize = 1 << 20;
/// Of the processor, in seconds, in a build without optimisation. What takes time by the square of an input's length takes hours.
const MOST_SECONDS: f64 = 20.0;
/// The peak of the whole process.
const MOST_KIB: u64 = 1 << 20;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What an entry is used to: files of the product, and small ones made for it.
fn seeds(entry: &Entry) -> Vec<Vec<u8>> {
    let ours = match entry.name {
        "configuration" => "environments",
        "cloudformation" => "snapshots/staging",
        "sigma" => "detections",
        _ => "",
    };
    let mut files = Vec::new();
    files_of(&root().join("tests/fuzz/seeds").join(entry.name), &mut files);
    if !ours.is_empty() {
        files_of(&root().join(ours), &mut files);
    }
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn files_of(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_of(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn every_entry_has_a_fuzz_target_and_takes_its_seeds() {
    let manifest = std::fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).unwrap();
    for entry in ALL {
        let name = entry.name;
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let target = std::fs::read_to_string(root().join(format!("tests/fuzz/targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("oort_fuzz::{name}(")), "{name}");
        let seeds = seeds(entry);
        assert!(seeds.len() >= 2, "{name}");
        for seed in &seeds {
            (entry.take)(seed);
        }
    }
}

/// How a seed is changed. Places are shares of its length.
#[derive(Debug, Clone)]
enum Change {
    Set(f64, u8),
    Insert(f64, Vec<u8>),
    Cut(f64, f64),
    /// A piece stands here again, so often.
    Repeat(f64, f64, usize),
    /// Goes on as another seed from there.
    Splice(f64, usize, f64),
}

fn change() -> impl Strategy<Value = Change> {
    let place = || 0.0..1.0_f64;
    let words: Vec<Vec<u8>> = [
        "\0",
        "\n",
        "\r\n",
        "\t",
        "  ",
        "- ",
        ": ",
        "#",
        "&a ",
        "*a",
        "<<: *a",
        "!Ref ",
        "!!binary ",
        "---\n",
        "...",
        "|",
        ">-",
        "?",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "\\",
        "\\u0000",
        "\\ud800",
        "${",
        "${a}",
        "*",
        "null",
        "~",
        "-1",
        "1e999",
        "0x",
        "99999999999999999999",
        "\u{feff}",
        "\u{85}",
        "\u{202e}",
        "(",
        ")",
        " not ",
        "1 of ",
        "rate(",
        "/",
        "-",
        ",",
    ]
    .map(|word| word.as_bytes().to_vec())
    .into();
    let bytes = prop_oneof![
        3 => prop::sample::select(words),
        1 => prop::collection::vec(any::<u8>(), 1..8),
    ];
    prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        6 => (place(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        3 => (place(), 0.0..0.2_f64).prop_map(|(at, length)| Change::Cut(at, length)),
        3 => (place(), 0.0..0.1_f64, 1..40_usize).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        2 => (place(), any::<prop::sample::Index>().prop_map(|index| index.index(1_000)), place())
            .prop_map(|(at, other, from)| Change::Splice(at, other, from)),
    ]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a short length"
)]
fn at(length: usize, share: f64) -> usize {
    (length as f64 * share) as usize
}

fn changed(seeds: &[Vec<u8>], seed: usize, changes: &[Change]) -> Vec<u8> {
    let mut bytes = seeds[seed % seeds.len()].clone();
    for change in changes {
        let length = bytes.len();
        let piece = |from: f64, share: f64| {
            let start = at(length, from);
            start..(start + at(length, share) + 1).min(length)
        };
        match change {
            Change::Set(place, byte) => {
                if let Some(old) = bytes.get_mut(at(length, *place)) {
                    *old = *byte;
                }
            }
            Change::Insert(place, new) => {
                let place = at(length, *place);
                drop(bytes.splice(place..place, new.iter().copied()));
            }
            Change::Cut(place, share) => drop(bytes.drain(piece(*place, *share))),
            Change::Repeat(place, share, times) => {
                let piece = bytes[piece(*place, *share)].to_vec();
                let place = at(length, *place);
                drop(bytes.splice(place..place, piece.repeat(*times)));
            }
            Change::Splice(place, other, from) => {
                let other = &seeds[other % seeds.len()];
                bytes.truncate(at(length, *place));
                bytes.extend_from_slice(&other[at(other.len(), *from)..]);
            }
        }
        bytes.truncate(MEGABYTE);
    }
    bytes
}

static SEEDS: LazyLock<Vec<Vec<Vec<u8>>>> = LazyLock::new(|| ALL.iter().map(seeds).collect());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..4_096)) {
        for entry in ALL {
            (entry.take)(&bytes);
        }
    }

    #[test]
    fn no_change_of_what_is_usual_is_too_odd(seed in any::<prop::sample::Index>(), changes in prop::collection::vec(change(), 1..12)) {
        for (entry, seeds) in ALL.iter().zip(&*SEEDS) {
            (entry.take)(&changed(seeds, seed.index(1_000), &changes));
        }
    }
}

/// Each entry takes its shapes in a process of its own, whose time of the processor and memory are nobody else's, and which an
/// overrun stack or a limit of the machine ends alone.
#[test]
fn a_hostile_megabyte_costs_bounded_time_and_memory() {
    std::thread::scope(|scope| {
        for entry in ALL {
            scope.spawn(|| takes_its_shapes(entry));
        }
    });
}

fn takes_its_shapes(entry: &Entry) {
    // Limits of the machine, in case that it does not come back to look at its own: seconds of the processor, KiB.
    let limited = "ulimit -t 600 && ulimit -v 8388608 && exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "fuzzed::takes_the_shapes_of_one_entry",
            "--ignored",
            "--nocapture",
        ])
        .env("OORT_TEST_ENTRY", entry.name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}: {}\n{said}\n{failed}",
        entry.name,
        output.status
    );
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test above"]
fn takes_the_shapes_of_one_entry() {
    let name = setting("OORT_TEST_ENTRY").unwrap();
    let only = setting("OORT_TEST_SHAPE");
    let entry = ALL.iter().find(|entry| entry.name == name).unwrap();
    for (shape, make) in shapes::of(&name) {
        if only.as_deref().is_some_and(|only| only != shape) {
            continue;
        }
        let bytes = make();
        assert!(bytes.len() <= MEGABYTE, "{shape}: {}", bytes.len());
        println!("{name}: {shape}: {} bytes", bytes.len());
        let before = seconds();
        (entry.take)(&bytes);
        let (took, peak) = (seconds() - before, peak_kib());
        println!("{name}: {shape}: {took:.2} s, peak {} MiB", peak >> 10);
        assert!(took < MOST_SECONDS && peak < MOST_KIB, "{shape}: {took} s, {peak} KiB");
    }
}

/// Of the processor, by all threads of this process; the kernel counts in hundredths.
fn seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: Vec<f64> = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse().unwrap())
        .collect();
    (ticks[0] + ticks[1]) / 100.0
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
