//! A tenant on the embedded target.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::context::{Environment, choose};
use crate::cli::target::{Asked, Target, Way};
use crate::cli::task::TenantArgs;
use crate::cli::{Failure, Global, outlets};
use crate::lake::Lake;
use crate::local::catalog;
use crate::local::clock::SystemClock;
use crate::local::lease::LocalLeases;
use crate::local::objects::LocalObjects;
use crate::local::org::LocalOrg;
use crate::local::queue::LocalQueue;
use crate::local::secrets::LocalSecrets;
use crate::local::tables::LocalTables;
use crate::local::topic::LocalTopic;
use crate::local::twin::TwinStack;
use crate::ports::okta::Okta;
use crate::ports::{Clock, DeadLetters, Queue};

/// A tenant on the embedded target, with what only that has.
pub struct Embedded {
    pub target: Target,
    /// The environment's own part of the data folder.
    pub data: PathBuf,
    pub region: String,
    pub twin: TwinStack,
    /// The target's queue, into which events can be put.
    pub local_queue: Arc<LocalQueue>,
    /// The tenant's org, which is on this machine too.
    pub org: Arc<LocalOrg>,
}

impl Deref for Embedded {
    type Target = Target;

    fn deref(&self) -> &Target {
        &self.target
    }
}

impl Embedded {
    pub async fn open(global: &Global, arguments: &TenantArgs) -> Result<Self, Failure> {
        let environment = Environment::load(global, &arguments.environment.environment, arguments.tenant.as_deref())?;
        Self::of(global, &environment, arguments).await
    }

    /// A tenant of an environment that is loaded.
    pub async fn of(global: &Global, environment: &Environment, arguments: &TenantArgs) -> Result<Self, Failure> {
        let chosen = choose(environment, arguments)?;
        let tenant = chosen.id;
        let twin = environment.deploy(global, &tenant)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let data = &global.data.join(&arguments.environment.environment);
        let queue = Arc::new(LocalQueue::open(data, tenant.as_str(), twin.queue, Arc::clone(&clock)).await?);
        let lake = Lake::new(catalog::open(data).await?, &tenant.as_str().replace('-', "_"));
        let secrets = outlets::environment_first(Arc::new(LocalSecrets::open(data, tenant.as_str())?));
        let org = Arc::new(LocalOrg::open(data, chosen.subdomain.as_str(), Arc::clone(&clock)).await?);
        Ok(Self {
            target: Target {
                environment: arguments.environment.environment.clone(),
                queue: Some(Arc::clone(&queue) as Arc<dyn Queue>),
                dead_letters: Some(Arc::clone(&queue) as Arc<dyn DeadLetters>),
                objects: Arc::new(LocalObjects::open(data, tenant.as_str())?),
                topic: Some(Arc::new(
                    LocalTopic::open(data, &twin.subscriptions, Arc::clone(&clock)).await?,
                )),
                okta: chosen.org.map(|org_of| Asked {
                    org: org_of,
                    way: Way::Local(Arc::clone(&org) as Arc<dyn Okta>),
                }),
                routes: chosen.routes,
                tuning: chosen.tuning,
                channels: outlets::channels(secrets, &environment.profile.private_webhooks, clock)?,
                leases: Arc::new(LocalLeases::open(data, tenant.as_str())?),
                lake: Some(lake),
                tables: Some(Arc::new(LocalTables::open(data))),
                scratch: data.join("scratch").join(tenant.as_str()),
                tells_metrics: false,
                data_retention_days: chosen.settings.data_retention_days,
                tenant,
            },
            region: environment.profile.region.to_string(),
            data: data.clone(),
            twin,
            local_queue: queue,
            org,
        })
    }
}
