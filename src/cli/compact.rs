//! `oort compact`: the daily compaction of one tenant.

use clap::Args;
use tracing::Instrument;

use crate::cli::target::Target;
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Failure, Global, Outcome, output, record, stop};
use crate::model::metric;
use crate::ports::stop::Stop;
use crate::runtime::compact::{self, Report};

/// Move a tenant's landed events into the Activity table, each user's row once, in one commit.
#[derive(Debug, Args)]
pub struct Compact {
    #[command(flatten)]
    tenant: TenantArgs,
}

impl Compact {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let stop = stop::on_signals()?;
        match stop::unless_stopped(&stop, Box::pin(run(&target, &stop))).await? {
            Some(report) => output::json(&report),
            None => output::line("another run is compacting this tenant; nothing to do"),
        }
        Ok(Exit::Done)
    }
}

/// One run under the tenant's lease; `None` when another run holds it.
pub async fn run(target: &Target, stop: &Stop) -> Result<Option<Report>, Failure> {
    let run = target.start("compact");
    let Some(lease) = target.leases.acquire("compact", stop).await? else {
        run.span.in_scope(|| tracing::info!("another run holds the lease"));
        return Ok(None);
    };
    let scratch = target.scratch("compact")?;
    let lake = target.lake()?;
    let work = async {
        let report = compact::run(&*target.objects, lake, scratch.path(), &run.name);
        Ok(report.instrument(run.span.clone()).await?)
    };
    let report = record::kept(target, &run, record::done, Box::pin(work)).await;
    lease.release().await;
    let report = report?;
    target.count(metric::COMPACTOR_RUNS, 1);
    run.span.in_scope(|| {
        tracing::info!(
            segments = report.segments,
            events = report.events,
            set_aside = report.set_aside,
            rows = report.rows,
            added = report.added,
            watermark = report.watermark.0,
            "compacted"
        );
    });
    Ok(Some(report))
}
