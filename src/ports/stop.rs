//! A wish to stop, as a task gets it from its platform: whoever works looks at it between two steps and comes to a clean end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Set once, seen by all clones.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_asked: AtomicBool,
    asked: Notify,
}

impl Stop {
    pub fn ask(&self) {
        self.0.is_asked.store(true, Ordering::Release);
        self.0.asked.notify_waiters();
    }

    pub fn is_asked(&self) -> bool {
        self.0.is_asked.load(Ordering::Acquire)
    }

    /// Waits until it is asked for.
    pub async fn asked(&self) {
        let mut asked = std::pin::pin!(self.0.asked.notified());
        // Whoever asks between the look and the wait is heard.
        asked.as_mut().enable();
        if !self.is_asked() {
            asked.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_hears_of_it_before_and_after() {
        let stop = Stop::default();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.asked().await }
        });
        tokio::task::yield_now().await;
        assert!(!stop.is_asked());
        stop.ask();
        waiting.await.unwrap();
        stop.asked().await;
        assert!(stop.is_asked());
    }
}
