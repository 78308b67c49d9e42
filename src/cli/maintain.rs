//! `oort maintain` and `oort retention`: the upkeep of one tenant's data, and what it would drop.

use clap::Args;
use jiff::SignedDuration;
use tracing::Instrument;

use crate::cli::target::{Target, WallClock};
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Failure, Global, Outcome, output, record, stop};
use crate::lake::Upkeep;
use crate::lake::expire::Keep;
use crate::lake::retention::Horizon;
use crate::ports::Clock as _;
use crate::ports::stop::Stop;
use crate::runtime::maintain::{self, Report};
use crate::runtime::retention;

/// How long a tenant's data is kept.
#[derive(Debug, Clone, Copy, Args)]
struct RetentionArgs {
    /// Whole days (UTC) before today that are kept, instead of the environment's `data_retention_days`.
    #[arg(long, env = "OORT_RETENTION_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    retention_days: Option<u32>,
}

impl RetentionArgs {
    /// `None` where data is kept for ever.
    fn horizon(self, target: &Target) -> Option<Horizon> {
        let days = self.retention_days.unwrap_or(target.data_retention_days);
        Horizon::of(WallClock.now(), days)
    }
}

/// Merge small files of the Activity table, drop what is past its retention, and delete what nothing refers to.
///
/// `oort retention` lists what would be dropped.
#[derive(Debug, Args)]
pub struct Maintain {
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    retention: RetentionArgs,
    /// How long the table can be read as it was.
    #[arg(long, default_value_t = 5, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    snapshot_days: u32,
    /// The least number of snapshots that are kept.
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    snapshots: u32,
    /// Files to which nothing refers are kept so long: a run may be about to commit them.
    #[arg(long, default_value_t = 3, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=365))]
    orphan_days: u32,
}

impl Maintain {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let stop = stop::on_signals()?;
        let keep = Keep {
            young: days(self.snapshot_days),
            newest: usize::try_from(self.snapshots).unwrap_or(usize::MAX),
            files: days(self.orphan_days),
        };
        let horizon = self.retention.horizon(&target);
        let work = Box::pin(run(&target, horizon, keep, &stop));
        match stop::unless_stopped(&stop, work).await? {
            Some(report) => output::json(&report),
            None => output::line("another run is at work on this tenant's table; nothing to do"),
        }
        Ok(Exit::Done)
    }
}

fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(days) * 24)
}

/// One run under the lease of who rewrites the table; `None` when another run holds it.
async fn run(target: &Target, horizon: Option<Horizon>, keep: Keep, stop: &Stop) -> Result<Option<Report>, Failure> {
    let run = target.start("maintain");
    let Some(lease) = target.leases.acquire("compact", stop).await? else {
        run.span.in_scope(|| tracing::info!("another run holds the lease"));
        return Ok(None);
    };
    let scratch = target.scratch("maintain")?;
    let upkeep = Upkeep {
        lake: target.lake()?,
        tables: target.tables()?,
        clock: &WallClock,
        scratch: scratch.path(),
        run: &run.name,
    };
    // Told before it is done, so that it is in the log whatever becomes of the run.
    if let Some(horizon) = horizon {
        let past = retention::past(&*target.objects, upkeep.lake, horizon).await?;
        let (from, rows, segments) = (past.kept_from, past.activity.rows, past.segments);
        run.span.in_scope(
            || tracing::info!(kept_from = %from, rows, segments, findings = past.findings, "dropping what is older"),
        );
    }
    let work = async {
        let report = maintain::run(&upkeep, &*target.objects, horizon, keep);
        Ok(report.instrument(run.span.clone()).await?)
    };
    let report = record::kept(target, &run, record::done, Box::pin(work)).await;
    lease.release().await;
    report.map(Some)
}

/// List what is past a tenant's retention, which the next `oort maintain` drops for good.
#[derive(Debug, Args)]
pub struct Retention {
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    retention: RetentionArgs,
}

impl Retention {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let Some(horizon) = self.retention.horizon(&target) else {
            output::line("no retention is set: data is kept for ever");
            return Ok(Exit::Done);
        };
        let past = retention::past(&*target.objects, target.lake()?, horizon).await?;
        output::json(&past);
        let is_something = past.activity.files + past.segments + past.set_aside + past.findings > 0;
        Ok(if is_something { Exit::Changes } else { Exit::Done })
    }
}
