//! What Sigma cannot say of a user's habits: a value that was never there, somebody who comes back after long, and journeys
//! that nobody can make. A rule says it with a key of its own beside its `detection`. Pure.

use std::collections::HashMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::OktaEvent;
use super::correlation::{joined, text};

const DAY: i64 = 86_400_000;

/// A habit that a rule's events are held against.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    FirstSeen(FirstSeen),
    ReturnsAfter(ReturnsAfter),
    ImpossibleTravel(ImpossibleTravel),
}

/// The keys by which a rule names a behaviour.
const KEYS: [&str; 3] = ["first_seen", "returns_after", "impossible_travel"];

/// A value that was not there for so long.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstSeen {
    /// The fields that make the value.
    pub fields: Vec<String>,
    /// Whose habit it is, as in `[actor.id]`; the tenant's when it is empty.
    #[serde(default)]
    pub per: Vec<String>,
    /// A value that was not seen for so many days is new again.
    pub memory_days: u32,
    /// So many days after the first event, whatever is seen is only learned.
    pub learning_days: u32,
}

/// Somebody of whom nothing was seen for so long.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnsAfter {
    pub per: Vec<String>,
    pub days: u32,
}

/// Two places that are too far apart for the time between them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpossibleTravel {
    pub per: Vec<String>,
    /// Great-circle speed.
    pub kmh: f64,
    /// Nearer places are not held against each other: addresses are not placed better.
    pub least_km: f64,
    /// The first of these fields that is there names the device; a journey between two devices that are both known is none.
    #[serde(default)]
    pub devices: Vec<String>,
}

/// The most values of a habit that are remembered, the most places of a traveller, and the most devices.
const MOST_VALUES: usize = 500;
const MOST_POINTS: usize = 8;
const MOST_DEVICES: usize = 20;
/// A device is known a day after it was first seen.
const KNOWN_AFTER: i64 = DAY;

/// What is remembered of whoever has a habit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Habit {
    /// The time of the earliest event, in milliseconds since 1970.
    since: i64,
    /// Each value with when it was last there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<(Box<str>, i64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    points: Vec<Point>,
    /// Each device with when it was first there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    devices: Vec<(Box<str>, i64)>,
}

/// Where somebody was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Point {
    at: i64,
    event: Box<str>,
    latitude: f64,
    longitude: f64,
    device: Option<Box<str>>,
}

/// What is unusual, as fields and values for whoever reads the finding.
pub type Unusual = Vec<(String, serde_json::Value)>;

impl Behaviour {
    /// The behaviour among a rule's own keys, if any; why it cannot be used, with the key.
    pub fn read<T: Serialize>(attributes: &HashMap<String, T>) -> Result<Option<Self>, (&'static str, String)> {
        let mut named = KEYS.into_iter().filter_map(|key| Some((key, attributes.get(key)?)));
        let Some((key, written)) = named.next() else {
            return Ok(None);
        };
        let failed = |why: String| (key, format!("`{key}`: {why}"));
        if let Some((other, _)) = named.next() {
            return Err(failed(format!("stands beside `{other}`; a rule has one behaviour")));
        }
        let value = serde_json::to_value(written).map_err(|error| failed(error.to_string()))?;
        let read = serde_json::from_value(serde_json::json!({key: value}));
        read.map(Some).map_err(|error| failed(error.to_string()))
    }

    /// Whose habit an event belongs to; `None` when it names nobody.
    pub fn group(&self, event: &OktaEvent<'_>) -> Option<String> {
        match self {
            Self::FirstSeen(first) => joined(event, &first.per),
            Self::ReturnsAfter(returns) => joined(event, &returns.per),
            Self::ImpossibleTravel(travel) => joined(event, &travel.per),
        }
    }

    /// How long a habit is of use after its last event, in milliseconds.
    pub fn memory(&self) -> i64 {
        let days = match self {
            Self::FirstSeen(first) => i64::from(first.memory_days.max(first.learning_days)),
            // Whoever stays away for longer is found once, and then unknown.
            Self::ReturnsAfter(returns) => i64::from(returns.days).saturating_mul(4),
            Self::ImpossibleTravel(_) => 30,
        };
        days.saturating_mul(DAY)
    }

    /// Holds an event against a habit, which learns from it.
    pub fn observe(&self, habit: &mut Habit, event: &OktaEvent<'_>, uuid: &str, at: i64) -> Option<Unusual> {
        let is_first = habit.since == 0;
        habit.since = if is_first { at } else { habit.since.min(at) };
        match self {
            Self::FirstSeen(first) => first.observe(habit, event, at),
            Self::ReturnsAfter(returns) => returns.observe(habit, at),
            Self::ImpossibleTravel(travel) => travel.observe(habit, event, uuid, at),
        }
    }
}

