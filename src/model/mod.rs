//! The vocabulary: names, events, findings, activity. No input or output, no async, no SDK types.

pub mod activity;
pub mod event;
pub mod finding;
pub mod identity;
pub mod loose;
pub mod metric;
pub mod name;
pub mod resources;
pub mod source;
pub mod stack;
