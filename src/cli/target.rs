//! Builds the adapters: the one place that knows which target a command works on.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::cli::context::{Environment, TenantArgs, choose, run_name};
use crate::cli::{Failure, Global};
use crate::lake::Lake;
use crate::local::catalog;
use crate::local::clock::SystemClock;
use crate::local::lease::LocalLeases;
use crate::local::objects::LocalObjects;
use crate::local::queue::LocalQueue;
use crate::local::topic::LocalTopic;
use crate::local::twin::TwinStack;
use crate::model::name::TenantId;
use crate::ports::{self, Clock, Kind, LeaseGuard, Leases, Notifier, Objects, Queue};
use crate::telemetry;

/// One tenant and every adapter that its commands work with.
pub struct Target {
    pub tenant: TenantId,
    pub queue: Arc<dyn Queue>,
    pub objects: Arc<dyn Objects>,
    pub notifier: Arc<dyn Notifier>,
    pub leases: Arc<dyn Leases>,
    pub lake: Lake,
    scratch: PathBuf,
}

/// A tenant on the embedded target, with what only that has.
pub struct Embedded {
    target: Target,
    /// The environment's own part of the data folder.
    pub data: PathBuf,
    pub region: String,
    pub twin: TwinStack,
    /// The target's queue, into which events can be put.
    pub local_queue: Arc<LocalQueue>,
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
        let tenant = choose(&environment, arguments)?;
        let twin = environment.deploy(global, &tenant)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let data = &global.data.join(&arguments.environment.environment);
        let queue = Arc::new(LocalQueue::open(data, tenant.as_str(), twin.queue, Arc::clone(&clock)).await?);
        Ok(Self {
            target: Target {
                queue: Arc::clone(&queue) as Arc<dyn Queue>,
                objects: Arc::new(LocalObjects::open(data, tenant.as_str())?),
                notifier: Arc::new(LocalTopic::open(data, &twin.subscriptions, clock).await?),
                leases: Arc::new(LocalLeases::open(data, tenant.as_str())?),
                lake: Lake::new(catalog::open(data).await?, &tenant.as_str().replace('-', "_")),
                scratch: data.join("scratch").join(tenant.as_str()),
                tenant,
            },
            region: environment.profile.region.to_string(),
            data: data.clone(),
            twin,
            local_queue: queue,
        })
    }
}

impl Target {
    pub async fn open(global: &Global, arguments: &TenantArgs) -> Result<Self, Failure> {
        Ok(Embedded::open(global, arguments).await?.target)
    }

    /// A fresh folder, removed with the value. What a killed run left is removed by the next of the same role.
    pub fn scratch(&self, role: &str) -> Result<TempDir, ports::Error> {
        let folder = self.scratch.join(role);
        let failed = |error| ports::Error::caused(Kind::Unavailable, format!("make {}", folder.display()), error);
        if let Err(error) = std::fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(failed(error));
        }
        std::fs::create_dir_all(&folder)
            .and_then(|()| TempDir::new_in(&folder))
            .map_err(failed)
    }

    /// The lease of a role, waited for as long as a refresh may take; `None` when it stays taken.
    pub async fn wait_for_lease(&self, role: &str) -> Result<Option<LeaseGuard>, ports::Error> {
        const ATTEMPTS: u32 = 150;
        const PAUSE: Duration = Duration::from_millis(200);
        for _ in 1..ATTEMPTS {
            if let Some(lease) = self.leases.acquire(role).await? {
                return Ok(Some(lease));
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.leases.acquire(role).await
    }

    /// A new run of a role, with the span of its log lines.
    pub fn start(&self, role: &'static str) -> Run {
        let name = run_name();
        Run {
            span: telemetry::run_span(self.tenant.as_str(), role, &name),
            name,
        }
    }
}

/// One run of one role.
pub struct Run {
    /// Unique among all runs: files are named by it.
    pub name: String,
    pub span: tracing::Span,
}
