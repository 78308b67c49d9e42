//! What is remembered of habits, as small as it goes: of names and values a hash each, of times seconds. Known by the event's own
//! time. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The most values of one habit.
const MOST_VALUES: usize = 500;
/// The most places of a traveller, and the most devices.
const MOST_POINTS: usize = 64;
/// Somebody who stays where they were is noted as often as this: whoever is elsewhere in between is never further than half of it
/// from a place that is known, also when that comes late.
const NOTED_EVERY: u32 = 1_800;
const MOST_DEVICES: usize = 20;
/// Places that are older than this beside the newest tell nothing: no event comes later.
const OLD_POINT: u32 = 3 * 86_400;

/// The first bytes of a SHA-256: nobody finds a second value for one on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash([u8; 8]);

impl Hash {
    pub fn of(text: &str) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(text.as_bytes())[..8]);
        Self(first)
    }

    pub fn number(self) -> u64 {
        u64::from_be_bytes(self.0)
    }
}

/// Seconds since 1970 of a time in milliseconds.
pub fn seconds(at: i64) -> u32 {
    u32::try_from(at.div_euclid(1_000).max(0)).unwrap_or(u32::MAX)
}

/// A value with when it was last there; or, without a value, when the habit's first event was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    rule: u16,
    at: u32,
    value: Option<Hash>,
}

/// Where somebody was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub at: u32,
    pub event: EventId,
    pub latitude: f32,
    pub longitude: f32,
    pub device: Option<Hash>,
}

impl Point {
    /// Whether somebody is in the same place with the same device.
    fn is_like(&self, other: &Self) -> bool {
        let place = |point: &Self| (point.latitude.to_bits(), point.longitude.to_bits());
        place(self) == place(other) && self.device == other.device
    }
}

/// The uuid of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventId {
    Uuid([u8; 16]),
    /// One that is written otherwise than others.
    Text(Box<str>),
}

impl EventId {
    pub fn of(text: &str) -> Self {
        match Uuid::parse_str(text) {
            Ok(uuid) if uuid.to_string() == text => Self::Uuid(uuid.into_bytes()),
            _ => Self::Text(text.into()),
        }
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uuid(bytes) => Uuid::from_bytes(*bytes).fmt(formatter),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

/// Where a traveller was, in order of time, and with which devices, each with when it was first there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Travels {
    pub points: Vec<Point>,
    devices: Vec<(Hash, u32)>,
}

/// All habits, by rule and group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    /// The ids of rules; elsewhere a rule is its place here.
    rules: Vec<String>,
    /// Of each group, the values of all its habits together.
    values: BTreeMap<Hash, Vec<Entry>>,
    travels: BTreeMap<(u16, Hash), Travels>,
    volumes: BTreeMap<(u16, Hash), super::volume::Volume>,
}

/// The values that one habit of one group consists of.
pub struct Habit<'a> {
    rule: u16,
    entries: &'a mut Vec<Entry>,
}

