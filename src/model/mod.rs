//! The vocabulary: names, events, findings, activity. No input or output, no async, no SDK types.

pub mod activity;
pub mod directory;
pub mod event;
pub mod finding;
pub mod identity;
pub mod ledger;
pub mod loose;
pub mod metric;
pub mod name;
pub mod notification;
pub mod ocsf;
pub mod okta;
pub mod planted;
pub mod prerequisite;
pub mod resources;
pub mod route;
pub mod run;
pub mod shown;
pub mod source;
pub mod stack;
pub mod tuning;
