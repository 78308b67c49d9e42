//! The life of the tenants: events come, and runs of every role begin at any time, beside each other as well.

use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use jiff::{SignedDuration, Timestamp};
use oort_streams::aws::leases::ObjectLeases;
use oort_streams::lake::expire::Keep;
use oort_streams::lake::{Lake, Upkeep};
use oort_streams::model::finding::{Change, Finding, Status};
use oort_streams::model::route::{Filter, Pace};
use oort_streams::ports::stop::Stop;
use oort_streams::ports::{Clock as _, Kind, LeaseGuard, Leases as _, Result, chain};
use oort_streams::runtime::analysis::Analysis;
use oort_streams::runtime::backfill::Backfill;
use oort_streams::runtime::detect::{RuleFile, RuleSet};
use oort_streams::runtime::notify::{Outlet, Patience};
use oort_streams::runtime::refresh::{INGEST_LEASE, Refresh};
use oort_streams::runtime::{compact, findings, maintain, redrive, stream};
use tokio::time::{sleep, sleep_until};

use super::events::{self, Event, HOURS, login};
use super::process::{Process, Weather, start};
use super::table::{SimulatedCatalog, Warehouse};
use super::tenant::{Ports, Receiver, Tenant};

/// No run lasts longer: its platform ends it.
const LONGEST_RUN: Duration = Duration::from_hours(6);
/// Files to which nothing refers are kept longer than a run lasts, whatever the clocks are.
const KEEP: Keep = Keep {
    young: SignedDuration::from_hours(2),
    newest: 2,
    files: SignedDuration::from_hours(16),
};

const RULES: &str = r"
title: Token created
id: a17a1f3c-0000-4000-8000-000000000001
logsource: {product: okta}
detection: {made: {eventType: system.api_token.create}, condition: made}
level: high
---
title: Sign-in failed
id: a17a1f3c-0000-4000-8000-000000000002
name: failed
logsource: {product: okta}
detection: {failed: {eventType: user.session.start, outcome.result: FAILURE}, condition: failed}
level: informational
---
title: Many failures
id: a17a1f3c-0000-4000-8000-000000000003
correlation: {type: event_count, rules: [failed], group-by: [actor.id], timespan: 90m, condition: {gte: 3}}
level: medium
---
title: Many addresses
id: a17a1f3c-0000-4000-8000-000000000004
correlation:
  type: value_count
  rules: [failed]
  group-by: [actor.id]
  timespan: 3h
  condition: {field: client.ipAddress, gte: 4}
level: low
";

pub fn rules() -> RuleSet {
    RuleSet::load(&[RuleFile {
        path: "rules.yml".to_owned(),
        text: RULES.to_owned(),
    }])
    .unwrap()
}

/// A role that begins to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    Detect,
    Compact,
    Refresh(u64),
    Reconcile,
    Maintain,
    Redrive,
    /// A person looks into one of the findings and closes it.
    Close(usize),
}

pub struct World {
    pub weather: Arc<Weather>,
    pub warehouse: Arc<Warehouse>,
    pub rules: Arc<RuleSet>,
}

/// What a process works with.
struct Run {
    ports: Ports,
    process: Arc<Process>,
    rules: Arc<RuleSet>,
    lake: Lake,
    catalog: Arc<SimulatedCatalog>,
    leases: ObjectLeases,
    stop: Stop,
}

impl Run {
    fn new(world: &World, tenant: &Arc<Tenant>, role: &str) -> Self {
        let process = Process::start(&world.weather, tenant.name, role);
        let ports = Ports {
            tenant: Arc::clone(tenant),
            process: Arc::clone(&process),
        };
        let catalog = Arc::new(SimulatedCatalog::new(&world.warehouse, &process));
        Self {
            leases: ObjectLeases::new(Arc::new(ports.clone()), Arc::clone(&process) as _, &process.name),
            lake: Lake::new(Arc::clone(&catalog) as _, tenant.name),
            rules: Arc::clone(&world.rules),
            stop: Stop::default(),
            catalog,
            ports,
            process,
        }
    }

    /// One run under its lease, as the task of its role does it; nothing when another run holds it.
    async fn work(&self, job: Job) -> Result<()> {
        let lease = match job {
            Job::Detect => Some(INGEST_LEASE),
            Job::Compact => Some("compact"),
            Job::Refresh(_) => Some("refresh"),
            Job::Reconcile => Some("reconcile"),
            Job::Maintain => Some("maintain"),
            Job::Redrive | Job::Close(_) => None,
        };
        let mut held: Option<LeaseGuard> = None;
        if let Some(role) = lease {
            held = self.leases.acquire(role, &self.stop).await?;
            if held.is_none() {
                return Ok(());
            }
        }
        let done = self.act(job).await;
        if let Some(lease) = held {
            lease.release().await;
        }
        done
    }

