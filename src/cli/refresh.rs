//! `oort refresh`: the *Refresh User Data* action.

use clap::Args;
use tracing::Instrument;

use crate::cli::target::{Target, WallClock};
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Failure, Global, Outcome, output, record, stop};
use crate::model::run::Ended;
use crate::okta::Manners;
use crate::ports::stop::Stop;
use crate::ports::{self, Kind};
use crate::runtime::refresh::{self, Report, Stage};

/// Add one user's newest events to the Activity table at once.
#[derive(Debug, Args)]
pub struct Refresh {
    #[command(flatten)]
    tenant: TenantArgs,
    /// The user's Okta ID, login or e-mail address.
    #[arg(long, value_name = "USER")]
    user: String,
}

impl Refresh {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let stop = stop::on_signals()?;
        let report = stop::unless_stopped(&stop, Box::pin(run(&target, &self.user, &stop, &|_| {}))).await?;
        output::json(&report);
        Ok(if report.problems.is_empty() {
            Exit::Done
        } else {
            Exit::PartlyFailed
        })
    }
}

/// One refresh.
pub async fn run(
    target: &Target,
    user: &str,
    stop: &Stop,
    stage: &(dyn Fn(Stage) + Send + Sync),
) -> Result<Report, Failure> {
    let run = target.start("refresh");
    let Some(lease) = target.wait_for_lease("refresh", stop).await? else {
        return Err(ports::Error::new(Kind::Unavailable, "wait for another refresh of this tenant").into());
    };
    let scratch = target.scratch("refresh")?;
    let okta = target.okta.as_ref();
    let okta = okta.map(|asked| Ok::<_, Failure>((asked.open(Manners::of_a_person())?, &asked.org)));
    let okta = okta.transpose()?;
    let refresh = refresh::Refresh {
        queue: target.queue()?,
        objects: &*target.objects,
        leases: &*target.leases,
        stop,
        lake: target.lake()?,
        okta: okta.as_ref().map(|(okta, org)| (&**okta, *org)),
        clock: &WallClock,
        scratch: scratch.path(),
        run: &run.name,
        stage,
    };
    let ended = |report: &Report| {
        if report.problems.is_empty() {
            Ended::Done
        } else {
            Ended::PartlyFailed
        }
    };
    let work = async { Ok(refresh.run(user).instrument(run.span.clone()).await?) };
    let report = record::kept(target, &run, ended, Box::pin(work)).await;
    lease.release().await;
    let report = report?;
    run.span.in_scope(|| {
        tracing::info!(
            landed = report.landed,
            fetched = report.fetched,
            rows = report.rows,
            added = report.added,
            "refreshed"
        );
    });
    Ok(report)
}
