//! What comes out of a compressed object, within bounds: a few kilobytes can claim to be gigabytes.

use std::io::{self, BufRead, Read};

/// The largest window that is made room for, in powers of two. What is written here has 2 MiB at most.
const WINDOW_LOG: u32 = 23;
/// However small an object is, it may unpack to so much.
const LEAST_BOUND: u64 = 64 << 20;
/// A larger one may unpack to so many times its size: events, habits and people pack to a fifth or a tenth.
const RATIO: u64 = 64;

/// Unpacks as it is read; fails as soon as there is more than there may be.
pub struct Unpacked<R: BufRead> {
    decoder: zstd::Decoder<'static, R>,
    most: u64,
    left: u64,
}

impl<R: BufRead> Unpacked<R> {
    pub fn new(packed: R, most: u64) -> io::Result<Self> {
        let mut decoder = zstd::Decoder::with_buffer(packed)?;
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Self {
            decoder,
            most,
            left: most,
        })
    }
}

impl<'a> Unpacked<&'a [u8]> {
    /// For an object whose size grows with the tenant's.
    pub fn of(packed: &'a [u8]) -> io::Result<Self> {
        Self::new(packed, LEAST_BOUND.max(packed.len() as u64 * RATIO))
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer)?;
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| {
            let why = format!(
                "it unpacks to more than {} MiB, which nothing of ours does",
                self.most >> 20
            );
            io::Error::other(why)
        })?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], most: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Unpacked::new(packed, most)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn what_is_within_its_bound_comes_whole_and_one_byte_more_does_not() {
        let whole = vec![7; 3 << 20];
        let packed = zstd::encode_all(&*whole, 3).unwrap();
        assert_eq!(unpacked(&packed, 3 << 20).unwrap(), whole);
        let why = unpacked(&packed, (3 << 20) - 1).unwrap_err().to_string();
        assert!(why.starts_with("it unpacks to more than 2 MiB"), "{why}");
    }

    #[test]
    fn a_frame_that_wants_a_huge_window_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        // Without a content size the window is what the frame says.
        std::io::Write::write_all(&mut encoder, b"small").unwrap();
        std::io::Write::flush(&mut encoder).unwrap();
        let packed = encoder.finish().unwrap();
        let why = unpacked(&packed, 1 << 20).unwrap_err().to_string();
        assert!(why.contains("too much memory"), "{why}");
    }
}
