//! `oort detect`: the hourly analysis of one tenant.

use clap::Args;
use tracing::Instrument;

use crate::cli::target::{Target, WallClock};
use crate::cli::task::{DetectionArgs, TenantArgs};
use crate::cli::{Exit, Failure, Global, Outcome, output, record, stop};
use crate::model::metric;
use crate::model::run::Ended;
use crate::okta::Manners;
use crate::ports::stop::Stop;
use crate::runtime::analysis::{Analysis, Report};
use crate::runtime::detect::RuleSet;
use crate::runtime::notify::Patience;
use crate::runtime::refresh::INGEST_LEASE;

/// Analyse what waits in a tenant's queue: land it, run the rules, store findings, notify.
#[derive(Debug, Args)]
pub struct Detect {
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    detections: DetectionArgs,
}

impl Detect {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let rules = target.rules(&self.detections, global)?;
        let Some(report) = run(&target, &rules, &stop::on_signals()?).await? else {
            output::line("another run is landing or analysing this tenant's events; nothing to do");
            return Ok(Exit::Done);
        };
        output::json(&report);
        Ok(if report.waiting_notifications + report.given_up_notifications > 0 {
            Exit::PartlyFailed
        } else {
            Exit::Done
        })
    }
}

/// One run under the tenant's lease; `None` when another run holds it.
pub async fn run(target: &Target, rules: &RuleSet, stop: &Stop) -> Result<Option<Report>, Failure> {
    let run = target.start("detect");
    let Some(lease) = target.wait_for_lease(INGEST_LEASE, stop).await? else {
        run.span.in_scope(|| tracing::info!("another run holds the lease"));
        return Ok(None);
    };
    // Events do not wait for an org that does not answer.
    let okta = target
        .okta
        .as_ref()
        .map(|asked| Ok::<_, Failure>((asked.open(Manners::of_a_person())?, &asked.org)));
    let okta = okta.transpose()?;
    let analysis = Analysis {
        tenant: target.tenant.as_str(),
        queue: target.queue()?,
        objects: &*target.objects,
        outlets: &target.outlets()?,
        rules,
        clock: &WallClock,
        patience: Patience::default(),
        stop,
        okta: okta.as_ref().map(|(okta, org)| (&**okta, *org)),
    };
    let ended = |report: &Report| {
        if report.waiting_notifications + report.given_up_notifications > 0 {
            Ended::PartlyFailed
        } else {
            Ended::Done
        }
    };
    let work = async { Ok(analysis.run().instrument(run.span.clone()).await?) };
    let report = record::kept(target, &run, ended, Box::pin(work)).await;
    lease.release().await;
    let report = report?;
    if report.given_up_notifications > 0 {
        target.count(metric::NOTIFICATIONS_GIVEN_UP, report.given_up_notifications);
    }
    run.span.in_scope(|| {
        tracing::info!(
            segments = report.segments,
            landed = report.landed,
            set_aside = report.set_aside,
            evaluated = report.evaluated,
            new_findings = report.new_findings,
            known_findings = report.known_findings,
            notified = report.notified,
            waiting_notifications = report.waiting_notifications,
            "analysed"
        );
    });
    Ok(Some(report))
}
