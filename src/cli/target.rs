//! Builds the adapters: the one place that knows which target a command works on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::aws::Session;
use crate::aws::leases::ObjectLeases;
use crate::channels::Channels;
#[cfg(feature = "deploy")]
use crate::cli::context::{Environment, choose};
#[cfg(feature = "deploy")]
use crate::cli::embedded::Embedded;
use crate::cli::task::{DetectionArgs, TenantArgs, run_name};
use crate::cli::{Failure, Global, outlets, output};
#[cfg(feature = "deploy")]
use crate::deploy::profile;
use crate::lake::Lake;
use crate::model::metric;
use crate::model::name::TenantId;
use crate::model::okta::Org;
use crate::model::resources::Resources;
use crate::model::route::Route;
use crate::model::tuning::Tuning;
use crate::okta::{Client, Manners};
use crate::ports::okta::Okta;
use crate::ports::stop::Stop;
use crate::ports::tables::Tables;
use crate::ports::{self, Clock, DeadLetters, Kind, LeaseGuard, Leases, Notifier, Objects, Queue, Secrets};
use crate::runtime::detect::RuleSet;
use crate::runtime::notify::Outlet;
use crate::telemetry;

/// One tenant and the adapters that its commands work with. A task has those that its environment names.
pub struct Target {
    pub environment: String,
    pub tenant: TenantId,
    pub queue: Option<Arc<dyn Queue>>,
    pub dead_letters: Option<Arc<dyn DeadLetters>>,
    pub objects: Arc<dyn Objects>,
    pub topic: Option<Arc<dyn Notifier>>,
    /// The routes that the detector delivers to by itself, and how it reaches them.
    pub routes: Vec<Route>,
    pub channels: Channels,
    /// What the tenant has otherwise than the rules' files say.
    pub tuning: Tuning,
    pub leases: Arc<dyn Leases>,
    pub lake: Option<Lake>,
    pub tables: Option<Arc<dyn Tables>>,
    pub scratch: PathBuf,
    /// Whether somebody makes metrics of what is printed.
    pub tells_metrics: bool,
    /// The tenant's org, where it may be asked.
    pub okta: Option<Asked>,
    /// What the environment's files say; 0 for ever, as where no file is read.
    pub data_retention_days: u32,
}

/// An Okta org, and what signs in there.
pub struct Asked {
    pub org: Org,
    pub way: Way,
}

/// How it is reached.
pub enum Way {
    /// Over HTTPS, with one of these secrets.
    Api(Arc<dyn Secrets>),
    /// It is on this machine.
    #[cfg(feature = "deploy")]
    Local(Arc<dyn Okta>),
}

impl Asked {
    /// Nothing is asked yet.
    pub fn open(&self, manners: Manners) -> Result<Arc<dyn Okta>, Failure> {
        match &self.way {
            Way::Api(secrets) => Ok(Arc::new(Client::new(
                &self.org.address,
                self.org.sign_in.clone(),
                Arc::clone(secrets),
                Arc::new(WallClock),
                manners,
            )?)),
            #[cfg(feature = "deploy")]
            Way::Local(okta) => Ok(Arc::clone(okta)),
        }
    }

    /// As a task does that has time, with its share of the rate limits.
    pub fn for_task(&self) -> Result<Arc<dyn Okta>, Failure> {
        self.open(Manners::of_a_task().with_share(self.org.rate_limit_percent))
    }
}

