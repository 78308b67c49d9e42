//! The ports on AWS. No type and no error of the SDK leaves this room, and nothing is decided in it: one method is one
//! call, and whoever calls paces and repeats.

mod bucket;
pub mod catalog;
mod convert;
mod error;
mod glue;
mod propose;
mod read;
mod sources;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

use crate::aws::error::{from_sdk, required};
use crate::model::name::Region;
use crate::ports::Result;
use crate::ports::cloud::{Caller, Identity};

/// An account and region, with the credentials of whoever runs this.
#[derive(Debug, Clone)]
pub struct Account {
    cloudformation: aws_sdk_cloudformation::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    eventbridge: aws_sdk_eventbridge::Client,
    sts: aws_sdk_sts::Client,
    /// For the bucket of templates, which is opened when it is used.
    config: SdkConfig,
    region: Option<String>,
}

impl Account {
    /// Takes credentials where every AWS tool finds them. Makes no call to AWS besides what signing in takes.
    ///
    /// The SDK repeats nothing by itself, so that the caller's rates hold.
    pub async fn connect(region: &Region) -> Self {
        let wanted = aws_config::Region::new(region.as_str().to_owned());
        let named = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .region()
            .await
            .filter(|region| !region.as_ref().is_empty());
        // Never left open: the SDK would ask for it where virtual machines do, and elsewhere wait for nobody.
        let own = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(named.clone().unwrap_or_else(|| wanted.clone()))
            .load()
            .await;
        Self::new(own, wanted, named)
    }

    /// The account that `config` signs in to, in the region that it names.
    pub fn of(config: SdkConfig) -> Self {
        let region = config.region().cloned();
        let wanted = region.clone().unwrap_or_else(|| aws_config::Region::from_static(""));
        Self::new(config, wanted, region)
    }

    /// `config` says how to sign in, and where; `named` is the region that the caller's environment names.
    fn new(config: SdkConfig, region: aws_config::Region, named: Option<aws_config::Region>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(30))
            .build();
        let config = config
            .into_builder()
            .region(region)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            eventbridge: aws_sdk_eventbridge::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            config,
            region: named.map(|region| region.to_string()),
        }
    }
}

#[async_trait]
impl Caller for Account {
    async fn identity(&self) -> Result<Identity> {
        const OP: &str = "sts:GetCallerIdentity";
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| from_sdk(OP, &error))?;
        Ok(Identity {
            account: required(OP, "account", answer.account())?,
            arn: required(OP, "caller", answer.arn())?,
        })
    }

    fn region(&self) -> Option<String> {
        self.region.clone()
    }
}
