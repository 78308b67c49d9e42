//! The embedded queue: one SQLite file a tenant with the semantics of an SQS standard queue and its dead-letter queue.
//!
//! Bodies live in a table of their own, so that hiding and counting deliveries rewrites a few bytes a message. Knows
//! nothing of what a body says.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::Mutex;

use crate::local::twin::QueueSettings;
use crate::ports::{Clock, Error, Kind, Message, Queue, QueueDepth, Receipt, Result};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS body (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY, visible_at INTEGER NOT NULL, attempts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS dead (id INTEGER PRIMARY KEY, body TEXT NOT NULL, attempts INTEGER NOT NULL);
";
/// A writer in another process holds the file for one batch at a time.
const BUSY: Duration = Duration::from_secs(30);
/// Rows a statement inserts: a fixed number keeps one prepared statement in use.
const INSERT_ROWS: usize = 200;

/// A tenant's queue.
pub struct LocalQueue {
    /// One connection: SQLite has one writer at a time anyway.
    connection: Mutex<SqliteConnection>,
    settings: QueueSettings,
    clock: Arc<dyn Clock>,
}

impl LocalQueue {
    /// Opens or makes `<data>/queues/<tenant>.sqlite`.
    pub async fn open(data: &Path, tenant: &str, settings: QueueSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = data.join("queues");
        let file = folder.join(format!("{tenant}.sqlite"));
        let op = || format!("open the queue {}", file.display());
        std::fs::create_dir_all(&folder).map_err(|error| Error::caused(Kind::Unavailable, op(), error))?;
        let mut connection = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .page_size(8_192)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .pragma("cache_size", "-8192")
            .connect()
            .await
            .map_err(|error| Error::caused(Kind::Unavailable, op(), error))?;
        sqlx::raw_sql(SCHEMA)
            .execute(&mut connection)
            .await
            .map_err(failed("open the queue"))?;
        Ok(Self {
            connection: Mutex::new(connection),
            settings,
            clock,
        })
    }

    /// Adds messages, all or none of them.
    pub async fn send(&self, bodies: &[String]) -> Result<()> {
        let mut connection = self.connection.lock().await;
        let op = || failed("send to the queue");
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(op())?;
        // AUTOINCREMENT numbers never return, so the new rows are those after the last.
        let last: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM body")
            .fetch_one(&mut *transaction)
            .await
            .map_err(op())?;
        for chunk in bodies.chunks(INSERT_ROWS) {
            let values = vec!["(?)"; chunk.len()].join(",");
            let statement = format!("INSERT INTO body (body) VALUES {values}");
            let mut insert = sqlx::query(&statement).persistent(chunk.len() == INSERT_ROWS);
            for body in chunk {
                insert = insert.bind(body);
            }
            insert.execute(&mut *transaction).await.map_err(op())?;
        }
        sqlx::query("INSERT INTO delivery (id, visible_at, attempts) SELECT id, ?, 0 FROM body WHERE id > ?")
            .bind(self.now())
            .bind(last)
            .execute(&mut *transaction)
            .await
            .map_err(op())?;
        transaction.commit().await.map_err(op())
    }

    /// Messages in the dead-letter queue, oldest first, each with how often it was received.
    pub async fn dead_letters(&self, limit: u32) -> Result<Vec<(String, u32)>> {
        let mut connection = self.connection.lock().await;
        sqlx::query_as("SELECT body, attempts FROM dead ORDER BY id LIMIT ?")
            .bind(limit)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed("read the dead-letter queue"))
    }

    /// Milliseconds since 1970-01-01 (UTC).
    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

fn failed(op: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| Error::caused(Kind::Unavailable, op, error)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

/// A delivery's number and attempt, as a receipt holds them.
fn receipt(id: i64, attempt: u32) -> Receipt {
    Receipt(format!("{id}:{attempt}"))
}

/// The receipts as `[[id, attempt], …]`; what is no receipt of this queue names no delivery and is passed over.
fn deliveries(receipts: &[Receipt]) -> String {
    let pairs: Vec<(i64, u32)> = receipts
        .iter()
        .filter_map(|receipt| receipt.0.split_once(':'))
        .filter_map(|(id, attempt)| Some((id.parse().ok()?, attempt.parse().ok()?)))
        .collect();
    serde_json::json!(pairs).to_string()
}

const NAMED: &str = "id IN (SELECT d.id FROM json_each(?) AS named JOIN delivery AS d
    ON d.id = named.value ->> 0 AND d.attempts = named.value ->> 1)";

#[async_trait]
impl Queue for LocalQueue {
    async fn receive(&self, max: usize) -> Result<Vec<Message>> {
        let op = || failed("receive from the queue");
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(op())?;
        let now = self.now();
        loop {
            let due: Vec<(i64, u32)> =
                sqlx::query_as("SELECT id, attempts FROM delivery WHERE visible_at <= ? ORDER BY id LIMIT ?")
                    .bind(now)
                    .bind(i64::try_from(max).unwrap_or(i64::MAX))
                    .fetch_all(&mut *transaction)
                    .await
                    .map_err(op())?;
            let is_spent = |(_, attempts): &&(i64, u32)| *attempts >= self.settings.receive_limit;
            let ids = |spent: bool| -> Vec<i64> {
                due.iter()
                    .filter(|one| is_spent(one) == spent)
                    .map(|(id, _)| *id)
                    .collect()
            };
            let (spent, live) = (ids(true), ids(false));
            if !spent.is_empty() {
                bury(&mut transaction, &serde_json::json!(spent).to_string())
                    .await
                    .map_err(op())?;
            }
            if live.is_empty() && !spent.is_empty() {
                continue;
            }
            let live = serde_json::json!(live).to_string();
            sqlx::query(
                "UPDATE delivery SET visible_at = ?, attempts = attempts + 1
                 WHERE id IN (SELECT value FROM json_each(?))",
            )
            .bind(now.saturating_add(milliseconds(self.settings.visibility_timeout)))
            .bind(&live)
            .execute(&mut *transaction)
            .await
            .map_err(op())?;
            let rows = sqlx::query(
                "SELECT delivery.id, attempts, body FROM json_each(?) AS live
                 JOIN delivery ON delivery.id = live.value JOIN body ON body.id = live.value",
            )
            .bind(&live)
            .fetch_all(&mut *transaction)
            .await
            .map_err(op())?;
            transaction.commit().await.map_err(op())?;
            return rows
                .into_iter()
                .map(|row| {
                    let attempt = row.try_get(1)?;
                    Ok(Message {
                        receipt: receipt(row.try_get(0)?, attempt),
                        body: row.try_get(2)?,
                        attempt,
                    })
                })
                .collect::<sqlx::Result<_>>()
                .map_err(op());
        }
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<()> {
        let op = || failed("acknowledge messages");
        let named = deliveries(receipts);
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(op())?;
        for table in ["body", "delivery"] {
            // The delivery goes last, because it tells which body is meant.
            sqlx::query(&format!("DELETE FROM {table} WHERE {NAMED}"))
                .bind(&named)
                .execute(&mut *transaction)
                .await
                .map_err(op())?;
        }
        transaction.commit().await.map_err(op())
    }

    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<()> {
        let mut connection = self.connection.lock().await;
        sqlx::query(&format!("UPDATE delivery SET visible_at = ? WHERE {NAMED}"))
            .bind(self.now().saturating_add(milliseconds(hidden)))
            .bind(deliveries(receipts))
            .execute(&mut *connection)
            .await
            .map_err(failed("extend messages"))?;
        Ok(())
    }

    async fn depth(&self) -> Result<QueueDepth> {
        let mut connection = self.connection.lock().await;
        let (all, visible, dead): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM delivery), (SELECT count(*) FROM delivery WHERE visible_at <= ?),
             (SELECT count(*) FROM dead)",
        )
        .bind(self.now())
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("count the queue"))?;
        Ok(QueueDepth {
            visible: visible.unsigned_abs(),
            in_flight: all.abs_diff(visible),
            dead: dead.unsigned_abs(),
        })
    }
}

/// Moves messages that were received too often to the dead-letter queue.
async fn bury(connection: &mut SqliteConnection, ids: &str) -> sqlx::Result<()> {
    let statements = [
        "INSERT INTO dead (id, body, attempts) SELECT body.id, body, attempts FROM json_each(?) AS spent
         JOIN body ON body.id = spent.value JOIN delivery ON delivery.id = spent.value",
        "DELETE FROM body WHERE id IN (SELECT value FROM json_each(?))",
        "DELETE FROM delivery WHERE id IN (SELECT value FROM json_each(?))",
    ];
    for statement in statements {
        sqlx::query(statement).bind(ids).execute(&mut *connection).await?;
    }
    Ok(())
}
