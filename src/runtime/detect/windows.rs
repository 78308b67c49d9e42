//! Events that mean something only together: how many, how different, or which of them lie within one span of time.
//!
//! What is found depends on the events' own times and never on the order in which they come. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The most hits that a track holds; the oldest go first. No threshold may be larger.
pub const MOST_HITS: usize = 2_000;
/// The most episodes that a track remembers, and the most events that one of them names.
const MOST_EPISODES: usize = 50;
const MOST_EVENTS: usize = 50;

/// An event that a correlation counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hit {
    /// Milliseconds since 1970, from `published`.
    pub at: i64,
    /// The event's uuid.
    pub event: Box<str>,
    /// Which of the correlation's rules matched, by its place among them.
    pub rule: u8,
    /// What is counted if it differs.
    pub value: Option<Box<str>>,
}

/// What must hold within one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// So many events.
    Count(usize),
    /// So many different values.
    Different(usize),
    /// An event of each of so many rules.
    Each(u8),
    /// The same, one after the other.
    InOrder(u8),
}

/// The hits of one group of one correlation, and what was found in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// In order.
    hits: Vec<Hit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    episodes: Vec<Episode>,
}

/// Hits for which the condition held, grown by those that followed within a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The uuid of the first event as it was found, by which the episode is known from then on.
    pub anchor: Box<str>,
    /// When the condition first held; never changes.
    pub at: i64,
    pub first: i64,
    pub last: i64,
    pub count: u64,
    /// The uuids of its events, the earliest that came, up to a bound.
    pub events: Vec<Box<str>>,
}

/// What a hit brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<'a> {
    New(&'a Episode),
    Grown(&'a Episode),
}

impl Track {
    /// Takes a hit in. `None` when it is known, or when it belongs to nothing for which the condition holds.
    pub fn observe(&mut self, hit: Hit, span: i64, condition: Condition) -> Option<Found<'_>> {
        let at = hit.at;
        let place = self.insert(hit)?;
        let ends = ends_around(&self.hits, place, span, condition);
        let found = match ends {
            Some((left, right)) => Some(self.tell(left, right, span)),
            // What lies inside an episode belongs to it.
            None => self.inside(at).map(|index| (index, false)),
        };
        if let Some((index, _)) = found {
            self.episodes[index].count_inside(&self.hits);
        }
        let surplus = self.hits.len().saturating_sub(MOST_HITS);
        self.hits.drain(..surplus);
        let (index, is_new) = found?;
        let episode = self.episodes.get(index)?;
        Some(if is_new {
            Found::New(episode)
        } else {
            Found::Grown(episode)
        })
    }

    /// The place of a hit that was not there before.
    fn insert(&mut self, hit: Hit) -> Option<usize> {
        let same_time = self.hits.partition_point(|known| known.at < hit.at);
        let mut of_that_time = self.hits[same_time..].iter().take_while(|known| known.at == hit.at);
        if of_that_time.any(|known| known.event == hit.event && known.rule == hit.rule) {
            return None;
        }
        let place = self.hits.partition_point(|known| *known < hit);
        self.hits.insert(place, hit);
        Some(place)
    }

    fn inside(&self, at: i64) -> Option<usize> {
        let mut episodes = self.episodes.iter();
        episodes.position(|episode| episode.first <= at && at <= episode.last)
    }

    /// Moves an episode's ends apart; gives its place. Another that is reached goes on in it: both were told of by then.
    fn grow(&mut self, index: usize, first: i64, last: i64) -> usize {
        let mut grown = self.episodes.remove(index);
        grown.first = grown.first.min(first);
        grown.last = grown.last.max(last);
        self.episodes.retain(|other| {
            let is_reached = other.first <= grown.last && grown.first <= other.last;
            if is_reached {
                grown.first = grown.first.min(other.first);
                grown.last = grown.last.max(other.last);
                grown.count = grown.count.max(other.count);
            }
            !is_reached
        });
        let index = index.min(self.episodes.len());
        self.episodes.insert(index, grown);
        index
    }

    /// The episode that the hits between two places belong to, and whether it is a new one.
    fn tell(&mut self, left: usize, right: usize, span: i64) -> (usize, bool) {
        let (first, last) = (self.hits[left].at, self.hits[right].at);
        let touches = |episode: &Episode| episode.first - span <= last && first <= episode.last + span;
        if let Some(index) = self.episodes.iter().position(touches) {
            return (self.grow(index, first, last), false);
        }
        if self.episodes.len() == MOST_EPISODES {
            self.episodes.remove(0);
        }
        self.episodes.push(Episode {
            anchor: self.hits[left].event.clone(),
            at: last,
            first,
            last,
            count: 0,
            events: Vec::new(),
        });
        (self.episodes.len() - 1, true)
    }

    /// Drops what happened before a time. `false` when nothing is left.
    pub fn forget(&mut self, before: i64) -> bool {
        self.hits.retain(|hit| hit.at >= before);
        self.episodes.retain(|episode| episode.last >= before);
        !self.hits.is_empty() || !self.episodes.is_empty()
    }
}

impl Episode {
    /// Counts the hits between its ends. Those that the track no longer has were counted before.
    fn count_inside(&mut self, hits: &[Hit]) {
        let first = hits.partition_point(|hit| hit.at < self.first);
        let end = hits.partition_point(|hit| hit.at <= self.last);
        let inside = &hits[first..end];
        self.count = self.count.max(inside.len() as u64);
        for hit in inside {
            if self.events.len() >= MOST_EVENTS {
                break;
            }
            if !self.events.contains(&hit.event) {
                self.events.push(hit.event.clone());
            }
        }
    }
}

/// All spans of time around the hit at `place` in which the condition holds, by the places of their outermost ends.
fn ends_around(hits: &[Hit], place: usize, span: i64, condition: Condition) -> Option<(usize, usize)> {
    let at = hits[place].at;
    let start = hits.partition_point(|hit| hit.at < at - span);
    let end = hits.partition_point(|hit| hit.at <= at + span);
    let mut seen = Seen::default();
    let mut left = start;
    let mut ends: Option<(usize, usize)> = None;
    for right in start..end {
        seen.add(&hits[right]);
        while hits[right].at - hits[left].at > span {
            seen.remove(&hits[left]);
            left += 1;
        }
        if left > place {
            break;
        }
        if right >= place && seen.holds(&hits[left..=right], condition) {
            ends = Some((ends.map_or(left, |(first, _)| first), right));
        }
    }
    ends
}

/// What a window holds.
#[derive(Default)]
struct Seen<'a> {
    values: HashMap<&'a str, usize>,
    rules: HashMap<u8, usize>,
}

impl<'a> Seen<'a> {
    fn add(&mut self, hit: &'a Hit) {
        *self.rules.entry(hit.rule).or_default() += 1;
        if let Some(value) = &hit.value {
            *self.values.entry(value).or_default() += 1;
        }
    }

    fn remove(&mut self, hit: &'a Hit) {
        fn take<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
        take(&mut self.rules, &hit.rule);
        if let Some(value) = &hit.value {
            take(&mut self.values, &&**value);
        }
    }

    fn holds(&self, window: &[Hit], condition: Condition) -> bool {
        match condition {
            Condition::Count(least) => window.len() >= least,
            Condition::Different(least) => self.values.len() >= least,
            Condition::Each(rules) => self.rules.len() >= usize::from(rules),
            Condition::InOrder(rules) => {
                let mut wanted = 0;
                for hit in window {
                    if hit.rule == wanted {
                        wanted += 1;
                    }
                }
                wanted >= rules
            }
        }
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
