//! The ports on AWS. No type and no error of the SDK leaves this room, and nothing is decided in it.
//!
//! What deploys makes one call a method, and whoever calls paces and repeats; what a task works with repeats by itself.

#[cfg(feature = "deploy")]
mod account;
mod bucket;
mod catalog;
#[cfg(feature = "deploy")]
mod convert;
mod error;
mod glue;
pub mod leases;
mod objects;
#[cfg(feature = "deploy")]
mod propose;
mod queue;
#[cfg(feature = "deploy")]
mod read;
mod secrets;
#[cfg(feature = "deploy")]
mod sources;
mod tables;
#[cfg(test)]
mod tests;
mod topic;
#[cfg(feature = "deploy")]
mod watch;
#[cfg(feature = "deploy")]
mod write;

use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use iceberg::Catalog;

#[cfg(feature = "deploy")]
pub use self::account::Account;
pub use self::queue::{AT_ONCE as QUEUE_CALLS_AT_ONCE, BATCH as QUEUE_BATCH};
use crate::aws::objects::S3Objects;
use crate::aws::queue::SqsQueue;
use crate::aws::secrets::ManagedSecrets;
use crate::aws::tables::GlueTables;
use crate::aws::topic::SnsTopic;
use crate::model::name::Region;
use crate::ports::tables::Tables;
use crate::ports::{DeadLetters, Notifier, Objects, Queue, Result, Secrets};

/// Calls of a task's adapters before a failure is told.
const ATTEMPTS: u32 = 5;

/// Somebody's way into an account and region, from which adapters are made.
#[derive(Debug, Clone)]
pub struct Session {
    config: SdkConfig,
    /// The region that the environment names.
    named: Option<aws_config::Region>,
}

impl Session {
    /// Takes credentials where every AWS tool finds them, and without `region` the environment's. Makes no call to AWS
    /// besides what signing in takes.
    pub async fn sign_in(region: Option<&Region>) -> Self {
        let wanted = region.map(|region| aws_config::Region::new(region.as_str().to_owned()));
        let named = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .region()
            .await
            .filter(|region| !region.as_ref().is_empty());
        // Never left open: the SDK would ask for it where virtual machines do, and elsewhere wait for nobody.
        let own = named.clone().or_else(|| wanted.clone());
        let own = own.unwrap_or_else(|| aws_config::Region::from_static("us-east-1"));
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(own)
            .load()
            .await;
        let config = match wanted {
            Some(wanted) => config.into_builder().region(wanted).build(),
            None => config,
        };
        Self { config, named }
    }

    /// For whoever has signed in otherwise, such as a test.
    pub fn of(config: SdkConfig) -> Self {
        let named = config.region().cloned();
        Self { config, named }
    }

    /// Whether it is known which region is meant.
    pub fn has_region(&self) -> bool {
        self.named.is_some()
    }

    /// The account itself. Nothing of it repeats by itself, so that the caller's rates hold.
    #[cfg(feature = "deploy")]
    pub fn account(&self) -> Account {
        Account::new(
            &with_retries(&self.config, RetryConfig::disabled()),
            self.named.as_ref(),
        )
    }

    fn for_tasks(&self) -> SdkConfig {
        with_retries(&self.config, RetryConfig::standard().with_max_attempts(ATTEMPTS))
    }

    pub fn queue(&self, url: &str) -> Arc<dyn Queue> {
        Arc::new(SqsQueue::open(&self.for_tasks(), url))
    }

    /// The dead letters of the event queue with this URL.
    pub fn dead_letters(&self, url: &str) -> Arc<dyn DeadLetters> {
        Arc::new(SqsQueue::open(&self.for_tasks(), url))
    }

    /// The objects of a bucket under a prefix, which has no slash at its end.
    pub fn objects(&self, bucket: &str, prefix: &str) -> Result<Arc<dyn Objects>> {
        Ok(Arc::new(S3Objects::open(&self.config, bucket, prefix)?))
    }

    pub fn topic(&self, arn: &str) -> Arc<dyn Notifier> {
        Arc::new(SnsTopic::open(&self.for_tasks(), arn))
    }

    /// The secrets of a tenant of an environment.
    pub fn secrets(&self, environment: &str, tenant: &str) -> Arc<dyn Secrets> {
        Arc::new(ManagedSecrets::open(&self.for_tasks(), environment, tenant))
    }

    /// What upkeep needs of the catalog's tables.
    pub fn tables(&self) -> Arc<dyn Tables> {
        Arc::new(GlueTables::new(&self.for_tasks()))
    }

    /// Must be called inside the async runtime.
    pub fn catalog(&self) -> Result<Arc<dyn Catalog>> {
        catalog::open(&self.for_tasks())
    }
}

fn with_retries(config: &SdkConfig, retries: RetryConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    config
        .to_builder()
        .retry_config(retries)
        .timeout_config(timeouts)
        .build()
}
