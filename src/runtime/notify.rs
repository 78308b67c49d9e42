//! The outbox: a notification is queued with its finding and leaves only after its routes took it.

use crate::lake::objects::{encode, keys, read};
use crate::model::finding::Notification;
use crate::ports::{Notifier, Objects, Precondition, Result};

const PREFIX: &str = "outbox/";

/// What became of the queued notifications in one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Notifications that left the outbox.
    pub delivered: u64,
    /// Routes that took them, added up: a notification below every route's severity reaches none.
    pub routed: u64,
    /// Notifications that stay for the next run.
    pub waiting: u64,
}

/// Queues a notification; queueing it again changes nothing.
pub(super) async fn queue(objects: &dyn Objects, notification: &Notification) -> Result<()> {
    let key = format!("{PREFIX}{}.json", notification.id);
    objects.put(&key, encode(notification)?, Precondition::None).await?;
    Ok(())
}

/// Delivers everything that is queued. What a route refuses stays queued and is counted, not lost.
///
/// A run that dies after a delivery delivers again under the same id, which receivers keep once.
pub async fn deliver(objects: &dyn Objects, notifier: &dyn Notifier) -> Result<Deliveries> {
    let mut deliveries = Deliveries::default();
    for key in keys(objects, PREFIX).await? {
        let Some(notification) = read::<Notification>(objects, &key).await? else {
            continue;
        };
        match notifier.deliver(&notification).await {
            Ok(routes) => {
                objects.delete(&key).await?;
                deliveries.delivered += 1;
                deliveries.routed += routes.len() as u64;
            }
            Err(error) => {
                tracing::warn!(notification = notification.id, %error, "notification stays queued");
                deliveries.waiting += 1;
            }
        }
    }
    Ok(deliveries)
}