/// The machine's clock, for what is told to AWS.
pub struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the front door for the time on AWS")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Target {
    pub async fn open(global: &Global, arguments: &TenantArgs) -> Result<Self, Failure> {
        if let Some(resources) = arguments.on_aws.resources()? {
            let tenant = arguments.tenant.as_deref().unwrap_or_default();
            let tenant =
                TenantId::parse(tenant).map_err(|error| Failure::input(error).hint("name it with --tenant"))?;
            if !resources.are_of(&tenant) {
                let why = format!("the objects under `{}` are not tenant `{tenant}`'s", resources.prefix);
                return Err(Failure::refused(why).hint("OORT_TENANT and OORT_PREFIX come from one task definition"));
            }
            let session = Session::sign_in(None).await;
            if !session.has_region() {
                return Err(Failure::input("no region is named").hint("set AWS_REGION, as Fargate does"));
            }
            let routes = (arguments.on_aws.routes()?, arguments.on_aws.private_webhooks.as_slice());
            let org = arguments.on_aws.org()?;
            return Ok(Self {
                tuning: arguments.on_aws.tuning()?,
                ..Self::on_aws(&session, arguments, (tenant, org), &resources, routes)?
            });
        }
        Self::of_files(global, arguments).await
    }

    /// The target that the environment's files name.
    #[cfg(feature = "deploy")]
    async fn of_files(global: &Global, arguments: &TenantArgs) -> Result<Self, Failure> {
        let name = &arguments.environment.environment;
        let environment = Environment::load(global, name, arguments.tenant.as_deref())?;
        let profile = &environment.profile;
        if profile.target == profile::Target::Embedded {
            return Ok(Embedded::of(global, &environment, arguments).await?.target);
        }
        let chosen = choose(&environment, arguments)?;
        let session = crate::cli::cloud::session(profile).await?;
        let (account, region) = (profile.account_id.as_str(), profile.region.as_str());
        let resources = Resources::of(name, chosen.id.as_str(), account, region);
        Ok(Self {
            data_retention_days: chosen.settings.data_retention_days,
            tuning: chosen.tuning,
            ..Self::on_aws(
                &session,
                arguments,
                (chosen.id, arguments.on_aws.org()?.or(chosen.org)),
                &resources,
                (chosen.routes, &profile.private_webhooks),
            )?
        })
    }

    #[cfg(not(feature = "deploy"))]
    #[expect(clippy::unused_async, reason = "the other build reads files and signs in")]
    async fn of_files(_: &Global, _: &TenantArgs) -> Result<Self, Failure> {
        Err(Failure::input("no bucket is named").hint("set OORT_BUCKET and what else the task definition sets"))
    }

    fn on_aws(
        session: &Session,
        arguments: &TenantArgs,
        (tenant, org): (TenantId, Option<Org>),
        resources: &Resources,
        (routes, private): (Vec<Route>, &[IpNet]),
    ) -> Result<Self, Failure> {
        let environment = &arguments.environment.environment;
        let objects = session.objects(&resources.bucket, &resources.prefix)?;
        let lake = match &resources.table {
            Some(name) => Some(Lake::shared(
                session.catalog()?,
                &name.database,
                &name.table,
                resources.table_location(),
            )),
            None => None,
        };
        let secrets = outlets::environment_first(session.secrets(environment, tenant.as_str()));
        let scratch = arguments.on_aws.scratch.clone().unwrap_or_else(std::env::temp_dir);
        Ok(Self {
            environment: environment.clone(),
            queue: resources.queue_url.as_deref().map(|url| session.queue(url)),
            dead_letters: resources.queue_url.as_deref().map(|url| session.dead_letters(url)),
            topic: resources.topic_arn.as_deref().map(|arn| session.topic(arn)),
            routes,
            okta: org.map(|org| Asked {
                org,
                way: Way::Api(Arc::clone(&secrets)),
            }),
            channels: outlets::channels(secrets, private, Arc::new(WallClock))?,
            leases: Arc::new(ObjectLeases::new(
                Arc::clone(&objects),
                Arc::new(WallClock),
                &run_name(),
            )),
            objects,
            tables: lake.is_some().then(|| session.tables()),
            lake,
            scratch: scratch.join(tenant.as_str()),
            tells_metrics: true,
            data_retention_days: 0,
            tuning: Tuning::default(),
            tenant,
        })
    }

    pub fn queue(&self) -> Result<&dyn Queue, Failure> {
        self.queue
            .as_deref()
            .ok_or_else(|| not_named("event queue", "OORT_QUEUE_URL"))
    }

    /// The tenant's org.
    pub fn okta(&self) -> Result<&Asked, Failure> {
        self.okta.as_ref().ok_or_else(|| {
            let why = format!("nobody may ask the Okta org of tenant `{}`", self.tenant);
            Failure::input(why)
                .hint("say in the tenant's file how: okta.api.sign_in, with the secret okta-token or okta-key")
        })
    }

    pub fn dead_letters(&self) -> Result<&dyn DeadLetters, Failure> {
        let dead = self.dead_letters.as_deref();
        dead.ok_or_else(|| not_named("event queue", "OORT_QUEUE_URL"))
    }

    /// Every way out: the topic first, which serves routes of its own.
    pub fn outlets(&self) -> Result<Vec<Outlet>, Failure> {
        let topic = self
            .topic
            .as_ref()
            .ok_or_else(|| not_named("topic", "OORT_TOPIC_ARN"))?;
        Ok(outlets::outlets(topic, &self.routes, &self.channels))
    }

    /// The rules as the tenant wants them.
    pub fn rules(&self, detections: &DetectionArgs, global: &Global) -> Result<RuleSet, Failure> {
        detections.tuned(global, &self.tuning)
    }

    pub fn lake(&self) -> Result<&Lake, Failure> {
        self.lake
            .as_ref()
            .ok_or_else(|| not_named("Activity table", "OORT_DATABASE and OORT_TABLE"))
    }

    pub fn tables(&self) -> Result<&dyn Tables, Failure> {
        let tables = self.tables.as_deref();
        tables.ok_or_else(|| not_named("Activity table", "OORT_DATABASE and OORT_TABLE"))
    }

    /// Adds to a metric of the tenant, where somebody makes metrics of what is printed.
    pub fn count(&self, name: &str, value: u64) {
        if self.tells_metrics {
            let at = WallClock.now().as_millisecond();
            output::line(metric::log_line(
                &self.environment,
                self.tenant.as_str(),
                name,
                value,
                at,
            ));
        }
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
    pub async fn wait_for_lease(&self, role: &str, stop: &Stop) -> Result<Option<LeaseGuard>, ports::Error> {
        const ATTEMPTS: u32 = 150;
        const PAUSE: Duration = Duration::from_millis(200);
        for _ in 1..ATTEMPTS {
            if let Some(lease) = self.leases.acquire(role, stop).await? {
                return Ok(Some(lease));
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.leases.acquire(role, stop).await
    }

    /// A new run of a role, with the span of its log lines.
    pub fn start(&self, role: &'static str) -> Run {
        let name = run_name();
        Run {
            span: telemetry::run_span(self.tenant.as_str(), role, &name),
            name,
            role,
        }
    }
}

/// One run of one role.
pub struct Run {
    pub role: &'static str,
    /// Unique among all runs: files are named by it.
    pub name: String,
    pub span: tracing::Span,
}

fn not_named(what: &str, variables: &str) -> Failure {
    Failure::input(format!("no {what} is named")).hint(format!("set {variables}, as a task definition does"))
}
