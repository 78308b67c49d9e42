//! The outbox: who has yet to be told of which finding. An entry is queued with its finding and leaves only when every route
//! took it, did not want it, or was given up.
//!
//! An entry names its finding and holds nothing of it: what is told is what the finding has grown to by then.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lake::objects::{encode, keys, read};
use crate::ports::{Objects, Precondition, Result};

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
    pub at: Timestamp,
    /// The routes, each with what went wrong last.
    pub routes: BTreeMap<String, String>,
}

/// Queues a finding to be told of; queueing it again begins again.
pub async fn queue(objects: &dyn Objects, id: &str, finding: &str) -> Result<()> {
    let entry = Entry {
        finding: finding.to_owned(),
        since: None,
        routes: BTreeMap::new(),
    };
    save(objects, &format!("{PREFIX}{id}.json"), &entry).await
}

pub async fn save(objects: &dyn Objects, key: &str, entry: &Entry) -> Result<()> {
    objects.put(key, encode(entry)?, Precondition::None).await?;
    Ok(())
}

/// The entries, each under its key. One that cannot be read stays where it is, and is told of.
pub async fn entries(objects: &dyn Objects) -> Result<Vec<(String, Entry)>> {
    let mut entries = Vec::new();
    for key in keys(objects, PREFIX).await? {
        if key.starts_with(ROUTES) || key.starts_with(GIVEN_UP) {
            continue;
        }
        match read::<Entry>(objects, &key).await {
            Ok(Some(entry)) => entries.push((key, entry)),
            Ok(None) => {}
            Err(error) if error.kind == crate::ports::Kind::Invalid => {
                tracing::error!(key, %error, "this entry of the outbox cannot be read; nobody is told of its finding");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

pub async fn route_state(objects: &dyn Objects, route: &str) -> Result<RouteState> {
    Ok(read(objects, &format!("{ROUTES}{route}.json"))
        .await?
        .unwrap_or_default())
}

pub async fn save_route_state(objects: &dyn Objects, route: &str, state: &RouteState) -> Result<()> {
    let key = format!("{ROUTES}{route}.json");
    objects.put(&key, encode(state)?, Precondition::None).await?;
    Ok(())
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
        let mut entry = read::<Entry>(objects, &waiting).await?.unwrap_or_else(|| Entry {
            finding: given_up.finding.clone(),
            since: None,
            // Whoever is not named here was told.
            routes: BTreeMap::from([(
                OTHERS.to_owned(),
                Tries {
                    progress: Progress::Delivered,
                    ..Tries::default()
                },
            )]),
        });
        entry.since = None;
        for route in given_up.routes.keys() {
            entry.routes.insert(route.clone(), Tries::default());
        }
        save(objects, &waiting, &entry).await?;
        objects.delete(key).await?;
    }
    Ok(all.len())
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
