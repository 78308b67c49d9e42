//! How much somebody does in a day, beside how much they usually do. An event that comes twice counts once, in whatever order
//! events come: a day is a sketch of the events that it had, and an old day what the sketch told. Pure.

use serde::{Deserialize, Serialize};

use super::habits::Hash;

const DAY: u32 = 86_400;
/// Registers of a sketch. Its error is about an eighth; a baseline allows for far more.
const REGISTERS: usize = 64;
/// Days after which nothing is added to a day any more.
const OPEN_DAYS: u16 = 4;
/// The most days that are remembered.
const MOST_DAYS: usize = 60;

/// A sketch of one day: the largest rank of a hash in each register, as in `HyperLogLog`.
type Ranks = [[u8; 32]; REGISTERS / 32];

/// The days of one group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// Days that are over, since 1970, with what they had; in order of time.
    closed: Vec<(u16, u32)>,
    /// The latest days.
    open: Vec<(u16, Ranks)>,
}

/// How much is usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// Of the days before with any event.
    pub median: f64,
    /// The median of how far days are from that, as a share of a normal distribution's standard deviation.
    pub spread: f64,
    pub days: usize,
}

impl Volume {
    /// Counts an event of a time in seconds since 1970; gives how many its day has now, and how much was usual before that day.
    pub fn count(&mut self, event: &str, at: u32) -> (u32, Usual) {
        let number = u16::try_from(at / DAY).unwrap_or(u16::MAX);
        // One that comes so late that its day is over was counted, or is too late to be.
        if let Some((_, count)) = self.closed.iter().find(|(day, _)| *day == number) {
            return (*count, self.usual(number));
        }
        let place = self.open.partition_point(|(day, _)| *day < number);
        if self.open.get(place).is_none_or(|(day, _)| *day != number) {
            self.open.reserve_exact(1);
            self.open.insert(place, (number, Ranks::default()));
        }
        let ranks = &mut self.open[place].1;
        add(ranks, Hash::of(event));
        let count = estimate(ranks);
        let usual = self.usual(number);
        self.close();
        (count, usual)
    }

    /// Of the days before one.
    fn usual(&self, number: u16) -> Usual {
        let closed = self
            .closed
            .iter()
            .filter(|(day, _)| *day < number)
            .map(|(_, count)| *count);
        let open = self
            .open
            .iter()
            .filter(|(day, _)| *day < number)
            .map(|(_, ranks)| estimate(ranks));
        let counts: Vec<f64> = closed.chain(open).map(f64::from).collect();
        let middle = median(counts.clone());
        let spread = median(counts.iter().map(|count| (count - middle).abs()).collect());
        Usual {
            median: middle,
            // Of a normal distribution the median distance is so much of the standard deviation.
            spread: spread / 0.6745,
            days: counts.len(),
        }
    }

    /// Makes numbers of days to which nothing is added any more.
    fn close(&mut self) {
        let newest = self.open.last().map_or(0, |(day, _)| *day);
        let over = self.open.partition_point(|(day, _)| newest - day >= OPEN_DAYS);
        for (day, ranks) in self.open.drain(..over) {
            self.closed.push((day, estimate(&ranks)));
        }
        self.closed.sort_unstable();
        let surplus = self.closed.len().saturating_sub(MOST_DAYS);
        self.closed.drain(..surplus);
    }

    /// Drops the days before a time in seconds. `false` when none is left.
    pub fn forget(&mut self, before: u32) -> bool {
        let is_kept = |day: u16| (u32::from(day) + 1).saturating_mul(DAY) > before;
        self.closed.retain(|(day, _)| is_kept(*day));
        self.open.retain(|(day, _)| is_kept(*day));
        !self.closed.is_empty() || !self.open.is_empty()
    }
}

fn add(ranks: &mut Ranks, event: Hash) {
    let bits = event.number();
    let register = usize::try_from(bits % REGISTERS as u64).unwrap_or(0);
    let rank = (bits / REGISTERS as u64).trailing_zeros().min(57) + 1;
    let rank = u8::try_from(rank).unwrap_or(u8::MAX);
    let known = &mut ranks[register / 32][register % 32];
    *known = rank.max(*known);
}

/// How many different hashes were seen. Source: Flajolet and others, `HyperLogLog`, 2007.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate"
)]
fn estimate(ranks: &Ranks) -> u32 {
    const ALPHA: f64 = 0.709;
    let ranks = ranks.as_flattened();
    let registers = ranks.len() as f64;
    let sum: f64 = ranks
        .iter()
        .map(|rank| f64::from(*rank))
        .map(|rank| (-rank).exp2())
        .sum();
    let empty = ranks.len() - ranks.iter().filter(|rank| **rank > 0).count();
    let raw = ALPHA * registers * registers / sum;
    // Few are counted by the registers that they leave empty.
    let estimate = if raw <= 2.5 * registers && empty > 0 {
        registers * (registers / empty as f64).ln()
    } else {
        raw
    };
    estimate.round() as u32
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[odd / 2],
        even => f64::midpoint(values[even / 2 - 1], values[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32) -> u32 {
        (20_000 + day) * DAY
    }

    #[test]
    fn a_count_is_about_right_whatever_comes_twice_and_in_which_order() {
        for number in [1_u32, 10, 50, 200, 1_000, 20_000] {
            let mut forwards = Volume::default();
            let mut backwards = Volume::default();
            let name = |event: u32| format!("event-{event}");
            for event in (0..number).chain(0..number) {
                forwards.count(&name(event), at(0));
            }
            let count = (0..number)
                .rev()
                .map(|event| backwards.count(&name(event), at(0)).0)
                .last()
                .unwrap();
            assert_eq!(forwards, backwards);
            let error = (f64::from(count) - f64::from(number)).abs() / f64::from(number);
            assert!(error < 0.35, "{count} for {number}");
        }
    }

    #[test]
    fn what_is_usual_is_not_moved_by_one_wild_day() {
        let mut volume = Volume::default();
        for day in 0..20 {
            let events = if day == 10 { 5_000 } else { 20 + day % 5 };
            for event in 0..events {
                volume.count(&format!("{day}-{event}"), at(day));
            }
        }
        let (_, usual) = volume.count("next", at(20));
        assert_eq!(usual.days, 20);
        assert!((15.0..30.0).contains(&usual.median), "{usual:?}");
        assert!(usual.spread < 10.0, "{usual:?}");
        assert_eq!(
            (volume.closed.len(), volume.open.len()),
            (17, 4),
            "old days are numbers"
        );
        assert!(volume.forget(at(15)));
        assert_eq!((volume.closed.len(), volume.open.len()), (2, 4));
        assert!(!volume.forget(at(30)));
    }
}
