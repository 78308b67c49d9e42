//! The routes' receivers: what a message looks like to each of them, and how it gets there. One file a receiver.
//!
//! Nothing is repeated here and nothing remembered: when to tell whom is decided by whoever delivers. Texts of events come from
//! strangers, so each receiver's own markup is taken out of them.

pub mod answer;
mod email;
mod guard;
mod http;
mod jira;
mod pagerduty;
mod servicenow;
mod slack;
mod teams;
#[cfg(test)]
mod tests;
mod webhook;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::OnceCell;

pub use crate::channels::guard::Reach;
use crate::channels::http::{Http, Request};
use crate::model::notification::Alert;
use crate::model::route::{Channel, Route};
use crate::ports::{Clock, Error, Kind, Notifier, Result, Secrets, Undelivered};

/// What all routes of a tenant share.
#[derive(Clone)]
pub struct Channels {
    http: Http,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
}

impl Channels {
    /// Makes no connection.
    pub fn new(secrets: Arc<dyn Secrets>, reach: Reach, clock: Arc<dyn Clock>) -> Result<Self> {
        Ok(Self {
            http: Http::new(reach, Arc::clone(&clock))?,
            secrets,
            clock,
        })
    }

    /// The receiver of a route.
    pub fn open(&self, route: &Route) -> Arc<dyn Notifier> {
        Arc::new(Receiver {
            name: route.name.clone(),
            channel: route.channel.clone(),
            shared: self.clone(),
            secret: OnceCell::new(),
        })
    }
}

/// The receiver of one route.
struct Receiver {
    name: String,
    channel: Channel,
    shared: Channels,
    secret: OnceCell<SecretString>,
}

impl Receiver {
    /// The route's secret, asked for once.
    async fn secret(&self, name: &str) -> Result<&str> {
        let asked = self.secret.get_or_try_init(|| async {
            let found = self.shared.secrets.get(name).await?;
            found.ok_or_else(|| {
                let why = format!("no secret `{name}` is stored for this tenant");
                Error::caused(
                    Kind::NotFound,
                    format!("tell the route `{}`", self.name),
                    std::io::Error::other(why),
                )
            })
        });
        Ok(asked.await?.expose_secret())
    }

    /// What is asked first, where a receiver can be asked whether it has the message already; and the message.
    async fn requests(&self, alert: &Alert, now: Timestamp) -> Result<(Option<Request>, Request)> {
        Ok(match &self.channel {
            Channel::Slack { secret } => (None, slack::request(alert, self.secret(secret).await?)),
            Channel::Teams { secret } => (None, teams::request(alert, self.secret(secret).await?)),
            Channel::Webhook { endpoint, secret } => {
                (None, webhook::request(alert, endpoint, self.secret(secret).await?, now))
            }
            Channel::Pagerduty { endpoint, secret } => (
                None,
                pagerduty::request(alert, endpoint.as_deref(), self.secret(secret).await?),
            ),
            Channel::Jira {
                endpoint,
                project,
                issue_type,
                secret,
            } => {
                let site = jira::Site {
                    endpoint,
                    project,
                    issue_type,
                    credentials: self.secret(secret).await?,
                };
                (Some(site.search(alert)), site.create(alert))
            }
            Channel::Servicenow { endpoint, secret } => {
                let secret = self.secret(secret).await?;
                (
                    Some(servicenow::search(alert, endpoint, secret)),
                    servicenow::create(alert, endpoint, secret),
                )
            }
            Channel::Smtp { .. } => return Err(Error::new(Kind::Invalid, "tell an e-mail route by HTTP")),
        })
    }

    /// Whether the answer to what is asked first tells that the message is there.
    fn is_known(&self, answer: &str) -> Result<bool> {
        let list = if matches!(self.channel, Channel::Jira { .. }) {
            "issues"
        } else {
            "result"
        };
        answer::has_any(answer, list).map_err(|why| {
            let op = format!("read what the route `{}` answers to a search", self.name);
            Error::caused(Kind::Unavailable, op, why)
        })
    }
}

#[async_trait]
impl Notifier for Receiver {
    async fn deliver(&self, alert: &Alert) -> std::result::Result<Vec<String>, Undelivered> {
        if let Channel::Smtp {
            endpoint,
            server,
            from,
            secret,
        } = &self.channel
        {
            let credentials = match secret {
                Some(name) => Some(self.secret(name).await?),
                None => None,
            };
            let mail = email::Mail {
                to: endpoint,
                from,
                server,
                credentials,
            };
            mail.send(alert, &self.name, self.shared.http.reach()).await?;
            return Ok(vec![self.name.clone()]);
        }
        let (search, message) = self.requests(alert, self.shared.clock.now()).await?;
        if let Some(search) = search {
            let answer = self.shared.http.ask(&self.name, search).await?;
            if self.is_known(&answer)? {
                return Ok(vec![self.name.clone()]);
            }
        }
        self.shared.http.tell(&self.name, message).await?;
        Ok(vec![self.name.clone()])
    }
}

/// At most so many characters, with a sign where something is missing.
fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// What is secret of `user:password`.
fn password(credentials: &str) -> &str {
    credentials
        .split_once(':')
        .map_or(credentials, |(_, password)| password)
}