    fn act(&self, job: Job) -> LocalBoxFuture<'_, Result<()>> {
        let Ports { tenant, .. } = &self.ports;
        Box::pin(async move {
            let scratch = || tempfile::tempdir().unwrap();
            match job {
                Job::Detect => self.detect().await?,
                Job::Compact => {
                    let scratch = scratch();
                    compact::run(&self.ports, &self.lake, scratch.path(), &self.process.name).await?;
                }
                Job::Refresh(user) => {
                    let scratch = scratch();
                    let refresh = Refresh {
                        queue: &self.ports,
                        objects: &self.ports,
                        leases: &self.leases,
                        stop: &self.stop,
                        lake: &self.lake,
                        okta: Some((&self.ports, &events::org(tenant.name))),
                        clock: &*self.process,
                        scratch: scratch.path(),
                        run: &self.process.name,
                        stage: &|_| {},
                    };
                    refresh.run(&login(tenant.name, user)).await?;
                }
                Job::Reconcile => {
                    let backfill = Backfill {
                        okta: &self.ports,
                        objects: &self.ports,
                        org: &events::org(tenant.name),
                        outages: &stream::outages(&self.ports).await?,
                        clock: &*self.process,
                        stop: &self.stop,
                        until: None,
                    };
                    let (_, failure) = backfill.run().await?;
                    if let Some(error) = failure {
                        return Err(error);
                    }
                }
                Job::Maintain => {
                    let scratch = scratch();
                    let upkeep = Upkeep {
                        lake: &self.lake,
                        tables: &*self.catalog,
                        clock: &*self.process,
                        scratch: scratch.path(),
                        run: &self.process.name,
                    };
                    maintain::run(&upkeep, &self.ports, None, KEEP).await?;
                }
                Job::Redrive => {
                    redrive::run(&self.ports, 10, true).await?;
                }
                Job::Close(one) => self.close(one).await?,
            }
            Ok(())
        })
    }

    async fn close(&self, one: usize) -> Result<()> {
        let keys = findings::keys_of(&self.ports, "").await?;
        let Some(key) = keys.get(one % keys.len().max(1)) else {
            return Ok(());
        };
        let closed = Change {
            at: self.process.now(),
            to: Status::Closed,
            by: "ann".to_owned(),
            why: "it was a test".to_owned(),
            until: None,
        };
        let close = |finding: &mut Finding| {
            finding.change(closed.clone());
            true
        };
        findings::change(&self.ports, key, close).await?;
        Ok(())
    }

    async fn detect(&self) -> Result<()> {
        let outlet = |name: &'static str, digest_minutes, per_hour| Outlet {
            name: name.to_owned(),
            filter: Filter::all(),
            pace: Pace {
                digest_minutes,
                per_hour,
                ..Pace::unbounded()
            },
            notifier: Arc::new(Receiver {
                ports: self.ports.clone(),
                name,
            }),
        };
        let analysis = Analysis {
            tenant: self.ports.tenant.name,
            queue: &self.ports,
            objects: &self.ports,
            outlets: &[outlet("topic", 0, 0), outlet("digest", 20, 0), outlet("paced", 0, 2)],
            rules: &self.rules,
            clock: &*self.process,
            patience: Patience::default(),
            stop: &self.stop,
            okta: Some((&self.ports, &events::org(self.ports.tenant.name))),
        };
        analysis.run().await?;
        Ok(())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    Failed,
    Died,
    Killed,
}

impl World {
    /// One run from its first call to its end, whatever that is.
    pub async fn run(&self, tenant: &Arc<Tenant>, job: Job, killed_after: Option<Duration>) -> End {
        let role = format!("{job:?}").to_lowercase();
        let run = Run::new(self, tenant, role.split('(').next().unwrap());
        let (weather, name) = (&self.weather, &run.process.name);
        weather.tell(&format!("{name} begins"));
        let end = tokio::select! {
            biased;
            () = run.process.died() => End::Died,
            done = run.work(job) => match done {
                Ok(()) => End::Done,
                Err(error) => {
                    // Without its causes, which hold names of files that are others each time.
                    weather.tell(&format!("{name}: {error}"));
                    // Nothing that is stored was ever other than it must be.
                    if error.kind == Kind::Invalid {
                        weather.broken(format!("{name} could not read what was stored: {}", chain(&error)));
                    }
                    End::Failed
                }
            },
            () = sleep(killed_after.unwrap_or(LONGEST_RUN)) => {
                run.process.kill();
                End::Killed
            }
        };
        weather.tell(&format!("{name} {end:?}"));
        end
    }

