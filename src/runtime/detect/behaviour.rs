//! What Sigma cannot say of a user's habits: a value that was never there, somebody who comes back after long, and journeys
//! that nobody can make. A rule says it with a key of its own beside its `detection`. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::OktaEvent;
use super::correlation::{joined, text};
use super::habits::{EventId, Habit, Habits, Hash, Point, Travels, seconds};
use super::volume::Volume;

const DAY: i64 = 86_400_000;

/// A habit that a rule's events are held against.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Behaviour {
    FirstSeen(FirstSeen),
    ReturnsAfter(ReturnsAfter),
    ImpossibleTravel(ImpossibleTravel),
    UnusualVolume(UnusualVolume),
}

/// The keys by which a rule names a behaviour.
const KEYS: [&str; 4] = ["first_seen", "returns_after", "impossible_travel", "unusual_volume"];

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

/// Far more events on one day than whoever it is usually has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnusualVolume {
    /// Whose events; the tenant's when it is empty.
    #[serde(default)]
    pub per: Vec<String>,
    /// Above the median of the days before by so many times their spread (a robust standard deviation).
    pub spreads: f64,
    /// Fewer events on a day are never many.
    pub least: u32,
    /// Before there were so many days with events, whatever comes is only learned.
    pub learning_days: u32,
    /// Days that the usual is taken from.
    pub memory_days: u32,
}

/// A device is known a day after it was first seen.
const KNOWN_AFTER: u32 = 86_400;

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
            Self::UnusualVolume(volume) => joined(event, &volume.per),
        }
    }

    /// How long a habit is of use after its last event, in milliseconds.
    pub fn memory(&self) -> i64 {
        let days = match self {
            Self::FirstSeen(first) => i64::from(first.memory_days.max(first.learning_days)),
            // Whoever stays away for longer is found once, and then unknown.
            Self::ReturnsAfter(returns) => i64::from(returns.days).saturating_mul(4),
            Self::ImpossibleTravel(_) => 30,
            Self::UnusualVolume(volume) => i64::from(volume.memory_days),
        };
        days.saturating_mul(DAY)
    }

    /// Holds an event of a group against the habits of rule `id`, which learn from it. `at` is in milliseconds since 1970.
    pub fn observe(
        &self,
        (id, group): (&str, &str),
        habits: &mut Habits,
        event: &OktaEvent<'_>,
        (uuid, at): (&str, i64),
    ) -> Option<Unusual> {
        let at = seconds(at);
        match self {
            Self::FirstSeen(first) => first.observe(habits.habit(id, group), event, at),
            Self::ReturnsAfter(returns) => returns.observe(habits.habit(id, group), at),
            Self::ImpossibleTravel(travel) => travel.observe(habits.travels(id, group), event, uuid, at),
            Self::UnusualVolume(volume) => volume.observe(habits.volume(id, group), uuid, at),
        }
    }
}

fn in_seconds(days: u32) -> u32 {
    days.saturating_mul(86_400)
}

impl FirstSeen {
    fn observe(&self, mut habit: Habit<'_>, event: &OktaEvent<'_>, at: u32) -> Option<Unusual> {
        let since = habit.since(at);
        let value = Hash::of(&joined(event, &self.fields)?);
        let before = habit.last(value);
        habit.remember(value, at);
        let is_fresh = before.is_none_or(|before| at.saturating_sub(before) > in_seconds(self.memory_days));
        let is_learned = at - since >= in_seconds(self.learning_days);
        (is_fresh && is_learned).then(|| {
            let shown = |field: &String| Some((field.clone(), text(event, field)?.into()));
            self.fields.iter().filter_map(shown).collect()
        })
    }
}

impl ReturnsAfter {
    fn observe(&self, mut habit: Habit<'_>, at: u32) -> Option<Unusual> {
        let any = Hash::of("");
        let before = habit.last(any);
        habit.remember(any, at);
        let away = at.saturating_sub(before?);
        (away > in_seconds(self.days)).then(|| vec![("days_away".to_owned(), (away / 86_400).into())])
    }
}

impl UnusualVolume {
    fn observe(&self, volume: &mut Volume, uuid: &str, at: u32) -> Option<Unusual> {
        let (count, usual) = volume.count(uuid, at);
        // A spread of nothing would make one event more than usual an alarm.
        let spread = usual.spread.max(usual.median / 10.0).max(1.0);
        let limit = spread.mul_add(self.spreads, usual.median);
        let is_many = count >= self.least && f64::from(count) > limit;
        (is_many && usual.days >= self.learning_days as usize).then(|| {
            vec![
                ("events_of_the_day".to_owned(), count.into()),
                ("usual".to_owned(), usual.median.round().into()),
            ]
        })
    }
}

impl ImpossibleTravel {
    fn observe(&self, travels: &mut Travels, event: &OktaEvent<'_>, uuid: &str, at: u32) -> Option<Unusual> {
        let coordinate = |name: &str| {
            let field = format!("client.geographicalContext.geolocation.{name}");
            let degrees = text(event, &field)?.parse::<f32>().ok();
            degrees.filter(|degrees| degrees.is_finite())
        };
        let device = self.devices.iter().find_map(|field| text(event, field));
        let point = Point {
            at,
            event: EventId::of(uuid),
            latitude: coordinate("lat")?,
            longitude: coordinate("lon")?,
            device: device.as_deref().map(Hash::of),
        };
        let place = travels.place(&point)?;
        let neighbours = [place.checked_sub(1), Some(place)].into_iter().flatten();
        let unusual = neighbours
            .filter_map(|index| travels.points.get(index))
            .find_map(|other| self.journey(travels, other, &point));
        travels.insert(place, point);
        unusual
    }

    fn journey(&self, travels: &Travels, one: &Point, other: &Point) -> Option<Unusual> {
        let km = distance_km(one, other);
        let hours = f64::from(other.at.abs_diff(one.at).max(1)) / 3_600.0;
        let is_known = |point: &Point| {
            let met = point.device.and_then(|device| travels.met(device));
            met.is_some_and(|first| point.at.saturating_sub(first) >= KNOWN_AFTER)
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

/// The great-circle distance on a sphere of the Earth's mean radius.
fn distance_km(one: &Point, other: &Point) -> f64 {
    const RADIUS_KM: f64 = 6_371.0;
    let (a, b) = (
        f64::from(one.latitude).to_radians(),
        f64::from(other.latitude).to_radians(),
    );
    let half_latitude = ((b - a) / 2.0).sin();
    let half_longitude = (f64::from(other.longitude - one.longitude).to_radians() / 2.0).sin();
    let chord = half_latitude.mul_add(half_latitude, a.cos() * b.cos() * half_longitude * half_longitude);
    2.0 * RADIUS_KM * chord.sqrt().min(1.0).asin()
}
