//! How far the rules have come in the log of segments, and what they remember: one object, so that neither is ever without
//! the other. It is written by compare-and-swap.

use std::io::{BufReader, BufWriter, Read as _, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lake::objects::read;
use crate::lake::packed::Unpacked;
use crate::model::finding::Finding;
use crate::ports::{Error, Kind, Objects, Precondition, Result};
use crate::runtime::detect::{Memory, RuleSet};
use crate::runtime::findings::{Gathered, Told};

const KEY: &str = "detector/state.json.zst";
/// Where builds without a memory kept it, uncompressed.
const OLD_KEY: &str = "detector/state.json";
/// What this build writes. It reads the same and older.
const FORMAT: u32 = 2;
/// Segments after which it is written although a run goes on: a run that dies judges no more than these again.
pub const SEGMENTS: u32 = 16;
const COMPRESSION: i32 = 3;
const BUFFER: usize = 1 << 16;

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    #[serde(default)]
    format: u32,
    /// The first segment that the rules have not seen.
    next_segment: u64,
    /// When events came last, by the clock of the run that received them; `None` before the first.
    #[serde(default)]
    heard: Option<Timestamp>,
    #[serde(default)]
    memory: Memory,
}

/// The rules' course through the log, in one run.
pub struct Course<'a> {
    objects: &'a dyn Objects,
    rules: &'a RuleSet,
    state: State,
    version: Precondition,
    /// Segments since it was written.
    unsaved: u32,
    /// What was found since it was written.
    found: Gathered<'a>,
}

impl<'a> Course<'a> {
    pub async fn open(objects: &'a dyn Objects, rules: &'a RuleSet) -> Result<Self> {
        let (state, version) = match objects.get(KEY).await? {
            Some((bytes, version)) => (unpack(&bytes)?, Precondition::Is(version)),
            None => (read(objects, OLD_KEY).await?.unwrap_or_default(), Precondition::Absent),
        };
        Ok(Self {
            objects,
            rules,
            state,
            version,
            unsaved: 0,
            found: Gathered::new(objects),
        })
    }

    pub fn next_segment(&self) -> u64 {
        self.state.next_segment
    }

    pub fn memory(&mut self) -> &mut Memory {
        &mut self.state.memory
    }

    /// Takes note of whether events came; gives when they came last. Where none ever did it is when they could have begun to come
    /// or, where nobody knows that, now.
    pub fn hear(&mut self, has_come: bool, began: Option<Timestamp>, now: Timestamp) -> Timestamp {
        if has_come {
            self.state.heard = Some(now);
        }
        self.state.heard.or(began).unwrap_or(now)
    }

    /// Keeps what was found until the course is written, or until there is much of it.
    pub async fn tell(&mut self, finding: Finding) -> Result<()> {
        self.found.add(finding).await
    }

    /// What became of the findings so far.
    pub fn told(&self) -> Told {
        self.found.told()
    }

    /// Every event of the segment was judged, and what was found is stored.
    pub async fn end_segment(&mut self) -> Result<()> {
        self.state.next_segment += 1;
        self.unsaved += 1;
        if self.unsaved >= SEGMENTS {
            self.save().await?;
        }
        Ok(())
    }

    /// Writes it, if there is anything new. Findings go first: whoever comes after a death between the two finds them again.
    pub async fn save(&mut self) -> Result<()> {
        self.found.store().await?;
        if self.unsaved == 0 {
            return Ok(());
        }
        self.rules.tidy(&mut self.state.memory);
        self.state.format = FORMAT;
        let version = self.objects.put(KEY, pack(&self.state)?, self.version.clone()).await?;
        self.version = Precondition::Is(version);
        self.unsaved = 0;
        Ok(())
    }
}

/// A line of JSON, and behind it from format 2 on what is remembered of habits, in the bytes of `postcard`: of many users most of
/// all. The line is never whole in memory.
fn pack(state: &State) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::caused(Kind::Invalid, format!("compress {KEY}"), error);
    let mut packed = zstd::Encoder::new(Vec::new(), COMPRESSION).map_err(failed)?;
    packed.include_checksum(true).map_err(failed)?;
    let mut text = BufWriter::with_capacity(BUFFER, packed);
    serde_json::to_writer(&mut text, state).map_err(|error| failed(error.into()))?;
    text.write_all(b"\n").map_err(failed)?;
    postcard::to_io(state.memory.stored_habits(), &mut text).map_err(|error| failed(std::io::Error::other(error)))?;
    let packed = text.into_inner().map_err(|error| failed(error.into_error()))?;
    packed.finish().map_err(failed)
}

