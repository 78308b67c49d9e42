//! Whether the account is still as it was when a plan was made. Pure.

use crate::deploy::plan::{Live, Plan};
use crate::deploy::world::World;
use crate::model::stack::Phase;

/// Every stack that moved, in one line each. `is_ours` says which stacks this plan itself has begun to change.
pub fn moved(plan: &Plan, world: &World, is_ours: impl Fn(&str) -> bool) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| (step.stack.as_str(), step.live.as_ref()));
    let unchanged = plan
        .unchanged
        .iter()
        .map(|seen| (seen.stack.as_str(), Some(&seen.live)));
    let waiting = plan.waiting.iter().map(|waiting| (waiting.stack.as_str(), None));
    steps
        .chain(unchanged)
        .chain(waiting)
        .filter(|(stack, _)| !is_ours(stack))
        .filter_map(|(stack, seen)| how(stack, seen, world))
        .collect()
}

fn how(stack: &str, seen: Option<&Live>, world: &World) -> Option<String> {
    // A stack in review holds nothing: it is as good as none, and the plan's own change set makes one.
    let is_there = |live: &&crate::model::stack::LiveStack| live.status.phase() != Phase::Reviewed;
    let now = world.stacks.get(stack).filter(is_there).map(Live::of);
    let seen = seen.filter(|live| live.status.phase() != Phase::Reviewed);
    match (seen, now) {
        (None, None) => None,
        (None, Some(now)) => Some(format!("{stack}: was not there, and is in {} now", now.status)),
        (Some(_), None) => Some(format!("{stack}: was deleted")),
        (Some(seen), Some(now)) if seen.id != now.id => Some(format!(
            "{stack}: was deleted and created again, and is in {} now",
            now.status
        )),
        (Some(seen), Some(now)) if *seen == now => None,
        (Some(seen), Some(now)) => {
            let when = now
                .updated
                .map_or_else(String::new, |at| format!(", last changed at {at}"));
            let content = if seen.content_hash == now.content_hash {
                ""
            } else {
                ", with other content"
            };
            Some(format!(
                "{stack}: was in {}, and is in {} now{when}{content}",
                seen.status, now.status
            ))
        }
    }
}
