//! A value that is read again after a while. Whoever asks for an old one gets it at once, while it is read again behind their
//! back; only the first ever waits.

use std::sync::{Arc, Mutex, PoisonError};

use futures::Future;
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Result, chain};

/// One value.
pub struct Cached<T>(Arc<Inner<T>>);

struct Inner<T> {
    lasts: SignedDuration,
    value: Mutex<Option<(Timestamp, Arc<T>)>>,
    /// Held by whoever reads.
    reading: tokio::sync::Mutex<()>,
}

impl<T: Send + Sync + 'static> Cached<T> {
    pub fn new(lasts: SignedDuration) -> Self {
        Self(Arc::new(Inner {
            lasts,
            value: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
        }))
    }

    /// The value; `load` reads it, given what was there before.
    pub async fn get<F, L>(&self, now: Timestamp, load: L) -> Result<Arc<T>>
    where
        L: FnOnce(Option<Arc<T>>) -> F,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        if let Some((at, value)) = self.0.known() {
            if now.duration_since(at) >= self.0.lasts {
                let (inner, read) = (Arc::clone(&self.0), load(Some(Arc::clone(&value))));
                tokio::spawn(async move {
                    // Somebody else reads already.
                    let Ok(_reading) = inner.reading.try_lock() else { return };
                    match read.await {
                        Ok(value) => drop(inner.put(now, value)),
                        Err(error) => tracing::warn!("cannot be read again: {}", chain(&error)),
                    }
                });
            }
            return Ok(value);
        }
        let _reading = self.0.reading.lock().await;
        if let Some((_, value)) = self.0.known() {
            return Ok(value);
        }
        Ok(self.0.put(now, load(None).await?))
    }

    /// The next reader waits for a fresh one.
    pub fn forget(&self) {
        *self.0.value.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<T> Inner<T> {
    fn known(&self) -> Option<(Timestamp, Arc<T>)> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, at: Timestamp, value: T) -> Arc<T> {
        let value = Arc::new(value);
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, Arc::clone(&value)));
        value
    }
}
