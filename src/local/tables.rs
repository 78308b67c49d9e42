//! Upkeep of tables on the embedded target: the SQL catalog's own row for a table, and the files of the warehouse.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use iceberg::spec::TableMetadata;
use iceberg::table::Table;
use jiff::Timestamp;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

use crate::local::catalog::{CATALOG, FILE};
use crate::local::sqlite::failed;
use crate::ports::tables::{StoredFile, Tables};
use crate::ports::{Error, Kind, Result};

/// How long a call waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// The table of the SQL catalog, as every implementation of it knows it. Source: Iceberg's `JdbcCatalog`.
const SWAP: &str = "UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ? \
    WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?";

/// The tables of the catalog in a data folder.
pub struct LocalTables {
    pool: SqlitePool,
}

impl LocalTables {
    /// `data` is the folder that [`catalog::open`](crate::local::catalog::open) was given before.
    pub fn open(data: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(data.join(FILE))
            .busy_timeout(BUSY_TIMEOUT);
        Self {
            pool: SqlitePool::connect_lazy_with(options),
        }
    }
}

#[async_trait]
impl Tables for LocalTables {
    async fn swap(&self, base: &Table, _: &TableMetadata, location: &str) -> Result<()> {
        let op = || format!("commit to the table {}", base.identifier());
        let current = base.metadata_location();
        let swapped = sqlx::query(SWAP)
            .bind(location)
            .bind(current)
            .bind(CATALOG)
            .bind(base.identifier().namespace().join("."))
            .bind(base.identifier().name())
            .bind(current)
            .execute(&self.pool)
            .await
            .map_err(failed(op()))?;
        if swapped.rows_affected() == 1 {
            Ok(())
        } else {
            Err(Error::new(Kind::Conflict, op()))
        }
    }

    async fn files(&self, location: &str) -> Result<Vec<StoredFile>> {
        let op = format!("list the files below {location}");
        let root = PathBuf::from(location);
        match tokio::task::spawn_blocking(move || walk(&root)).await {
            Ok(Ok(files)) => Ok(files),
            Ok(Err(error)) => Err(Error::caused(Kind::Unavailable, op, error)),
            Err(error) => Err(Error::caused(Kind::Unavailable, op, error)),
        }
    }
}

fn walk(root: &Path) -> io::Result<Vec<StoredFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Another run has deleted it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if metadata.is_dir() {
                folders.push(entry.path());
                continue;
            }
            files.push(StoredFile {
                location: entry.path().to_string_lossy().into_owned(),
                bytes: metadata.len(),
                modified: Timestamp::try_from(metadata.modified()?).map_err(io::Error::other)?,
            });
        }
    }
    Ok(files)
}
