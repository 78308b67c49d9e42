//! The upkeep of a tenant's data over years, in one run: what is past its retention goes, small files are merged, and what
//! nobody refers to any more is deleted. Each act can be repeated, and each commits before it deletes.

use serde::Serialize;

use crate::lake::Upkeep;
use crate::lake::directory::Directory;
use crate::lake::expire::{Keep, Removed, clean};
use crate::lake::merge::{Merged, merge};
use crate::lake::retention::Horizon;
use crate::model::directory::{DEVICES, USERS};
use crate::ports::{Objects, Result};
use crate::runtime::retention::{self, Past};

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Absent where data is kept for ever.
    pub dropped: Option<Past>,
    pub merged: Merged,
    pub removed: Removed,
    /// Of the directory's tables.
    pub removed_of_directory: Removed,
}

/// One run. Data is kept for ever without a horizon.
///
/// What is dropped stays in the table's older snapshots, and in their files, as long as `keep` says.
pub async fn run(upkeep: &Upkeep<'_>, objects: &dyn Objects, horizon: Option<Horizon>, keep: Keep) -> Result<Report> {
    let dropped = match horizon {
        Some(horizon) => Some(retention::drop_past(upkeep, objects, horizon).await?),
        None => None,
    };
    let mut report = Report {
        dropped,
        merged: merge(upkeep).await?,
        removed: clean(upkeep, keep).await?,
        removed_of_directory: Removed::default(),
    };
    for subject in [&USERS, &DEVICES] {
        let directory = Directory::beside(upkeep.lake, subject);
        if directory.lake.load().await?.is_none() {
            continue;
        }
        let beside = Upkeep {
            lake: &directory.lake,
            ..*upkeep
        };
        let removed = clean(&beside, keep).await?;
        report.removed_of_directory.snapshots += removed.snapshots;
        report.removed_of_directory.files += removed.files;
        report.removed_of_directory.bytes += removed.bytes;
    }
    Ok(report)
}