fn unpack(bytes: &[u8]) -> Result<State> {
    let failed = |error: std::io::Error| Error::caused(Kind::Invalid, format!("read {KEY}"), error);
    let mut text = BufReader::with_capacity(BUFFER, Unpacked::of(bytes).map_err(failed)?);
    let state = {
        let mut line = serde_json::Deserializer::from_reader(&mut text).into_iter::<State>();
        line.next()
    };
    let empty = || failed(std::io::Error::other("it is empty"));
    let mut state = state.ok_or_else(empty)?.map_err(|error| failed(error.into()))?;
    if state.format > FORMAT {
        let why = format!(
            "it was written by a newer build, in format {}; this one knows {FORMAT}",
            state.format
        );
        return Err(failed(std::io::Error::other(why)));
    }
    let habits = if state.format < 2 {
        None
    } else {
        let mut rest = Vec::new();
        text.read_to_end(&mut rest).map_err(failed)?;
        let rest = rest
            .strip_prefix(b"\n")
            .ok_or_else(|| failed(std::io::Error::other("its first line has no end")))?;
        Some(postcard::from_bytes(rest).map_err(|error| failed(std::io::Error::other(error)))?)
    };
    state.memory = state.memory.with_habits(habits);
    Ok(state)
}

/// The first segment that the rules have not judged.
pub async fn next_segment(objects: &dyn Objects) -> Result<u64> {
    if let Some((bytes, _)) = objects.get(KEY).await? {
        return Ok(unpack(&bytes)?.next_segment);
    }
    let old: Option<State> = read(objects, OLD_KEY).await?;
    Ok(old.map_or(0, |state| state.next_segment))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::runtime::detect::shipped::shipped;
    use crate::runtime::detect::{OktaEvent, RuleSet};

    /// The titles of what a sign-in of Ann's from a country brings about.
    fn sign_in(rules: &RuleSet, memory: &mut Memory, day: &str, country: &str) -> Vec<String> {
        let event = json!({
            "uuid": format!("{day}-{country}"), "published": format!("{day}T08:00:00Z"), "eventType": "user.session.start",
            "actor": {"id": "ann", "type": "User", "alternateId": "ann@example.com"}, "outcome": {"result": "SUCCESS"},
            "client": {"geographicalContext": {"country": country}},
        })
        .to_string();
        let judged = rules.judge(&OktaEvent::new(event.as_bytes()), &event, memory).unwrap();
        judged
            .map_or(Vec::new(), |(_, judged)| judged)
            .into_iter()
            .map(|judged| judged.matched.title)
            .collect()
    }

    fn state(memory: Memory) -> State {
        State {
            format: FORMAT,
            next_segment: 7,
            heard: None,
            memory,
        }
    }

    #[test]
    fn what_is_remembered_is_the_same_after_it_was_stored() {
        let rules = RuleSet::load(&shipped()).unwrap();
        for days in 1..12 {
            let mut memory = Memory::default();
            for day in 1..=days {
                sign_in(&rules, &mut memory, &format!("2026-09-{day:02}"), "Portugal");
            }
            let packed = pack(&state(memory)).unwrap();
            let mut read = unpack(&packed).unwrap();
            assert_eq!(read.next_segment, 7);
            assert_eq!(pack(&read).unwrap(), packed);
            assert!(sign_in(&rules, &mut read.memory, "2026-09-26", "Portugal").is_empty());
            let told = sign_in(&rules, &mut read.memory, "2026-09-27", "Singapore");
            assert!(told.iter().any(|title| title.contains("country")), "{told:?}");
        }
    }

    #[test]
    fn what_an_older_build_remembered_is_still_known() {
        let rules = RuleSet::load(&shipped()).unwrap();
        let ids = [
            "f2caca7a-c414-49ec-b97a-0cfe2fd3bb11",
            "7e679e63-535b-4805-9e1b-fa7c23578c32",
        ];
        let at = "2026-09-01T08:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_millisecond();
        let habit = json!({"since": at, "values": [["Portugal", at]]});
        let old = json!({"format": 1, "next_segment": 7, "memory": {"newest": at, "tracks": {}, "habits": {
            ids[0]: {"": habit}, ids[1]: {"ann": habit},
        }}});
        let packed = zstd::encode_all(old.to_string().as_bytes(), 3).unwrap();
        let mut read = unpack(&packed).unwrap();
        assert_eq!(read.next_segment, 7);
        let countries = |told: Vec<String>| told.into_iter().filter(|title| title.contains("country")).count();
        assert_eq!(
            countries(sign_in(&rules, &mut read.memory, "2026-09-25", "Portugal")),
            0
        );
        assert_eq!(
            countries(sign_in(&rules, &mut read.memory, "2026-09-26", "Singapore")),
            2
        );
        let newer = zstd::encode_all(&br#"{"format":3,"next_segment":1}"#[..], 3).unwrap();
        let refused = unpack(&newer).unwrap_err();
        assert!(
            std::error::Error::source(&refused)
                .unwrap()
                .to_string()
                .contains("newer build")
        );
    }
}
