//! Seeded chance. The same seed and number give the same throws on every machine and with every version.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// A source of chance of its own for one numbered thing: a person, an event, a visit.
pub struct Dice(Pcg32);

impl Dice {
    pub fn new(seed: u64, number: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.0.next_u32()) * u64::from(bound);
        u32::try_from(product >> 32).unwrap_or(0)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'t, T>(&mut self, table: &'t [T]) -> &'t T {
        let length = u32::try_from(table.len()).unwrap_or(u32::MAX);
        &table[self.below(length) as usize]
    }

    /// `prefix` and `length` letters and digits, as Okta's ids are.
    pub fn id(&mut self, prefix: &str, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789__";
        self.text(prefix, length, LETTERS, 6)
    }

    /// `prefix` and `length` hex digits.
    pub fn hex(&mut self, prefix: &str, length: usize) -> String {
        self.text(prefix, length, b"0123456789abcdef", 4)
    }

    /// A version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let (high, low) = (self.0.next_u64(), self.0.next_u64());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    fn text(&mut self, prefix: &str, length: usize, letters: &[u8], bits: u32) -> String {
        let mut text = String::with_capacity(prefix.len() + length);
        text.push_str(prefix);
        let (mut pool, mut left) = (0_u64, 0);
        for _ in 0..length {
            if left < bits {
                (pool, left) = (self.0.next_u64(), 64);
            }
            let index = usize::try_from(pool & ((1 << bits) - 1)).unwrap_or(0);
            text.push(char::from(letters[index]));
            pool >>= bits;
            left -= bits;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_never_changes() {
        let mut dice = Dice::new(7, 3);
        let throws: Vec<u32> = (0..6).map(|_| dice.below(1000)).collect();
        assert_eq!(throws, [119, 16, 843, 826, 940, 631]);
        assert_eq!(dice.uuid(), "3318d626-4bb4-459f-b463-fbd20540739c");
        assert_eq!(dice.id("00u", 8), "00u5_adDT0T");
    }

    #[test]
    fn throws_cover_the_whole_range_evenly() {
        let mut counts = [0_u32; 10];
        for number in 0..10_000 {
            counts[Dice::new(1, number).below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (850..1150).contains(&count)), "{counts:?}");
        assert_eq!(Dice::new(1, 1).below(0), 0);
    }
}
