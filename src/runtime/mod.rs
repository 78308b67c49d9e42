//! What the stacks launch: landing events, the hourly analysis, notifications, the daily compaction, and the refresh of
//! one user. Reaches the world through ports and the lake only.

pub mod analysis;
pub mod backfill;
pub mod backtest;
pub mod compact;
mod course;
pub mod detect;
pub mod directory;
pub mod erase;
pub mod findings;
pub mod ingest;
pub mod ledger;
pub mod maintain;
pub mod notify;
pub mod outbox;
pub mod redrive;
pub mod refresh;
pub mod replay;
pub mod retention;
pub mod runs;
mod silence;
pub mod stream;
pub mod walk;

pub use course::SEGMENTS as SEGMENTS_A_SAVE;
pub use ingest::RECEIVE_MESSAGES as EVENTS_A_RECEIVE;
