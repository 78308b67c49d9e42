//! The tenant's queue in one SQLite file, with the semantics of an SQS standard queue and its dead-letter queue.
//!
//! Bodies lie packed in chunks that are written once and deleted once; what changes with each delivery is the small
//! table of runs. Several processes may have the file open: every change is one transaction that takes the write lock
//! first, and is on the disk when the call returns.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::local::chunk::{self, Chunk, Unpacker};
use crate::local::runs::{self, Run};
use crate::local::twin::QueueSettings;
use crate::local::{is_plain_name, sqlite};
use crate::ports::{Clock, DeadLetter, DeadLetters, Error, Kind, Message, Queue, QueueDepth, Receipt, Result};

// AUTOINCREMENT: the id of a chunk is never used again, so that an old receipt cannot name a new message.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS chunk (
        id INTEGER PRIMARY KEY AUTOINCREMENT, raw_bytes INTEGER NOT NULL, packed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS run (
        chunk INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, attempt INTEGER NOT NULL,
        visible_at INTEGER NOT NULL, PRIMARY KEY (chunk, first)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS run_by_visibility ON run (visible_at, chunk, first);
    CREATE TABLE IF NOT EXISTS dead (
        id INTEGER PRIMARY KEY, attempts INTEGER NOT NULL, body TEXT NOT NULL
    ) STRICT;
";

/// Runs looked at by one step of a receive. A thousand messages of a busy queue are about a dozen.
const RUNS_AT_ONCE: i64 = 32;

/// Whole runs of visible messages, the oldest first, with their chunks. ?1 now, ?2 runs looked at, ?3 messages wanted.
const VISIBLE: &str = "
    SELECT run.chunk, run.first, run.last, run.attempt, chunk.raw_bytes, chunk.packed
    FROM (
        SELECT *, sum(last - first + 1) OVER (ORDER BY visible_at, chunk, first) - (last - first + 1) AS before
        FROM (SELECT * FROM run WHERE visible_at <= ?1 ORDER BY visible_at, chunk, first LIMIT ?2)
    ) AS run JOIN chunk ON chunk.id = run.chunk
    WHERE run.before < ?3
    ORDER BY run.visible_at, run.chunk, run.first";

type VisibleRow = (i64, u32, u32, u32, u32, Vec<u8>);

/// Makes the messages ?2 to ?3 of the chunk ?1 that were received ?4 times runs of their own: splits the run that
/// reaches into them from before, then the one that reaches out of them.
const ISOLATE: &str = "
    INSERT INTO run SELECT chunk, ?2, last, attempt, visible_at FROM run
        WHERE chunk = ?1 AND first = (SELECT max(first) FROM run WHERE chunk = ?1 AND first < ?2)
        AND last >= ?2 AND attempt = ?4;
    UPDATE run SET last = ?2 - 1
        WHERE chunk = ?1 AND first = (SELECT max(first) FROM run WHERE chunk = ?1 AND first < ?2)
        AND last >= ?2 AND attempt = ?4;
    INSERT INTO run SELECT chunk, ?3 + 1, last, attempt, visible_at FROM run
        WHERE chunk = ?1 AND first = (SELECT max(first) FROM run WHERE chunk = ?1 AND first <= ?3)
        AND last > ?3 AND attempt = ?4;
    UPDATE run SET last = ?3
        WHERE chunk = ?1 AND first = (SELECT max(first) FROM run WHERE chunk = ?1 AND first <= ?3)
        AND last > ?3 AND attempt = ?4;";

/// What becomes of isolated messages.
const REMOVE: &str = "
    DELETE FROM run WHERE chunk = ?1 AND first BETWEEN ?2 AND ?3 AND attempt = ?4;
    DELETE FROM chunk WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM run WHERE chunk = ?1);";
const HIDE: &str = "
    UPDATE run SET visible_at = ?5 WHERE chunk = ?1 AND first BETWEEN ?2 AND ?3 AND attempt = ?4;";
const DELIVER: &str = "
    UPDATE run SET visible_at = ?5, attempt = attempt + 1 WHERE chunk = ?1 AND first BETWEEN ?2 AND ?3 AND attempt = ?4;";

type Change = Transaction<'static, Sqlite>;

/// One tenant's queue: `<data>/queues/<tenant>.sqlite`.
pub struct LocalQueue {
    pool: SqlitePool,
    name: String,
    settings: QueueSettings,
    clock: Arc<dyn Clock>,
}

/// What one transaction of a receive did.
#[derive(Default)]
struct Taken {
    messages: Vec<Message>,
    buried: usize,
}

