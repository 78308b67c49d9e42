//! The tenant's notification routes: what each subscription's filter lets through is recorded once, in
//! `<data>/topic.sqlite`, where the services behind the routes would have received it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::SqlitePool;

use crate::local::pattern::Pattern;
use crate::local::sqlite;
use crate::local::twin::Subscription;
use crate::model::notification::{Alert, Notification};
use crate::ports::{Clock, Error, Kind, Notifier, Result, Undelivered};

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS delivery (
        id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, route TEXT NOT NULL, endpoint TEXT NOT NULL,
        notification_id TEXT NOT NULL, notification TEXT NOT NULL, delivered_at TEXT NOT NULL,
        UNIQUE (tenant, route, notification_id)
    ) STRICT;
";

/// The routes of one tenant.
pub struct LocalTopic {
    pool: SqlitePool,
    routes: Vec<Route>,
    clock: Arc<dyn Clock>,
}

struct Route {
    name: String,
    endpoint: String,
    filter: Option<Pattern>,
}

/// What a route received.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The subscription's logical ID.
    pub route: String,
    pub endpoint: String,
    pub notification: Notification,
    pub delivered_at: Timestamp,
}

impl LocalTopic {
    /// Fails with [`Kind::Invalid`] when a filter policy cannot be decided as SNS does.
    pub async fn open(data: &Path, subscriptions: &[Subscription], clock: Arc<dyn Clock>) -> Result<Self> {
        let routes = subscriptions.iter().map(Route::new).collect::<Result<_>>()?;
        let pool = sqlite::open(&data.join("topic.sqlite"), SCHEMA).await?;
        Ok(Self { pool, routes, clock })
    }
}

impl Route {
    fn new(subscription: &Subscription) -> Result<Self> {
        let invalid = |cause: Box<dyn std::error::Error + Send + Sync>| {
            Error::caused(
                Kind::Invalid,
                format!("read the FilterPolicy of `{}`", subscription.name),
                cause,
            )
        };
        let filter = match &subscription.filter_policy {
            None => None,
            Some(Value::Object(attributes)) if attributes.values().any(Value::is_object) => {
                return Err(invalid("a filter on message attributes has no nested fields".into()));
            }
            Some(policy) => Some(Pattern::new(policy).map_err(|error| invalid(error.into()))?),
        };
        Ok(Self {
            name: subscription.name.clone(),
            endpoint: subscription.endpoint.clone(),
            filter,
        })
    }

    fn takes(&self, attributes: &str) -> Result<bool> {
        let matched = self
            .filter
            .as_ref()
            .map_or(Ok(true), |filter| filter.matches(attributes));
        matched.map_err(|error| Error::caused(Kind::Invalid, format!("filter for the route `{}`", self.name), error))
    }
}

#[async_trait]
impl Notifier for LocalTopic {
    async fn deliver(&self, alert: &Alert) -> std::result::Result<Vec<String>, Undelivered> {
        let mut taken: Vec<String> = Vec::new();
        for notification in &alert.notifications {
            let routes = self.publish(notification).await?;
            taken.extend(
                routes
                    .into_iter()
                    .filter(|route| !taken.contains(route))
                    .collect::<Vec<_>>(),
            );
        }
        Ok(taken)
    }
}

impl LocalTopic {
    async fn publish(&self, notification: &Notification) -> Result<Vec<String>> {
        let op = || format!("deliver notification {}", notification.id);
        let body = serde_json::to_string(notification).map_err(|error| Error::caused(Kind::Invalid, op(), error))?;
        let attributes = json!({
            "tenant": notification.tenant,
            "severity": notification.severity.as_str(),
            "rule": notification.rule_id,
            "tags": notification.tags,
        })
        .to_string();
        let delivered_at = self.clock.now().to_string();
        let mut change = self
            .pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(sqlite::failed(op()))?;
        let mut taken = Vec::new();
        for route in &self.routes {
            if !route.takes(&attributes)? {
                continue;
            }
            let insert = "INSERT OR IGNORE INTO delivery
                (tenant, route, endpoint, notification_id, notification, delivered_at) VALUES (?, ?, ?, ?, ?, ?)";
            sqlx::query(insert)
                .bind(&notification.tenant)
                .bind(&route.name)
                .bind(&route.endpoint)
                .bind(&notification.id)
                .bind(&body)
                .bind(&delivered_at)
                .execute(&mut *change)
                .await
                .map_err(sqlite::failed(op()))?;
            taken.push(route.name.clone());
        }
        change.commit().await.map_err(sqlite::failed(op()))?;
        Ok(taken)
    }
}

