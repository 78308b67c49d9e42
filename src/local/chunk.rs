//! Bodies of messages packed together: neighbours resemble each other, so a chunk compresses to a tenth. Pure.

use std::io;
use std::ops::RangeInclusive;

use zstd::bulk::{Compressor, Decompressor};

/// A chunk is closed at this many bytes before compression. Larger ones compress little better and cost more to read
/// when only a few of their messages are asked for.
const CHUNK_BYTES: usize = 512 << 10;
/// A chunk is closed at this many bodies, however short they are.
const CHUNK_BODIES: u32 = 1_000;
/// Level 1 is three times as fast as disks and copies are with the bodies as they are.
const COMPRESSION_LEVEL: i32 = 1;
/// Ends each body. No UTF-8 text holds this byte.
const END: u8 = 0xff;

/// Packed bodies. The slot of a body is its place among them, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub bodies: u32,
    /// Bytes before compression.
    pub raw_bytes: u32,
    pub packed: Vec<u8>,
}

/// Packs bodies, in their order, into as many chunks as they need.
pub fn pack(bodies: &[String]) -> io::Result<Vec<Chunk>> {
    let mut compressor = Compressor::new(COMPRESSION_LEVEL)?;
    compressor.include_checksum(true)?;
    let mut chunks = Vec::new();
    let mut raw = Vec::with_capacity(CHUNK_BYTES);
    let mut count = 0;
    for (index, body) in bodies.iter().enumerate() {
        raw.extend_from_slice(body.as_bytes());
        raw.push(END);
        count += 1;
        let next = bodies.get(index + 1).map(String::len);
        if count == CHUNK_BODIES || next.is_none_or(|next| raw.len() + next >= CHUNK_BYTES) {
            let raw_bytes = u32::try_from(raw.len()).map_err(|_| io::Error::other("a message of over 4 GiB"))?;
            chunks.push(Chunk {
                bodies: count,
                raw_bytes,
                packed: compressor.compress(&raw)?,
            });
            raw.clear();
            count = 0;
        }
    }
    Ok(chunks)
}

/// Takes one chunk after the other apart.
pub struct Unpacker {
    decompressor: Decompressor<'static>,
    loaded: Option<i64>,
    raw: Vec<u8>,
}

impl Unpacker {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            decompressor: Decompressor::new()?,
            loaded: None,
            raw: Vec::new(),
        })
    }

    /// Makes the chunk of this id the one that bodies are taken from.
    pub fn load(&mut self, id: i64, packed: &[u8], raw_bytes: u32) -> io::Result<()> {
        if self.loaded == Some(id) {
            return Ok(());
        }
        self.loaded = None;
        self.raw.clear();
        self.raw.reserve(raw_bytes as usize);
        self.decompressor.decompress_to_buffer(packed, &mut self.raw)?;
        self.loaded = Some(id);
        Ok(())
    }

    /// The bodies in `slots`; an error when the chunk does not have them.
    pub fn bodies(&self, slots: RangeInclusive<u32>) -> io::Result<Vec<String>> {
        let (first, after) = (*slots.start() as usize, *slots.end() as usize + 1);
        let mut start = 0;
        let mut bodies = Vec::with_capacity(after.saturating_sub(first));
        for (slot, end) in memchr::memchr_iter(END, &self.raw).enumerate().take(after) {
            if slot >= first {
                let text = std::str::from_utf8(&self.raw[start..end]).map_err(io::Error::other)?;
                bodies.push(text.to_owned());
            }
            start = end + 1;
        }
        if bodies.len() == after.saturating_sub(first) {
            Ok(bodies)
        } else {
            Err(io::Error::other("the chunk holds fewer messages than it should"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_body_comes_back_from_its_slot(
            bodies in prop::collection::vec(prop_oneof![4 => ".{0,20}", 1 => "[a-z\\u{0}\\u{ff}]{0,3}".prop_map(|word| word.repeat(60_000))], 0..12),
        ) {
            let chunks = pack(&bodies).unwrap();
            prop_assert_eq!(chunks.iter().map(|chunk| chunk.bodies as usize).sum::<usize>(), bodies.len());
            let mut unpacker = Unpacker::new().unwrap();
            let mut rest = &bodies[..];
            for (id, chunk) in (0..).zip(&chunks) {
                prop_assert!(chunk.bodies == 1 || chunk.raw_bytes as usize <= CHUNK_BYTES);
                let (here, after) = rest.split_at(chunk.bodies as usize);
                unpacker.load(id, &chunk.packed, chunk.raw_bytes).unwrap();
                for slot in 0..chunk.bodies {
                    let alone = unpacker.bodies(slot..=slot).unwrap();
                    prop_assert_eq!(&alone[..], &here[slot as usize..=slot as usize]);
                }
                prop_assert_eq!(unpacker.bodies(0..=chunk.bodies - 1).unwrap(), here);
                prop_assert!(unpacker.bodies(0..=chunk.bodies).is_err());
                rest = after;
            }
        }

        #[test]
        fn a_flipped_bit_is_noticed(body in "[a-z]{100}", at in 0_usize..1_000, bit in 0_u8..8) {
            let mut chunk = pack(std::slice::from_ref(&body)).unwrap().remove(0);
            let at = at % chunk.packed.len();
            chunk.packed[at] ^= 1 << bit;
            let mut unpacker = Unpacker::new().unwrap();
            if unpacker.load(0, &chunk.packed, chunk.raw_bytes).is_ok() {
                prop_assert_eq!(unpacker.bodies(0..=0).unwrap(), [body]);
            }
        }
    }
}
