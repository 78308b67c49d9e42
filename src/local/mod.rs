//! The embedded target: every port on one machine with the promises of its AWS counterpart, under one data folder, and
//! the twin that reads what a rendered stack asks for. Decides nothing that the template says.

pub mod address;
pub mod bus;
pub mod catalog;
pub mod clock;
pub mod export;
pub mod lease;
pub mod objects;
pub mod queue;
pub mod schedule;
pub mod topic;
pub mod twin;
