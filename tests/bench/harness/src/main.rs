//! Runs one measurement and prints it as JSON: `harness WHAT EVENTS RULES`, where WHAT is `memory`, `disk`, `json`, `zstd-1`,
//! `zstd-3`, `unzstd`, `rsigma`, `sigma-rust` or `sigmars`. EVENTS is a file of an event a line, RULES a folder of Sigma rules.
//!
//! Time is taken around the work itself; reading the events and loading the rules is no part of it. It is the thread's time on a
//! processor, so that a busy machine counts less; for the disk it is the clock's.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use rsigma_eval::Engine;
use rsigma_eval::event::JsonEvent;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

const MIB: usize = 1 << 20;

/// What was done: so many bytes or events in so many seconds.
struct Done {
    bytes: usize,
    events: usize,
    matches: usize,
    rules: usize,
    seconds: f64,
}

impl Done {
    fn bytes(bytes: usize, seconds: f64) -> Self {
        Self {
            bytes,
            events: 0,
            matches: 0,
            rules: 0,
            seconds,
        }
    }
}

/// Seconds that this thread was on a processor.
fn worked() -> Outcome<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = told.split(' ').next().ok_or("the kernel tells no times")?.parse()?;
    Ok(std::time::Duration::from_nanos(nanoseconds).as_secs_f64())
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, events, rules] = words.as_slice() else {
        return Err("usage: harness WHAT EVENTS RULES".into());
    };
    let events = std::fs::read_to_string(events)?;
    let rules = Path::new(rules);
    let done = match what.as_str() {
        "memory" => memory()?,
        "disk" => disk(&events)?,
        "json" => judged(&events, 0, |_| Ok(0))?,
        "zstd-1" => zstd(&events, 1)?,
        "zstd-3" => zstd(&events, 3)?,
        "unzstd" => unzstd(&events)?,
        "rsigma" => rsigma(&events, rules)?,
        "sigma-rust" => sigma_rust(&events, rules)?,
        "sigmars" => sigmars(&events, rules)?,
        other => return Err(format!("nobody measures {other}").into()),
    };
    let Done {
        bytes,
        events,
        matches,
        rules,
        seconds,
    } = done;
    println!(
        "{}",
        json!({"bytes": bytes, "events": events, "matches": matches, "rules": rules, "seconds": seconds})
    );
    Ok(())
}

/// The best of six copies of what no cache holds. A copy reads and writes each byte.
fn memory() -> Outcome<Done> {
    let from = vec![1_u8; 512 * MIB];
    let mut to = vec![0_u8; from.len()];
    let mut least = f64::MAX;
    for _ in 0..6 {
        let since = worked()?;
        to.copy_from_slice(black_box(&from));
        black_box(&to);
        least = least.min(worked()? - since);
    }
    Ok(Done::bytes(from.len(), least))
}

/// Writes the events to a file in pieces of a segment, each made durable.
fn disk(events: &str) -> Outcome<Done> {
    let path = std::env::temp_dir().join(format!("bench-harness-{}", std::process::id()));
    let mut file = File::create(&path)?;
    let since = Instant::now();
    for piece in events.as_bytes().chunks(16 * MIB) {
        file.write_all(piece)?;
        file.sync_all()?;
    }
    let done = Done::bytes(events.len(), since.elapsed().as_secs_f64());
    std::fs::remove_file(path)?;
    Ok(done)
}

fn zstd(events: &str, level: i32) -> Outcome<Done> {
    let since = worked()?;
    for piece in events.as_bytes().chunks(16 * MIB) {
        black_box(zstd::bulk::compress(piece, level)?);
    }
    Ok(Done::bytes(events.len(), worked()? - since))
}

/// Bytes are those that come out.
fn unzstd(events: &str) -> Outcome<Done> {
    let pieces = events
        .as_bytes()
        .chunks(16 * MIB)
        .map(|piece| zstd::bulk::compress(piece, 1));
    let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
    let since = worked()?;
    for piece in pieces {
        black_box(zstd::bulk::decompress(&piece, 16 * MIB)?);
    }
    Ok(Done::bytes(events.len(), worked()? - since))
}

/// Reads each event into a value and judges it.
fn judged(events: &str, rules: usize, mut judge: impl FnMut(Value) -> Outcome<usize>) -> Outcome<Done> {
    let since = worked()?;
    let (mut count, mut matches) = (0, 0);
    for line in events.lines() {
        matches += judge(serde_json::from_str(line)?)?;
        count += 1;
    }
    Ok(Done {
        bytes: events.len(),
        events: count,
        matches,
        rules,
        seconds: worked()? - since,
    })
}

/// The text of each document of each rule's file.
fn documents(folder: &Path) -> Outcome<Vec<String>> {
    let mut files = std::fs::read_dir(folder)?
        .map(|file| Ok(file?.path()))
        .collect::<Outcome<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|kind| kind == "yml"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file)?;
        all.extend(text.split("\n---\n").map(str::to_owned));
    }
    Ok(all)
}

fn rsigma(events: &str, rules: &Path) -> Outcome<Done> {
    let mut engine = Engine::new();
    let mut loaded = 0;
    for document in documents(rules)? {
        if let Ok(collection) = rsigma_parser::parse_sigma_yaml(&document) {
            loaded += usize::from(!collection.rules.is_empty() && engine.add_collection(&collection).is_ok());
        }
    }
    judged(events, loaded, |event| {
        Ok(engine.evaluate(&JsonEvent::borrow(&event)).len())
    })
}

fn sigma_rust(events: &str, rules: &Path) -> Outcome<Done> {
    let documents = documents(rules)?;
    let rules: Vec<_> = documents
        .iter()
        .filter_map(|text| sigma_rust::rule_from_yaml(text).ok())
        .collect();
    let since = worked()?;
    let (mut count, mut matches) = (0, 0);
    for line in events.lines() {
        let event = sigma_rust::event_from_json(line)?;
        matches += rules.iter().filter(|rule| rule.is_match(&event)).count();
        count += 1;
    }
    Ok(Done {
        bytes: events.len(),
        events: count,
        matches,
        rules: rules.len(),
        seconds: worked()? - since,
    })
}

fn sigmars(events: &str, rules: &Path) -> Outcome<Done> {
    let folder = rules.to_str().ok_or("the folder's name is no text")?;
    let rules = sigmars::SigmaCollection::new_from_dir(folder).map_err(|error| error.to_string())?;
    judged(events, rules.len(), |event| {
        Ok(rules.get_detection_matches_unfiltered(&event.into()).len())
    })
}
