//! A tenant's findings without their events, so that all of them fit in memory: what lists and counts are made of.

use std::collections::{BTreeMap, HashMap};

use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::lake::objects::keys;
use crate::model::finding::{Finding, Severity, Status};
use crate::ports::{Objects, Result};
use crate::runtime::findings::{self, day_of_key};

/// Objects that are read at once.
const AT_ONCE: usize = 32;
/// Findings of so many days may grow; older ones are read again only now and then, for what somebody has said of them elsewhere.
const GROWING: SignedDuration = SignedDuration::from_hours(3 * 24);
const ALL_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// So much of an ID tells one finding from others.
pub const LEAST_OF_ID: usize = 8;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Known {
    pub id: String,
    #[serde(skip)]
    pub key: String,
    pub published: Timestamp,
    pub severity: Severity,
    pub title: String,
    pub rule_id: String,
    pub entity: String,
    /// The Okta ID of the user whom it is about; empty when it is about none.
    pub user_id: String,
    /// That user's name, as the directory has it.
    pub person: Option<String>,
    pub count: u64,
    pub status: Status,
    pub muted_until: Option<Timestamp>,
    /// Where it stands when its mute has ended.
    #[serde(skip)]
    pub afterwards: Status,
}

impl Known {
    fn of(key: &str, finding: &Finding) -> Self {
        let episode = finding.episode.as_ref();
        let user_id = user_of(&finding.event);
        let person = finding.who.iter().find(|person| person.id == user_id);
        Self {
            id: finding.id.clone(),
            key: key.to_owned(),
            published: finding.published,
            severity: finding.matched.severity,
            title: finding.matched.title.clone(),
            rule_id: finding.matched.rule_id.clone(),
            entity: episode.map_or(&finding.actor, |episode| &episode.entity).clone(),
            person: person.map(|person| person.name.clone()).filter(|name| !name.is_empty()),
            user_id,
            count: episode.map_or(1, |episode| episode.count),
            status: finding.status,
            muted_until: finding.muted_until(),
            afterwards: finding.stands(Timestamp::MAX),
        }
    }

    /// Where it stands now: a mute may have ended.
    pub fn stands(&self, now: Timestamp) -> Status {
        match self.muted_until {
            Some(until) if until <= now => self.afterwards,
            _ => self.status,
        }
    }

    /// Whether somebody should look into it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.stands(now), Status::New | Status::Notified)
    }
}

/// Whom an event is about: the actor where that is a user, otherwise the first target that is one; empty for nobody.
pub fn user_of(event: &serde_json::Value) -> String {
    let targets = event.get("target").and_then(|target| target.as_array());
    let parties = event.get("actor").into_iter().chain(targets.into_iter().flatten());
    let is_user = |party: &&serde_json::Value| party.get("type").and_then(|kind| kind.as_str()) == Some("User");
    let id = |party: &serde_json::Value| Some(party.get("id")?.as_str()?.to_owned());
    parties.filter(is_user).find_map(id).unwrap_or_default()
}

/// What of a user's findings matters at a glance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Risk {
    /// Open findings.
    pub open: u64,
    pub gravest: Option<Severity>,
    pub level: Level,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    #[default]
    None,
    Low,
    Medium,
    High,
}

impl Risk {
    fn add(&mut self, severity: Severity) {
        self.open += 1;
        self.gravest = self.gravest.max(Some(severity));
        let level = match severity {
            Severity::Informational | Severity::Low => Level::Low,
            Severity::Medium => Level::Medium,
            Severity::High | Severity::Critical => Level::High,
        };
        self.level = self.level.max(level);
    }
}

/// Findings of the last days count for a user's risk.
const RECENT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// All of a tenant's findings.
#[derive(Debug, Default)]
pub struct Index {
    /// Newest first.
    pub all: Vec<Known>,
    by_key: HashMap<String, usize>,
    read_at_all: Option<Timestamp>,
}

