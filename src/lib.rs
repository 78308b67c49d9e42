//! Okta log streams for the Oort identity security platform: the stacks that receive them, and the runtime that those
//! stacks launch.
//!
//! cli chooses; deploy and runtime decide; model names; ports ask; local answers. The directions in which a room may use
//! another stand in `ARCHITECTURE.md` and are kept by a test.
//!
//! Without the feature `deploy` only what the stacks launch is built.

#![cfg_attr(
    not(feature = "deploy"),
    allow(dead_code, reason = "the full build uses it, and tells what nobody does")
)]

pub mod model;
pub mod ports;
pub mod telemetry;

#[cfg(feature = "deploy")]
pub mod console;
#[cfg(feature = "deploy")]
pub mod deploy;
pub mod lake;
pub mod runtime;

pub mod aws;
pub mod channels;
#[cfg(feature = "deploy")]
pub mod local;
pub mod okta;
#[cfg(feature = "deploy")]
pub mod sample;

pub mod cli;
