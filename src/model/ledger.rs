//! What came in by the hour, and how it compares with Okta's System Log: the vocabulary of gaps, and which hours are to be
//! compared next. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const SECONDS: i64 = 3_600;

/// An hour (UTC), by the time at which its events were published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(i64);

impl Hour {
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(SECONDS))
    }

    /// The moment at which it begins, and at which the hour before it ends.
    pub fn start(self) -> Timestamp {
        // Hours are made of times, so that they are within the range of times.
        Timestamp::from_second(self.0.saturating_mul(SECONDS)).unwrap_or(Timestamp::MAX)
    }

    pub fn end(self) -> Timestamp {
        self.next().start()
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// From this hour on, the earlier ones.
    fn downwards(self) -> impl Iterator<Item = Self> {
        (0..).map(move |back| Self(self.0 - back))
    }
}

/// As in `2026-11-24T13`.
impl fmt::Display for Hour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.start().strftime("%Y-%m-%dT%H"))
    }
}

impl FromStr for Hour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let start: Timestamp = format!("{text}:00:00Z")
            .parse()
            .map_err(|_| format!("{text:?} is no hour, as in 2026-11-24T13"))?;
        Ok(Self::of(start))
    }
}

impl Serialize for Hour {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hour {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An event's `uuid` in 16 bytes: itself where it is one, otherwise what its SHA-256 begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId([u8; 16]);

impl EventId {
    pub fn of(uuid: &str) -> Self {
        // Other ways to write a UUID are other names of Okta's.
        let is_plain = uuid.len() == 36 && !uuid.bytes().any(|byte| byte.is_ascii_uppercase());
        match uuid::Uuid::try_parse(uuid) {
            Ok(id) if is_plain => Self(*id.as_bytes()),
            _ => {
                let mut first = [0; 16];
                first.copy_from_slice(&Sha256::digest(uuid.as_bytes())[..16]);
                Self(first)
            }
        }
    }
}

/// The events of an hour that are here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Brought by the stream; in order, each once.
    streamed: Vec<EventId>,
    /// Fetched from the System Log API; in order, each once. The stream may have brought some of them later.
    fetched: Vec<EventId>,
}

impl Received {
    /// Adds events; whether any was new.
    pub fn add(&mut self, streamed: &[EventId], fetched: &[EventId]) -> bool {
        let before = (self.streamed.len(), self.fetched.len());
        for (list, new) in [(&mut self.streamed, streamed), (&mut self.fetched, fetched)] {
            if !new.is_empty() {
                list.extend_from_slice(new);
                list.sort_unstable();
                list.dedup();
            }
        }
        before != (self.streamed.len(), self.fetched.len())
    }

    pub fn contains(&self, id: EventId) -> bool {
        self.streamed.binary_search(&id).is_ok() || self.fetched.binary_search(&id).is_ok()
    }

    pub fn counts(&self) -> (u64, u64) {
        let late = |id: &&EventId| self.streamed.binary_search(id).is_ok();
        let filled = self.fetched.len() - self.fetched.iter().filter(late).count();
        (self.streamed.len() as u64, filled as u64)
    }
}

/// What is known of an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct HourState {
    /// Events that the stream brought.
    pub received: u64,
    /// Events that the stream did not bring and that were fetched.
    pub filled: u64,
    /// Events that the System Log had; `None` before it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// When it was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Timestamp>,
}

impl HourState {
    /// Events that Okta has and that are not here.
    pub fn missing(&self) -> Option<u64> {
        Some(self.expected?.saturating_sub(self.received + self.filled))
    }
}

/// A time in which the log stream did not send. It may go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Outage {
    pub from: Timestamp,
    /// When it sent again; `None` while it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// What was seen, as in `the log stream is INACTIVE`.
    pub what: String,
    /// Whether the product itself set the stream going again.
    #[serde(default)]
    pub was_reactivated: bool,
}

impl Outage {
    fn concerns(&self, hour: Hour) -> bool {
        self.from < hour.end() && self.to.is_none_or(|to| to >= hour.start())
    }
}

/// An hour is compared as soon as it is over for so long: what is still under way is not taken for lost.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(60);
/// And once more after so long, for good: Okta stores some events late.
const SETTLES: SignedDuration = SignedDuration::from_hours(8);

