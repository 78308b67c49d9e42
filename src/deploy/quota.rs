//! Whether the account and region have room for what a plan would create. Asked before the first change.

use crate::deploy::pace::Pacer;
use crate::deploy::plan::intent::Intent;
use crate::deploy::profile::Profile;
use crate::deploy::propose::Draft;
use crate::deploy::world::World;
use crate::ports::Result;
use crate::ports::cloud::{EventSources, Quota, ReadStacks};

/// What there is no room for, in one line each.
pub async fn shortage(
    cloud: &(impl ReadStacks + EventSources + ?Sized),
    pacer: &Pacer,
    world: &World,
    drafts: &[Draft],
    profile: &Profile,
) -> Result<Vec<String>> {
    let is_new = |draft: &&Draft| matches!(draft.intent, Intent::Create(_));
    let stacks = drafts.iter().filter(is_new).count();
    if stacks == 0 {
        return Ok(Vec::new());
    }
    let buses = drafts
        .iter()
        .filter(is_new)
        .filter(|draft| draft.spec.tenant.is_some())
        .count();
    let (most_stacks, there) = futures::try_join!(
        pacer.call("DescribeAccountLimits", || cloud.quota(Quota::Stacks)),
        pacer.all("ListEventBuses", |next| cloud.buses(next)),
    )?;
    let mut lines = Vec::new();
    let mut check = |what: &str, there: usize, new: usize, most: u64, whose: &str| {
        if (there + new) as u64 > most {
            lines.push(format!(
                "{new} new {what} and the {there} that are there exceed the {most} of account {} and region {} ({whose})",
                profile.account_id, profile.region
            ));
        }
    };
    check(
        "stacks",
        world.stacks.len(),
        stacks,
        most_stacks,
        "DescribeAccountLimits",
    );
    // EventBridge tells its quota to nobody who asks; the profile does.
    check(
        "event buses",
        there.len(),
        buses,
        u64::from(profile.event_buses),
        "quotas.event_buses of the profile",
    );
    Ok(lines)
}
