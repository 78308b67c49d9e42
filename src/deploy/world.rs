//! The state of an account and region, with few calls: one sweep over all stacks, one over Okta's event sources. What a
//! sweep tells is looked at elsewhere.

use std::collections::BTreeMap;

use crate::deploy::pace::Pacer;
use crate::model::source::EventSource;
use crate::model::stack::{LiveStack, StackSummary};
use crate::ports::Result;
use crate::ports::cloud::{EventSources, ReadStacks};

/// What stands in an account and region.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Every stack that is not deleted, by name; also those of others.
    pub stacks: BTreeMap<String, LiveStack>,
    /// Okta's event sources by name.
    pub sources: BTreeMap<String, EventSource>,
}

/// Looks at everything once.
pub async fn sweep(cloud: &(impl ReadStacks + EventSources + ?Sized), pacer: &Pacer) -> Result<World> {
    let (stacks, sources) = futures::try_join!(stacks(cloud, pacer), sources(cloud, pacer))?;
    Ok(World { stacks, sources })
}

/// Every stack that is not deleted, by name.
pub async fn stacks(cloud: &(impl ReadStacks + ?Sized), pacer: &Pacer) -> Result<BTreeMap<String, LiveStack>> {
    let stacks = pacer.all("DescribeStacks", |next| cloud.stacks(next)).await?;
    Ok(stacks.into_iter().map(|stack| (stack.name.clone(), stack)).collect())
}

/// Okta's event sources by name.
pub async fn sources(cloud: &(impl EventSources + ?Sized), pacer: &Pacer) -> Result<BTreeMap<String, EventSource>> {
    let sources = pacer.all("ListEventSources", |next| cloud.sources(next)).await?;
    Ok(sources
        .into_iter()
        .map(|source| (source.name.clone(), source))
        .collect())
}

/// Every stack that is at work or whose last operation failed, by ID.
pub async fn restless(cloud: &(impl ReadStacks + ?Sized), pacer: &Pacer) -> Result<BTreeMap<String, StackSummary>> {
    let stacks = pacer.all("ListStacks", |next| cloud.restless(next)).await?;
    Ok(stacks.into_iter().map(|stack| (stack.id.clone(), stack)).collect())
}
