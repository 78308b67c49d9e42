//! An Okta org on this machine: its System Log, log streams, users and devices in one file, with the promises of Okta's
//! management API. What is recorded while its log stream is active waits to be delivered to the tenant's bus, once.

mod answer;
mod filter;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, Sqlite, SqlitePool, Transaction};

use crate::local::{is_plain_name, sqlite};
use crate::model::event::Head;
use crate::model::okta::LogStream;
use crate::ports::okta::{Act, Ask, Next, Okta, Page};
use crate::ports::{Clock, Error, Kind, Result};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS event (
        id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, published INTEGER NOT NULL, body TEXT NOT NULL,
        waits INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS event_by_time ON event (published, id);
    CREATE INDEX IF NOT EXISTS event_that_waits ON event (id) WHERE waits;
    CREATE TABLE IF NOT EXISTS thing (
        kind TEXT NOT NULL, id TEXT NOT NULL, updated INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
    ) STRICT;
";
/// Source: Okta's documentation of log streaming.
const MOST_STREAMS: usize = 2;

/// What an org has besides its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    User,
    Device,
    /// A list of factors, by the user's ID.
    Factors,
}

impl Thing {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Device => "device",
            Self::Factors => "factors",
        }
    }
}

const STREAM: &str = "stream";

/// An org.
pub struct LocalOrg {
    pool: SqlitePool,
    clock: Arc<dyn Clock>,
    requests: AtomicU64,
}

/// How many events were recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Recorded {
    pub new: u64,
    /// Those that the org had already.
    pub known: u64,
    /// Of the new ones, those that the log stream sends.
    pub to_be_sent: u64,
}

impl std::ops::AddAssign for Recorded {
    fn add_assign(&mut self, more: Self) {
        self.new += more.new;
        self.known += more.known;
        self.to_be_sent += more.to_be_sent;
    }
}

impl LocalOrg {
    /// The file `<data>/okta/<name>.sqlite`.
    pub async fn open(data: &Path, name: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        if !is_plain_name(name) {
            return Err(Error::new(Kind::Invalid, format!("open the org `{name}`")));
        }
        let pool = sqlite::open(&data.join("okta").join(format!("{name}.sqlite")), SCHEMA).await?;
        Ok(Self {
            pool,
            clock,
            requests: AtomicU64::new(0),
        })
    }

    /// Records events, given as JSON. The actor of one that nobody knew yet becomes a user.
    pub async fn record(&self, events: &[String]) -> Result<Recorded> {
        let op = "record events in the org";
        let mut change = self.begin(op).await?;
        let is_sending = active_stream(&mut change).await?;
        let mut recorded = Recorded::default();
        for event in events {
            let head = Head::parse(event).map_err(|error| Error::caused(Kind::Invalid, op, error))?;
            if insert(&mut change, &head, event, is_sending).await? {
                recorded.new += 1;
                recorded.to_be_sent += u64::from(is_sending);
                self.learn_user(&mut change, event).await?;
            } else {
                recorded.known += 1;
            }
        }
        change.commit().await.map_err(sqlite::failed(op))?;
        Ok(recorded)
    }

    /// Puts a user, a device or a user's factors, whose `id` names them, as changed now.
    pub async fn put(&self, thing: Thing, id: &str, body: &Value) -> Result<()> {
        let mut change = self.begin("put something into the org").await?;
        put(&mut change, thing.name(), id, self.clock.now(), body).await?;
        change
            .commit()
            .await
            .map_err(sqlite::failed("put something into the org"))
    }

    /// Takes a user or a device away for good.
    pub async fn remove(&self, thing: Thing, id: &str) -> Result<()> {
        sqlx::query("DELETE FROM thing WHERE kind = ? AND id = ?")
            .bind(thing.name())
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(sqlite::failed("remove something from the org"))?;
        Ok(())
    }

    /// Deactivates the log streams, as Okta does by itself after failed deliveries. What waits is lost to the stream.
    pub async fn fail_streams(&self) -> Result<()> {
        let op = "deactivate the log streams";
        let mut change = self.begin(op).await?;
        for mut stream in streams(&mut change).await? {
            if stream.is_active() {
                self.say(&mut change, "deactivate", &stream, ("SystemPrincipal", "system"))
                    .await?;
                "INACTIVE".clone_into(&mut stream.status);
                self.put_stream(&mut change, &stream).await?;
            }
        }
        forget_waiting(&mut change).await?;
        change.commit().await.map_err(sqlite::failed(op))
    }

