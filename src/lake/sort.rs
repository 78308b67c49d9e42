//! Sorting more rows than fit in memory: rows are collected up to a byte budget, sorted, and spilled to compressed runs
//! that are merged as they are read. Knows bytes only; what a key or a value means is the caller's.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Runs merged at once. Each costs about [`RUN_BUFFER_BYTES`] and a zstd window of memory.
const FAN_IN: usize = 48;
const RUN_BUFFER_BYTES: usize = 64 << 10;
/// Caps the decoder's memory a run at 512 KiB.
const RUN_WINDOW_LOG: u32 = 19;

/// Collects records in any order. A record is a key and a value; keys order bytewise.
pub struct Sorter {
    scratch: PathBuf,
    budget_bytes: usize,
    /// The records of the run in the making, one after the other.
    arena: Vec<u8>,
    records: Vec<Span>,
    runs: Vec<PathBuf>,
    written: usize,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    key_bytes: u32,
    value_bytes: u32,
}

impl Span {
    fn key(self, arena: &[u8]) -> &[u8] {
        &arena[self.start..self.start + self.key_bytes as usize]
    }
    fn value(self, arena: &[u8]) -> &[u8] {
        let start = self.start + self.key_bytes as usize;
        &arena[start..start + self.value_bytes as usize]
    }
}

impl Sorter {
    /// Spills to files in `scratch`, which must exist, be empty, and be removed by the caller.
    pub fn new(scratch: &Path, budget_bytes: usize) -> Self {
        Self {
            scratch: scratch.to_owned(),
            budget_bytes,
            arena: Vec::new(),
            records: Vec::new(),
            runs: Vec::new(),
            written: 0,
        }
    }

    /// Adds a record; `fill` appends the value to the buffer it is given.
    pub fn push(&mut self, key: &[u8], fill: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        let value_start = self.arena.len();
        fill(&mut self.arena);
        self.records.push(Span {
            start,
            key_bytes: length(value_start - start)?,
            value_bytes: length(self.arena.len() - value_start)?,
        });
        if self.arena.len() + self.records.len() * size_of::<Span>() >= self.budget_bytes {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let arena = &self.arena;
        self.records.sort_unstable_by(|a, b| a.key(arena).cmp(b.key(arena)));
        let path = self.scratch.join(format!("run-{:06}", self.written));
        let mut run = RunWriter::create(&path)?;
        for record in &self.records {
            run.write(record.key(arena), record.value(arena))?;
        }
        run.finish()?;
        self.written += 1;
        self.runs.push(path);
        self.arena.clear();
        self.records.clear();
        Ok(())
    }

    /// Ends the collection. What comes back can be merged any number of times.
    pub fn finish(mut self) -> io::Result<Sorted> {
        if !self.records.is_empty() {
            self.spill()?;
        }
        self.arena = Vec::new();
        while self.runs.len() > FAN_IN {
            let rest = self.runs.split_off(FAN_IN);
            let inputs = std::mem::replace(&mut self.runs, rest);
            let path = self.scratch.join(format!("run-{:06}", self.written));
            self.written += 1;
            let mut output = RunWriter::create(&path)?;
            let mut merge = Merge::open(&inputs)?;
            while merge.advance()? {
                output.write(merge.key(), merge.value())?;
            }
            output.finish()?;
            for input in inputs {
                std::fs::remove_file(input)?;
            }
            self.runs.push(path);
        }
        Ok(Sorted { runs: self.runs })
    }
}

/// Sorted runs on disk.
pub struct Sorted {
    runs: Vec<PathBuf>,
}

impl Sorted {
    /// All records in key order; records with equal keys follow each other.
    pub fn merge(&self) -> io::Result<Merge> {
        Merge::open(&self.runs)
    }
}

/// A walk over merged runs: [`Merge::advance`], then read [`Merge::key`] and [`Merge::value`].
pub struct Merge {
    waiting: BinaryHeap<Head>,
    current: Option<Head>,
}

struct Head {
    key: Vec<u8>,
    value: Vec<u8>,
    run: RunReader,
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Head {}
impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Head {
    /// Reversed, because the standard heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key)
    }
}

impl Merge {
    fn open(runs: &[PathBuf]) -> io::Result<Self> {
        let mut waiting = BinaryHeap::with_capacity(runs.len());
        for path in runs {
            let mut first = Head {
                key: Vec::new(),
                value: Vec::new(),
                run: RunReader::open(path)?,
            };
            if first.advance()? {
                waiting.push(first);
            }
        }
        Ok(Self { waiting, current: None })
    }