impl Index {
    /// Reads what is new and what may have changed since an earlier reading.
    pub async fn read(objects: &dyn Objects, before: Option<&Self>, now: Timestamp) -> Result<Self> {
        let keys = keys(objects, findings::PREFIX).await?;
        let read_at_all = before.and_then(|before| before.read_at_all);
        let is_all = read_at_all.is_none_or(|at| now.duration_since(at) >= ALL_AFTER);
        let settled = now
            .saturating_sub(GROWING)
            .unwrap_or(now)
            .strftime("%Y-%m-%d")
            .to_string();
        let settled: Option<jiff::civil::Date> = settled.parse().ok();
        let known = |key: &String| {
            let known = before.and_then(|before| before.by_key(key))?;
            let is_settled = day_of_key(key).zip(settled).is_some_and(|(day, settled)| day < settled);
            (is_settled && !is_all).then(|| known.clone())
        };
        let (mut all, mut to_read) = (Vec::with_capacity(keys.len()), Vec::new());
        for key in keys {
            match known(&key) {
                Some(known) => all.push(known),
                None => to_read.push(key),
            }
        }
        let read = |key: String| async move {
            let finding = findings::at(objects, &key).await?;
            Ok::<_, crate::ports::Error>(finding.map(|finding| Known::of(&key, &finding)))
        };
        let mut read = futures::stream::iter(to_read.into_iter().map(read)).buffer_unordered(AT_ONCE);
        while let Some(known) = read.next().await {
            // One that retention has just taken is no more.
            all.extend(known?);
        }
        all.sort_by(|a, b| b.published.cmp(&a.published).then_with(|| a.id.cmp(&b.id)));
        let by_key = all
            .iter()
            .enumerate()
            .map(|(place, known)| (known.key.clone(), place))
            .collect();
        Ok(Self {
            all,
            by_key,
            read_at_all: if is_all { Some(now) } else { read_at_all },
        })
    }

    /// The same with a finding as it is now.
    pub fn with(&self, key: &str, finding: &Finding) -> Self {
        let mut index = Self {
            all: self.all.clone(),
            by_key: self.by_key.clone(),
            read_at_all: self.read_at_all,
        };
        if let Some(place) = index.by_key.get(key) {
            index.all[*place] = Known::of(key, finding);
        }
        index
    }

    fn by_key(&self, key: &str) -> Option<&Known> {
        self.all.get(*self.by_key.get(key)?)
    }

    /// The only finding whose id begins so.
    pub fn by_id(&self, id: &str) -> Option<&Known> {
        let is_long = id.len() >= LEAST_OF_ID;
        let mut meant = self.all.iter().filter(|known| is_long && known.id.starts_with(id));
        meant.next().filter(|_| meant.next().is_none())
    }

    pub fn open(&self, now: Timestamp) -> impl Iterator<Item = &Known> {
        self.all.iter().filter(move |known| known.is_open(now))
    }

    /// By Okta ID.
    pub fn risks(&self, now: Timestamp) -> BTreeMap<&str, Risk> {
        let mut risks: BTreeMap<&str, Risk> = BTreeMap::new();
        let recent = self
            .open(now)
            .filter(|known| now.duration_since(known.published) <= RECENT);
        for known in recent.filter(|known| !known.user_id.is_empty()) {
            risks.entry(&known.user_id).or_default().add(known.severity);
        }
        risks
    }

    /// How often each rule has fired of late, and when last.
    pub fn fired(&self, now: Timestamp) -> BTreeMap<&str, (u64, Timestamp)> {
        let mut fired: BTreeMap<&str, (u64, Timestamp)> = BTreeMap::new();
        for known in self
            .all
            .iter()
            .filter(|known| now.duration_since(known.published) <= RECENT)
        {
            let (count, last) = fired.entry(&known.rule_id).or_insert((0, known.published));
            *count += 1;
            *last = known.published.max(*last);
        }
        fired
    }
}
