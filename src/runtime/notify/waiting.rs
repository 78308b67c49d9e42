//! A finding that somebody has yet to be told of, on its way through a run.

use jiff::{SignedDuration, Timestamp};

use super::{Outlet, pace};
use crate::model::finding::{Finding, Status};
use crate::model::notification::{Alert, Notification};
use crate::ports::Undelivered;
use crate::runtime::outbox::{self, Bundle, Entry, Progress, Stored};

/// What becomes of an entry whose finding is there.
pub(super) enum Fate {
    Told,
    /// Whoever queued it is about to store its finding.
    Awaited,
    Over,
}

impl Fate {
    pub(super) fn of(entry: &Entry, finding: &Finding, now: Timestamp) -> Self {
        let opened = finding.reopened();
        match (finding.stands(now), entry.opening.unwrap_or(opened)) {
            (_, opening) if opening > opened => Self::Awaited,
            // The entry of the next opening tells of it.
            (_, opening) if opening < opened => Self::Over,
            (Status::Muted | Status::Closed, _) => Self::Over,
            // Everybody was told, and a run that fell behind has queued it again.
            (Status::Notified, _) if entry.routes.is_empty() && finding.was_told() => Self::Over,
            _ => Self::Told,
        }
    }
}

/// An entry on its way through the outlets.
pub(super) struct Waiting {
    pub(super) stored: Stored,
    pub(super) since: Timestamp,
    pub(super) notification: Notification,
    pub(super) is_changed: bool,
    /// The routes that took it in this run.
    pub(super) took: Vec<String>,
    pub(super) is_gone: bool,
}

/// What is to be sent at once.
pub(super) struct Message {
    pub(super) members: Vec<usize>,
    /// The bundle that an earlier run began with.
    pub(super) begun: Option<Bundle>,
}

pub(super) fn bundle(outlet: &Outlet, waiting: &[Waiting], members: &[usize]) -> Bundle {
    let ids: Vec<&str> = members
        .iter()
        .map(|index| waiting[*index].notification.id.as_str())
        .collect();
    Bundle {
        key: match ids.as_slice() {
            [one] => (*one).to_owned(),
            several => Alert::key_of(&outlet.name, several.iter().copied()),
        },
        entries: members.iter().map(|index| waiting[*index].stored.key.clone()).collect(),
    }
}

impl Waiting {
    pub(super) fn waits_for(&self, outlet: &Outlet) -> bool {
        !self.is_gone && self.stored.entry.tries(&outlet.name).progress == Progress::Waiting
    }

    pub(super) fn note(&mut self, outlet: &Outlet, change: impl FnOnce(&mut outbox::Tries)) {
        let mut tries = self.stored.entry.tries(&outlet.name);
        change(&mut tries);
        self.stored.entry.routes.insert(outlet.name.clone(), tries);
        self.is_changed = true;
    }

    /// Sees whether an outlet wants to hear of it, and whether it was tried for long enough.
    pub(super) fn consider(&mut self, outlet: &Outlet, now: Timestamp) {
        if !self.waits_for(outlet) {
            return;
        }
        let patience = SignedDuration::from_hours(i64::from(outlet.pace.give_up_hours));
        if !outlet.filter.wants(&self.notification) {
            self.note(outlet, |tries| tries.progress = Progress::Unwanted);
        } else if self.stored.entry.tries(&outlet.name).failures > 0 && now.duration_since(self.since) >= patience {
            self.note(outlet, |tries| tries.progress = Progress::GivenUp);
        }
    }

    pub(super) fn candidate(&self, index: usize, outlet: &Outlet) -> pace::Candidate {
        pace::Candidate {
            index,
            severity: self.notification.severity,
            since: self.since,
            not_before: self.stored.entry.tries(&outlet.name).not_before,
        }
    }

    pub(super) fn delivered(&mut self, outlet: &Outlet, routes: &[String]) {
        self.took.extend(routes.iter().cloned());
        let progress = if routes.is_empty() {
            Progress::Unwanted
        } else {
            Progress::Delivered
        };
        self.note(outlet, |tries| tries.progress = progress);
    }

    pub(super) fn failed(&mut self, outlet: &Outlet, failed: &Undelivered, now: Timestamp) {
        self.note(outlet, |tries| {
            tries.failures += 1;
            let wanted = failed.retry_after.and_then(|after| now.checked_add(after).ok());
            tries.not_before = Some(pace::not_before(tries.failures, now)).max(wanted);
            tries.why = failed.whole();
        });
    }
}
