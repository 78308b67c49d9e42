//! The upkeep of a tenant's data over years, in one run: what is past its retention goes, small files are merged, and what
//! nobody refers to any more is deleted. Each act can be repeated, and each commits before it deletes.

use serde::Serialize;

use crate::lake::Upkeep;
use crate::lake::expire::{Keep, Removed, clean};
use crate::lake::merge::{Merged, merge};
use crate::lake::retention::Horizon;
use crate::ports::{Objects, Result};
use crate::runtime::retention::{self, Past};

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Absent where data is kept for ever.
    pub dropped: Option<Past>,
    pub merged: Merged,
    pub removed: Removed,
}

/// One run. Data is kept for ever without a horizon.
///
/// What is dropped stays in the table's older snapshots, and in their files, as long as `keep` says.
pub async fn run(upkeep: &Upkeep<'_>, objects: &dyn Objects, horizon: Option<Horizon>, keep: Keep) -> Result<Report> {
    let dropped = match horizon {
        Some(horizon) => Some(retention::drop_past(upkeep, objects, horizon).await?),
        None => None,
    };
    Ok(Report {
        dropped,
        merged: merge(upkeep).await?,
        removed: clean(upkeep, keep).await?,
    })
}
