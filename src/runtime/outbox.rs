//! The outbox: who has yet to be told of which finding. An entry is queued with its finding and leaves only when every route
//! took it, did not want it, or was given up.
//!
//! An entry names its finding and holds nothing of it: what is told is what the finding has grown to by then.
//!
//! Every write is a compare-and-swap on what was read. Who has lost its lease without knowing is refused, and tells nobody of
//! what another has told of meanwhile.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lake::objects::{decode, encode, keys, read};
use crate::model::finding::Finding;
use crate::model::planted::{Mistake, is_planted};
use crate::ports::{Kind, Objects, Precondition, Result, Version};

const PREFIX: &str = "outbox/";
/// What routes remember from run to run.
const ROUTES: &str = "outbox/routes/";
/// Entries that a route was given up for.
const GIVEN_UP: &str = "outbox/given-up/";

/// A finding that is to be told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The finding's key.
    pub finding: String,
    /// How often the finding had been opened again; `None` in entries of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<usize>,
    /// When the first run tried to deliver it; `None` before.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// By route; one that is missing was not tried yet.
    #[serde(default)]
    pub routes: BTreeMap<String, Tries>,
}

/// How a route was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    pub progress: Progress,
    /// Runs in which it failed.
    #[serde(default)]
    pub failures: u32,
    #[serde(default)]
    pub not_before: Option<Timestamp>,
    /// What went wrong last.
    #[serde(default)]
    pub why: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    #[default]
    Waiting,
    Delivered,
    Unwanted,
    GivenUp,
}

/// What a route with a pace of its own remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteState {
    /// When messages left within the last hour.
    #[serde(default)]
    pub recent: Vec<Timestamp>,
    /// A message of several findings that was begun: until it is delivered, neither its key nor its findings change.
    #[serde(default)]
    pub bundle: Option<Bundle>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    pub key: String,
    /// Keys of entries.
    pub entries: Vec<String>,
}

/// An entry that some route was given up for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    pub finding: String,
    /// As in its entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<usize>,
    pub at: Timestamp,
    /// The routes, each with what went wrong last.
    pub routes: BTreeMap<String, String>,
}

/// An entry as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub key: String,
    pub entry: Entry,
    version: Version,
}

impl Stored {
    /// Writes the entry as it is now; [`Kind::Conflict`] when somebody else has written it or taken it out.
    pub async fn save(&mut self, objects: &dyn Objects) -> Result<()> {
        let fence = fenced(Precondition::Is(self.version.clone()));
        self.version = objects.put(&self.key, encode(&self.entry)?, fence).await?;
        Ok(())
    }
}

fn fenced(fence: Precondition) -> Precondition {
    if is_planted(Mistake::LeaseWithoutFencing) {
        Precondition::None
    } else {
        fence
    }
}

/// Queues a finding to be told of, under a key of its own each time it is opened again. One that is queued stays as it is.
pub async fn queue(objects: &dyn Objects, finding: &Finding, key: &str) -> Result<()> {
    let entry = Entry {
        finding: key.to_owned(),
        opening: Some(finding.reopened()),
        since: None,
        routes: BTreeMap::new(),
    };
    let name = format!("{PREFIX}{}.json", finding.telling());
    match objects.put(&name, encode(&entry)?, Precondition::Absent).await {
        Err(error) if error.kind != Kind::Conflict => Err(error),
        _ => Ok(()),
    }
}

/// The keys of all entries.
pub async fn waiting(objects: &dyn Objects) -> Result<Vec<String>> {
    let mut keys = keys(objects, PREFIX).await?;
    keys.retain(|key| !key.starts_with(ROUTES) && !key.starts_with(GIVEN_UP));
    Ok(keys)
}

/// The entries. One that cannot be read stays where it is, and is told of.
pub async fn entries(objects: &dyn Objects) -> Result<Vec<Stored>> {
    let mut entries = Vec::new();
    for key in waiting(objects).await? {
        let Some((bytes, version)) = objects.get(&key).await? else {
            continue;
        };
        match decode(&key, &bytes) {
            Ok(entry) => entries.push(Stored { key, entry, version }),
            Err(error) => {
                tracing::error!(key, %error, "this entry of the outbox cannot be read; nobody is told of its finding");
            }
        }
    }
    Ok(entries)
}

/// What a route remembers, as it is stored.
pub struct Remembered {
    key: String,
    pub state: RouteState,
    fence: Precondition,
}

impl Remembered {
    /// What a route has stored; nothing of one that has stored nothing.
    pub async fn read(objects: &dyn Objects, route: &str) -> Result<Self> {
        let key = format!("{ROUTES}{route}.json");
        Ok(match objects.get(&key).await? {
            Some((bytes, version)) => Self {
                state: decode(&key, &bytes)?,
                fence: Precondition::Is(version),
                key,
            },
            None => Self {
                state: RouteState::default(),
                fence: Precondition::Absent,
                key,
            },
        })
    }

    /// Writes the state as it is now; [`Kind::Conflict`] when somebody else has written it since it was read.
    pub async fn save(&mut self, objects: &dyn Objects) -> Result<()> {
        let fence = fenced(self.fence.clone());
        self.fence = Precondition::Is(objects.put(&self.key, encode(&self.state)?, fence).await?);
        Ok(())
    }
}

/// Keeps who was not told although they should have been.
pub async fn give_up(objects: &dyn Objects, key: &str, given_up: &GivenUp) -> Result<()> {
    let name = key.strip_prefix(PREFIX).unwrap_or(key);
    objects
        .put(&format!("{GIVEN_UP}{name}"), encode(given_up)?, Precondition::None)
        .await?;
    Ok(())
}

/// What was given up, each under its key.
pub async fn given_up(objects: &dyn Objects) -> Result<Vec<(String, GivenUp)>> {
    let mut all = Vec::new();
    for key in keys(objects, GIVEN_UP).await? {
        if let Some(given_up) = read(objects, &key).await? {
            all.push((key, given_up));
        }
    }
    Ok(all)
}

/// Puts what was given up back among what waits, for the routes that it was given up for. Returns how many there were.
pub async fn retry(objects: &dyn Objects) -> Result<usize> {
    let all = given_up(objects).await?;
    for (key, given_up) in &all {
        let name = key.strip_prefix(GIVEN_UP).unwrap_or(key);
        let waiting = format!("{PREFIX}{name}");
        let (mut entry, fence) = match objects.get(&waiting).await? {
            Some((bytes, version)) => (decode::<Entry>(&waiting, &bytes)?, Precondition::Is(version)),
            None => (given_up.entry(), Precondition::Absent),
        };
        entry.since = None;
        for route in given_up.routes.keys() {
            entry.routes.insert(route.clone(), Tries::default());
        }
        objects.put(&waiting, encode(&entry)?, fence).await?;
        objects.delete(key).await?;
    }
    Ok(all.len())
}

impl GivenUp {
    /// Waits again, for nobody yet.
    fn entry(&self) -> Entry {
        let delivered = Tries {
            progress: Progress::Delivered,
            ..Tries::default()
        };
        Entry {
            finding: self.finding.clone(),
            opening: self.opening,
            since: None,
            // Whoever is not named here was told.
            routes: BTreeMap::from([(OTHERS.to_owned(), delivered)]),
        }
    }
}

/// Stands in an entry for every route that it does not name.
const OTHERS: &str = "*";

impl Entry {
    /// How a route was told so far.
    pub fn tries(&self, route: &str) -> Tries {
        let tries = self.routes.get(route).or_else(|| self.routes.get(OTHERS));
        tries.cloned().unwrap_or_default()
    }
}
