//! The SDK's types as the model's.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types as sdk;
use jiff::Timestamp;

use crate::model::stack::{
    ChangeSet, ChangeSetState, Execution, LiveStack, Replacement, ResourceAction, ResourceChange, StackStatus,
    StackSummary,
};

pub fn timestamp(at: &DateTime) -> Option<Timestamp> {
    let nanos = i32::try_from(at.subsec_nanos()).ok()?;
    Timestamp::new(at.secs(), nanos).ok()
}

pub fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// A call and what it was about: of an ID, the name in it, which is what a person calls a stack or change set.
pub fn about(api: &str, id: &str) -> String {
    let name = id.strip_prefix("arn:").and_then(|arn| arn.split('/').nth(1));
    format!("cloudformation:{api} {}", name.unwrap_or(id))
}

/// A text that says something.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `None` for a stack without a name, an ID or a status: its answer was cut short.
pub fn live_stack(stack: &sdk::Stack) -> Option<LiveStack> {
    let tags = stack.tags().iter();
    let exports = stack.outputs().iter().filter_map(|output| {
        let name = output.export_name()?.to_owned();
        Some((name, owned(output.output_value())))
    });
    Some(LiveStack {
        id: given(stack.stack_id())?,
        name: given(stack.stack_name())?,
        status: status(stack.stack_status())?,
        reason: given(stack.stack_status_reason()),
        tags: tags
            .map(|tag| (owned(tag.key()), owned(tag.value())))
            .collect::<BTreeMap<_, _>>(),
        exports: exports.collect(),
        created: stack.creation_time().and_then(timestamp),
        updated: stack.last_updated_time().and_then(timestamp),
        is_protected: stack.enable_termination_protection().unwrap_or(false),
        drift: drift(stack.drift_information()),
    })
}

fn drift(information: Option<&sdk::StackDriftInformation>) -> Option<String> {
    let word = information?.stack_drift_status()?.as_str();
    matches!(word, "IN_SYNC" | "DRIFTED").then(|| word.to_owned())
}

/// `None` as with [`live_stack`].
pub fn summary(stack: &sdk::StackSummary) -> Option<StackSummary> {
    Some(StackSummary {
        id: given(stack.stack_id())?,
        name: given(stack.stack_name())?,
        status: status(stack.stack_status())?,
        reason: given(stack.stack_status_reason()),
    })
}

/// A word of CloudFormation's. The SDK puts words of its own, in small letters, where CloudFormation gave none.
fn status(status: Option<&sdk::StackStatus>) -> Option<StackStatus> {
    let word = status?.as_str();
    let is_word = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    (!word.is_empty() && word.bytes().all(is_word)).then(|| StackStatus::new(word))
}

/// A change set with the changes of one page.
pub fn change_set(answer: &DescribeChangeSetOutput) -> ChangeSet {
    ChangeSet {
        id: owned(answer.change_set_id()),
        stack_id: owned(answer.stack_id()),
        state: state(answer.status(), answer.status_reason()),
        execution: execution(answer.execution_status()),
        changes: answer
            .changes()
            .iter()
            .filter_map(sdk::Change::resource_change)
            .map(resource_change)
            .collect(),
    }
}

/// CloudFormation says in two ways that there is nothing to change, and calls both a failure.
fn state(status: Option<&sdk::ChangeSetStatus>, reason: Option<&str>) -> ChangeSetState {
    let reason = reason.unwrap_or_default();
    let is_empty = reason.contains("didn't contain changes") || reason.contains("No updates are to be performed");
    match status.map(sdk::ChangeSetStatus::as_str) {
        Some("CREATE_COMPLETE") => ChangeSetState::Ready,
        Some("FAILED") if is_empty => ChangeSetState::Empty,
        Some("FAILED") => ChangeSetState::Failed {
            reason: reason.to_owned(),
        },
        Some("DELETE_COMPLETE" | "DELETE_PENDING" | "DELETE_IN_PROGRESS" | "DELETE_FAILED") => ChangeSetState::Failed {
            reason: "it was deleted".to_owned(),
        },
        _ => ChangeSetState::Pending,
    }
}

fn execution(status: Option<&sdk::ExecutionStatus>) -> Execution {
    match status.map(sdk::ExecutionStatus::as_str) {
        Some("EXECUTE_IN_PROGRESS") => Execution::Started,
        Some("EXECUTE_COMPLETE") => Execution::Complete,
        Some("EXECUTE_FAILED") => Execution::Failed,
        Some("OBSOLETE") => Execution::Obsolete,
        _ => Execution::NotStarted,
    }
}

fn resource_change(change: &sdk::ResourceChange) -> ResourceChange {
    // What only may change because something it refers to is touched is left out: whether it does shows when it runs.
    let is_sure = |detail: &&sdk::ResourceChangeDetail| detail.evaluation() != Some(&sdk::EvaluationType::Dynamic);
    let details = change.details();
    let mut targets: Vec<String> = details
        .iter()
        .filter(is_sure)
        .filter_map(|detail| target(detail.target()?))
        .collect();
    if details.is_empty() {
        targets = change.scope().iter().map(|scope| scope.as_str().to_owned()).collect();
    }
    targets.sort();
    targets.dedup();
    ResourceChange {
        id: owned(change.logical_resource_id()),
        resource_type: owned(change.resource_type()),
        action: match change.action().map(sdk::ChangeAction::as_str) {
            Some("Add") => ResourceAction::Add,
            Some("Modify") => ResourceAction::Modify,
            Some("Remove") => ResourceAction::Remove,
            Some("Import") => ResourceAction::Import,
            _ => ResourceAction::Dynamic,
        },
        replacement: match change.replacement().map(sdk::Replacement::as_str) {
            Some("True") => Replacement::Yes,
            Some("Conditional") => Replacement::Conditional,
            _ => Replacement::No,
        },
        policy_action: change.policy_action().map(|action| action.as_str().to_owned()),
        targets,
    }
}

fn target(target: &sdk::ResourceTargetDefinition) -> Option<String> {
    let attribute = target.attribute()?.as_str();
    Some(match target.name() {
        Some(name) => format!("{attribute}.{name}"),
        None => attribute.to_owned(),
    })
}