impl Habits {
    fn rule(&mut self, id: &str) -> u16 {
        let known = self.rules.iter().position(|known| known == id);
        let place = known.unwrap_or_else(|| {
            self.rules.push(id.to_owned());
            self.rules.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    pub fn habit(&mut self, rule: &str, group: &str) -> Habit<'_> {
        let rule = self.rule(rule);
        let entries = self.values.entry(Hash::of(group)).or_default();
        Habit { rule, entries }
    }

    pub fn travels(&mut self, rule: &str, group: &str) -> &mut Travels {
        let rule = self.rule(rule);
        self.travels.entry((rule, Hash::of(group))).or_default()
    }

    pub fn volume(&mut self, rule: &str, group: &str) -> &mut super::volume::Volume {
        let rule = self.rule(rule);
        self.volumes.entry((rule, Hash::of(group))).or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.travels.is_empty() && self.volumes.is_empty()
    }

    /// Drops what was last there before a time (milliseconds), which differs from rule to rule.
    pub fn forget(&mut self, before: impl Fn(&str) -> i64) {
        let before: Vec<u32> = self.rules.iter().map(|rule| seconds(before(rule))).collect();
        let limit = |rule: u16| before.get(usize::from(rule)).copied().unwrap_or(0);
        self.values.retain(|_, entries| {
            entries.retain(|entry| entry.value.is_none() || entry.at >= limit(entry.rule));
            let left: Vec<u16> = entries
                .iter()
                .filter(|entry| entry.value.is_some())
                .map(|entry| entry.rule)
                .collect();
            entries.retain(|entry| left.contains(&entry.rule));
            !entries.is_empty()
        });
        self.travels.retain(|(rule, _), travels| {
            travels.points.retain(|point| point.at >= limit(*rule));
            !travels.points.is_empty()
        });
        self.volumes.retain(|(rule, _), volume| volume.forget(limit(*rule)));
    }
}

impl Habit<'_> {
    /// Takes note of an event at `at`; gives when the first was.
    pub fn since(&mut self, at: u32) -> u32 {
        let rule = self.rule;
        if let Some(first) = self
            .entries
            .iter_mut()
            .find(|entry| entry.rule == rule && entry.value.is_none())
        {
            first.at = first.at.min(at);
            return first.at;
        }
        self.push(Entry { rule, at, value: None });
        at
    }

    /// When a value was last there.
    pub fn last(&self, value: Hash) -> Option<u32> {
        let is_meant = |entry: &&Entry| entry.rule == self.rule && entry.value == Some(value);
        self.entries.iter().find(is_meant).map(|entry| entry.at)
    }

    pub fn remember(&mut self, value: Hash, at: u32) {
        let rule = self.rule;
        if let Some(known) = self
            .entries
            .iter_mut()
            .find(|entry| entry.rule == rule && entry.value == Some(value))
        {
            known.at = known.at.max(at);
            return;
        }
        let own = |entry: &Entry| entry.rule == rule && entry.value.is_some();
        if self.entries.iter().filter(|entry| own(entry)).count() >= MOST_VALUES
            && let Some(oldest) = (0..self.entries.len())
                .filter(|index| own(&self.entries[*index]))
                .min_by_key(|index| self.entries[*index].at)
        {
            self.entries.swap_remove(oldest);
        }
        self.push(Entry {
            rule,
            at,
            value: Some(value),
        });
    }

    /// There are very many of them, and few of them grow.
    fn push(&mut self, entry: Entry) {
        if self.entries.len() < 32 {
            self.entries.reserve_exact(1);
        }
        self.entries.push(entry);
    }
}

impl Travels {
    /// The place of a new point among the others; `None` for one that is known.
    pub fn place(&self, point: &Point) -> Option<usize> {
        if self.points.iter().any(|known| known.event == point.event) {
            return None;
        }
        Some(self.points.partition_point(|known| known.at <= point.at))
    }

    /// Keeps a point, and of those around it what the others do not say.
    pub fn insert(&mut self, place: usize, point: Point) {
        if let Some(device) = point.device {
            self.meet(device, point.at);
        }
        self.points.reserve_exact(1);
        self.points.insert(place, point);
        for index in [place + 1, place, place.wrapping_sub(1)] {
            if self.is_said_by_others(index) {
                self.points.remove(index);
            }
        }
        let newest = self.points.last().map_or(0, |point| point.at);
        // The last of the old ones is whom the next may be held against.
        let old = self
            .points
            .partition_point(|point| newest.saturating_sub(point.at) > OLD_POINT);
        let surplus = old.saturating_sub(1).max(self.points.len().saturating_sub(MOST_POINTS));
        self.points.drain(..surplus);
    }

    /// Whether somebody was in the same place before and after, and not long before.
    fn is_said_by_others(&self, index: usize) -> bool {
        let Some(point) = self.points.get(index) else {
            return false;
        };
        let before = index.checked_sub(1).and_then(|before| self.points.get(before));
        let Some((one, other)) = before.zip(self.points.get(index.saturating_add(1))) else {
            return false;
        };
        other.at - one.at <= NOTED_EVERY && one.is_like(point) && other.is_like(point)
    }