/// Everything that the tenant's routes received, in the order of delivery.
pub async fn delivered(data: &Path, tenant: &str) -> Result<Vec<Delivery>> {
    let op = || format!("read the notifications of tenant `{tenant}`");
    let invalid = |error: Box<dyn std::error::Error + Send + Sync>| Error::caused(Kind::Invalid, op(), error);
    let pool = sqlite::open(&data.join("topic.sqlite"), SCHEMA).await?;
    let select = "SELECT route, endpoint, notification, delivered_at FROM delivery WHERE tenant = ? ORDER BY id";
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(select)
        .bind(tenant)
        .fetch_all(&pool)
        .await
        .map_err(sqlite::failed(op()))?;
    let read = |(route, endpoint, notification, delivered_at): (String, String, String, String)| {
        Ok(Delivery {
            route,
            endpoint,
            notification: serde_json::from_str(&notification).map_err(|error| invalid(error.into()))?,
            delivered_at: delivered_at
                .parse()
                .map_err(|error: jiff::Error| invalid(error.into()))?,
        })
    };
    rows.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::clock::ManualClock;
    use crate::model::finding::Severity;
    use std::time::Duration;

    fn subscription(name: &str, filter_policy: Option<Value>) -> Subscription {
        Subscription {
            name: name.to_owned(),
            protocol: "email".to_owned(),
            endpoint: format!("{name}@acme.example"),
            filter_policy,
        }
    }

    fn alert(id: &str, tenant: &str, severity: Severity) -> Alert {
        let at = Timestamp::UNIX_EPOCH;
        Alert::single(Notification {
            id: id.to_owned(),
            finding_id: id.to_owned(),
            tenant: tenant.to_owned(),
            severity,
            rule_id: "r".to_owned(),
            title: "t".to_owned(),
            tags: vec!["attack.t1621".to_owned()],
            actor: "a".to_owned(),
            who: Vec::new(),
            entity: "a".to_owned(),
            event_type: "e".to_owned(),
            published: at,
            first_seen: at,
            last_seen: at,
            count: 1,
            evidence: Vec::new(),
            description: String::new(),
            response: Vec::new(),
        })
    }

    #[tokio::test]
    async fn a_route_receives_what_its_filter_lets_through_and_each_notification_once() {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let subscriptions = [
            subscription(
                "pager",
                Some(json!({"tenant": ["acme"], "severity": ["high", "critical"]})),
            ),
            subscription("log", Some(json!({"tenant": ["acme"]}))),
            subscription("other", Some(json!({"tenant": ["globex"]}))),
            subscription(
                "tagged",
                Some(json!({"tags": ["attack.t1621", "attack.t1110"], "rule": ["r"]})),
            ),
            subscription("otherwise", Some(json!({"tags": ["attack.t1110"]}))),
            subscription("all", None),
        ];
        let topic = LocalTopic::open(data.path(), &subscriptions, clock.clone())
            .await
            .unwrap();
        let grave = alert("1", "acme", Severity::Critical);
        let slight = alert("2", "acme", Severity::Low);
        assert_eq!(topic.deliver(&grave).await.unwrap(), ["pager", "log", "tagged", "all"]);
        assert_eq!(topic.deliver(&slight).await.unwrap(), ["log", "tagged", "all"]);
        clock.advance(Duration::from_mins(1));
        let again = LocalTopic::open(data.path(), &subscriptions, clock).await.unwrap();
        assert_eq!(again.deliver(&grave).await.unwrap(), ["pager", "log", "tagged", "all"]);

        let received = delivered(data.path(), "acme").await.unwrap();
        let seen: Vec<_> = received
            .iter()
            .map(|d| (d.route.as_str(), d.notification.id.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("pager", "1"),
                ("log", "1"),
                ("tagged", "1"),
                ("all", "1"),
                ("log", "2"),
                ("tagged", "2"),
                ("all", "2")
            ]
        );
        assert_eq!(received[0].notification, grave.notifications[0]);
        assert_eq!(received[0].endpoint, "pager@acme.example");
        assert!(
            received
                .iter()
                .all(|delivery| delivery.delivered_at == Timestamp::UNIX_EPOCH)
        );
        assert!(delivered(data.path(), "globex").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_filter_that_sns_reads_otherwise_is_refused() {
        let data = tempfile::tempdir().unwrap();
        for policy in [
            json!({"tenant": {"id": ["acme"]}}),
            json!({"severity": "high"}),
            json!(["high"]),
        ] {
            let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
            let error = LocalTopic::open(data.path(), &[subscription("pager", Some(policy))], clock)
                .await
                .err()
                .unwrap();
            assert_eq!(
                (error.kind, error.op.as_str()),
                (Kind::Invalid, "read the FilterPolicy of `pager`")
            );
        }
    }
}
