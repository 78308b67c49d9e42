//! An account and region as those see it who deploy.

use async_trait::async_trait;
use aws_config::SdkConfig;

use crate::aws::error::{from_sdk, required};
use crate::ports::Result;
use crate::ports::cloud::{Caller, Identity};

/// An account and region, with the credentials of whoever runs this.
#[derive(Debug, Clone)]
pub struct Account {
    pub(super) cloudformation: aws_sdk_cloudformation::Client,
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) eventbridge: aws_sdk_eventbridge::Client,
    sts: aws_sdk_sts::Client,
    /// For the bucket of templates, which is opened when it is used.
    pub(super) config: SdkConfig,
    region: Option<String>,
}

impl Account {
    /// `config` says how to sign in, where, and how often to repeat; `named` is the region that the caller's environment
    /// names.
    pub(super) fn new(config: &SdkConfig, named: Option<&aws_config::Region>) -> Self {
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            eventbridge: aws_sdk_eventbridge::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            config: config.clone(),
            region: named.map(ToString::to_string),
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
