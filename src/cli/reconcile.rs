//! `oort reconcile`: what came is compared with Okta's System Log, and what is missing is fetched.

use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use tracing::Instrument;

use crate::cli::target::{Target, WallClock};
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Failure, Global, Outcome, output, record, stop};
use crate::lake::Upkeep;
use crate::model::run::Ended;
use crate::ports::stop::Stop;
use crate::ports::{Clock as _, Error, Kind};
use crate::runtime::backfill::{Backfill, Report};
use crate::runtime::{directory, stream};

/// The lease of whoever compares with Okta.
const LEASE: &str = "reconcile";

/// Compare a tenant's events with Okta's System Log, hour by hour, and fetch what is missing, the newest hours first; then follow
/// users and devices.
#[derive(Debug, Args)]
pub struct Reconcile {
    #[command(flatten)]
    tenant: TenantArgs,
    /// Begin no hour after so many minutes; the next run goes on.
    #[arg(long, value_name = "MINUTES", default_value_t = 300)]
    minutes: u32,
}

/// What one run has done.
#[derive(Debug, Serialize)]
pub struct Reconciled {
    pub gaps: Report,
    pub directory: directory::Report,
    /// What stopped it. All that was fetched before is kept.
    #[serde(skip)]
    pub failure: Option<Error>,
}

impl Reconcile {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let stop = stop::on_signals()?;
        let Some(reconciled) = run(&target, &stop, self.minutes).await? else {
            output::line("another run is comparing this tenant's events; nothing to do");
            return Ok(Exit::Done);
        };
        output::json(&reconciled);
        match reconciled.failure {
            // What was fetched is kept; the failure is the person's to know.
            Some(error) => Err(error.into()),
            None => Ok(Exit::Done),
        }
    }
}

/// One run under the tenant's lease; `None` when another run holds it.
pub async fn run(target: &Target, stop: &Stop, minutes: u32) -> Result<Option<Reconciled>, Failure> {
    let run = target.start("reconcile");
    let asked = target.okta()?;
    let okta = asked.for_task()?;
    let Some(lease) = target.leases.acquire(LEASE, stop).await? else {
        run.span.in_scope(|| tracing::info!("another run holds the lease"));
        return Ok(None);
    };
    let scratch = target.scratch(LEASE)?;
    let work = async {
        let backfill = Backfill {
            okta: &*okta,
            objects: &*target.objects,
            org: &asked.org,
            outages: &stream::outages(&*target.objects).await?,
            clock: &WallClock,
            stop,
            until: WallClock
                .now()
                .checked_add(SignedDuration::from_mins(i64::from(minutes)))
                .ok(),
        };
        let (gaps, failure) = backfill.run().await?;
        let mut reconciled = Reconciled {
            gaps,
            directory: directory::Report::default(),
            failure,
        };
        // Hours that could not be compared are no reason to know nobody; an org that answers nothing is.
        let is_answered = |error: &Error| error.kind == Kind::Invalid;
        if reconciled.failure.as_ref().is_some_and(|error| !is_answered(error)) {
            return Ok(reconciled);
        }
        let upkeep = Upkeep {
            lake: target.lake()?,
            tables: target.tables()?,
            clock: &WallClock,
            scratch: scratch.path(),
            run: &run.name,
        };
        match directory::follow(&*okta, &*target.objects, &upkeep).await {
            Ok(followed) => reconciled.directory = followed,
            Err(error) => {
                reconciled.failure.get_or_insert(error);
            }
        }
        Ok::<_, Failure>(reconciled)
    };
    let ended = |reconciled: &Reconciled| match reconciled.failure {
        Some(_) => Ended::PartlyFailed,
        None => Ended::Done,
    };
    let done = record::kept(target, &run, ended, Box::pin(work.instrument(run.span.clone()))).await;
    lease.release().await;
    let reconciled = done?;
    let Reconciled { gaps, directory, .. } = &reconciled;
    run.span.in_scope(|| {
        tracing::info!(
            hours = gaps.hours,
            expected = gaps.expected,
            filled = gaps.filled,
            left = gaps.left,
            users = directory.users.current,
            devices = directory.devices.current,
            requests = gaps.requests,
            "compared with Okta"
        );
    });
    Ok(Some(reconciled))
}
