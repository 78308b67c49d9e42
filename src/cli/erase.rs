//! `oort erase`: one user's rows leave the Activity table for good.

use clap::Args;
use tracing::Instrument;

use crate::cli::target::{Target, WallClock};
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Failure, Global, Outcome, output, stop};
use crate::lake::Upkeep;
use crate::lake::erase::Receipt;
use crate::ports::stop::Stop;
use crate::ports::{self, Kind};
use crate::runtime::erase;

/// Erase one user's rows up to now from the Activity table, its history and its files, and print a receipt.
///
/// Not reached: segments and findings, which go with retention; rows of other users whose event names the user.
#[derive(Debug, Args)]
pub struct Erase {
    #[command(flatten)]
    tenant: TenantArgs,
    /// The user's Okta ID, as `oort activity --format json` shows it for a login.
    #[arg(long, value_name = "ID")]
    user: String,
}

impl Erase {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let stop = stop::on_signals()?;
        let receipt = stop::unless_stopped(&stop, Box::pin(run(&target, &self.user, &stop))).await?;
        output::json(&receipt);
        Ok(Exit::Done)
    }
}

/// One run, while nobody else writes.
async fn run(target: &Target, user: &str, stop: &Stop) -> Result<Receipt, Failure> {
    let run = target.start("erase");
    let busy = |what| ports::Error::new(Kind::Unavailable, format!("wait for a {what} of this tenant"));
    let Some(compact) = target.wait_for_lease("compact", stop).await? else {
        return Err(busy("compaction").into());
    };
    let Some(refresh) = target.wait_for_lease("refresh", stop).await? else {
        return Err(busy("refresh").into());
    };
    let scratch = target.scratch("erase")?;
    let upkeep = Upkeep {
        lake: target.lake()?,
        tables: target.tables()?,
        clock: &WallClock,
        scratch: scratch.path(),
        run: &run.name,
    };
    let receipt = erase::run(&upkeep, &*target.objects, user)
        .instrument(run.span.clone())
        .await?;
    refresh.release().await;
    compact.release().await;
    Ok(receipt)
}
