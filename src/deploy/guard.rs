//! What must hold before AWS is asked for anything else, and before anything is changed. Pure.

use crate::deploy::profile::{Profile, Target};
use crate::model::identity::Identity;

/// Why nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("environment `{environment}` runs on this machine, and this command on AWS only")]
    Embedded { environment: String },
    #[error("the credentials are of account {actual} ({arn}), and environment `{environment}` is account {wanted}")]
    Account {
        environment: String,
        wanted: String,
        actual: String,
        arn: String,
    },
    #[error("the region is set to {actual}, and environment `{environment}` is in {wanted}")]
    Region {
        environment: String,
        wanted: String,
        actual: String,
    },
}

impl Refusal {
    /// The next thing to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Embedded { .. } => "choose an environment with `target: aws`; oort local up runs this one",
            Self::Account { .. } => "sign in to the environment's account, or choose its profile with AWS_PROFILE",
            Self::Region { .. } => "unset AWS_REGION and AWS_DEFAULT_REGION, or set them to the environment's region",
        }
    }
}

/// Before anything else is asked: only AWS environments are deployed to AWS.
pub fn check_target(profile: &Profile) -> Result<(), Refusal> {
    if profile.target == Target::Aws {
        return Ok(());
    }
    Err(Refusal::Embedded {
        environment: profile.environment.to_string(),
    })
}

/// The account and region of the caller are the profile's. `region` is what the caller's environment names, if anything.
pub fn check_caller(profile: &Profile, identity: &Identity, region: Option<&str>) -> Result<(), Refusal> {
    let environment = profile.environment.to_string();
    if identity.account != profile.account_id.as_str() {
        return Err(Refusal::Account {
            environment,
            wanted: profile.account_id.to_string(),
            actual: identity.account.clone(),
            arn: identity.arn.clone(),
        });
    }
    match region {
        Some(actual) if actual != profile.region.as_str() => Err(Refusal::Region {
            environment,
            wanted: profile.region.to_string(),
            actual: actual.to_owned(),
        }),
        _ => Ok(()),
    }
}
