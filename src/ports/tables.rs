//! What the upkeep of an Iceberg table needs of its catalog and its storage, and Iceberg's own traits do not have.

use async_trait::async_trait;
use iceberg::spec::TableMetadata;
use iceberg::table::Table;
use jiff::Timestamp;

use crate::ports::Result;

/// A catalog's tables and the files behind them.
///
/// Iceberg's library commits its own actions only, of which none takes a file out of a table. Every catalog, however, ends a
/// commit in the same way: it changes the place of the table's metadata, if that is still what the writer has read.
#[async_trait]
pub trait Tables: Send + Sync {
    /// Makes `next`, which is written at `location`, the table's metadata. [`Kind::Conflict`](crate::ports::Kind::Conflict)
    /// when the table has changed in any way since `base` was loaded; nothing is changed then.
    async fn swap(&self, base: &Table, next: &TableMetadata, location: &str) -> Result<()>;
    /// Every file below a table's location, each named as the table names its files.
    async fn files(&self, location: &str) -> Result<Vec<StoredFile>>;
}

/// A file, whether or not a table refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    pub location: String,
    pub bytes: u64,
    /// By the storage's clock.
    pub modified: Timestamp,
}
