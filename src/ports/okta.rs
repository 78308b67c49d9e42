//! The tenant's Okta org, as its management API shows it: what can be asked of it, and the few things that may be changed there.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::model::okta::{LogStream, NewLogStream};
use crate::ports::Result;

/// The most events that Okta gives in one page of its System Log.
pub const EVENTS_A_PAGE: usize = 1_000;

/// What can be asked. Everything but [`Ask::Me`], [`Ask::User`] and [`Ask::Org`] comes as a list, in pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Events of the System Log.
    Events(LogQuery),
    LogStreams,
    /// Who the token belongs to; [`crate::ports::Kind::NotFound`] for an application's.
    Me,
    /// A user by ID or login.
    User(String),
    /// Users with an e-mail address, which may be no login.
    UsersByEmail(String),
    /// Every user, the deprovisioned too, whose profile or status changed at or after a time; all without one.
    Users {
        changed_since: Option<Timestamp>,
    },
    /// The user's enrolled factors, by user ID.
    Factors(String),
    /// The user's enrolled devices, by user ID.
    UserDevices(String),
    /// The administrator roles of a user, by ID.
    Roles(String),
    /// Every device with its users, changed at or after a time; all without one.
    Devices {
        changed_since: Option<Timestamp>,
    },
    Groups,
    /// What an org tells to everybody: its ID and address.
    Org,
}

/// A bounded query of the System Log: events with `from <= published < to`, by `published`, oldest first.
///
/// Okta keeps 90 days, and an event that it is late to store may still come into a time that was read before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    pub from: Timestamp,
    pub to: Timestamp,
    /// In Okta's filter language, as in `actor.id eq "00u1"`.
    pub filter: Option<String>,
}

/// Where the next page begins; given back as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next(pub String);

/// One page.
#[derive(Debug, Default)]
pub struct Page {
    /// Each as Okta wrote it.
    pub items: Vec<Box<RawValue>>,
    /// `None` on the last page.
    pub next: Option<Next>,
    /// What time it is at Okta, to the second.
    pub at: Option<Timestamp>,
}

/// What may be changed. A log stream's settings cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Create(NewLogStream),
    Activate(String),
    Deactivate(String),
    /// Only what is deactivated can be deleted.
    Delete(String),
    /// Writes a stream as it is. Nothing changes but that the System Log says so: an event that harms nobody.
    Touch(LogStream),
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(stream) => write!(formatter, "create the log stream `{}`", stream.name),
            Self::Activate(id) => write!(formatter, "activate the log stream {id}"),
            Self::Deactivate(id) => write!(formatter, "deactivate the log stream {id}"),
            Self::Delete(id) => write!(formatter, "delete the log stream {id}"),
            Self::Touch(stream) => write!(formatter, "write the log stream {} as it is", stream.id),
        }
    }
}

/// An org. Requests wait for their turn, so that a share of its rate limit stays with whoever else asks it; one that Okta
/// refuses for a while is repeated within the patience of the adapter.
///
/// [`crate::ports::Kind::Denied`]: the token is not valid or may not; [`crate::ports::Kind::NotFound`]: there is none of this
/// name; [`crate::ports::Kind::Throttled`] and [`crate::ports::Kind::Unavailable`]: patience ended. No error holds a secret.
#[async_trait]
pub trait Okta: Send + Sync {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page>;
    /// The log stream as it is afterwards; `None` when it was deleted. It is not repeated where it may have been done.
    async fn act(&self, act: &Act) -> Result<Option<LogStream>>;
    /// Requests that were sent so far, those that were refused included.
    fn requests(&self) -> u64;
}