    fn meet(&mut self, device: Hash, at: u32) {
        if let Some((_, first)) = self.devices.iter_mut().find(|(known, _)| *known == device) {
            *first = at.min(*first);
        } else {
            self.devices.reserve_exact(1);
            self.devices.push((device, at));
        }
        let surplus = self.devices.len().saturating_sub(MOST_DEVICES);
        self.devices.drain(..surplus);
    }

    /// When a device was first there.
    pub fn met(&self, device: Hash) -> Option<u32> {
        let known = self.devices.iter().find(|(known, _)| *known == device);
        known.map(|(_, first)| *first)
    }
}

/// As builds before format 2 kept it: by rule and group, with values as texts.
#[derive(Debug, Deserialize)]
pub struct OldHabit {
    since: i64,
    #[serde(default)]
    values: Vec<(String, i64)>,
    #[serde(default)]
    points: Vec<OldPoint>,
    #[serde(default)]
    devices: Vec<(String, i64)>,
}

#[derive(Debug, Deserialize)]
struct OldPoint {
    at: i64,
    event: String,
    latitude: f32,
    longitude: f32,
    device: Option<String>,
}

impl From<BTreeMap<String, BTreeMap<String, OldHabit>>> for Habits {
    fn from(old: BTreeMap<String, BTreeMap<String, OldHabit>>) -> Self {
        let mut habits = Self::default();
        for (rule, groups) in old {
            for (group, old) in groups {
                if !old.values.is_empty() {
                    let mut habit = habits.habit(&rule, &group);
                    habit.since(seconds(old.since));
                    for (value, at) in &old.values {
                        habit.remember(Hash::of(value), seconds(*at));
                    }
                }
                if old.points.is_empty() {
                    continue;
                }
                let travels = habits.travels(&rule, &group);
                travels.devices = old
                    .devices
                    .iter()
                    .map(|(name, at)| (Hash::of(name), seconds(*at)))
                    .collect();
                let points = old.points.iter().map(|point| Point {
                    at: seconds(point.at),
                    event: EventId::of(&point.event),
                    latitude: point.latitude,
                    longitude: point.longitude,
                    device: point.device.as_deref().map(Hash::of),
                });
                travels.points = points.collect();
            }
        }
        habits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(minute: u32, latitude: f32) -> Point {
        Point {
            at: minute * 60,
            event: EventId::of(&format!("event-{minute}")),
            latitude,
            longitude: 0.0,
            device: None,
        }
    }

    #[test]
    fn a_place_between_many_others_has_near_neighbours_however_late_it_comes() {
        let mut travels = Travels::default();
        // Two days in one place, with an event a minute of the working hours.
        for day in 0..2 {
            for minute in 0..600 {
                let point = point(day * 1_440 + minute, 47.0);
                let place = travels.place(&point).unwrap();
                travels.insert(place, point);
            }
        }
        assert!(travels.points.len() <= MOST_POINTS, "{}", travels.points.len());
        for minute in [1, 100, 599, 1_441, 2_000] {
            let late = point(minute, 10.0);
            let late = Point {
                event: EventId::of("late"),
                ..late
            };
            let place = travels.place(&late).unwrap();
            let nearest = travels
                .points
                .iter()
                .map(|point| point.at.abs_diff(late.at))
                .min()
                .unwrap();
            assert!(
                nearest <= NOTED_EVERY / 2,
                "{nearest} s from minute {minute}, which is in place {place}"
            );
        }
    }

    #[test]
    fn an_event_has_its_own_name_whatever_it_looks_like() {
        for name in [
            "bd4b061d-b927-411f-b2c7-193500523e13",
            "BD4B061D-B927-411F-B2C7-193500523E13",
            "silence-1",
        ] {
            assert_eq!(EventId::of(name).to_string(), name);
        }
    }
}
