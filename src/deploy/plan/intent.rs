//! What a stack needs, from what it should be and what is there. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::deploy::plan::{Blocked, Live, Seen, Waiting};
use crate::deploy::tree::Tree;
use crate::deploy::world::World;
use crate::model::name::EventSourceName;
use crate::model::source::SourceState;
use crate::model::stack::{CONTENT_HASH_TAG, ENVIRONMENT_TAG, LiveStack, Phase, StackSpec, TENANT_TAG};

/// What a person allowed to be done to stacks that stand in their own way. Stacks are named by tenant or by their name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaysOut {
    /// Stacks whose creation failed and that are deleted, to be created again.
    pub recreate: BTreeSet<String>,
    /// Stacks whose rollback is continued, with the resources that are skipped.
    pub continue_rollback: BTreeMap<String, Vec<String>>,
}

impl WaysOut {
    fn recreates(&self, spec: &StackSpec) -> bool {
        names(spec).iter().any(|name| self.recreate.contains(name))
    }

    fn continues(&self, spec: &StackSpec) -> Option<&Vec<String>> {
        names(spec).iter().find_map(|name| self.continue_rollback.get(name))
    }
}

/// What a person may call a stack.
fn names(spec: &StackSpec) -> [String; 2] {
    let short = spec
        .tenant
        .as_ref()
        .map_or_else(|| "foundation".to_owned(), ToString::to_string);
    [spec.name.to_string(), short]
}

/// What a stack needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    Nothing(Seen),
    Wait(Waiting),
    Blocked(Blocked),
    /// The time is when the pending event source expires.
    Create(Option<Timestamp>),
    Update,
    Recreate,
    Protect,
    ContinueRollback(Vec<String>),
}

/// What the stack `spec` needs. `source` is the partner event source of a tenant's stack.
pub fn intent(spec: &StackSpec, source: Option<&EventSourceName>, world: &World, ways_out: &WaysOut) -> Intent {
    let Some(live) = world.stacks.get(spec.name.as_str()) else {
        return creation(spec, source, world);
    };
    if let Some(why) = foreign(spec, live) {
        return blocked(
            spec,
            why,
            "give that stack another name, or have its owner delete it; nothing was done to it",
        );
    }
    match live.status.phase() {
        Phase::Reviewed | Phase::Deleted => creation(spec, source, world),
        Phase::Deployed | Phase::RolledBack if live.content_hash() != hash(spec) => Intent::Update,
        Phase::Deployed if !live.is_protected => Intent::Protect,
        Phase::Deployed => Intent::Nothing(Seen {
            stack: spec.name.to_string(),
            live: Live::of(live),
        }),
        // Its tags were rolled back too, so that it has the wanted hash only when the wanted content was rolled back to.
        Phase::RolledBack if live.is_protected => Intent::Nothing(Seen {
            stack: spec.name.to_string(),
            live: Live::of(live),
        }),
        Phase::RolledBack => Intent::Protect,
        Phase::NeverCreated if ways_out.recreates(spec) => Intent::Recreate,
        Phase::Stuck if let Some(skip) = ways_out.continues(spec) => Intent::ContinueRollback(skip.clone()),
        phase => {
            let short = &names(spec)[1];
            let help = way_out(phase, short, spec.name.as_str());
            let why = format!("it is in {}{}", live.status, told(live.reason.as_deref()));
            blocked(spec, why, &help)
        }
    }
}

fn blocked(spec: &StackSpec, why: String, way_out: &str) -> Intent {
    Intent::Blocked(Blocked {
        stack: spec.name.to_string(),
        why,
        way_out: way_out.to_owned(),
    })
}

fn told(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

/// What helps a stack that takes no update. `short` is what a person calls it.
pub fn way_out(phase: Phase, short: &str, stack: &str) -> String {
    match phase {
        Phase::NeverCreated => format!(
            "its creation failed, and it holds nothing that ever received an event: plan with --recreate {short} to delete it and create it again"
        ),
        Phase::Stuck => format!(
            "mend what the reason names and plan with --continue-rollback {short}; with --continue-rollback {short}=RESOURCE,... CloudFormation takes these resources for rolled back"
        ),
        Phase::DeletionFailed => format!(
            "mend what the reason names and delete it again with oort destroy --tenant {short}; --retain RESOURCE leaves a resource behind"
        ),
        Phase::Running => "plan again when CloudFormation is done with it".to_owned(),
        Phase::Reviewed | Phase::Deployed | Phase::RolledBack | Phase::Deleted => {
            format!("plan again; {stack} takes an update")
        }
    }
}

/// A stack that does not exist, or whose name only a change set holds.
fn creation(spec: &StackSpec, source: Option<&EventSourceName>, world: &World) -> Intent {
    let Some(name) = source else {
        return Intent::Create(None);
    };
    let source = world.sources.get(name.as_str());
    match source.map(|source| (source.state, source.expires)) {
        Some((SourceState::Pending, expires)) => Intent::Create(expires),
        // Somebody made its event bus by hand; CloudFormation will say so.
        Some((SourceState::Active, _)) => Intent::Create(None),
        Some((SourceState::Deleted, _)) | None => Intent::Wait(Waiting {
            stack: spec.name.to_string(),
            tenant: names(spec)[1].clone(),
            source: name.to_string(),
            is_deleted: source.is_some(),
        }),
    }
}

/// Why a stack of this name is not the one that is meant. A stack in review has no tags yet.
fn foreign(spec: &StackSpec, live: &LiveStack) -> Option<String> {
    if live.status.phase() == Phase::Reviewed {
        return None;
    }
    [ENVIRONMENT_TAG, TENANT_TAG].into_iter().find_map(|tag| {
        let (wanted, actual) = (spec.tags.get(tag), live.tags.get(tag));
        let shown = |value: Option<&String>| value.map_or_else(|| "none".to_owned(), Clone::clone);
        (wanted != actual).then(|| {
            format!(
                "a stack of that name is there and belongs to somebody else: its tag {tag} is {}, and should be {}",
                shown(actual),
                shown(wanted)
            )
        })
    })
}

fn hash(spec: &StackSpec) -> Option<&str> {
    spec.tags.get(CONTENT_HASH_TAG).map(String::as_str)
}

/// The exports that a template imports and no stack has: until they are there, no change set can be made of it.
pub fn missing_exports(template: &Tree, world: &World) -> BTreeSet<String> {
    let mut imported = BTreeSet::new();
    imports(template, &mut imported);
    for stack in world.stacks.values() {
        imported.retain(|name| !stack.exports.contains_key(name));
    }
    imported
}

fn imports(tree: &Tree, found: &mut BTreeSet<String>) {
    match tree {
        Tree::Map(entries) => {
            for (key, value) in entries {
                match (key.as_str(), value) {
                    ("Fn::ImportValue", Tree::Text(name)) => {
                        found.insert(name.clone());
                    }
                    _ => imports(value, found),
                }
            }
        }
        Tree::List(items) => items.iter().for_each(|item| imports(item, found)),
        _ => {}
    }
}
