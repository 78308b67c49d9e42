//! The demo's Okta org on this machine: who works there, what happened of late, and what its log stream lost.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::cli::Failure;
use crate::cli::embedded::Embedded;
use crate::cli::local::Sent;
use crate::cli::tenant::stream::deliver;
use crate::local::org::Thing;
use crate::model::event::Head;
use crate::model::ledger::Hour;
use crate::model::okta::{EVENTBRIDGE, NewLogStream};
use crate::ports::okta::{Act, Okta as _};
use crate::sample::{Generator, Settings, members, stories};

const AT_ONCE: usize = 1_000;
/// Of somebody's newest events so many are lost on their way at the end, so that a refresh has something to fetch.
const NEWEST: usize = 12;
/// The hour in which the stream loses everything is one of so many before the end.
const GAP_WITHIN: SignedDuration = SignedDuration::from_hours(72);

/// What happens in the org, in order.
pub struct Happening {
    /// What the stream brings.
    brought: Vec<String>,
    /// Of an hour in which it lost everything.
    lost: Vec<String>,
    /// What somebody did last, which it loses too.
    newest: Vec<String>,
}

impl Happening {
    /// The events of these settings; those that are lost last are of the user with this login.
    pub fn new(settings: Settings, login: &str) -> Self {
        let of_user = format!("\"alternateId\":\"{login}\"");
        let all: Vec<String> = Generator::new(settings).collect();
        let gap = busiest_hour(&all, &settings);
        let (mut brought, mut lost, mut newest) = (Vec::new(), Vec::new(), Vec::new());
        for event in all.into_iter().rev() {
            if newest.len() < NEWEST && event.contains(&of_user) && !newest.contains(&event) {
                newest.push(event);
            } else if gap.is_some() && hour_of(&event) == gap {
                lost.push(event);
            } else {
                brought.push(event);
            }
        }
        // Some come twice: the other one has not come either.
        brought.retain(|event| !newest.contains(event));
        brought.reverse();
        Self { brought, lost, newest }
    }

    /// Lets people work in the org, makes the log stream, and has it bring what it does.
    pub async fn begin(&self, embedded: &Embedded, settings: &Settings) -> Result<Sent, Failure> {
        let org = &embedded.org;
        for member in members(settings) {
            org.put(Thing::User, &member.id, &member.user).await?;
            org.put(Thing::Device, &member.device_id, &member.device).await?;
            org.put(Thing::Factors, &member.id, &member.factors).await?;
        }
        if let Some(asked) = &embedded.target.okta {
            let stream = NewLogStream {
                kind: EVENTBRIDGE,
                name: format!("Oort {}", embedded.target.environment),
                settings: asked.org.place.clone(),
            };
            org.act(&Act::Create(stream)).await?;
        }
        lose(embedded, &self.lost).await?;
        let mut sent = Sent::default();
        for events in self.brought.chunks(AT_ONCE) {
            org.record(events).await?;
            sent += deliver(embedded).await?;
        }
        Ok(sent)
    }

    /// What the stream has not brought when the demo ends.
    pub async fn end(&self, embedded: &Embedded) -> Result<(), Failure> {
        lose(embedded, &self.newest).await
    }
}

fn hour_of(event: &str) -> Option<Hour> {
    Some(Hour::of(Head::parse(event).ok()?.published))
}

/// Of the last days, the hour with the most events in which nothing happens that the rules are shown by.
fn busiest_hour(events: &[String], settings: &Settings) -> Option<Hour> {
    let since = settings.end.checked_sub(GAP_WITHIN).ok()?;
    let stories = stories(settings);
    let is_quiet = |hour: Hour| {
        stories
            .iter()
            .all(|story| story.end < hour.start() || story.start >= hour.end())
    };
    let mut counts: BTreeMap<Hour, usize> = BTreeMap::new();
    let hours = events.iter().filter_map(|event| hour_of(event));
    for hour in hours.filter(|hour| hour.start() >= since && hour.end() < settings.end && is_quiet(*hour)) {
        *counts.entry(hour).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(hour, _)| hour)
}

async fn lose(embedded: &Embedded, events: &[String]) -> Result<(), Failure> {
    embedded.org.record(events).await?;
    Ok(embedded.org.lose().await?)
}
