//! The embedded notification topic: every subscription of the rendered stack keeps each notification that its filter
//! policy lets through, once.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use crate::local::bus::Patterns;
use crate::local::twin::Subscription;
use crate::model::finding::Notification;
use crate::ports::{Clock, Error, Kind, Notifier, Result};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS delivery (
    tenant TEXT NOT NULL, route TEXT NOT NULL, notification_id TEXT NOT NULL, endpoint TEXT NOT NULL,
    notification TEXT NOT NULL, delivered_at TEXT NOT NULL, PRIMARY KEY (tenant, route, notification_id))";

/// One tenant's view of the topic in `<data>/topic.sqlite`.
pub struct LocalTopic {
    connection: Mutex<SqliteConnection>,
    routes: Vec<(Subscription, Option<Patterns>)>,
    clock: Arc<dyn Clock>,
}

/// A notification that a route has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    pub route: String,
    pub endpoint: String,
    pub notification: Notification,
    pub delivered_at: Timestamp,
}

impl LocalTopic {
    pub async fn open(data: &Path, subscriptions: &[Subscription], clock: Arc<dyn Clock>) -> Result<Self> {
        let routes = subscriptions
            .iter()
            .map(|route| {
                Ok((
                    route.clone(),
                    route
                        .filter_policy
                        .as_ref()
                        .map(|policy| Patterns::compile([policy]))
                        .transpose()?,
                ))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            connection: Mutex::new(connect(data).await?),
            routes,
            clock,
        })
    }
}

async fn connect(data: &Path) -> Result<SqliteConnection> {
    let file = data.join("topic.sqlite");
    let failed = |error: sqlx::Error| Error::caused(Kind::Unavailable, format!("open {}", file.display()), error);
    let mut connection = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await
        .map_err(failed)?;
    sqlx::raw_sql(SCHEMA).execute(&mut connection).await.map_err(failed)?;
    Ok(connection)
}

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(op: &'static str) -> impl Fn(E) -> Error {
    move |error| Error::caused(Kind::Unavailable, op, error)
}

/// What the tenant's routes were told, in the order of delivery.
pub async fn delivered(data: &Path, tenant: &str) -> Result<Vec<Delivery>> {
    let mut connection = connect(data).await?;
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT route, endpoint, notification, delivered_at FROM delivery WHERE tenant = ? ORDER BY rowid",
    )
    .bind(tenant)
    .fetch_all(&mut connection)
    .await
    .map_err(failed("read what was delivered"))?;
    rows.into_iter()
        .map(|(route, endpoint, notification, delivered_at)| {
            Ok(Delivery {
                route,
                endpoint,
                notification: serde_json::from_str(&notification).map_err(failed("read a delivered notification"))?,
                delivered_at: delivered_at.parse().map_err(failed("read the time of a delivery"))?,
            })
        })
        .collect()
}

#[async_trait]
impl Notifier for LocalTopic {
    async fn deliver(&self, notification: &Notification) -> Result<Vec<String>> {
        let op = "deliver a notification";
        let attributes =
            serde_json::json!({"tenant": notification.tenant, "severity": notification.severity}).to_string();
        let text = serde_json::to_string(notification).map_err(failed(op))?;
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed(op))?;
        let mut taken = Vec::new();
        for (route, filter) in &self.routes {
            if !filter.as_ref().map_or(Ok(true), |filter| filter.admit(&attributes))? {
                continue;
            }
            sqlx::query("INSERT OR IGNORE INTO delivery VALUES (?, ?, ?, ?, ?, ?)")
                .bind(&notification.tenant)
                .bind(&route.name)
                .bind(&notification.id)
                .bind(&route.endpoint)
                .bind(&text)
                .bind(self.clock.now().to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed(op))?;
            taken.push(route.name.clone());
        }
        transaction.commit().await.map_err(failed(op))?;
        Ok(taken)
    }
}