    /// Steps to the next record; `false` when there is none.
    pub fn advance(&mut self) -> io::Result<bool> {
        if let Some(mut head) = self.current.take()
            && head.advance()?
        {
            self.waiting.push(head);
        }
        self.current = self.waiting.pop();
        Ok(self.current.is_some())
    }

    /// The current record's key; empty before the first and after the last.
    pub fn key(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |head| &head.key)
    }

    pub fn value(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |head| &head.value)
    }
}

impl Head {
    fn advance(&mut self) -> io::Result<bool> {
        self.run.read(&mut self.key, &mut self.value)
    }
}

struct RunWriter {
    encoder: zstd::Encoder<'static, BufWriter<File>>,
}

impl RunWriter {
    fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(RUN_BUFFER_BYTES, File::create_new(path)?);
        let mut encoder = zstd::Encoder::new(file, 1)?;
        encoder.window_log(RUN_WINDOW_LOG)?;
        Ok(Self { encoder })
    }

    fn write(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.encoder.write_all(&length(key.len())?.to_le_bytes())?;
        self.encoder.write_all(&length(value.len())?.to_le_bytes())?;
        self.encoder.write_all(key)?;
        self.encoder.write_all(value)
    }

    fn finish(self) -> io::Result<()> {
        self.encoder.finish()?.flush()
    }
}

struct RunReader {
    decoder: BufReader<zstd::Decoder<'static, BufReader<File>>>,
}

impl RunReader {
    fn open(path: &Path) -> io::Result<Self> {
        let file = BufReader::with_capacity(RUN_BUFFER_BYTES, File::open(path)?);
        Ok(Self {
            decoder: BufReader::with_capacity(RUN_BUFFER_BYTES, zstd::Decoder::with_buffer(file)?),
        })
    }

    fn read(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> io::Result<bool> {
        let mut lengths = [0; 8];
        // The end may only fall between two records; a record cut short is an error.
        if self.decoder.read(&mut lengths[..1])? == 0 {
            return Ok(false);
        }
        self.decoder.read_exact(&mut lengths[1..])?;
        let lengths = u64::from_le_bytes(lengths);
        read_into(&mut self.decoder, key, lengths & u64::from(u32::MAX))?;
        read_into(&mut self.decoder, value, lengths >> 32)?;
        Ok(true)
    }
}

fn read_into(reader: &mut impl Read, buffer: &mut Vec<u8>, bytes: u64) -> io::Result<()> {
    buffer.resize(usize::try_from(bytes).map_err(io::Error::other)?, 0);
    reader.read_exact(buffer)
}

fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a record of over 4 GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted(records: &[(Vec<u8>, Vec<u8>)], budget_bytes: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let scratch = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(scratch.path(), budget_bytes);
        for (key, value) in records {
            sorter.push(key, |out| out.extend_from_slice(value)).unwrap();
        }
        let result = sorter.finish().unwrap();
        assert!(result.runs.len() <= FAN_IN);
        let mut merge = result.merge().unwrap();
        let mut out = Vec::new();
        while merge.advance().unwrap() {
            out.push((merge.key().to_vec(), merge.value().to_vec()));
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn whatever_the_budget_the_order_is_that_of_a_sort_in_memory(
            records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..4), prop::collection::vec(any::<u8>(), 0..9)), 0..300),
            budget in 1_usize..4_000,
        ) {
            let mut found = sorted(&records, budget);
            prop_assert!(found.is_sorted_by(|a, b| a.0 <= b.0));
            let mut expected = records;
            expected.sort();
            found.sort();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn more_runs_than_are_merged_at_once_are_merged_in_passes() {
        let records: Vec<_> = (0..500_u32)
            .rev()
            .map(|n| (n.to_be_bytes().to_vec(), vec![7; 10]))
            .collect();
        let found = sorted(&records, 1);
        assert!(
            found
                .iter()
                .map(|(key, _)| key.clone())
                .eq((0..500_u32).map(|n| n.to_be_bytes().to_vec()))
        );
    }
}
