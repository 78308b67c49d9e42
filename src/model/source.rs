//! Partner event sources as EventBridge has them.

use jiff::Timestamp;

/// A partner event source in the platform's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    pub name: String,
    pub state: SourceState,
    pub created: Option<Timestamp>,
    /// When EventBridge deletes it unless an event bus accepts it before.
    pub expires: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// No event bus accepts it: what Okta sends meanwhile is dropped for good.
    Pending,
    Active,
    /// Okta has deleted it; an event bus of that name gets nothing any more.
    Deleted,
}