impl FirstSeen {
    fn observe(&self, habit: &mut Habit, event: &OktaEvent<'_>, at: i64) -> Option<Unusual> {
        let value = joined(event, &self.fields)?;
        let before = habit.last(&value);
        habit.remember(&value, at);
        let is_fresh = before.is_none_or(|before| at - before > i64::from(self.memory_days) * DAY);
        let is_learned = at - habit.since >= i64::from(self.learning_days) * DAY;
        (is_fresh && is_learned).then(|| {
            let shown = |field: &String| Some((field.clone(), text(event, field)?.into()));
            self.fields.iter().filter_map(shown).collect()
        })
    }
}

impl ReturnsAfter {
    fn observe(&self, habit: &mut Habit, at: i64) -> Option<Unusual> {
        let before = habit.last("");
        habit.remember("", at);
        let away = at - before?;
        (away > i64::from(self.days) * DAY).then(|| vec![("days_away".to_owned(), (away / DAY).into())])
    }
}

impl ImpossibleTravel {
    fn observe(&self, habit: &mut Habit, event: &OktaEvent<'_>, uuid: &str, at: i64) -> Option<Unusual> {
        let coordinate = |name: &str| {
            let field = format!("client.geographicalContext.geolocation.{name}");
            text(event, &field)?
                .parse::<f64>()
                .ok()
                .filter(|degrees| degrees.is_finite())
        };
        let device = self.devices.iter().find_map(|field| text(event, field));
        let point = Point {
            at,
            event: uuid.into(),
            latitude: coordinate("lat")?,
            longitude: coordinate("lon")?,
            device: device.map(String::into_boxed_str),
        };
        if habit.points.iter().any(|known| known.event == point.event) {
            return None;
        }
        let place = habit.points.partition_point(|known| known.at <= at);
        let neighbours = [place.checked_sub(1), Some(place)].into_iter().flatten();
        let unusual = neighbours
            .filter_map(|index| habit.points.get(index))
            .find_map(|other| self.journey(habit, other, &point));
        if let Some(device) = &point.device {
            habit.meet(device, at);
        }
        habit.points.insert(place, point);
        if habit.points.len() > MOST_POINTS {
            habit.points.remove(0);
        }
        unusual
    }

    fn journey(&self, habit: &Habit, one: &Point, other: &Point) -> Option<Unusual> {
        let km = distance_km(one, other);
        let between = SignedDuration::from_millis(other.at - one.at).abs();
        let hours = between.max(SignedDuration::from_secs(1)).as_secs_f64() / 3_600.0;
        let is_known = |point: &Point| {
            point
                .device
                .as_ref()
                .is_some_and(|device| habit.knows(device, point.at))
        };
        if km < self.least_km || km / hours <= self.kmh || (is_known(one) && is_known(other)) {
            return None;
        }
        Some(vec![
            ("km".to_owned(), km.round().into()),
            ("minutes".to_owned(), (hours * 60.0).round().into()),
            ("kmh".to_owned(), (km / hours).round().into()),
            ("other_event".to_owned(), one.event.to_string().into()),
        ])
    }
}

impl Habit {
    fn last(&self, value: &str) -> Option<i64> {
        let known = self.values.iter().find(|(known, _)| &**known == value);
        known.map(|(_, at)| *at)
    }

    fn remember(&mut self, value: &str, at: i64) {
        match self.values.iter_mut().find(|(known, _)| &**known == value) {
            Some((_, last)) => *last = at.max(*last),
            None => self.values.push((value.into(), at)),
        }
        if self.values.len() > MOST_VALUES
            && let Some(oldest) = (0..self.values.len()).min_by_key(|index| self.values[*index].1)
        {
            self.values.remove(oldest);
        }
    }

    fn meet(&mut self, device: &str, at: i64) {
        match self.devices.iter_mut().find(|(known, _)| &**known == device) {
            Some((_, first)) => *first = at.min(*first),
            None => self.devices.push((device.into(), at)),
        }
        let surplus = self.devices.len().saturating_sub(MOST_DEVICES);
        self.devices.drain(..surplus);
    }

    fn knows(&self, device: &str, at: i64) -> bool {
        let known = self.devices.iter().find(|(known, _)| &**known == device);
        known.is_some_and(|(_, first)| at - first >= KNOWN_AFTER)
    }

    /// Drops what was last there before a time. `false` when nothing is left.
    pub fn forget(&mut self, before: i64) -> bool {
        self.values.retain(|(_, last)| *last >= before);
        self.points.retain(|point| point.at >= before);
        !self.values.is_empty() || !self.points.is_empty()
    }
}

/// The great-circle distance on a sphere of the Earth's mean radius.
fn distance_km(one: &Point, other: &Point) -> f64 {
    const RADIUS_KM: f64 = 6_371.0;
    let (a, b) = (one.latitude.to_radians(), other.latitude.to_radians());
    let half_latitude = ((b - a) / 2.0).sin();
    let half_longitude = ((other.longitude - one.longitude).to_radians() / 2.0).sin();
    let chord = half_latitude.mul_add(half_latitude, a.cos() * b.cos() * half_longitude * half_longitude);
    2.0 * RADIUS_KM * chord.sqrt().min(1.0).asin()
}
