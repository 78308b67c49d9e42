//! `oort rules backtest`: how often rules would have fired.

use clap::Args;
use jiff::SignedDuration;

use crate::cli::output::{self, Format};
use crate::cli::target::{Target, WallClock};
use crate::cli::task::{DetectionArgs, TenantArgs};
use crate::cli::{Exit, Failure, Global, Outcome, stop};
use crate::ports::Clock as _;
use crate::runtime::backtest::{self, OfRule, Report};
use crate::runtime::walk::Period;

/// Run rules over a tenant's landed events and say how often each would have told of something, and of whom. Nothing is stored
/// and nobody is told.
#[derive(Debug, Args)]
pub struct Backtest {
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    detections: DetectionArgs,
    /// How far back, in days. Events go with the tenant's retention.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Backtest {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let rules = target.rules(&self.detections, global)?;
        let to = WallClock.now();
        let period = Period {
            from: to - SignedDuration::from_hours(24 * i64::from(self.days)),
            to,
        };
        let stop = stop::on_signals()?;
        let work = Box::pin(async {
            let report = backtest::run(&*target.objects, target.tenant.as_str(), &rules, period).await;
            report.map_err(Failure::from)
        });
        let report = stop::unless_stopped(&stop, work).await?;
        match self.format {
            Format::Json => output::json(&report),
            Format::Table => table(&report),
        }
        Ok(Exit::Done)
    }
}

fn table(report: &Report) {
    let row = |rule: &OfRule| {
        let entities: Vec<String> = rule
            .entities
            .iter()
            .map(|(name, count)| format!("{name} ({count})"))
            .collect();
        vec![
            rule.findings.to_string(),
            format!("{:.2}", rule.a_day),
            rule.severity.as_str().to_owned(),
            rule.title.clone(),
            entities.join(", "),
        ]
    };
    let told = report.rules.iter().filter(|rule| rule.findings > 0);
    let rows: Vec<Vec<String>> = told.map(row).collect();
    if !rows.is_empty() {
        output::table(&["FINDINGS", "A DAY", "SEVERITY", "TITLE", "OF WHOM"], &rows);
    }
    output::line(format!(
        "{} of {} rules would have told of something in {} events of {:.0} days",
        rows.len(),
        report.rules.len(),
        report.events,
        report.days
    ));
}
