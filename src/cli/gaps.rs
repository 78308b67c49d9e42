//! `oort gaps`: hour by hour, what came, what Okta has, and what was fetched.

use clap::Args;

use crate::cli::output::Format;
use crate::cli::target::{Target, WallClock};
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Global, Outcome, output};
use crate::ports::Clock as _;
use crate::runtime::ledger;

/// Show hour by hour how many events came, how many Okta's System Log has, and how many were fetched.
///
/// `oort reconcile` compares. An hour is compared as soon as it is over for an hour, and once more after eight.
#[derive(Debug, Args)]
pub struct Gaps {
    #[command(flatten)]
    tenant: TenantArgs,
    /// Hours before now that are shown.
    #[arg(long, value_name = "HOURS", default_value_t = 48)]
    hours: u32,
    /// Only hours in which something was missing, or still is.
    #[arg(long = "only-gaps")]
    has_gaps_only: bool,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Gaps {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let mut shown = ledger::gaps(&*target.objects, WallClock.now(), self.hours).await?;
        shown.hours.retain(|line| !self.has_gaps_only || line.is_gap());
        match self.format {
            Format::Json => output::json(&shown),
            Format::Table => print(&shown),
        }
        Ok(Exit::Done)
    }
}

fn print(shown: &ledger::Gaps) {
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let row = |line: &ledger::GapHour| {
        vec![
            format!("{}:00Z", line.hour),
            line.state.received.to_string(),
            number(line.state.expected),
            line.state.filled.to_string(),
            number(line.missing),
            line.state
                .checked
                .map_or_else(|| "-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string()),
        ]
    };
    let rows: Vec<Vec<String>> = shown.hours.iter().map(row).collect();
    output::table(
        &["HOUR", "RECEIVED", "EXPECTED", "FILLED", "MISSING", "COMPARED"],
        &rows,
    );
    for outage in &shown.outages {
        let until = outage.to.map_or_else(|| "now".to_owned(), |to| to.to_string());
        let mended = if outage.was_reactivated { "; reactivated" } else { "" };
        output::line(format!(
            "outage from {} to {until}: {}{mended}",
            outage.from, outage.what
        ));
    }
}
