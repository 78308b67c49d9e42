//! Whether a stack is where it should be, from one look at it. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::deploy::plan::{Step, StepAction};
use crate::model::stack::{FailedEvent, LiveStack, Phase, StackStatus};

/// Where a stack is going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// As its template says, with this content.
    Deployed {
        content_hash: Option<String>,
        /// When it was changed last before.
        since: Option<Timestamp>,
    },
    /// Back to what it was before an update whose rollback failed.
    RolledBack,
    Deleted,
}

impl Goal {
    pub fn of(step: &Step) -> Self {
        match step.action {
            StepAction::Delete { .. } => Self::Deleted,
            StepAction::ContinueRollback { .. } => Self::RolledBack,
            StepAction::Create | StepAction::Update | StepAction::Recreate | StepAction::Protect => Self::Deployed {
                content_hash: step.content_hash.clone(),
                since: step.live.as_ref().and_then(|live| live.updated),
            },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not there yet.
    Underway,
    Reached,
    Failed(StackStatus, Option<String>),
}

/// Judges a stack; `None` when it does not exist.
pub fn judge(goal: &Goal, live: Option<&LiveStack>) -> Verdict {
    let Some(live) = live else {
        return match goal {
            Goal::Deleted => Verdict::Reached,
            _ => Verdict::Failed(
                StackStatus::new("DELETE_COMPLETE"),
                Some("the stack is gone".to_owned()),
            ),
        };
    };
    let failed = || Verdict::Failed(live.status.clone(), live.reason.clone());
    let is_underway = |phase: Phase| match goal {
        Goal::Deleted => true,
        // CloudFormation's answers can be a moment old: the stack is as it was before.
        Goal::Deployed { since, .. } => match phase {
            Phase::Deployed | Phase::Reviewed => true,
            Phase::RolledBack => live.updated == *since,
            _ => false,
        },
        Goal::RolledBack => phase == Phase::Stuck,
    };
    match (goal, live.status.phase()) {
        (Goal::Deleted, Phase::Deleted) | (Goal::RolledBack, Phase::RolledBack | Phase::Deployed) => Verdict::Reached,
        (Goal::Deleted, Phase::DeletionFailed) => failed(),
        (Goal::Deployed { content_hash, .. }, Phase::Deployed) if live.content_hash() == content_hash.as_deref() => {
            Verdict::Reached
        }
        (_, phase) if phase == Phase::Running || is_underway(phase) => Verdict::Underway,
        _ => failed(),
    }
}

/// The events of one operation: those that carry the token of its call or, where none does, those since it began.
pub fn of_operation(events: Vec<FailedEvent>, token: &str, begun: Timestamp) -> Vec<FailedEvent> {
    let (own, others): (Vec<_>, Vec<_>) = events
        .into_iter()
        .partition(|event| event.token.as_deref() == Some(token));
    if !own.is_empty() {
        return own;
    }
    // This machine's clock and AWS's may differ.
    let since = begun.checked_sub(CLOCKS).unwrap_or(begun);
    others
        .into_iter()
        .filter(|event| event.token.is_none() && event.at >= since)
        .collect()
}

/// By how much two clocks may differ.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// Of the failed resources of an operation, the newest first, the one that failed first and by itself: the others were
/// cancelled or rolled back because of it.
pub fn root_cause(events: &[FailedEvent]) -> Option<&FailedEvent> {
    let is_consequence = |event: &&FailedEvent| {
        let reason = event.reason.to_ascii_lowercase();
        reason.contains("cancelled")
            || reason.contains("rollback requested")
            || reason.contains("the following resource(s) failed")
    };
    let own = events
        .iter()
        .rev()
        .find(|event| !is_consequence(event) && event.resource_type != "AWS::CloudFormation::Stack");
    own.or_else(|| events.iter().rev().find(|event| !is_consequence(event)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stack::CONTENT_HASH_TAG;
    use std::collections::BTreeMap;

    fn live(status: &str, hash: &str, updated: Option<&str>) -> LiveStack {
        LiveStack {
            id: "arn".to_owned(),
            name: "oort-test-acme".to_owned(),
            status: StackStatus::new(status),
            reason: None,
            tags: BTreeMap::from([(CONTENT_HASH_TAG.to_owned(), hash.to_owned())]),
            exports: BTreeMap::new(),
            created: None,
            updated: updated.map(|at| at.parse().unwrap()),
            is_protected: false,
            drift: None,
        }
    }

    #[test]
    fn an_old_answer_is_no_verdict() {
        let before = "2026-11-23T01:00:00Z";
        let goal = Goal::Deployed {
            content_hash: Some("new".to_owned()),
            since: Some(before.parse().unwrap()),
        };
        let judged = |status, hash, updated| judge(&goal, Some(&live(status, hash, updated)));
        assert_eq!(judged("UPDATE_COMPLETE", "old", Some(before)), Verdict::Underway);
        assert_eq!(
            judged("UPDATE_ROLLBACK_COMPLETE", "old", Some(before)),
            Verdict::Underway
        );
        assert_eq!(
            judged("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "new", None),
            Verdict::Underway
        );
        assert_eq!(judged("UPDATE_COMPLETE", "new", None), Verdict::Reached);
        let later = Some("2026-11-23T02:00:00Z");
        assert!(matches!(
            judged("UPDATE_ROLLBACK_COMPLETE", "old", later),
            Verdict::Failed(..)
        ));
        assert!(matches!(judged("ROLLBACK_COMPLETE", "new", None), Verdict::Failed(..)));
        assert!(matches!(judge(&goal, None), Verdict::Failed(..)));
        assert_eq!(judge(&Goal::Deleted, None), Verdict::Reached);
    }

    #[test]
    fn the_first_failure_that_is_none_of_the_others_is_the_cause() {
        let event = |resource: &str, resource_type: &str, reason: &str| FailedEvent {
            resource: resource.to_owned(),
            resource_type: resource_type.to_owned(),
            status: "CREATE_FAILED".to_owned(),
            reason: reason.to_owned(),
            at: "2026-11-23T01:00:00Z".parse().unwrap(),
            token: None,
        };
        let events = [
            event(
                "oort",
                "AWS::CloudFormation::Stack",
                "The following resource(s) failed to create: [A, B].",
            ),
            event("B", "AWS::SQS::Queue", "Resource creation cancelled"),
            event("A", "AWS::Events::EventBus", "Event source does not exist."),
        ];
        assert_eq!(root_cause(&events).map(|event| event.resource.as_str()), Some("A"));
        assert_eq!(root_cause(&[]), None);
        let mine = FailedEvent {
            token: Some("mine".to_owned()),
            ..event("C", "AWS::SQS::Queue", "no")
        };
        let later = "2026-11-23T01:10:00Z".parse().unwrap();
        let all = [events.to_vec(), vec![mine.clone()]].concat();
        assert_eq!(of_operation(all, "mine", later), [mine]);
        assert_eq!(of_operation(events.to_vec(), "mine", later), []);
        assert_eq!(of_operation(events.to_vec(), "mine", events[0].at).len(), 3);
    }
}
