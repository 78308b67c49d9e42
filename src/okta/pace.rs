//! How fast an org is asked. Okta counts requests in windows of a minute and tells with each answer how many are left; whoever
//! takes the last one takes it from everybody who asks the same org. No input or output.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::Told;

/// Which part of a rate limit may be used, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u8);

impl Share {
    /// 1 to 100.
    pub fn percent(percent: u8) -> Self {
        Self(percent.clamp(1, 100))
    }

    /// How many of `limit` stay for others.
    fn left_to_others(self, limit: u32) -> u32 {
        let ours = u64::from(limit) * u64::from(self.0) / 100;
        limit - u32::try_from(ours.max(1)).unwrap_or(limit).min(limit)
    }
}

/// A window as Okta told of it last. Of one that is over nothing is known but that the next has begun, of which the answer to
/// one request will tell: that one is ours whatever others took, or they could keep us out for good.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    limit: u32,
    remaining: u32,
    resets: Instant,
}

/// Two answers tell of one window although they differ by so much in its end: both of their times are cut to the second.
const SAME: Duration = Duration::from_secs(5);

impl Window {
    /// The window after an answer. Of one window, the answer that tells of less came last.
    pub fn after(before: Option<Self>, told: Told, now: Instant) -> Self {
        let window = Self {
            limit: told.limit,
            remaining: told.remaining,
            resets: now + told.resets_in,
        };
        let is_same =
            |before: &Self| !before.is_over(now) && window.resets.saturating_duration_since(before.resets) < SAME;
        match before.filter(is_same) {
            Some(before) => Self {
                remaining: window.remaining.min(before.remaining),
                resets: window.resets.max(before.resets),
                ..window
            },
            None => window,
        }
    }

    /// Okta refused: nothing is left of this window.
    pub fn refused(now: Instant, wait: Duration) -> Self {
        Self {
            limit: 1,
            remaining: 0,
            resets: now + wait,
        }
    }

    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.resets
    }

    /// How long the next request waits.
    pub fn wait(&self, share: Share, now: Instant) -> Duration {
        if self.is_over(now) || self.remaining > share.left_to_others(self.limit) {
            Duration::ZERO
        } else {
            self.resets - now
        }
    }

    /// A request is about to be sent.
    pub fn send(&mut self) {
        self.remaining = self.remaining.saturating_sub(1);
    }
}
