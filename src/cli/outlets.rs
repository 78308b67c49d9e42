//! The ways out of a tenant's notifications.

use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use secrecy::SecretString;

use crate::channels::{Channels, Reach};
use crate::cli::Failure;
use crate::model::name::is_secret_name;
use crate::model::route::{Filter, Pace, Route};
use crate::ports::{Clock, Error, Kind, Notifier, Result, Secrets};
use crate::runtime::notify::Outlet;

/// The topic's name among the outlets.
const TOPIC: &str = "topic";

/// A tenant's secrets. A variable of the environment goes before what is stored.
pub fn environment_first(stored: Arc<dyn Secrets>) -> Arc<dyn Secrets> {
    Arc::new(EnvironmentFirst(stored))
}

/// How a tenant's routes are reached.
pub fn channels(
    secrets: Arc<dyn Secrets>,
    private: &[IpNet],
    clock: Arc<dyn Clock>,
) -> std::result::Result<Channels, Failure> {
    let reach = Reach::new(private.iter().copied());
    Ok(Channels::new(secrets, reach, clock)?)
}

/// The topic, and then each route that is delivered to by itself.
pub fn outlets(topic: &Arc<dyn Notifier>, routes: &[Route], channels: &Channels) -> Vec<Outlet> {
    let topic = Outlet {
        name: TOPIC.to_owned(),
        filter: Filter::all(),
        pace: Pace::unbounded(),
        notifier: Arc::clone(topic),
    };
    let direct = routes.iter().map(|route| Outlet {
        name: route.name.clone(),
        filter: route.filter.clone(),
        pace: route.pace.clone(),
        notifier: channels.open(route),
    });
    std::iter::once(topic).chain(direct).collect()
}

/// The secret `slack-webhook` is the variable `OORT_SECRET_SLACK_WEBHOOK`, where that is set.
struct EnvironmentFirst(Arc<dyn Secrets>);

#[async_trait]
impl Secrets for EnvironmentFirst {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        if !is_secret_name(name) {
            return Err(Error::new(Kind::Invalid, format!("read the secret `{name}`")));
        }
        let variable = format!("OORT_SECRET_{}", name.to_ascii_uppercase().replace('-', "_"));
        #[expect(
            clippy::disallowed_methods,
            reason = "which variables there are depends on the tenant's routes"
        )]
        let value = std::env::var(variable);
        match value {
            Ok(value) if !value.is_empty() => Ok(Some(SecretString::from(value))),
            _ => self.0.get(name).await,
        }
    }
}
