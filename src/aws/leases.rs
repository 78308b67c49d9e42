//! Leases as objects: whoever writes the object by compare-and-swap holds it until a moment that it keeps moving on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::ports::stop::Stop;
use crate::ports::{Clock, Error, Held, Kind, LeaseGuard, Leases, Objects, Precondition, Result, Version};

/// How long a lease is good without being renewed.
const TERM: SignedDuration = SignedDuration::from_secs(60);
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// How far the clocks of two machines may be apart.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// The leases of one tenant: `leases/<role>.json` among its objects.
#[derive(Clone)]
pub struct ObjectLeases {
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    holder: String,
}

impl ObjectLeases {
    /// `holder` is unique among all runs.
    pub fn new(objects: Arc<dyn Objects>, clock: Arc<dyn Clock>, holder: &str) -> Self {
        Self {
            objects,
            clock,
            holder: holder.to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    /// Who holds it or did last.
    holder: String,
    /// Grows with every holder.
    epoch: u64,
    /// `None` once it is released.
    until: Option<Timestamp>,
}

impl Lease {
    fn is_free(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now.duration_since(until) > MARGIN)
    }

    fn write(&self, key: &str) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::caused(Kind::Invalid, format!("write {key}"), error))
    }
}

#[async_trait]
impl Leases for ObjectLeases {
    async fn acquire(&self, role: &str, stop: &Stop) -> Result<Option<LeaseGuard>> {
        let key = format!("leases/{role}.json");
        let now = self.clock.now();
        let (epoch, precondition) = match self.objects.get(&key).await? {
            None => (1, Precondition::Absent),
            Some((bytes, version)) => {
                let found: Lease = serde_json::from_slice(&bytes)
                    .map_err(|error| Error::caused(Kind::Invalid, format!("read {key}"), error))?;
                if !found.is_free(now) {
                    return Ok(None);
                }
                (found.epoch + 1, Precondition::Is(version))
            }
        };
        let lease = Lease {
            holder: self.holder.clone(),
            epoch,
            until: Some(now + TERM),
        };
        match self.objects.put(&key, lease.write(&key)?, precondition).await {
            Ok(version) => Ok(Some(LeaseGuard(Box::new(Holding::begin(
                self.clone(),
                key,
                lease,
                version,
                stop.clone(),
            ))))),
            Err(error) if error.kind == Kind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A lease that is renewed in the background.
struct Holding {
    leases: ObjectLeases,
    key: String,
    lease: Lease,
    version: watch::Receiver<Version>,
    renewing: JoinHandle<()>,
}

impl Holding {
    fn begin(leases: ObjectLeases, key: String, lease: Lease, version: Version, stop: Stop) -> Self {
        let (newest, version) = watch::channel(version);
        let renewing = tokio::spawn(renew(leases.clone(), key.clone(), lease.clone(), newest, stop));
        Self {
            leases,
            key,
            lease,
            version,
            renewing,
        }
    }
}

/// Renews a lease until it is lost.
async fn renew(leases: ObjectLeases, key: String, mut lease: Lease, version: watch::Sender<Version>, stop: Stop) {
    loop {
        sleep(RENEW_EVERY).await;
        let now = leases.clock.now();
        let next = Lease {
            until: Some(now + TERM),
            ..lease.clone()
        };
        let expected = Precondition::Is(version.borrow().clone());
        let renewed = match next.write(&key) {
            Ok(bytes) => leases.objects.put(&key, bytes, expected).await,
            Err(error) => Err(error),
        };
        match renewed {
            Ok(newer) => {
                version.send_replace(newer);
                lease = next;
            }
            // Before it runs out there is time for another try.
            Err(error) if error.kind != Kind::Conflict && lease.until.is_some_and(|until| now + MARGIN < until) => {
                tracing::warn!(key, %error, "a lease is not renewed yet");
            }
            Err(error) => {
                tracing::error!(key, %error, "a lease is lost");
                stop.ask();
                return;
            }
        }
    }
}

#[async_trait]
impl Held for Holding {
    async fn release(self: Box<Self>) {
        self.renewing.abort();
        let free = Lease {
            until: None,
            ..self.lease.clone()
        };
        let expected = Precondition::Is(self.version.borrow().clone());
        if let Ok(bytes) = free.write(&self.key)
            && let Err(error) = self.leases.objects.put(&self.key, bytes, expected).await
        {
            // It runs out by itself.
            tracing::warn!(key = self.key, %error, "a lease is not released");
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}