    /// Up to `max` events that the stream has to send, oldest first, with the last one's mark.
    pub async fn waiting(&self, max: u32) -> Result<(Vec<String>, Option<i64>)> {
        let rows = sqlx::query("SELECT id, body FROM event WHERE waits ORDER BY id LIMIT ?")
            .bind(max)
            .fetch_all(&self.pool)
            .await
            .map_err(sqlite::failed("read what waits to be sent"))?;
        let last = rows.last().map(|row| row.get(0));
        Ok((rows.iter().map(|row| row.get(1)).collect(), last))
    }

    /// Everything up to this mark was sent.
    pub async fn sent(&self, last: i64) -> Result<()> {
        sqlx::query("UPDATE event SET waits = 0 WHERE waits AND id <= ?")
            .bind(last)
            .execute(&self.pool)
            .await
            .map_err(sqlite::failed("note what was sent"))?;
        Ok(())
    }

    /// What waits to be sent is lost on its way.
    pub async fn lose(&self) -> Result<()> {
        self.sent(i64::MAX).await
    }

    async fn begin(&self, op: &str) -> Result<Transaction<'_, Sqlite>> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(sqlite::failed(op))
    }

    async fn learn_user(&self, change: &mut Transaction<'_, Sqlite>, event: &str) -> Result<()> {
        let Ok(event) = serde_json::from_str::<Value>(event) else {
            return Ok(());
        };
        let actor = |name: &str| event.pointer(&format!("/actor/{name}")).and_then(Value::as_str);
        if let (Some("User"), Some(id), Some(login)) = (actor("type"), actor("id"), actor("alternateId"))
            && find(change, Thing::User.name(), id).await?.is_none()
        {
            let name = actor("displayName").unwrap_or_default();
            let (first, last) = name.split_once(' ').unwrap_or((name, ""));
            let profile = json!({"login": login, "email": login, "firstName": first, "lastName": last});
            let now = self.clock.now().to_string();
            let user = json!({"id": id, "status": "ACTIVE", "created": now, "lastUpdated": now, "profile": profile});
            put(change, Thing::User.name(), id, self.clock.now(), &user).await?;
        }
        Ok(())
    }

    async fn put_stream(&self, change: &mut Transaction<'_, Sqlite>, stream: &LogStream) -> Result<()> {
        put(change, STREAM, &stream.id, self.clock.now(), &json!(stream)).await
    }

    /// Records what happened to a stream, which a stream that is active by then sends.
    async fn say(
        &self,
        change: &mut Transaction<'_, Sqlite>,
        what: &str,
        stream: &LogStream,
        (kind, by): (&str, &str),
    ) -> Result<()> {
        let count: i64 = sqlx::query("SELECT count(*) FROM event")
            .fetch_one(&mut **change)
            .await
            .map_err(sqlite::failed("count events"))?
            .get(0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(format!("{count} {what} {}", stream.id))[..16]);
        let event = json!({
            "uuid": uuid::Builder::from_random_bytes(bytes).into_uuid().to_string(),
            "published": format!("{:.3}", self.clock.now()),
            "eventType": format!("system.log_stream.lifecycle.{what}"),
            "version": "0",
            "severity": "INFO",
            "displayMessage": format!("Log stream: {what}"),
            "actor": {"id": by, "type": kind, "alternateId": by, "displayName": by},
            "outcome": {"result": "SUCCESS", "reason": null},
            "target": [{"id": stream.id, "type": "LogStream", "alternateId": "unknown", "displayName": stream.name}],
        })
        .to_string();
        let head = Head::parse(&event).map_err(|error| Error::caused(Kind::Invalid, "record an event", error))?;
        let is_sending = active_stream(change).await?;
        insert(change, &head, &event, is_sending).await?;
        Ok(())
    }

    async fn create(&self, change: &mut Transaction<'_, Sqlite>, act: &Act) -> Result<LogStream> {
        let Act::Create(new) = act else {
            return Err(Error::new(Kind::Invalid, act.to_string()));
        };
        let all = streams(change).await?;
        let refused = |why: &'static str| Err(Error::caused(Kind::Invalid, act.to_string(), why));
        if all.len() >= MOST_STREAMS {
            return refused("the org has two log streams, which is the most");
        }
        if all.iter().any(|stream| stream.name == new.name) {
            return refused("the org has a log stream of this name");
        }
        let stream = LogStream {
            id: format!(
                "0oa{:017}",
                all.iter().map(|one| number(&one.id)).max().unwrap_or(0) + 1
            ),
            kind: new.kind.to_owned(),
            name: new.name.clone(),
            status: "ACTIVE".to_owned(),
            settings: new.settings.clone(),
        };
        self.put_stream(change, &stream).await?;
        Ok(stream)
    }
}

fn number(id: &str) -> u64 {
    id.trim_start_matches("0oa").parse().unwrap_or(0)
}