impl LocalQueue {
    /// Opens or makes the queue. The settings may differ from those of an earlier opening.
    pub async fn open(data: &Path, tenant: &str, settings: QueueSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        if !is_plain_name(tenant) {
            return Err(Error::new(
                Kind::Invalid,
                format!("open the queue of tenant `{tenant}`"),
            ));
        }
        let path = data.join("queues").join(format!("{tenant}.sqlite"));
        let pool = sqlite::open(&path, SCHEMA).await?;
        Ok(Self {
            pool,
            name: path.display().to_string(),
            settings,
            clock,
        })
    }

    /// Closes the file, which leaves everything in it and nothing beside it unless another process has it open too.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// Puts messages into the queue, all or none. They are durable when this returns.
    pub async fn send(&self, bodies: &[String]) -> Result<()> {
        let op = || format!("send to the queue {}", self.name);
        let chunks = chunk::pack(bodies).map_err(|error| Error::caused(Kind::Invalid, op(), error))?;
        let now = self.now();
        let mut change = self.begin(op()).await?;
        for chunk in chunks {
            insert(&mut change, chunk, now).await.map_err(sqlite::failed(op()))?;
        }
        change.commit().await.map_err(sqlite::failed(op()))
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    async fn begin(&self, op: String) -> Result<Change> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(sqlite::failed(op))
    }

    /// Takes up to `max` visible messages in one transaction, burying those that were received too often.
    async fn take(&self, max: usize) -> Result<Taken> {
        let op = || format!("receive from the queue {}", self.name);
        let unreadable = |error: std::io::Error| Error::caused(Kind::Invalid, op(), error);
        let now = self.now();
        // At least a moment later, or the same call would take them again.
        let hidden_until = now.saturating_add(milliseconds(self.settings.visibility_timeout).max(1));
        let mut unpacker = Unpacker::new().map_err(unreadable)?;
        let mut taken = Taken::default();
        let mut change = self.begin(op()).await?;
        while taken.count() < max {
            let runs = visible(&mut change, now, max - taken.count())
                .await
                .map_err(sqlite::failed(op()))?;
            if runs.is_empty() {
                break;
            }
            for (chunk, first, last, attempt, raw_bytes, packed) in runs {
                let run = Run {
                    chunk,
                    first,
                    last,
                    attempt,
                }
                .front(max - taken.count());
                unpacker.load(chunk, &packed, raw_bytes).map_err(unreadable)?;
                let bodies = unpacker.bodies(run.first..=run.last).map_err(unreadable)?;
                if self.settings.receive_limit.is_some_and(|limit| attempt >= limit) {
                    taken.buried += bodies.len();
                    bury(&mut change, run, bodies).await.map_err(sqlite::failed(op()))?;
                } else {
                    isolate_and(DELIVER, &mut change, run, hidden_until)
                        .await
                        .map_err(sqlite::failed(op()))?;
                    taken.deliver(
                        Run {
                            attempt: attempt + 1,
                            ..run
                        },
                        bodies,
                    );
                }
            }
        }
        change.commit().await.map_err(sqlite::failed(op()))?;
        Ok(taken)
    }

    /// Does `then` to the messages whose newest delivery is named.
    async fn change_named(&self, receipts: &[Receipt], op: &str, then: &'static str, visible_at: i64) -> Result<()> {
        let op = || format!("{op} messages of the queue {}", self.name);
        let named = runs::named(receipts).map_err(|receipt| {
            Error::caused(
                Kind::Invalid,
                op(),
                format!("`{}` is no receipt of this queue", receipt.0),
            )
        })?;
        if named.is_empty() {
            return Ok(());
        }
        let mut change = self.begin(op()).await?;
        for run in named {
            isolate_and(then, &mut change, run, visible_at)
                .await
                .map_err(sqlite::failed(op()))?;
        }
        change.commit().await.map_err(sqlite::failed(op()))
    }
}

impl Taken {
    fn count(&self) -> usize {
        self.messages.len() + self.buried
    }

    fn deliver(&mut self, run: Run, bodies: Vec<String>) {
        let messages = (run.first..=run.last).zip(bodies).map(|(slot, body)| Message {
            body,
            receipt: run.receipt(slot),
            attempt: run.attempt,
        });
        self.messages.extend(messages);
    }
}

