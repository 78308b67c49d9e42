//! `oort prune` and `oort destroy`: stacks go; what they hold stays, and is named.

use std::collections::BTreeSet;

use clap::Args;
use futures::StreamExt as _;

use crate::cli::apply::Or;
use crate::cli::cloud::{Connected, connect};
use crate::cli::context::{Loaded, profile_of};
use crate::cli::diff::{Format, written};
use crate::cli::task::run_name;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::diff::compare::compare;
use crate::deploy::plan::retire::{Retired, Which, kept, owned, plan_deletions};
use crate::deploy::plan::{Plan, Purpose};
use crate::deploy::profile::Profile;
use crate::deploy::world::{self, World};
use crate::local::clock::SystemClock;
use crate::model::stack::LiveStack;
use crate::ports::Clock as _;

/// Delete the stacks of tenants that no file names any more. What they hold stays.
#[derive(Debug, Args)]
pub struct Prune {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT")]
    environment: String,
    #[command(flatten)]
    or: Or,
}

/// Delete an environment's stacks, or those of some tenants. What they hold stays.
#[derive(Debug, Args)]
pub struct Destroy {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT")]
    environment: String,
    /// Only the stacks of these tenants; without it every stack, the foundation last.
    #[arg(long, short)]
    tenant: Vec<String>,
    /// In a stack whose deletion failed: a resource that stays, by its logical ID.
    #[arg(long, value_name = "RESOURCE")]
    retain: Vec<String>,
    #[command(flatten)]
    or: Or,
}

impl Prune {
    pub async fn run(self, global: &Global) -> Outcome {
        let loaded = Loaded::read(global, &self.environment, None)?;
        let named = loaded
            .environment
            .tenants
            .iter()
            .map(|tenant| tenant.id.to_string())
            .collect();
        let profile = &loaded.environment.profile;
        delete(global, profile, Purpose::Prune, &Which::Orphans(named), &[], &self.or).await
    }
}

impl Destroy {
    pub async fn run(self, global: &Global) -> Outcome {
        let profile = profile_of(global, &self.environment)?;
        let which = if self.tenant.is_empty() {
            Which::All
        } else {
            Which::Tenants(self.tenant.iter().cloned().collect::<BTreeSet<_>>())
        };
        delete(global, &profile, Purpose::Destroy, &which, &self.retain, &self.or).await
    }
}

async fn delete(
    global: &Global,
    profile: &Profile,
    purpose: Purpose,
    which: &Which,
    retain: &[String],
    or: &Or,
) -> Outcome {
    let connected = connect(profile).await?;
    let world = World {
        stacks: world::stacks(&*connected.cloud, &connected.pacer).await?,
        ..World::default()
    };
    let environment = profile.environment.as_str();
    let retired = templates(&connected, environment, owned(&world, environment, which)).await?;
    let held = kept(&retired);
    let mut plan = Plan::empty(profile, run_name(), purpose, SystemClock.now());
    plan_deletions(&mut plan, retired, retain);
    output::coloured(&written(&plan.fleet(), Format::Text));
    for (stack, resources) in &held {
        output::line(format!("{stack} leaves behind, with what they hold:"));
        for resource in resources {
            let own = resource.name.as_deref().unwrap_or(&resource.id);
            output::line(format!("  {} {own}", resource.resource_type));
        }
    }
    for blocked in &plan.blocked {
        output::line(format!(
            "Blocked: {}: {}; {}",
            blocked.stack, blocked.why, blocked.way_out
        ));
    }
    if plan.steps.is_empty() {
        output::line("Nothing to delete.");
        return Ok(if plan.blocked.is_empty() {
            Exit::Done
        } else {
            Exit::PartlyFailed
        });
    }
    or.go_on(global, &connected, profile, &plan).await
}

/// The stacks with their templates.
async fn templates<'w>(
    connected: &Connected,
    environment: &str,
    stacks: Vec<&'w LiveStack>,
) -> Result<Vec<Retired<'w>>, Failure> {
    const AT_ONCE: usize = 16;
    let one = |stack: &'w LiveStack| async move {
        let template = connected
            .pacer
            .call("GetTemplate", || connected.cloud.template(&stack.id))
            .await?;
        let short = stack.tenant().unwrap_or("foundation");
        let diff = compare(environment, short, Some(&template), None)
            .map_err(|error| Failure::input(format!("the template of {} cannot be read: {}", stack.name, error.why)))?;
        Ok::<_, Failure>(Retired {
            stack,
            template,
            changes: diff.map(|diff| diff.changes).unwrap_or_default(),
        })
    };
    let mut retired = Vec::new();
    let mut all = futures::stream::iter(stacks.into_iter().map(one)).buffered(AT_ONCE);
    while let Some(one) = all.next().await {
        retired.push(one?);
    }
    Ok(retired)
}
