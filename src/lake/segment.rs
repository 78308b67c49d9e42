//! Segments: landed batches of raw events, numbered without gaps, each a zstd-compressed file of JSON lines.
//!
//! The number is claimed by writing the object only if it is absent, so that segments form one totally ordered log
//! whoever writes them. Nothing here reads what an event says.

use std::io::{BufRead as _, BufReader, Cursor, Read as _, Write as _};

use crate::lake::packed::Unpacked;
use crate::ports::{Error, Kind, Objects, Precondition, Result};

const PREFIX: &str = "segments/";
const SUFFIX: &str = ".jsonl.zst";
const LIST_PAGE: usize = 1_000;
/// Level 1 compresses a tenant's events to a ninth of their size; higher levels cost more time than they save bytes.
const COMPRESSION_LEVEL: i32 = 1;
/// No segment comes near to these before compression, and no event to a line so long. Few compressed bytes can stand for very many,
/// and whoever reads them must not run out of memory or time.
const MOST_BYTES: u64 = 3 << 29;
const MOST_LINE_BYTES: u64 = 80 << 20;
const MOST_LINES: u32 = 1 << 20;

/// The object key of segment `number`.
pub fn key(number: u64) -> String {
    format!("{PREFIX}{number:012}{SUFFIX}")
}

fn number(key: &str) -> Option<u64> {
    key.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

/// The number of the first segment that retention has left; 0 when there is none.
pub async fn start(objects: &dyn Objects) -> Result<u64> {
    let page = objects.list(PREFIX, None, LIST_PAGE).await?;
    Ok(page.iter().find_map(|key| number(key)).unwrap_or(0))
}

/// The number that follows the last segment at or after `from`; `from` itself when there is none.
pub async fn end(objects: &dyn Objects, from: u64) -> Result<u64> {
    let mut end = from;
    let mut after = from.checked_sub(1).map(key);
    loop {
        let page = objects.list(PREFIX, after.as_deref(), LIST_PAGE).await?;
        end = page
            .iter()
            .filter_map(|key| number(key))
            .next_back()
            .map_or(end, |last| last + 1);
        if page.len() < LIST_PAGE {
            return Ok(end);
        }
        after = page.into_iter().next_back();
    }
}

/// Collects lines into one compressed segment.
pub struct Builder {
    encoder: zstd::Encoder<'static, Vec<u8>>,
    lines: u64,
    raw_bytes: usize,
}

impl Builder {
    pub fn new() -> Result<Self> {
        let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL).map_err(encoding)?;
        // Without it, a bit that turned may read as another event.
        encoder.include_checksum(true).map_err(encoding)?;
        Ok(Self {
            encoder,
            lines: 0,
            raw_bytes: 0,
        })
    }

    /// `line` holds no line break.
    pub fn push(&mut self, line: &str) -> Result<()> {
        self.encoder.write_all(line.as_bytes()).map_err(encoding)?;
        self.encoder.write_all(b"\n").map_err(encoding)?;
        self.lines += 1;
        self.raw_bytes += line.len() + 1;
        Ok(())
    }

    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Bytes before compression.
    pub fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// The compressed bytes.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.encoder.finish().map_err(encoding)
    }
}

fn encoding(error: std::io::Error) -> Error {
    Error::caused(Kind::Invalid, "compress a segment", error)
}

/// Writes a finished segment as number `number`; [`Kind::Conflict`] when that number is taken.
pub async fn put(objects: &dyn Objects, number: u64, bytes: Vec<u8>) -> Result<()> {
    objects.put(&key(number), bytes, Precondition::Absent).await?;
    Ok(())
}

/// The lines of one segment, decompressed as they are read: memory does not grow with the segment's raw size, which is bounded itself.
pub struct Lines {
    number: u64,
    reader: BufReader<Unpacked<Cursor<Vec<u8>>>>,
    line: String,
    read: u32,
}

impl Lines {
    /// [`Kind::NotFound`] when the segment does not exist: the log has a gap that nobody may step over in silence.
    pub async fn open(objects: &dyn Objects, number: u64) -> Result<Self> {
        let key = key(number);
        let Some((bytes, _)) = objects.get(&key).await? else {
            return Err(Error::new(Kind::NotFound, format!("read {key}")));
        };
        Self::of(number, bytes)
    }

    /// Those of a segment whose bytes are at hand.
    pub fn of(number: u64, bytes: Vec<u8>) -> Result<Self> {
        if bytes.is_empty() {
            // It would decompress to nothing, as if nothing had come.
            return Err(unreadable(number, "it is empty"));
        }
        let unpacked = Unpacked::new(Cursor::new(bytes), MOST_BYTES).map_err(|error| unreadable(number, error))?;
        Ok(Self {
            number,
            reader: BufReader::with_capacity(1 << 16, unpacked),
            line: String::new(),
            read: 0,
        })
    }

    /// The next line without its line break; `None` at the end.
    pub fn next_line(&mut self) -> Result<Option<&str>> {
        self.line.clear();
        let read = self
            .reader
            .by_ref()
            .take(MOST_LINE_BYTES)
            .read_line(&mut self.line)
            .map_err(|error| unreadable(self.number, error))?;
        if self.read == MOST_LINES || read as u64 == MOST_LINE_BYTES {
            return Err(unreadable(self.number, "it is larger than any segment"));
        }
        self.read += 1;
        Ok((read > 0).then(|| self.line.trim_end_matches('\n')))
    }
}

fn unreadable(number: u64, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::caused(Kind::Invalid, format!("read {}", key(number)), error)
}
