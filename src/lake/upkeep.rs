//! What every act of upkeep works with.

use std::path::Path;

use crate::lake::table::Lake;
use crate::ports::Clock;
use crate::ports::tables::Tables;

/// A table, and what it takes to change what it has.
#[derive(Clone, Copy)]
pub struct Upkeep<'a> {
    pub lake: &'a Lake,
    pub tables: &'a dyn Tables,
    pub clock: &'a dyn Clock,
    /// A folder of its own, for rows that are sorted: about a third of the largest day's events.
    pub scratch: &'a Path,
    /// The name of this run among all runs: files are named by it.
    pub run: &'a str,
}

/// Commits that lost a race are computed again so often.
pub const ATTEMPTS: usize = 8;
