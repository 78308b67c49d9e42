//! Okta's management API over HTTPS.
//!
//! Lives here: signing in, addresses, pages, the rate limit, and what an answer means. Must not live here: what the answers are
//! used for. No error and no log line holds a token.

pub mod answer;
mod client;
mod pace;
mod sign_in;
mod target;
#[cfg(test)]
mod tests;

pub use client::{Client, Manners};
