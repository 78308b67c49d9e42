//! The tenant's log stream, as its Okta org tells of it: one that does not send is told of at once, is set going again where Okta
//! itself stopped it, and its outage is written down, so that the gap is filled first.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::lake::objects::{decode, encode};
use crate::model::ledger::Outage;
use crate::model::okta::{LogStream, Org};
use crate::ports::okta::{Act, Ask, LogQuery, Okta};
use crate::ports::{Kind, Objects, Precondition, Result, chain};

const KEY: &str = "okta/stream.json";
/// Outages that are remembered; older ones are filled or past Okta's retention.
const OUTAGES: usize = 100;
/// How far Okta's clock may be from ours.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// How far back Okta's own word about the end is looked for where no look came before: as far as it keeps its log.
const FIRST_LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 90);
/// What is said of an outage of which Okta's log tells, and of one that somebody wanted.
const DEACTIVATED: &str = ": it was deactivated";
const WANTED: &str = ", by a person or an application";

/// What earlier looks have seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// When the stream was first seen to be active.
    #[serde(default)]
    began: Option<Timestamp>,
    /// When the stream was last seen to be active.
    #[serde(default)]
    active: Option<Timestamp>,
    /// The beginnings of those outages that the rules were told of.
    #[serde(default)]
    told: Vec<Timestamp>,
    /// In the order of their beginnings.
    #[serde(default)]
    outages: Vec<Outage>,
}

/// What the stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    Active,
    /// It was inactive, and this look has set it going again.
    Reactivated,
    Inactive,
    /// It was there, and is no more.
    Gone,
    /// There never was one, as long as anybody has looked.
    NeverSeen,
}

/// What one look has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub condition: Condition,
    /// Outages of which nobody was told yet.
    pub untold: Vec<Outage>,
    /// When the stream was first seen to be active.
    pub began: Option<Timestamp>,
}

/// When the stream was first seen to be active: what happened before nobody listened to.
pub async fn began(objects: &dyn Objects) -> Result<Option<Timestamp>> {
    let (seen, _) = read(objects).await?;
    Ok(seen.began.or(seen.active))
}

/// When the stream did not send, as far as anybody has seen.
pub async fn outages(objects: &dyn Objects) -> Result<Vec<Outage>> {
    Ok(read(objects).await?.0.outages)
}

/// Looks, mends what may be mended, and writes down what was seen. One request where all is well. An outage is written down
/// before it is mended, so that a run that dies between leaves it to the next to be told of.
pub async fn look(okta: &dyn Okta, objects: &dyn Objects, org: &Org, now: Timestamp) -> Result<Look> {
    let streams = streams(okta).await?;
    let stream = streams.into_iter().find(|stream| stream.sends_to(&org.place));
    let (mut seen, mut version) = read(objects).await?;
    let mut stored = seen.clone();
    let condition = match stream {
        Some(stream) if stream.is_active() => {
            seen.end(now);
            seen.is_active(now);
            Condition::Active
        }
        Some(stream) => {
            let stopped = how_it_stopped(okta, &stream, &seen, now).await;
            seen.stop(&stream, stopped.as_ref(), now);
            let is_mendable = seen.is_oktas() && org.reactivates;
            if is_mendable && seen != stored {
                version = Precondition::Is(objects.put(KEY, encode(&seen)?, version).await?);
                stored = seen.clone();
            }
            if is_mendable && is_set_going(okta, &stream.id).await {
                seen.mend(now);
                Condition::Reactivated
            } else {
                Condition::Inactive
            }
        }
        None if seen.active.is_none() && seen.outages.is_empty() => Condition::NeverSeen,
        None => {
            if seen.open().is_none() {
                let from = seen.active.unwrap_or(now);
                seen.begin(from, format!("there is no log stream to this account any more{WANTED}"));
            }
            Condition::Gone
        }
    };
    if seen != stored {
        objects.put(KEY, encode(&seen)?, version).await?;
    }
    let is_untold = |outage: &&Outage| !seen.told.contains(&outage.from);
    Ok(Look {
        condition,
        untold: seen.outages.iter().filter(is_untold).cloned().collect(),
        began: seen.began.or(seen.active),
    })
}

/// Writes down that the rules were told of these.
pub async fn told(objects: &dyn Objects, outages: &[Outage]) -> Result<()> {
    if outages.is_empty() {
        return Ok(());
    }
    let (mut seen, version) = read(objects).await?;
    let is_known = |from: &Timestamp| seen.outages.iter().any(|outage| outage.from == *from);
    let told = seen
        .told
        .iter()
        .copied()
        .chain(outages.iter().map(|outage| outage.from));
    let told: BTreeSet<Timestamp> = told.filter(is_known).collect();
    seen.told = told.into_iter().collect();
    objects.put(KEY, encode(&seen)?, version).await?;
    Ok(())
}

/// Whether it sends again. That Okta does not do it is no reason to keep the outage back.
async fn is_set_going(okta: &dyn Okta, id: &str) -> bool {
    match reactivate(okta, id).await {
        Ok(sends) => sends,
        Err(error) => {
            tracing::warn!("the log stream could not be set going again: {}", chain(&error));
            false
        }
    }
}

/// Every log stream of the org.
pub async fn streams(okta: &dyn Okta) -> Result<Vec<LogStream>> {
    let (mut streams, mut next) = (Vec::new(), None);
    loop {
        let page = okta.ask(&Ask::LogStreams, next.as_ref()).await?;
        for item in &page.items {
            streams.push(decode("a log stream of Okta's", item.get().as_bytes())?);
        }
        next = page.next;
        if next.is_none() {
            return Ok(streams);
        }
    }
}

