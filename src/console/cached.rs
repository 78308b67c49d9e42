//! A value that is read again after a while. Whoever asks for one that is a little old gets it at once, while it is read again
//! behind their back; for one that is too old to be true, they wait.

use std::sync::{Arc, Mutex, PoisonError};

use futures::Future;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Result, chain};

/// A value that is so many times older than it should be is not given any more.
const TOO_OLD: i32 = 10;

/// One value.
pub struct Cached<T>(Arc<Inner<T>>);

struct Inner<T> {
    lasts: SignedDuration,
    state: Mutex<State<T>>,
    /// Held by whoever reads.
    reading: tokio::sync::Mutex<()>,
}

struct State<T> {
    value: Option<(Timestamp, Arc<T>)>,
    /// Changes with each change that is made here: what was read before one is not put over it.
    generation: u64,
}

impl<T: Send + Sync + 'static> Cached<T> {
    pub fn new(lasts: SignedDuration) -> Self {
        Self(Arc::new(Inner {
            lasts,
            state: Mutex::new(State {
                value: None,
                generation: 0,
            }),
            reading: tokio::sync::Mutex::default(),
        }))
    }

    /// The value; `load` reads it, given what was there before.
    pub async fn get<F, L>(&self, now: Timestamp, load: L) -> Result<Arc<T>>
    where
        L: FnOnce(Option<Arc<T>>) -> F,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let fresh = |at: Timestamp, times: i32| now.duration_since(at) < self.0.lasts * times;
        if let Some((at, value)) = self.0.known().filter(|(at, _)| fresh(*at, TOO_OLD)) {
            if !fresh(at, 1) {
                let generation = self.0.generation();
                let (inner, read) = (Arc::clone(&self.0), load(Some(Arc::clone(&value))));
                tokio::spawn(async move {
                    // Somebody else reads already.
                    let Ok(_reading) = inner.reading.try_lock() else { return };
                    match read.await {
                        Ok(value) => drop(inner.put(now, value, generation)),
                        Err(error) => tracing::warn!("cannot be read again: {}", chain(&error)),
                    }
                });
            }
            return Ok(value);
        }
        let _reading = self.0.reading.lock().await;
        let known = self.0.known();
        if let Some((_, value)) = known.as_ref().filter(|(at, _)| fresh(*at, 1)) {
            return Ok(Arc::clone(value));
        }
        let generation = self.0.generation();
        let value = load(known.map(|(_, value)| value)).await?;
        Ok(self.0.put(now, value, generation))
    }

    /// Changes the value that is known, if there is one, and keeps what is being read now from undoing that.
    pub fn change(&self, change: impl FnOnce(&T) -> T) {
        let mut state = self.0.state();
        state.generation += 1;
        if let Some((_, value)) = &mut state.value {
            *value = Arc::new(change(value));
        }
    }

    /// The next reader waits for a fresh one.
    pub fn forget(&self) {
        let mut state = self.0.state();
        state.generation += 1;
        state.value = None;
    }
}

impl<T> Inner<T> {
    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Option<(Timestamp, Arc<T>)> {
        self.state().value.clone()
    }

    fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Keeps what was read, unless something was changed meanwhile.
    fn put(&self, at: Timestamp, value: T, generation: u64) -> Arc<T> {
        let value = Arc::new(value);
        let mut state = self.state();
        if state.generation == generation {
            state.value = Some((at, Arc::clone(&value)));
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    async fn get(cached: &Cached<u32>, minute: i64, value: u32) -> u32 {
        let read = *cached.get(at(minute), |_| async move { Ok(value) }).await.unwrap();
        // Whatever goes on behind comes to its end.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        read
    }

    #[tokio::test]
    async fn a_value_is_given_while_it_may_be_true() {
        let cached = Cached::new(SignedDuration::from_mins(1));
        assert_eq!(get(&cached, 0, 1).await, 1);
        assert_eq!(get(&cached, 0, 2).await, 1, "fresh");
        assert_eq!(get(&cached, 2, 3).await, 1, "a little old");
        assert_eq!(get(&cached, 2, 4).await, 3, "read again behind");
        assert_eq!(get(&cached, 60, 5).await, 5, "too old");
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_does_not_undo_it() {
        let cached = Cached::new(SignedDuration::from_mins(1));
        assert_eq!(get(&cached, 0, 1).await, 1);
        let (start, begun) = tokio::sync::oneshot::channel::<()>();
        let old = cached.get(at(2), |_| async move {
            let _ = begun.await;
            Ok(1)
        });
        assert_eq!(*old.await.unwrap(), 1);
        tokio::task::yield_now().await;
        cached.change(|value| value + 10);
        start.send(()).unwrap();
        assert_eq!(get(&cached, 0, 7).await, 11);
    }
}
