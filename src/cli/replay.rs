//! `oort replay`: today's rules over yesterday's events.

use clap::Args;
use jiff::Timestamp;

use crate::cli::target::{Target, WallClock};
use crate::cli::task::{DetectionArgs, TenantArgs};
use crate::cli::{Exit, Failure, Global, Outcome, output, stop};
use crate::ports::Clock as _;
use crate::runtime::replay;
use crate::runtime::walk::Period;

/// Run the rules again over landed events, as after a new rule. What was found before stays found once.
#[derive(Debug, Args)]
pub struct Replay {
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    detections: DetectionArgs,
    /// The earliest event, as in 2026-11-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// Before which all events are; now, if it is left out.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

impl Replay {
    pub async fn run(self, global: &Global) -> Outcome {
        let period = Period {
            from: self.from,
            to: self.to.unwrap_or_else(|| WallClock.now()),
        };
        if period.from >= period.to {
            return Err(Failure::input("the period ends before it begins").hint("give --from a time before --to"));
        }
        let target = Target::open(global, &self.tenant).await?;
        let rules = target.rules(&self.detections, global)?;
        let stop = stop::on_signals()?;
        let work = Box::pin(async { Ok(replay::run(&*target.objects, target.tenant.as_str(), &rules, period).await?) });
        output::json(&stop::unless_stopped(&stop, work).await?);
        Ok(Exit::Done)
    }
}
