//! The embedded target: every port on one machine, under one data folder, with the promises of the services that it
//! stands in for. Must not live here: decisions about events, segments or findings.

pub mod account;
pub mod address;
pub mod bus;
pub mod catalog;
mod chunk;
pub mod clock;
pub mod export;
pub mod journal;
pub mod lease;
pub mod objects;
pub mod org;
pub mod pattern;
pub mod queue;
pub mod retained;
mod runs;
pub mod schedule;
pub mod secrets;
mod sqlite;
pub mod tables;
mod template;
pub mod topic;
pub mod twin;

/// Whether `name` (of a tenant or a role) names exactly one file in the folder it is put in.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}
