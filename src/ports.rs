//! Every effect of the program as a small trait, with the promises that both the embedded and the AWS adapter keep.
//!
//! Lives here: traits, the messages that cross them, and the one error type. Must not live here: any adapter, any decision.

pub mod cloud;
pub mod jitter;
pub mod okta;
pub mod stop;
pub mod tables;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::model::notification::Alert;
use crate::ports::stop::Stop;

/// What a caller may branch on when an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The thing named does not exist.
    NotFound,
    /// Somebody else changed it first: read again and decide again.
    Conflict,
    /// The service asked for fewer calls; the same call may succeed later.
    Throttled,
    /// The caller's credentials do not allow it.
    Denied,
    /// The request or the stored data is malformed; a repeat fails the same way.
    Invalid,
    /// The service or the disk did not answer; a repeat may succeed.
    Unavailable,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
        })
    }
}

/// One failed effect: the kind to branch on, the operation in words (`read object segments/…`), and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{op}: {kind}")]
pub struct Error {
    pub kind: Kind,
    pub op: String,
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error without a deeper cause.
    pub fn new(kind: Kind, op: impl Into<String>) -> Self {
        Self {
            kind,
            op: op.into(),
            source: None,
        }
    }

    /// An error that keeps its cause.
    pub fn caused(
        kind: Kind,
        op: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            op: op.into(),
            source: Some(source.into()),
        }
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

pub type Result<T> = std::result::Result<T, Error>;

/// One delivery of a message. The same message may be delivered again until its receipt is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub body: String,
    pub receipt: Receipt,
    /// 1 at the first delivery.
    pub attempt: u32,
}

/// Names one delivery of one message. Only the newest delivery's receipt acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(pub String);

/// Messages by state, as the queue counts them at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct QueueDepth {
    pub visible: u64,
    pub in_flight: u64,
    pub dead: u64,
}

/// The tenant's event queue, with the semantics of SQS standard queues: at least once, unordered.
///
/// A received message is hidden for the visibility timeout, then delivered again. A message received more often than the
/// receive limit moves to the dead-letter queue instead of being delivered.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Up to `max` messages that are visible now; an empty list when there are none.
    async fn receive(&self, max: usize) -> Result<Vec<Message>>;
    /// Removes these deliveries for good. A receipt that is out of date is ignored: its message was delivered again.
    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<()>;
    /// Hides these deliveries for `hidden` from now on.
    async fn extend(&self, receipts: &[Receipt], hidden: Duration) -> Result<()>;
    async fn depth(&self) -> Result<QueueDepth>;
}

/// A message that no run could take, or that the rule could not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub body: String,
    pub receipt: Receipt,
    /// How often it was received; 0 where that is not known.
    pub attempts: u32,
    /// What the rule said that could not deliver it.
    pub undelivered: Option<String>,
}

/// The dead letters of the tenant's event queue.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Up to `max` of them; an empty list when there are none. They may be missing from another list for a while.
    async fn letters(&self, max: usize) -> Result<Vec<DeadLetter>>;
    /// Puts them back into the event queue, and only then takes them out of the dead letters.
    async fn redrive(&self, letters: &[DeadLetter]) -> Result<()>;
}

/// What must be true of the stored object for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    None,
    /// No object has this key.
    Absent,
    /// The object is the one that was read with this version.
    Is(Version),
}

/// An opaque version of an object's content, as S3's `ETag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// The tenant's objects, under keys like `segments/00000007.jsonl.zst`. A write is atomic and durable once it returned.
#[async_trait]
pub trait Objects: Send + Sync {
    /// `None` when no object has this key.
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>>;
    /// Fails with [`Kind::Conflict`] when the precondition does not hold; nothing is written then.
    async fn put(&self, key: &str, bytes: Vec<u8>, precondition: Precondition) -> Result<Version>;
    /// Keys that start with `prefix` and sort after `after`, in byte order, `limit` at most.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>>;
    /// Deleting what is not there succeeds.
    async fn delete(&self, key: &str) -> Result<()>;
}

/// Why a message did not reach its route. [`Kind::Throttled`] and [`Kind::Unavailable`] may go well a moment later; the others
/// wait for somebody to mend the route.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Undelivered {
    #[source]
    pub error: Error,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Undelivered {
    /// The error with its causes, in one line.
    pub fn whole(&self) -> String {
        chain(&self.error)
    }
}

impl From<Error> for Undelivered {
    fn from(error: Error) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

/// Delivers messages to one route, or to a topic that has routes of its own. A message's key is its idempotency key: a receiver
/// that can tell keeps one of each.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Returns the names of the routes that took it, or of the topic where that is all that a service tells. No error holds a
    /// secret.
    async fn deliver(&self, alert: &Alert) -> std::result::Result<Vec<String>, Undelivered>;
}

/// A tenant's secrets, by names such as `slack-webhook`. They are only read: a person puts them where they are kept.
///
/// What is given shows itself to nobody who does not ask for it by `expose_secret`, and is wiped when it is dropped.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// `None` when there is none of this name. [`Kind::Invalid`] for what is no name (see `model::name::is_secret_name`), and for a secret that
    /// is no text.
    async fn get(&self, name: &str) -> Result<Option<SecretString>>;
}

/// Held while a role works on a tenant. One that is dropped without a release becomes free after a while at most, also when
/// the process dies.
pub struct LeaseGuard(pub Box<dyn Held>);

impl LeaseGuard {
    /// Lets the next run begin at once.
    pub async fn release(self) {
        self.0.release().await;
    }
}

/// What a lease's holder has in hand.
#[async_trait]
pub trait Held: Send + Sync {
    async fn release(self: Box<Self>);
}

/// Keeps two runs of one role from working on one tenant at once.
///
/// A holder that was cut off for so long that another took over is asked to stop. Until it hears of it, two may work: every
/// write of a role is therefore a compare-and-swap, of which the later holder's wins.
#[async_trait]
pub trait Leases: Send + Sync {
    /// `None` when another run holds it. `stop` is asked for when the lease is lost.
    async fn acquire(&self, role: &str, stop: &Stop) -> Result<Option<LeaseGuard>>;
}

/// The durable record of a long operation, line by line, so that the same command can go on where it was killed. One
/// process at a time holds it.
pub trait Journal: Send + Sync {
    /// Every line so far, in order. A line that a killed process did not write to its end is not among them.
    fn lines(&self) -> Result<Vec<String>>;
    /// Adds a line; durable once it returned.
    fn append(&self, line: &str) -> Result<()>;
}

/// Where the program learns what time it is.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}