/// Which hours are to be compared, the first first: those of known outages before others, and of each the newest first.
///
/// `days` is how far back Okta's log is looked at. An hour is compared twice at most, however often this is asked.
pub fn due(now: Timestamp, days: u32, hours: &BTreeMap<Hour, HourState>, outages: &[Outage]) -> Vec<Hour> {
    let Ok(newest) = now.checked_sub(UNDER_WAY) else {
        return Vec::new();
    };
    let oldest = now
        .checked_sub(SignedDuration::from_hours(i64::from(days) * 24))
        .map_or(Hour::of(Timestamp::MIN), Hour::of);
    let is_due = |hour: &Hour| match hours.get(hour).and_then(|state| state.checked) {
        None => true,
        Some(checked) => {
            let settled = hour.end().saturating_add(SETTLES).unwrap_or(Timestamp::MAX);
            checked < settled && settled <= now
        }
    };
    let all = Hour::of(newest)
        .downwards()
        .skip(1)
        // What has just gone past Okta's retention cannot be asked for whole.
        .take_while(|hour| *hour > oldest)
        .filter(is_due);
    let (mut first, rest): (Vec<Hour>, Vec<Hour>) = all.partition(|hour| outages.iter().any(|one| one.concerns(*hour)));
    first.extend(rest);
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn hour(text: &str) -> Hour {
        text.parse().unwrap()
    }

    #[test]
    fn an_hour_is_a_text_and_back() {
        let one = Hour::of(at("2026-11-24T13:59:59.999Z"));
        assert_eq!(one.to_string(), "2026-11-24T13");
        assert_eq!(hour("2026-11-24T13"), one);
        assert_eq!(one.end(), at("2026-11-24T14:00:00Z"));
        assert_eq!(Hour::of(at("1969-12-31T23:30:00Z")).to_string(), "1969-12-31T23");
        assert!("2026-11-24".parse::<Hour>().is_err());
    }

    #[test]
    fn an_event_that_came_late_was_not_filled() {
        let ids: Vec<EventId> = ["a", "b", "c"].map(EventId::of).to_vec();
        let mut received = Received::default();
        assert!(received.add(&ids[..1], &ids[1..]));
        assert_eq!(received.counts(), (1, 2));
        assert!(received.add(&ids[1..2], &[]));
        assert!(!received.add(&ids[..2], &ids[1..]));
        assert_eq!(received.counts(), (2, 1));
        assert!(ids.iter().all(|id| received.contains(*id)) && !received.contains(EventId::of("d")));
    }

    #[test]
    fn a_uuid_is_one_event_however_it_is_written() {
        let plain = "c51ae08b-3727-4581-be57-821b6396e022";
        let all = [
            plain,
            "C51AE08B-3727-4581-BE57-821B6396E022",
            "c51ae08b37274581be57821b6396e022",
            "",
            "x",
        ];
        let ids: std::collections::BTreeSet<EventId> = all.into_iter().map(EventId::of).collect();
        assert_eq!(ids.len(), all.len());
    }

    #[test]
    fn outages_come_first_and_then_the_newest() {
        let now = at("2026-11-24T13:20:00Z");
        let outage = Outage {
            from: at("2026-11-23T20:10:00Z"),
            to: Some(at("2026-11-23T21:30:00Z")),
            what: String::new(),
            was_reactivated: false,
        };
        let all = due(now, 1, &BTreeMap::new(), &[outage]);
        assert_eq!(
            all[..4],
            ["2026-11-23T21", "2026-11-23T20", "2026-11-24T11", "2026-11-24T10"].map(hour)
        );
        assert_eq!(all.last(), Some(&hour("2026-11-23T14")));
        assert_eq!(all.len(), 22);
    }

    proptest! {
        /// Whenever somebody looks, an hour is compared once soon and once when it has settled.
        #[test]
        fn every_hour_is_compared_twice_at_most(pauses in prop::collection::vec(1_i64..2_000, 1..80)) {
            let mut now = at("2026-11-24T00:00:00Z");
            let mut hours = BTreeMap::new();
            let mut compared: BTreeMap<Hour, u32> = BTreeMap::new();
            for minutes in pauses {
                now += SignedDuration::from_mins(minutes);
                for hour in due(now, 3, &hours, &[]) {
                    prop_assert!(hour.end() + UNDER_WAY <= now);
                    *compared.entry(hour).or_default() += 1;
                    hours.insert(hour, HourState { checked: Some(now), ..HourState::default() });
                }
                prop_assert!(due(now, 3, &hours, &[]).is_empty());
            }
            prop_assert!(compared.values().all(|times| *times <= 2));
        }
    }
}
