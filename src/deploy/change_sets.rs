//! Change sets, from the question to the answer: asked for, awaited, read whole, dropped. Decides nothing of a plan.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::sleep;

use crate::deploy::pace::Pacer;
use crate::deploy::plan::{ChangeSetRef, Deployment, change_set_name};
use crate::model::stack::{
    ChangeSet, ChangeSetKind, ChangeSetState, INLINE_BYTES, NewChangeSet, Phase, TEMPLATES, TemplateBody,
};
use crate::ports::cloud::{ProposeStacks, ReadStacks};
use crate::ports::{self, Kind};

/// Change sets that are dropped at once; the pacer decides how fast calls follow each other.
const AT_ONCE: usize = 64;

/// A change set that a plan needs.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The plan's ID.
    pub plan: &'a str,
    /// Where a template goes that is too large for a call.
    pub bucket: &'a str,
    pub stack: &'a str,
    pub kind: ChangeSetKind,
    pub deployment: &'a Deployment,
    pub adopts: bool,
}

/// What CloudFormation is asked for.
async fn asked<C: ProposeStacks + ?Sized>(
    cloud: &C,
    pacer: &Pacer,
    wanted: &Wanted<'_>,
) -> Result<NewChangeSet, ports::Error> {
    let body = &wanted.deployment.template;
    let template = if body.len() > INLINE_BYTES {
        let key = format!("{TEMPLATES}{}/{}.yaml", wanted.plan, wanted.stack);
        let put = || cloud.put_template(wanted.bucket, &key, body);
        TemplateBody::Url(pacer.call("PutObject", put).await?)
    } else {
        TemplateBody::Inline(body.clone())
    };
    Ok(NewChangeSet {
        stack: wanted.stack.to_owned(),
        name: change_set_name(wanted.plan),
        kind: wanted.kind,
        template,
        tags: wanted.deployment.tags.clone(),
        adopts: wanted.adopts,
    })
}

/// Asks for a change set and waits until CloudFormation has made up its mind; with every change in it.
pub async fn ready<C: ReadStacks + ProposeStacks + ?Sized>(
    cloud: &C,
    pacer: &Pacer,
    wanted: &Wanted<'_>,
    pause: Duration,
    on_made: impl Fn(&ChangeSetRef),
) -> Result<ChangeSet, ports::Error> {
    let asked = asked(cloud, pacer, wanted).await?;
    let proposed = pacer.call("CreateChangeSet", || cloud.propose(&asked)).await?;
    on_made(&ChangeSetRef {
        id: proposed.change_set.clone(),
        stack_id: proposed.stack_id.clone(),
    });
    loop {
        sleep(pause).await;
        let change_set = described(cloud, pacer, &proposed.change_set).await?;
        if change_set.state != ChangeSetState::Pending {
            return Ok(change_set);
        }
    }
}

/// A change set with all pages of its changes.
pub async fn described<C: ReadStacks + ?Sized>(cloud: &C, pacer: &Pacer, id: &str) -> Result<ChangeSet, ports::Error> {
    let (mut change_set, mut next) = pacer.call("DescribeChangeSet", || cloud.change_set(id, None)).await?;
    while next.is_some() {
        let (more, after) = pacer
            .call("DescribeChangeSet", || cloud.change_set(id, next.clone()))
            .await?;
        change_set.changes.extend(more.changes);
        next = after;
    }
    change_set.changes.sort();
    Ok(change_set)
}

/// Drops change sets, and gives free the names of stacks that were never created. Nothing else of a stack is touched.
pub async fn discard<C: ReadStacks + ProposeStacks + ?Sized>(
    cloud: &C,
    pacer: &Pacer,
    change_sets: Vec<ChangeSetRef>,
) -> Result<(), ports::Error> {
    let one = |change_set: ChangeSetRef| async move {
        let dropped = pacer
            .call("DeleteChangeSet", || cloud.drop_change_set(&change_set.id))
            .await;
        // One that was carried out stays, and with it there is a stack.
        if let Err(error) = dropped
            && error.kind != Kind::Conflict
        {
            return Err(error);
        }
        // With its change set gone, nobody can make a stack of it between this look and the next call.
        let live = pacer
            .call("DescribeStacks", || cloud.stack(&change_set.stack_id))
            .await?;
        match live {
            Some(live) if live.status.phase() == Phase::Reviewed => {
                pacer
                    .call("DeleteStack", || cloud.drop_reviewed(&change_set.stack_id))
                    .await
            }
            _ => Ok(()),
        }
    };
    let mut all = futures::stream::iter(change_sets.into_iter().map(one)).buffer_unordered(AT_ONCE);
    let mut first = None;
    while let Some(outcome) = all.next().await {
        first = first.or(outcome.err());
    }
    first.map_or(Ok(()), Err)
}
