//! What came in, by the hour: which events each hour has, and what comparing it with Okta's System Log has shown. It follows the
//! log of segments, whoever wrote them.
//!
//! An hour's events are one object, a set, so that adding them again changes nothing. All the rest is one object, written by
//! compare-and-swap after the sets that it counts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::lake::objects::{decode, encode};
use crate::lake::segment;
use crate::model::event::{Arrival, Head, detail};
use crate::model::ledger::{EventId, Hour, HourState, Outage, Received};
use crate::ports::{Error, Kind, Objects, Precondition, Result};
use crate::runtime::stream;

const KEY: &str = "ledger/state.json";
const HOURS: &str = "ledger/hours/";
/// Events that are collected before they are written: 16 bytes each.
const COLLECTED: usize = 1_000_000;
/// Hours that are kept; Okta keeps its log for 90 days.
const KEPT_HOURS: usize = 100 * 24;

/// What is known of all hours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The first segment whose events are not in it.
    pub next_segment: u64,
    /// When the oldest event of the first that the stream brought was published: what Okta has from before is history.
    #[serde(default)]
    pub began: Option<Timestamp>,
    #[serde(default)]
    pub hours: BTreeMap<Hour, HourState>,
}

/// What came, hour by hour, and what Okta has of it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct Gaps {
    /// Oldest first.
    pub hours: Vec<GapHour>,
    pub outages: Vec<Outage>,
}

/// One hour.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct GapHour {
    #[cfg_attr(feature = "deploy", schemars(with = "String"))]
    pub hour: Hour,
    #[serde(flatten)]
    pub state: HourState,
    /// Events that Okta has and that are not here; `None` before it was asked.
    pub missing: Option<u64>,
}

impl GapHour {
    /// Whether something was missing, or still is.
    pub fn is_gap(&self) -> bool {
        self.state.filled > 0 || self.missing.is_some_and(|missing| missing > 0)
    }
}

/// The last hours, so many with the one that goes on, and every outage that is known.
pub async fn gaps(objects: &dyn Objects, now: Timestamp, hours: u32) -> Result<Gaps> {
    let known = state(objects).await?.hours;
    let back = SignedDuration::from_hours(i64::from(hours.saturating_sub(1)));
    let first = Hour::of(now.checked_sub(back).unwrap_or(Timestamp::MIN));
    let all = std::iter::successors(Some(first), |hour| Some(hour.next()));
    let hours = all.take_while(|hour| hour.start() <= now).map(|hour| {
        let state = known.get(&hour).copied().unwrap_or_default();
        GapHour {
            hour,
            missing: state.missing(),
            state,
        }
    });
    Ok(Gaps {
        hours: hours.collect(),
        outages: stream::outages(objects).await?,
    })
}

/// The ledger, as one run at a time writes it.
pub struct Ledger<'a> {
    objects: &'a dyn Objects,
    pub state: State,
    version: Precondition,
}

/// New events of some hours: what the stream brought and what was fetched.
type Arrived = BTreeMap<Hour, (Vec<EventId>, Vec<EventId>)>;

/// What is known of all hours, for who only reads.
pub async fn state(objects: &dyn Objects) -> Result<State> {
    Ok(Ledger::open(objects).await?.state)
}

impl<'a> Ledger<'a> {
    pub async fn open(objects: &'a dyn Objects) -> Result<Self> {
        let (state, version) = match objects.get(KEY).await? {
            Some((bytes, version)) => (decode(KEY, &bytes)?, Precondition::Is(version)),
            None => (State::default(), Precondition::Absent),
        };
        Ok(Self {
            objects,
            state,
            version,
        })
    }

    /// Takes in every segment that has landed since. [`Kind::Conflict`] when another run did so meanwhile.
    pub async fn follow(&mut self) -> Result<()> {
        // Retention takes segments from the front.
        let first = segment::start(self.objects).await?;
        let from = self.state.next_segment.max(first);
        let end = segment::end(self.objects, from).await?;
        let (mut arrived, mut collected) = (Arrived::new(), 0);
        let (mut began, began_before) = (None::<Timestamp>, self.state.began);
        for number in from..end {
            let mut lines = segment::Lines::open(self.objects, number).await?;
            while let Some(line) = lines.next_line()? {
                // A line that cannot be read is set aside by the compaction.
                let Some(Ok(head)) = detail(line).map(Head::parse) else {
                    continue;
                };
                let (streamed, fetched) = arrived.entry(Hour::of(head.published)).or_default();
                if Arrival::of(line) == Arrival::Streamed {
                    streamed.push(EventId::of(&head.uuid));
                    began = Some(began.map_or(head.published, |at| at.min(head.published)));
                } else {
                    fetched.push(EventId::of(&head.uuid));
                }
                collected += 1;
            }
            if collected >= COLLECTED {
                self.add(std::mem::take(&mut arrived)).await?;
                collected = 0;
            }
        }
        self.add(arrived).await?;
        // What comes late afterwards moves no beginning.
        self.state.began = began_before.or(began);
        if end > self.state.next_segment {
            self.state.next_segment = end;
            self.save().await?;
        }
        Ok(())
    }

    async fn add(&mut self, arrived: Arrived) -> Result<()> {
        for (hour, (streamed, fetched)) in arrived {
            self.receive(hour, &streamed, &fetched).await?;
        }
        Ok(())
    }

    /// Adds events to an hour and counts it. The count is written with [`Self::save`].
    pub async fn receive(&mut self, hour: Hour, streamed: &[EventId], fetched: &[EventId]) -> Result<()> {
        let (mut received, version) = read(self.objects, hour).await?;
        if received.add(streamed, fetched) {
            let bytes = postcard::to_stdvec(&received)
                .map_err(|error| Error::caused(Kind::Invalid, format!("write {}", key(hour)), error))?;
            self.objects.put(&key(hour), bytes, version).await?;
        }
        let state = self.state.hours.entry(hour).or_default();
        (state.received, state.filled) = received.counts();
        Ok(())
    }

    /// The events of an hour that are here.
    pub async fn received(&self, hour: Hour) -> Result<Received> {
        Ok(read(self.objects, hour).await?.0)
    }

    pub async fn save(&mut self) -> Result<()> {
        while self.state.hours.len() > KEPT_HOURS {
            self.state.hours.pop_first();
        }
        let version = self
            .objects
            .put(KEY, encode(&self.state)?, self.version.clone())
            .await?;
        self.version = Precondition::Is(version);
        Ok(())
    }
}

fn key(hour: Hour) -> String {
    format!("{HOURS}{hour}")
}

async fn read(objects: &dyn Objects, hour: Hour) -> Result<(Received, Precondition)> {
    let key = key(hour);
    let Some((bytes, version)) = objects.get(&key).await? else {
        return Ok((Received::default(), Precondition::Absent));
    };
    let received =
        postcard::from_bytes(&bytes).map_err(|error| Error::caused(Kind::Invalid, format!("read {key}"), error))?;
    Ok((received, Precondition::Is(version)))
}

/// The keys of what is kept of hours before a day, for retention.
pub async fn keys_before(objects: &dyn Objects, day: Date) -> Result<Vec<String>> {
    let end = format!("{HOURS}{day}");
    let keys = crate::lake::objects::keys(objects, HOURS).await?;
    Ok(keys.into_iter().filter(|key| *key < end).collect())
}