async fn insert(change: &mut Transaction<'_, Sqlite>, head: &Head<'_>, event: &str, waits: bool) -> Result<bool> {
    let done = sqlx::query("INSERT OR IGNORE INTO event (uuid, published, body, waits) VALUES (?, ?, ?, ?)")
        .bind(&*head.uuid)
        .bind(head.published.as_millisecond())
        .bind(event)
        .bind(waits)
        .execute(&mut **change)
        .await
        .map_err(sqlite::failed("record an event"))?;
    Ok(done.rows_affected() > 0)
}

async fn put(change: &mut Transaction<'_, Sqlite>, kind: &str, id: &str, at: Timestamp, body: &Value) -> Result<()> {
    sqlx::query("INSERT OR REPLACE INTO thing (kind, id, updated, body) VALUES (?, ?, ?, ?)")
        .bind(kind)
        .bind(id)
        .bind(at.as_millisecond())
        .bind(body.to_string())
        .execute(&mut **change)
        .await
        .map_err(sqlite::failed("put something into the org"))?;
    Ok(())
}

async fn find(change: &mut Transaction<'_, Sqlite>, kind: &str, id: &str) -> Result<Option<String>> {
    let row = sqlx::query("SELECT body FROM thing WHERE kind = ? AND id = ?")
        .bind(kind)
        .bind(id)
        .fetch_optional(&mut **change)
        .await
        .map_err(sqlite::failed("look into the org"))?;
    Ok(row.map(|row| row.get(0)))
}

async fn streams(change: &mut Transaction<'_, Sqlite>) -> Result<Vec<LogStream>> {
    let rows = sqlx::query("SELECT body FROM thing WHERE kind = ? ORDER BY id")
        .bind(STREAM)
        .fetch_all(&mut **change)
        .await
        .map_err(sqlite::failed("read the log streams"))?;
    rows.iter()
        .map(|row| {
            serde_json::from_str(row.get(0)).map_err(|error| Error::caused(Kind::Invalid, "read a log stream", error))
        })
        .collect()
}

async fn active_stream(change: &mut Transaction<'_, Sqlite>) -> Result<bool> {
    Ok(streams(change).await?.iter().any(LogStream::is_active))
}

/// What an org did not get rid of before its stream stopped is never sent.
async fn forget_waiting(change: &mut Transaction<'_, Sqlite>) -> Result<()> {
    sqlx::query("UPDATE event SET waits = 0 WHERE waits")
        .execute(&mut **change)
        .await
        .map_err(sqlite::failed("forget what waits"))?;
    Ok(())
}

#[async_trait]
impl Okta for LocalOrg {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut page = answer::page(&self.pool, ask, next).await?;
        page.at = Some(self.clock.now());
        Ok(page)
    }

    async fn act(&self, act: &Act) -> Result<Option<LogStream>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut change = self.begin("change the log streams").await?;
        let mut known = None;
        if let Act::Activate(id) | Act::Deactivate(id) | Act::Delete(id) | Act::Touch(LogStream { id, .. }) = act {
            let stream = streams(&mut change).await?.into_iter().find(|one| one.id == *id);
            known = Some(stream.ok_or_else(|| Error::new(Kind::NotFound, act.to_string()))?);
        }
        let by = ("PublicClientApp", "api-token");
        let (what, stream) = match (act, known) {
            (Act::Activate(_), Some(mut stream)) => {
                "ACTIVE".clone_into(&mut stream.status);
                ("activate", stream)
            }
            (Act::Deactivate(_), Some(mut stream)) => {
                "INACTIVE".clone_into(&mut stream.status);
                ("deactivate", stream)
            }
            (Act::Delete(_), Some(stream)) if stream.is_active() => {
                let why = "it is active: deactivate it first";
                return Err(Error::caused(Kind::Invalid, act.to_string(), why));
            }
            (Act::Delete(_), Some(stream)) => ("delete", stream),
            (Act::Touch(_), Some(stream)) => ("update", stream),
            _ => ("create", self.create(&mut change, act).await?),
        };
        if what == "delete" {
            sqlx::query("DELETE FROM thing WHERE kind = ? AND id = ?")
                .bind(STREAM)
                .bind(&stream.id)
                .execute(&mut *change)
                .await
                .map_err(sqlite::failed("delete a log stream"))?;
        } else {
            self.put_stream(&mut change, &stream).await?;
        }
        self.say(&mut change, what, &stream, by).await?;
        if !active_stream(&mut change).await? {
            forget_waiting(&mut change).await?;
        }
        change
            .commit()
            .await
            .map_err(sqlite::failed("change the log streams"))?;
        Ok((what != "delete").then_some(stream))
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}