/// The event that tells the rules of an outage. Each outage makes the same one, however often it is looked at.
pub fn event(outage: &Outage) -> String {
    json!({
        "uuid": format!("outage-{}", outage.from.as_millisecond()),
        "published": outage.from.to_string(),
        "eventType": "oort.stream.inactive",
        "version": "0",
        "severity": "ERROR",
        "displayMessage": outage.what,
        "actor": {"id": "oort", "type": "SystemPrincipal", "alternateId": "oort", "displayName": "Oort"},
        "outcome": {"result": "FAILURE", "reason": outage.what},
        "target": [],
        "oort": {"wasReactivated": outage.was_reactivated},
    })
    .to_string()
}

/// How the stream came to stop, by Okta's own log.
struct Stopped {
    at: Option<Timestamp>,
    /// Whether somebody wanted it, who is not to be overruled. Okta itself acts as a `SystemPrincipal`.
    was_wanted: bool,
}

impl Seen {
    fn is_active(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
        self.active = Some(now);
    }

    /// The outage that goes on.
    fn open(&mut self) -> Option<&mut Outage> {
        self.outages.last_mut().filter(|outage| outage.to.is_none())
    }

    /// Whether the outage that goes on is known to be Okta's doing.
    fn is_oktas(&self) -> bool {
        let last = self.outages.last().filter(|outage| outage.to.is_none());
        last.is_some_and(|outage| outage.what.ends_with(DEACTIVATED))
    }

    fn is_explained(&self) -> bool {
        let last = self.outages.last().filter(|outage| outage.to.is_none());
        last.is_some_and(|outage| outage.what.contains(DEACTIVATED))
    }

    /// The stream does not send. What Okta's log says of it may come later than it is seen.
    fn stop(&mut self, stream: &LogStream, stopped: Option<&Stopped>, now: Timestamp) {
        let what = match stopped {
            None => format!("the log stream is {}", stream.status),
            Some(stopped) => {
                let wanted = if stopped.was_wanted { WANTED } else { "" };
                format!("the log stream is {}{DEACTIVATED}{wanted}", stream.status)
            }
        };
        let from = stopped.and_then(|stopped| stopped.at).or(self.active).unwrap_or(now);
        match self.open() {
            None => self.begin(from, what),
            Some(outage) if stopped.is_some() => outage.what = what,
            Some(_) => {}
        }
    }

    fn begin(&mut self, from: Timestamp, what: String) {
        self.outages.push(Outage {
            from,
            to: None,
            what,
            was_reactivated: false,
        });
        let excess = self.outages.len().saturating_sub(OUTAGES);
        self.outages.drain(..excess);
    }

    /// Ends the outage that goes on.
    fn end(&mut self, now: Timestamp) {
        if let Some(outage) = self.open() {
            outage.to = Some(now);
        }
    }

    fn mend(&mut self, now: Timestamp) {
        if let Some(outage) = self.open() {
            outage.was_reactivated = true;
        }
        self.end(now);
        self.is_active(now);
    }
}

async fn read(objects: &dyn Objects) -> Result<(Seen, Precondition)> {
    match objects.get(KEY).await? {
        Some((bytes, version)) => Ok((decode(KEY, &bytes)?, Precondition::Is(version))),
        None => Ok((Seen::default(), Precondition::Absent)),
    }
}

/// What Okta's own log says of the end that came last; `None` where it says nothing, or cannot be read. It is asked until it says
/// something.
async fn how_it_stopped(okta: &dyn Okta, stream: &LogStream, seen: &Seen, now: Timestamp) -> Option<Stopped> {
    if seen.is_explained() {
        return None;
    }
    let first = || now.checked_sub(FIRST_LOOK_BACK).ok();
    let since = seen.active.and_then(|active| active.checked_sub(SKEW).ok());
    let ask = Ask::Events(LogQuery {
        from: since.or_else(first).unwrap_or(now),
        // Okta's clock may be ahead.
        to: now.saturating_add(SKEW).unwrap_or(now),
        filter: Some(r#"eventType eq "system.log_stream.lifecycle.deactivate""#.to_owned()),
    });
    let (mut next, mut last) = (None, None);
    loop {
        let page = match okta.ask(&ask, next.as_ref()).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!("cannot see how the log stream stopped: {}", chain(&error));
                return None;
            }
        };
        let stops = page.items.iter().filter_map(|item| stopped(item.get(), &stream.id));
        let mut stops = stops;
        last = stops.next_back().or(last);
        next = page.next;
        if next.is_none() {
            return last;
        }
    }
}

/// What an event says of the end of a stream; `None` for another stream's.
fn stopped(event: &str, stream: &str) -> Option<Stopped> {
    let event: Value = serde_json::from_str(event).ok()?;
    let mut targets = event.get("target")?.as_array()?.iter();
    targets.find(|target| target.get("id").and_then(Value::as_str) == Some(stream))?;
    let at = event.get("published").and_then(Value::as_str);
    Some(Stopped {
        at: at.and_then(|at| at.parse().ok()),
        was_wanted: event.pointer("/actor/type").and_then(Value::as_str) != Some("SystemPrincipal"),
    })
}

/// Whether it sends again; `false` where the token may not do that.
pub async fn reactivate(okta: &dyn Okta, id: &str) -> Result<bool> {
    match okta.act(&Act::Activate(id.to_owned())).await {
        Ok(stream) => Ok(stream.is_none_or(|stream| stream.is_active())),
        Err(error) if error.kind == Kind::Denied => Ok(false),
        Err(error) => Err(error),
    }
}