    fn spawn(self: &Arc<Self>, tenant: &Arc<Tenant>, job: Job) -> tokio::task::JoinHandle<End> {
        let chance = &self.weather.chance;
        let killed_after = chance.one_in(8).then(|| Duration::from_secs(chance.below(240)));
        let (world, tenant) = (Arc::clone(self), Arc::clone(tenant));
        tokio::task::spawn_local(async move { world.run(&tenant, job, killed_after).await })
    }

    /// What begins when: runs of a role come about as often as they do, some right beside each other.
    fn schedule(&self) -> Vec<(Timestamp, Job)> {
        let chance = &self.weather.chance;
        let mut schedule = Vec::new();
        let mut repeat = |minutes: (u64, u64), job: &dyn Fn() -> Job| {
            let mut minute = chance.below(minutes.1);
            while minute < (HOURS + 2) * 60 {
                schedule.push((start() + SignedDuration::from_mins(minute.cast_signed()), job()));
                minute += chance.between(minutes.0, minutes.1);
            }
        };
        repeat((2, 75), &|| Job::Detect);
        repeat((60, 400), &|| Job::Compact);
        repeat((60, 400), &|| Job::Refresh(chance.below(5)));
        repeat((120, 400), &|| Job::Reconcile);
        repeat((300, 700), &|| Job::Maintain);
        repeat((120, 400), &|| Job::Redrive);
        repeat((60, 500), &|| Job::Close(usize::try_from(chance.below(20)).unwrap()));
        schedule.sort_unstable();
        schedule
    }

    /// Events come and runs begin, until the day is over and every run has come to its end.
    pub async fn live(self: &Arc<Self>, tenant: &Arc<Tenant>, events: &[Event]) {
        let began = tokio::time::Instant::now();
        let mut deliveries: Vec<(Timestamp, &String)> = events
            .iter()
            .flat_map(|event| &event.deliveries)
            .map(|(at, body)| (*at, body))
            .collect();
        deliveries.sort_unstable();
        let (mut deliveries, mut runs) = (deliveries.into_iter().peekable(), Vec::new());
        for (at, job) in self.schedule() {
            while let Some((_, body)) = deliveries.next_if(|(comes, _)| *comes <= at) {
                tenant.send(body);
            }
            sleep_until(began + Duration::try_from(at.duration_since(start())).unwrap()).await;
            runs.push(self.spawn(tenant, job));
        }
        sleep(Duration::from_hours(6)).await;
        deliveries.for_each(|(_, body)| tenant.send(body));
        for run in runs {
            if let Err(error) = run.await {
                self.weather
                    .broken(format!("a run of {} panicked: {error}", tenant.name));
            }
        }
    }

    /// After the weather has calmed down: what is left is done, as the next days would do it.
    pub async fn settle(&self, tenant: &Arc<Tenant>) {
        // What Okta stored late, and hours that are compared only when they are settled.
        for job in [Job::Detect, Job::Reconcile] {
            sleep(Duration::from_hours(12)).await;
            self.run(tenant, job, None).await;
        }
        for _ in 0..80 {
            self.run(tenant, Job::Redrive, None).await;
            self.run(tenant, Job::Detect, None).await;
            let outbox = tenant
                .objects()
                .into_keys()
                .filter(|key| key.starts_with("outbox/"))
                .filter(|key| !key.starts_with("outbox/routes/"));
            if tenant.is_drained() && outbox.count() == 0 {
                break;
            }
            sleep(Duration::from_mins(25)).await;
        }
        for job in [Job::Compact, Job::Maintain, Job::Compact] {
            self.run(tenant, job, None).await;
        }
    }

    /// The tenant's table, as somebody reads it in fair weather.
    pub fn lake(&self, tenant: &'static str) -> Lake {
        let process = Process::start(&self.weather, tenant, "reader");
        Lake::new(Arc::new(SimulatedCatalog::new(&self.warehouse, &process)), tenant)
    }
}
