//! Answers of AWS that no emulator gives, as bytes on the wire: what the SDK makes of them is part of what is tested.
//!
//! `aws-smithy-mocks` would do the same one layer higher, but turns features of the SDK on for tests alone, so that all of
//! it would be built twice.

#![cfg(feature = "deploy")]

mod lists;
mod messages;
mod queue;
mod requests;
mod script;
mod stacks;
mod watch;
