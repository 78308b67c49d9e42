//! How the embedded target opens a SQLite file: durable once a call returned, shared by processes, small in memory.

use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::ports::{Error, Kind, Result};

/// How long a call waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Large enough that a packed chunk of messages takes few pages.
const PAGE_BYTES: u32 = 8 << 10;
/// Pages kept in memory, as SQLite's `cache_size` takes it: minus KiB.
const CACHE: &str = "-4096";
/// The write-ahead log is cut back to this after a burst.
const LOG_BYTES: &str = "16777216";

/// Opens or makes the file and its tables. `schema` must change nothing that is already there.
pub(super) async fn open(path: &Path, schema: &'static str) -> Result<SqlitePool> {
    let op = || format!("open {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::caused(Kind::Unavailable, op(), error))?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("cache_size", CACHE)
        .pragma("journal_size_limit", LOG_BYTES);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(failed(op()))?;
    sqlx::raw_sql(schema).execute(&pool).await.map_err(failed(op()))?;
    Ok(pool)
}

/// Maps a failure of SQLite to the port's error with `op` as its operation.
pub(super) fn failed(op: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Error {
    move |error| {
        // SQLITE_CORRUPT and SQLITE_NOTADB; everything else may pass: a full disk, a lock held for too long.
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let is_broken = matches!(code.as_deref(), Some("11" | "26"))
            || matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
        Error::caused(if is_broken { Kind::Invalid } else { Kind::Unavailable }, op, error)
    }
}
