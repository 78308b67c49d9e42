//! Findings as objects, one each, under a key that derives from the finding: storing the same finding again changes
//! nothing and is told apart from storing a new one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::civil::Date;

use crate::lake::objects::{decode, encode, keys, read};
use crate::model::finding::{Finding, Status};
use crate::ports::{Error, Kind, Objects, Precondition, Result};
use crate::runtime::directory::People;
use crate::runtime::outbox;

pub const PREFIX: &str = "findings/";

fn key(finding: &Finding) -> String {
    format!("{PREFIX}{}/{}.json", finding.published.strftime("%Y-%m-%d"), finding.id)
}

/// The day (UTC) of the event of a finding, from the key that it is stored under.
pub fn day_of_key(key: &str) -> Option<Date> {
    key.strip_prefix(PREFIX)?.split('/').next()?.parse().ok()
}

/// Findings that wait at most: each holds an event.
const MOST_WAITING: usize = 500;
/// How often somebody else may come first before a change of a finding is given up.
const ATTEMPTS: u32 = 8;

/// What became of findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    pub new: u64,
    /// Known, and grown.
    pub grown: u64,
    /// Known, with all of their events.
    pub known: u64,
}

/// What became of one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    New,
    Grown,
    Known,
}

impl Told {
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::New => self.new += 1,
            Outcome::Grown => self.grown += 1,
            Outcome::Known => self.known += 1,
        }
    }
}

/// Findings on their way to where they are stored. Of those that grow, one write tells.
pub struct Gathered<'a> {
    objects: &'a dyn Objects,
    /// By id.
    waiting: BTreeMap<String, Finding>,
    told: Told,
    /// Who is who, once it is asked for.
    people: Option<People>,
}

impl<'a> Gathered<'a> {
    pub fn new(objects: &'a dyn Objects) -> Self {
        Self {
            objects,
            waiting: BTreeMap::new(),
            told: Told::default(),
            people: None,
        }
    }

    /// Adds a finding; stores all of them when there are many.
    pub async fn add(&mut self, finding: Finding) -> Result<()> {
        match self.waiting.entry(finding.id.clone()) {
            Entry::Occupied(mut known) => known.get_mut().grow(&finding),
            Entry::Vacant(place) => drop(place.insert(finding)),
        }
        if self.waiting.len() >= MOST_WAITING {
            self.store().await?;
        }
        Ok(())
    }

    /// Stores what waits.
    pub async fn store(&mut self) -> Result<()> {
        if !self.waiting.is_empty() && self.people.is_none() {
            // A finding is worth telling without the names of those it is about.
            self.people = Some(People::read(self.objects).await.unwrap_or_else(|error| {
                tracing::warn!("cannot see who is who: {error}");
                People::default()
            }));
        }
        for mut finding in std::mem::take(&mut self.waiting).into_values() {
            if let Some(people) = &self.people {
                finding.who = people.named_by(&finding.event);
            }
            self.told.add(tell(self.objects, finding).await?);
        }
        Ok(())
    }

    /// What became of those that were stored.
    pub fn told(&self) -> Told {
        self.told
    }
}

/// Stores a finding and queues its notification, or grows the one that is there.
///
/// The notification is queued first: a run that dies between the two queues it again, under the same id, when it is
/// repeated, and a finding that is stored has always had its notification queued. One that is opened again is told of again.
pub async fn tell(objects: &dyn Objects, finding: Finding) -> Result<Outcome> {
    let key = key(&finding);
    for _ in 0..ATTEMPTS {
        let (told, version, outcome, is_to_be_told) = match objects.get(&key).await? {
            None => {
                let is_open = finding.status == Status::New;
                (finding.clone(), Precondition::Absent, Outcome::New, is_open)
            }
            Some((bytes, version)) => {
                let stored: Finding = decode(&key, &bytes)?;
                let mut grown = stored.clone();
                grown.grow(&finding);
                if grown == stored {
                    return Ok(Outcome::Known);
                }
                let is_reopened = grown.reopened() > stored.reopened();
                (grown, Precondition::Is(version), Outcome::Grown, is_reopened)
            }
        };
        if is_to_be_told {
            outbox::queue(objects, &told, &key).await?;
        }
        match objects.put(&key, encode(&told)?, version).await {
            Ok(_) => return Ok(outcome),
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(Kind::Conflict, format!("write {key}")))
}

/// The finding that is stored under a key.
pub async fn at(objects: &dyn Objects, key: &str) -> Result<Option<Finding>> {
    read(objects, key).await
}

/// Changes a stored finding; `None` when there is none. `change` may be asked more than once, and says whether it changed
/// anything.
pub async fn change(
    objects: &dyn Objects,
    key: &str,
    change: impl Fn(&mut Finding) -> bool + Send + Sync,
) -> Result<Option<Finding>> {
    for _ in 0..ATTEMPTS {
        let Some((bytes, version)) = objects.get(key).await? else {
            return Ok(None);
        };
        let mut finding: Finding = decode(key, &bytes)?;
        if !change(&mut finding) {
            return Ok(Some(finding));
        }
        match objects.put(key, encode(&finding)?, Precondition::Is(version)).await {
            Ok(_) => return Ok(Some(finding)),
            Err(error) if error.kind == Kind::Conflict => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(Kind::Conflict, format!("write {key}")))
}

/// The keys of the findings whose ids begin so.
pub async fn keys_of(objects: &dyn Objects, id: &str) -> Result<Vec<String>> {
    let is_meant = |key: &String| key.rsplit('/').next().is_some_and(|name| name.starts_with(id));
    Ok(keys(objects, PREFIX).await?.into_iter().filter(is_meant).collect())
}

/// All findings, newest first.
pub async fn all(objects: &dyn Objects) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for key in keys(objects, PREFIX).await? {
        if let Some(finding) = read::<Finding>(objects, &key).await? {
            findings.push(finding);
        }
    }
    findings.sort_by(|a, b| b.published.cmp(&a.published).then_with(|| a.id.cmp(&b.id)));
    Ok(findings)
}
