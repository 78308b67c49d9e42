//! `oort drift`: what somebody changed by hand.

use clap::Args;

use crate::cli::cloud::{WaitArgs, connect};
use crate::cli::context::profile_of;
use crate::cli::diff::{Format, written};
use crate::cli::progress::Progress;
use crate::cli::{Exit, Global, Outcome, output};
use crate::deploy::diff::StackDiff;
use crate::deploy::diff::fleet::{Fleet, own_names_of};
use crate::deploy::drift::{change, detect, false_positive};
use crate::deploy::wording::printable;
use crate::deploy::world;
use crate::model::stack::LiveStack;

/// Show what is not as the last deployment left it, the same drift in many stacks once. Exits with 2 when something is.
#[derive(Debug, Args)]
pub struct Drift {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT")]
    environment: String,
    /// Only the stacks of these tenants.
    #[arg(long, short)]
    tenant: Vec<String>,
    /// Also show what CloudFormation takes for drift and is none, with the reason.
    #[arg(long)]
    all: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    wait: WaitArgs,
}

impl Drift {
    pub async fn run(self, global: &Global) -> Outcome {
        let profile = profile_of(global, &self.environment)?;
        let connected = connect(&profile).await?;
        let live = world::stacks(&*connected.cloud, &connected.pacer).await?;
        let is_meant = |stack: &&LiveStack| {
            stack.environment() == Some(self.environment.as_str())
                && (self.tenant.is_empty() || stack.tenant().is_some_and(|id| self.tenant.iter().any(|one| one == id)))
        };
        let stacks: Vec<&LiveStack> = live.values().filter(is_meant).collect();
        let progress = Progress::new("looking", stacks.len());
        let step = || progress.step();
        let drifts = detect(&*connected.cloud, &connected.pacer, stacks, self.wait.interval(), &step).await?;
        drop(progress);
        let mut fleet = Fleet::default();
        let mut is_partial = false;
        for drift in &drifts {
            if let Some(why) = &drift.failed {
                is_partial = true;
                output::progress(format!(
                    "{}: could not be looked at whole: {}",
                    drift.stack,
                    printable(why)
                ));
            }
            let mut changes = Vec::new();
            for resource in &drift.resources {
                match false_positive(resource) {
                    Some(why) if self.all => {
                        output::progress(format!("{}/{}: no drift: {why}", drift.stack, resource.id));
                    }
                    Some(_) => {}
                    None => changes.push(change(resource)),
                }
            }
            let diff = (!changes.is_empty()).then(|| StackDiff {
                environment: self.environment.clone(),
                stack: drift.tenant.clone().unwrap_or_else(|| "foundation".to_owned()),
                changes,
            });
            fleet.add(diff, &own_names_of(&drift.stack, drift.tenant.as_deref()));
        }
        let text = written(&fleet, self.format);
        if self.format == Format::Text {
            output::coloured(&text);
        } else {
            output::text(&text);
        }
        Ok(if !fleet.is_empty() {
            Exit::Changes
        } else if is_partial {
            Exit::PartlyFailed
        } else {
            Exit::Done
        })
    }
}