#[async_trait]
impl DeadLetters for LocalQueue {
    /// The oldest first.
    async fn letters(&self, max: usize) -> Result<Vec<DeadLetter>> {
        let rows: Vec<(i64, String, u32)> = sqlx::query_as("SELECT id, body, attempts FROM dead ORDER BY id LIMIT ?")
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(sqlite::failed(format!("read the dead letters of {}", self.name)))?;
        let letter = |(id, body, attempts): (i64, String, u32)| DeadLetter {
            body,
            receipt: Receipt(id.to_string()),
            attempts,
            undelivered: None,
        };
        Ok(rows.into_iter().map(letter).collect())
    }

    async fn redrive(&self, letters: &[DeadLetter]) -> Result<()> {
        let bodies: Vec<String> = letters.iter().map(|letter| letter.body.clone()).collect();
        self.send(&bodies).await?;
        for letter in letters {
            sqlx::query("DELETE FROM dead WHERE id = ?")
                .bind(&letter.receipt.0)
                .execute(&self.pool)
                .await
                .map_err(sqlite::failed(format!("take a dead letter out of {}", self.name)))?;
        }
        Ok(())
    }
}

impl LocalQueue {
    /// For how long the oldest message has waited that can be received; `None` when there is none.
    pub async fn oldest(&self) -> Result<Option<Duration>> {
        let now = self.now();
        let since: Option<i64> = sqlx::query_scalar("SELECT min(visible_at) FROM run WHERE visible_at <= ?1")
            .bind(now)
            .fetch_one(&self.pool)
            .await
            .map_err(sqlite::failed(format!("look for the oldest message of {}", self.name)))?;
        Ok(since.map(|since| Duration::from_millis((now - since).unsigned_abs())))
    }
}

#[async_trait]
impl Queue for LocalQueue {
    async fn receive(&self, max: usize) -> Result<Vec<Message>> {
        loop {
            let taken = self.take(max).await?;
            if !taken.messages.is_empty() || taken.buried == 0 {
                return Ok(taken.messages);
            }
        }
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<()> {
        self.change_named(receipts, "acknowledge", REMOVE, 0).await
    }

    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<()> {
        let visible_at = self.now().saturating_add(milliseconds(hidden));
        self.change_named(receipts, "hide", HIDE, visible_at).await
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let counts = "SELECT
            (SELECT coalesce(sum(last - first + 1), 0) FROM run WHERE visible_at <= ?1),
            (SELECT coalesce(sum(last - first + 1), 0) FROM run WHERE visible_at > ?1),
            (SELECT count(*) FROM dead)";
        let (visible, in_flight, dead): (u32, u32, u32) = sqlx::query_as(counts)
            .bind(self.now())
            .fetch_one(&self.pool)
            .await
            .map_err(sqlite::failed(format!("count the messages of {}", self.name)))?;
        Ok(QueueDepth {
            visible: visible.into(),
            in_flight: in_flight.into(),
            dead: dead.into(),
        })
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

async fn insert(change: &mut Change, chunk: Chunk, now: i64) -> sqlx::Result<()> {
    let sql = "INSERT INTO chunk (raw_bytes, packed) VALUES (?1, ?2);
        INSERT INTO run (chunk, first, last, attempt, visible_at) VALUES (last_insert_rowid(), 0, ?3, 0, ?4);";
    sqlx::query(sql)
        .bind(chunk.raw_bytes)
        .bind(chunk.packed)
        .bind(chunk.bodies - 1)
        .bind(now)
        .execute(&mut **change)
        .await?;
    Ok(())
}

async fn visible(change: &mut Change, now: i64, wanted: usize) -> sqlx::Result<Vec<VisibleRow>> {
    sqlx::query_as(VISIBLE)
        .bind(now)
        .bind(RUNS_AT_ONCE)
        .bind(i64::try_from(wanted).unwrap_or(i64::MAX))
        .fetch_all(&mut **change)
        .await
}

/// `then` is one of [`REMOVE`], [`HIDE`] and [`DELIVER`].
async fn isolate_and(then: &str, change: &mut Change, run: Run, visible_at: i64) -> sqlx::Result<()> {
    // The numbers of the parameters count through all statements of the text.
    sqlx::query(&format!("{ISOLATE}{then}"))
        .bind(run.chunk)
        .bind(run.first)
        .bind(run.last)
        .bind(run.attempt)
        .bind(visible_at)
        .execute(&mut **change)
        .await?;
    Ok(())
}

async fn bury(change: &mut Change, run: Run, bodies: Vec<String>) -> sqlx::Result<()> {
    for body in bodies {
        sqlx::query("INSERT INTO dead (attempts, body) VALUES (?, ?)")
            .bind(run.attempt)
            .bind(body)
            .execute(&mut **change)
            .await?;
    }
    isolate_and(REMOVE, change, run, 0).await
}
