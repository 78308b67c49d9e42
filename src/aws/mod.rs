//! The ports on AWS. No type and no error of the SDK leaves this room, and nothing is decided in it: one method is one
//! call, and whoever calls paces and repeats.

mod convert;
mod error;
mod propose;
mod read;
mod sources;
mod watch;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

use crate::aws::error::from_sdk;
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
    region: Option<String>,
}

impl Account {
    /// Takes credentials where every AWS tool finds them. Makes no call to AWS besides what signing in takes.
    ///
    /// The SDK repeats nothing by itself, so that the caller's rates hold.
    pub async fn connect(region: &Region) -> Self {
        let own = aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(30))
            .build();
        let config = own
            .to_builder()
            .region(aws_config::Region::new(region.as_str().to_owned()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Self::new(&config, own.region().map(ToString::to_string))
    }

    fn new(config: &SdkConfig, region: Option<String>) -> Self {
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            eventbridge: aws_sdk_eventbridge::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            region,
        }
    }
}

#[async_trait]
impl Caller for Account {
    async fn identity(&self) -> Result<Identity> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|error| from_sdk("sts:GetCallerIdentity", error))?;
        Ok(Identity {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }

    fn region(&self) -> Option<String> {
        self.region.clone()
    }
}
