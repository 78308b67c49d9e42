//! The door to AWS: no call but the one that tells whose credentials they are comes before the guards.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::aws::Session;
use crate::cli::{Exit, Failure};
use crate::deploy::guard::{self, Refusal};
use crate::deploy::pace::Pacer;
use crate::deploy::profile::Profile;
use crate::ports::cloud::Cloud;

/// How AWS is waited for.
#[derive(Debug, Clone, Args)]
pub struct WaitArgs {
    /// Seconds between two looks at what CloudFormation works on.
    #[arg(long, env = "OORT_INTERVAL", default_value_t = 5.0, value_name = "SECONDS")]
    interval: f64,
}

impl WaitArgs {
    pub fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(self.interval).unwrap_or(Duration::from_secs(5))
    }
}

/// An account and region whose guards have passed.
pub struct Connected {
    pub cloud: Arc<dyn Cloud>,
    pub pacer: Pacer,
}

/// Signs in, and sees that the account and region are the profile's.
pub async fn session(profile: &Profile) -> Result<Session, Failure> {
    Ok(guarded(profile).await?.0)
}

/// The account of a profile, for who deploys.
pub async fn connect(profile: &Profile) -> Result<Connected, Failure> {
    Ok(guarded(profile).await?.1)
}

async fn guarded(profile: &Profile) -> Result<(Session, Connected), Failure> {
    guard::check_target(profile).map_err(refused)?;
    let session = Session::sign_in(Some(&profile.region)).await;
    let cloud: Arc<dyn Cloud> = Arc::new(session.account());
    let pacer = Pacer::new(
        f64::from(profile.rollout.calls_per_second),
        u64::from(std::process::id()),
    );
    let identity = pacer.call("GetCallerIdentity", || cloud.identity()).await?;
    guard::check_caller(profile, &identity, cloud.region().as_deref()).map_err(refused)?;
    Ok((session, Connected { cloud, pacer }))
}

fn refused(refusal: Refusal) -> Failure {
    let hint = refusal.hint();
    Failure {
        exit: Exit::Refused,
        error: refusal.into(),
        hint: Some(hint.to_owned()),
    }
}
