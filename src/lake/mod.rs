//! Where events rest: segments of raw events, what was set aside, and the Activity table on Iceberg.
//!
//! Lives here: file formats, the table's schema, sorted and bounded-memory writing and reading. Must not live here:
//! which catalog or storage is used (it is handed in), and when to compact or refresh.

pub mod admission;
mod batch;
pub mod commit;
pub mod directory;
pub mod erase;
mod existing;
pub mod expire;
mod inventory;
pub mod merge;
pub mod objects;
pub mod packed;
pub mod page;
mod read;
mod replace;
pub mod retention;
mod rewrite;
mod row;
pub mod segment;
pub mod set_aside;
mod sort;
mod table;
mod upkeep;
mod write;

pub use read::{Query, activity};
pub use table::Lake;
pub use upkeep::Upkeep;
pub use write::{Rows, Written};

use parquet::errors::ParquetError;

use crate::ports::{Error, Kind};

/// Maps an Iceberg error to the port's error with `op` as its operation.
pub(crate) fn failed(op: impl Into<String>) -> impl Fn(iceberg::Error) -> Error {
    let op = op.into();
    move |error| {
        let kind = match error.kind() {
            // A catalog on a service says more than Iceberg has words for.
            _ if let Some(cause) = port_error(&error) => cause.kind,
            iceberg::ErrorKind::CatalogCommitConflicts => Kind::Conflict,
            iceberg::ErrorKind::TableNotFound | iceberg::ErrorKind::NamespaceNotFound => Kind::NotFound,
            iceberg::ErrorKind::DataInvalid | iceberg::ErrorKind::FeatureUnsupported => Kind::Invalid,
            _ if is_broken(&error) => Kind::Invalid,
            _ => Kind::Unavailable,
        };
        Error::caused(kind, op.clone(), error)
    }
}

/// Whether what was read is not what was written: a reader tells so somewhere below.
fn is_broken(error: &iceberg::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let is_bad_data = error
            .downcast_ref::<iceberg::Error>()
            .is_some_and(|error| error.kind() == iceberg::ErrorKind::DataInvalid);
        let is_bad_parquet = error
            .downcast_ref::<ParquetError>()
            .is_some_and(|error| !matches!(error, ParquetError::External(_)));
        if is_bad_data || is_bad_parquet {
            return true;
        }
        cause = error.source();
    }
    false
}

fn port_error(error: &iceberg::Error) -> Option<&Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// A scratch file that cannot be written or read.
fn scratch(error: std::io::Error) -> Error {
    Error::caused(Kind::Unavailable, "sort rows in the scratch folder", error)
}

fn corrupt(op: &'static str) -> Error {
    Error::new(Kind::Invalid, op)
}
