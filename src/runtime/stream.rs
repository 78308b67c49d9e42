//! The tenant's log stream, as its Okta org tells of it: one that does not send is told of at once, is set going again where Okta
//! itself stopped it, and its outage is written down, so that the gap is filled first.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::lake::objects::{decode, encode};
use crate::model::ledger::Outage;
use crate::model::okta::{LogStream, Org};
use crate::ports::okta::{Act, Ask, LogQuery, Okta};
use crate::ports::{Kind, Objects, Precondition, Result};

const KEY: &str = "okta/stream.json";
/// Outages that are remembered; older ones are filled or past Okta's retention.
const OUTAGES: usize = 100;
/// How far before the last look Okta's own word about the end is looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(2);
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Where no look came before.
const FIRST_LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 30);

/// What earlier looks have seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    /// When the stream was last seen to be active.
    #[serde(default)]
    active: Option<Timestamp>,
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
    /// The outage that goes on, or that this look has ended.
    pub outage: Option<Outage>,
}

/// When the stream did not send, as far as anybody has seen.
pub async fn outages(objects: &dyn Objects) -> Result<Vec<Outage>> {
    Ok(read(objects).await?.0.outages)
}

/// Looks, mends what may be mended, and writes down what was seen. One request where all is well.
pub async fn look(okta: &dyn Okta, objects: &dyn Objects, org: &Org, now: Timestamp) -> Result<Look> {
    let streams = streams(okta).await?;
    let stream = streams.into_iter().find(|stream| stream.sends_to(&org.place));
    let (mut seen, version) = read(objects).await?;
    let before = seen.clone();
    let (condition, outage) = match stream {
        Some(stream) if stream.is_active() => {
            let ended = seen.end(now);
            seen.active = Some(now);
            (Condition::Active, ended)
        }
        Some(stream) => {
            let stop = match seen.outages.last() {
                Some(outage) if outage.to.is_none() => None,
                _ => Some(how_it_stopped(okta, &stream, seen.active, now).await?),
            };
            let is_persons = seen.begin(stop, now);
            let mended = !is_persons && org.reactivates && reactivate(okta, &stream.id).await?;
            let outage = if mended {
                seen.mend(now)
            } else {
                seen.outages.last().cloned()
            };
            (
                if mended {
                    Condition::Reactivated
                } else {
                    Condition::Inactive
                },
                outage,
            )
        }
        None if seen.active.is_none() && seen.outages.is_empty() => (Condition::NeverSeen, None),
        None => {
            let stop = Stopped {
                at: seen.active,
                what: "there is no log stream to this account any more".to_owned(),
                by_person: true,
            };
            let is_open = seen.outages.last().is_some_and(|outage| outage.to.is_none());
            seen.begin((!is_open).then_some(stop), now);
            (Condition::Gone, seen.outages.last().cloned())
        }
    };
    if seen != before {
        objects.put(KEY, encode(&seen)?, version).await?;
    }
    Ok(Look { condition, outage })
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

/// How the stream came to stop.
struct Stopped {
    /// When, as far as that is known.
    at: Option<Timestamp>,
    what: String,
    /// Whether somebody wanted it, who is not to be overruled.
    by_person: bool,
}

impl Seen {
    /// Begins an outage, unless one goes on. Whether somebody wanted the one that goes on now.
    fn begin(&mut self, stop: Option<Stopped>, now: Timestamp) -> bool {
        const WANTED: &str = ", by a person";
        if let Some(stop) = stop {
            let wanted = if stop.by_person { WANTED } else { "" };
            self.outages.push(Outage {
                from: stop.at.or(self.active).unwrap_or(now),
                to: None,
                what: format!("{}{wanted}", stop.what),
                was_reactivated: false,
            });
            let excess = self.outages.len().saturating_sub(OUTAGES);
            self.outages.drain(..excess);
        }
        self.outages.last().is_some_and(|outage| outage.what.ends_with(WANTED))
    }

    /// Ends the outage that goes on.
    fn end(&mut self, now: Timestamp) -> Option<Outage> {
        let outage = self.outages.last_mut().filter(|outage| outage.to.is_none())?;
        outage.to = Some(now);
        Some(outage.clone())
    }

    fn mend(&mut self, now: Timestamp) -> Option<Outage> {
        self.active = Some(now);
        self.end(now)?;
        let outage = self.outages.last_mut()?;
        outage.was_reactivated = true;
        Some(outage.clone())
    }
}

async fn read(objects: &dyn Objects) -> Result<(Seen, Precondition)> {
    match objects.get(KEY).await? {
        Some((bytes, version)) => Ok((decode(KEY, &bytes)?, Precondition::Is(version))),
        None => Ok((Seen::default(), Precondition::Absent)),
    }
}

/// What Okta's own log says of the end: one request.
async fn how_it_stopped(
    okta: &dyn Okta,
    stream: &LogStream,
    active: Option<Timestamp>,
    now: Timestamp,
) -> Result<Stopped> {
    let back = if active.is_some() { LOOK_BACK } else { FIRST_LOOK_BACK };
    let from = active.unwrap_or(now).checked_sub(back).unwrap_or(now);
    let ask = Ask::Events(LogQuery {
        from,
        // Okta's clock may be ahead.
        to: now.saturating_add(SKEW).unwrap_or(now),
        filter: Some(r#"eventType eq "system.log_stream.lifecycle.deactivate""#.to_owned()),
    });
    let page = okta.ask(&ask, None).await?;
    let mut stops = page.items.iter().rev().filter_map(|item| {
        let event: Value = serde_json::from_str(item.get()).ok()?;
        let targets = event.get("target")?.as_array()?;
        targets
            .iter()
            .any(|target| target.get("id").and_then(Value::as_str) == Some(&stream.id))
            .then_some(event)
    });
    let Some(stop) = stops.next() else {
        return Ok(Stopped {
            at: active,
            what: format!("the log stream is {}", stream.status),
            by_person: false,
        });
    };
    let by_person = stop.pointer("/actor/type").and_then(Value::as_str) == Some("User");
    let at = stop.get("published").and_then(Value::as_str);
    Ok(Stopped {
        at: at.and_then(|at| at.parse().ok()),
        what: format!("the log stream is {}: it was deactivated", stream.status),
        by_person,
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
