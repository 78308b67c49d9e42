//! `oort apply --watch-sources`: as soon as Okta has made a tenant's partner event source, its stack is created, because
//! what Okta sends before the event bus is there is dropped for good.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::cli::apply::How;
use crate::cli::cloud::{Connected, connect};
use crate::cli::context::Loaded;
use crate::cli::task::run_name;
use crate::cli::{Exit, Failure, Global, Outcome, output, plan};
use crate::deploy::plan::intent::{Intent, WaysOut};
use crate::deploy::plan::{Plan, Purpose};
use crate::deploy::profile::Profile;
use crate::deploy::propose::Draft;
use crate::deploy::world;

/// Creates the stacks of tenants whose source is pending: once, or every `every`.
pub async fn watch(global: &Global, environment: &str, how: &How, every: Option<Duration>) -> Outcome {
    let loaded = Loaded::read(global, environment, None)?;
    let profile = &loaded.environment.profile;
    let connected = connect(profile).await?;
    how.approve(profile, &approved(&loaded)?)?;
    let mut worst = Exit::Done;
    loop {
        match look(global, &loaded, &connected, how).await {
            Ok(Exit::Done) => {}
            Ok(exit) => worst = exit,
            // Nobody is there to start it again: what a repeat may mend is tried again.
            Err(failure) if every.is_some() && failure.exit == Exit::Unavailable => {
                output::failure(&*failure.error, failure.hint.as_deref());
            }
            Err(failure) => return Err(failure),
        }
        let Some(every) = every else { return Ok(worst) };
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = tokio::signal::ctrl_c() => return Ok(worst),
        }
    }
}

/// One look at all sources.
async fn look(global: &Global, loaded: &Loaded, connected: &Connected, how: &How) -> Outcome {
    let profile = &loaded.environment.profile;
    let world = world::sweep(&*connected.cloud, &connected.pacer).await?;
    let drafts: Vec<Draft> = plan::drafts(loaded, &[], &world, &WaysOut::default())?
        .into_iter()
        .filter(|draft| draft.spec.tenant.is_some() && matches!(draft.intent, Intent::Create(Some(_))))
        .collect();
    if drafts.is_empty() {
        return Ok(Exit::Done);
    }
    let request = plan::Leave::default().request(run_name(), Purpose::Deploy, how.interval());
    let plan = plan::make(connected, &world, drafts, &request, profile).await?;
    for blocked in &plan.blocked {
        output::progress(format!("{}: {}; {}", blocked.stack, blocked.why, blocked.way_out));
    }
    let exit = how.carry_out_approved(global, connected, &plan).await?;
    Ok(if plan.blocked.is_empty() {
        exit
    } else {
        Exit::PartlyFailed
    })
}

/// What a person approves who lets stacks be created unasked: all that the files say of every tenant. As a plan, so that
/// its digest is approved as that of any other.
fn approved(loaded: &Loaded) -> Result<Plan, Failure> {
    let profile: &Profile = &loaded.environment.profile;
    let mut digest = Sha256::new();
    loaded.for_each(
        |stack| Ok(stack.spec),
        |spec| {
            digest.update(spec.name.as_str());
            digest.update([0]);
            digest.update(&spec.body);
            digest.update([0]);
            Ok(())
        },
    )?;
    let id = format!("{:x}", digest.finalize());
    Ok(Plan::empty(profile, id, Purpose::Deploy, Timestamp::UNIX_EPOCH))
}
