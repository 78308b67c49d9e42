//! A made-up org's System Log: ordinary days with a few attacks among them, the same for the same settings.
//!
//! Pure: events are an iterator over nothing but [`Settings`], and memory does not grow with their number. Deviations from
//! Okta's published schema are as frequent as in real logs or more so; every line is a usable event all the same.

mod debug;
mod dice;
mod directory;
mod event;
mod kind;
mod people;
mod plan;
mod stories;
mod wire;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;

use dice::Dice;
use plan::Plan;

pub use directory::{Member, members};

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many people work in the org; 1 at least.
    pub users: u32,
    /// How long the period is, in days; 1 at least.
    pub days: u32,
    /// How many different events there are. One in 200 comes twice, so there are more lines than events.
    pub events: u64,
    pub seed: u64,
    /// Where the period ends.
    pub end: Timestamp,
}

impl Default for Settings {
    /// Small, with every story and nearly every deviation in it.
    fn default() -> Self {
        Self {
            users: 50,
            days: 3,
            events: 2_000,
            seed: 1,
            // 2026-11-01T00:00:00Z, a Sunday: the period before it has working days.
            end: moment(1_793_491_200_000),
        }
    }
}

impl Settings {
    /// Both ends in milliseconds since 1970, the second one outside.
    fn period(&self) -> (i64, i64) {
        let end = self.end.as_millisecond();
        (end - i64::from(self.days) * 24 * 3_600_000, end)
    }

    fn sane(self) -> Self {
        Self {
            users: self.users.max(1),
            days: self.days.max(1),
            ..self
        }
    }
}

/// Milliseconds since 1970 as a time; the first time there is for what no calendar holds.
fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MIN)
}

/// One attack among the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// A short name such as `mfa-fatigue`.
    pub name: &'static str,
    pub summary: &'static str,
    /// Logins of those involved, the victim first.
    pub logins: Vec<String>,
    pub start: Timestamp,
    pub end: Timestamp,
    /// The uuids of its events, in the order of time.
    pub uuids: Vec<String>,
}

/// The stories that the events of `settings` tell, in the order of time.
///
/// With fewer than 90 events there is no room for all of them.
pub fn stories(settings: &Settings) -> Vec<Story> {
    stories::list(&settings.sane())
}

/// `LogEvent`s as lines of compact JSON, nearly in the order of their time.
///
/// One in 40 comes later than others that happened after it, one in 200 comes a second time.
pub struct Generator {
    seed: u64,
    plan: Plan,
    /// Lines that wait, each with its turn.
    late: BinaryHeap<Reverse<(u64, String)>>,
    turn: u64,
}

impl Generator {
    pub fn new(settings: Settings) -> Self {
        let settings = settings.sane();
        Self {
            seed: settings.seed,
            plan: Plan::new(settings, &stories::events(&settings)),
            late: BinaryHeap::new(),
            turn: 0,
        }
    }

    fn wait(&mut self, turns: u32, line: String) {
        self.late.push(Reverse((self.turn + u64::from(turns), line)));
    }
}

const DELIVERY: u64 = 1 << 56;

impl Iterator for Generator {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            if self.late.peek().is_some_and(|line| line.0.0 <= self.turn) {
                return self.late.pop().map(|line| line.0.1);
            }
            let Some(event) = self.plan.next() else {
                return self.late.pop().map(|line| line.0.1);
            };
            // Serialising plain structs into a string does not fail.
            let Ok(line) = event::write(self.seed, &event) else {
                continue;
            };
            self.turn += 1;
            let mut dice = Dice::new(self.seed, event.number | DELIVERY);
            if dice.once_in(200) {
                let turns = 1 + dice.below(400);
                self.wait(turns, line.clone());
            }
            if dice.once_in(40) {
                let turns = 1 + dice.below(120);
                self.wait(turns, line);
                continue;
            }
            return Some(line);
        }
    }
}

#[cfg(test)]
mod tests;
