//! How far the rules have come in the log of segments, and what they remember: one object, so that neither is ever without
//! the other. It is written by compare-and-swap.

use std::io::{BufReader, BufWriter};

use serde::{Deserialize, Serialize};

use crate::lake::objects::read;
use crate::model::finding::Finding;
use crate::ports::{Error, Kind, Objects, Precondition, Result};
use crate::runtime::detect::{Memory, RuleSet};
use crate::runtime::findings::{Gathered, Told};

const KEY: &str = "detector/state.json.zst";
/// Where builds without a memory kept it, uncompressed.
const OLD_KEY: &str = "detector/state.json";
/// What this build writes. It reads the same and older.
const FORMAT: u32 = 1;
/// Segments after which it is written although a run goes on: a run that dies judges no more than these again.
const SEGMENTS: u32 = 16;
const COMPRESSION: i32 = 3;
const BUFFER: usize = 1 << 16;

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    #[serde(default)]
    format: u32,
    /// The first segment that the rules have not seen.
    next_segment: u64,
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
        if self.unsaved == 0 {
            return Ok(());
        }
        self.found.store().await?;
        self.rules.tidy(&mut self.state.memory);
        self.state.format = FORMAT;
        let version = self.objects.put(KEY, pack(&self.state)?, self.version.clone()).await?;
        self.version = Precondition::Is(version);
        self.unsaved = 0;
        Ok(())
    }
}

/// Neither way is the text ever whole in memory: of many users it is many times larger than what they are remembered by.
fn pack(state: &State) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::caused(Kind::Invalid, format!("compress {KEY}"), error);
    let packed = zstd::Encoder::new(Vec::new(), COMPRESSION).map_err(failed)?;
    let mut text = BufWriter::with_capacity(BUFFER, packed);
    serde_json::to_writer(&mut text, state).map_err(|error| failed(error.into()))?;
    let packed = text.into_inner().map_err(|error| failed(error.into_error()))?;
    packed.finish().map_err(failed)
}

fn unpack(bytes: &[u8]) -> Result<State> {
    let failed = |error: std::io::Error| Error::caused(Kind::Invalid, format!("read {KEY}"), error);
    let text = BufReader::with_capacity(BUFFER, zstd::Decoder::with_buffer(bytes).map_err(failed)?);
    let state: State = serde_json::from_reader(text).map_err(|error| failed(error.into()))?;
    if state.format > FORMAT {
        let why = format!(
            "it was written by a newer build, in format {}; this one knows {FORMAT}",
            state.format
        );
        return Err(Error::caused(
            Kind::Invalid,
            format!("read {KEY}"),
            std::io::Error::other(why),
        ));
    }
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
