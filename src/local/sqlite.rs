//! How the embedded target opens a SQLite file: durable once a call returned, shared by processes, small in memory.

use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::ports::{Error, Kind, Result};

/// How long a call waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a file is tried to be opened that another process is just making.
const OPENINGS: u32 = 200;
const BETWEEN_OPENINGS: Duration = Duration::from_millis(50);
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
    let mut tries = 0;
    loop {
        match connect(options.clone(), schema).await {
            Ok(pool) => return Ok(pool),
            // Whoever makes a file's log is not waited for by SQLite itself, whatever the busy timeout.
            Err(error) if is_busy(&error) && tries < OPENINGS => {
                tries += 1;
                tokio::time::sleep(BETWEEN_OPENINGS).await;
            }
            Err(error) => return Err(cannot_open(path, error)),
        }
    }
}

/// SQLite says only that a file cannot be opened, or that there was an I/O error; the system says why.
fn cannot_open(path: &Path, error: sqlx::Error) -> Error {
    const SQLITE_IOERR: u32 = 10;
    const SQLITE_CANTOPEN: u32 = 14;
    let op = format!("open {}", path.display());
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The lowest byte is the kind, and the others what kind of it.
    let kind = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
    match (kind, cannot_write(path)) {
        (Some(SQLITE_IOERR | SQLITE_CANTOPEN), Err(why)) => Error::caused(Kind::Unavailable, op, why),
        _ => failed(op)(error),
    }
}

/// Fails as a write to this file, or to another beside it, does.
fn cannot_write(path: &Path) -> std::io::Result<()> {
    static A_PAGE: [u8; 32 << 10] = [0; 32 << 10];
    match std::fs::OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::io::Write::write_all(&mut tempfile::tempfile_in(folder)?, &A_PAGE)
}

async fn connect(options: SqliteConnectOptions, schema: &'static str) -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(schema).execute(&pool).await?;
    Ok(pool)
}

/// `SQLITE_BUSY`, alone or with what it is busy with.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("5" | "261" | "517"))
}

/// Maps a failure of SQLite to the port's error with `op` as its operation.
pub(super) fn failed(op: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Error {
    move |error| Error::caused(kind(&error), op, error)
}

/// `SQLITE_CORRUPT` and `SQLITE_NOTADB`; everything else may pass: a full disk, a lock held for too long.
fn kind(error: &sqlx::Error) -> Kind {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let is_broken = matches!(code.as_deref(), Some("11" | "26"))
        || matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_));
    if is_broken { Kind::Invalid } else { Kind::Unavailable }
}

/// The kind of an error whose cause may be SQLite's.
pub(super) fn kind_of(error: &(dyn std::error::Error + 'static)) -> Kind {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return kind(error);
        }
        cause = error.source();
    }
    Kind::Unavailable
}
