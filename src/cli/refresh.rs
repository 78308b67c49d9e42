//! `oort refresh`: the *Refresh User Data* action.

use clap::Args;
use tracing::Instrument;

use crate::cli::target::Target;
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Failure, Global, Outcome, output, stop};
use crate::ports::stop::Stop;
use crate::ports::{self, Kind};
use crate::runtime::refresh::{self, Report};

/// Add one user's newest events to the Activity table at once.
#[derive(Debug, Args)]
pub struct Refresh {
    #[command(flatten)]
    tenant: TenantArgs,
    /// The user's Okta ID or login.
    #[arg(long, value_name = "ID-OR-LOGIN")]
    user: String,
}

impl Refresh {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let stop = stop::on_signals()?;
        let report = stop::unless_stopped(&stop, Box::pin(run(&target, &self.user, &stop))).await?;
        output::json(&report);
        Ok(Exit::Done)
    }
}

/// One refresh.
pub async fn run(target: &Target, user: &str, stop: &Stop) -> Result<Report, Failure> {
    let run = target.start("refresh");
    let Some(lease) = target.wait_for_lease("refresh", stop).await? else {
        return Err(ports::Error::new(Kind::Unavailable, "wait for another refresh of this tenant").into());
    };
    let scratch = target.scratch("refresh")?;
    let refresh = refresh::Refresh {
        queue: target.queue()?,
        objects: &*target.objects,
        leases: &*target.leases,
        stop,
        lake: target.lake()?,
        scratch: scratch.path(),
        run: &run.name,
    };
    let report = refresh.run(user).instrument(run.span.clone()).await;
    lease.release().await;
    let report = report?;
    run.span.in_scope(|| {
        tracing::info!(
            landed = report.landed,
            rows = report.rows,
            added = report.added,
            "refreshed"
        );
    });
    Ok(report)
}
