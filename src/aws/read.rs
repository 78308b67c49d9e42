//! Reads stacks from CloudFormation.

use async_trait::async_trait;
use aws_sdk_cloudformation::types as sdk;
use aws_sdk_cloudformation::types::StackStatus::{
    CreateComplete, DeleteComplete, ImportComplete, ReviewInProgress, UpdateComplete,
};
use jiff::Timestamp;

use crate::aws::Account;
use crate::aws::convert::{about, change_set, live_stack, owned, summary, timestamp};
use crate::aws::error::{from_sdk, required, unusable};
use crate::model::stack::{ChangeSet, FailedEvent, LiveStack, StackSummary};
use crate::ports::cloud::{Detection, DriftedProperty, DriftedResource, Page, Quota, ReadStacks, StackResource};
use crate::ports::{Kind, Result};

#[async_trait]
impl ReadStacks for Account {
    async fn stacks(&self, next: Option<String>) -> Result<Page<LiveStack>> {
        let answer = self.cloudformation.describe_stacks().set_next_token(next).send().await;
        let answer = answer.map_err(|error| from_sdk("cloudformation:DescribeStacks", &error))?;
        Ok(Page {
            items: whole("cloudformation:DescribeStacks", answer.stacks().iter().map(live_stack))?,
            next: answer.next_token().map(str::to_owned),
        })
    }

    async fn stack(&self, name: &str) -> Result<Option<LiveStack>> {
        let answer = self.cloudformation.describe_stacks().stack_name(name).send().await;
        let op = about("DescribeStacks", name);
        match answer.map_err(|error| from_sdk(&op, &error)) {
            Ok(answer) => Ok(whole(op, answer.stacks().iter().map(live_stack))?.pop()),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn restless(&self, next: Option<String>) -> Result<Page<StackSummary>> {
        let at_rest = [
            CreateComplete,
            UpdateComplete,
            ImportComplete,
            DeleteComplete,
            ReviewInProgress,
        ];
        let restless = sdk::StackStatus::values()
            .iter()
            .map(|word| sdk::StackStatus::from(*word));
        let answer = self
            .cloudformation
            .list_stacks()
            .set_stack_status_filter(Some(restless.filter(|status| !at_rest.contains(status)).collect()))
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk("cloudformation:ListStacks", &error))?;
        Ok(Page {
            items: whole(
                "cloudformation:ListStacks",
                answer.stack_summaries().iter().map(summary),
            )?,
            next: answer.next_token().map(str::to_owned),
        })
    }

    async fn template(&self, stack: &str) -> Result<String> {
        let answer = self
            .cloudformation
            .get_template()
            .stack_name(stack)
            .template_stage(sdk::TemplateStage::Original)
            .send()
            .await;
        let op = about("GetTemplate", stack);
        let answer = answer.map_err(|error| from_sdk(&op, &error))?;
        required(op, "template", answer.template_body())
    }

    async fn change_set(&self, id: &str, next: Option<String>) -> Result<(ChangeSet, Option<String>)> {
        let answer = self
            .cloudformation
            .describe_change_set()
            .change_set_name(id)
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk(about("DescribeChangeSet", id), &error))?;
        Ok((change_set(&answer), answer.next_token().map(str::to_owned)))
    }

    async fn failures(&self, stack_id: &str, next: Option<String>) -> Result<Page<FailedEvent>> {
        if let Some(token) = next.as_deref().and_then(|next| next.strip_prefix(OLDER)) {
            return self.failed_stack_events(stack_id, Some(token.to_owned())).await;
        }
        let is_first = next.is_none();
        let answer = self
            .cloudformation
            .describe_events()
            .stack_name(stack_id)
            .filters(sdk::EventFilter::builder().failed_events(true).build())
            .set_next_token(next)
            .send()
            .await;
        match answer {
            // CloudFormation keeps these events for a time only, and an endpoint may know the action and have none.
            Ok(answer) if is_first && answer.operation_events().is_empty() && answer.next_token().is_none() => {
                self.failed_stack_events(stack_id, None).await
            }
            Ok(answer) => Ok(Page {
                items: answer.operation_events().iter().filter_map(operation_event).collect(),
                next: answer.next_token().map(str::to_owned),
            }),
            // An endpoint that is older than this action.
            Err(error) if is_unknown_action(&error) => self.failed_stack_events(stack_id, None).await,
            Err(error) => Err(from_sdk(about("DescribeEvents", stack_id), &error)),
        }
    }

    async fn resources(&self, stack: &str, next: Option<String>) -> Result<Page<StackResource>> {
        let answer = self
            .cloudformation
            .list_stack_resources()
            .stack_name(stack)
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk(about("ListStackResources", stack), &error))?;
        let resource = |resource: &sdk::StackResourceSummary| StackResource {
            id: owned(resource.logical_resource_id()),
            resource_type: owned(resource.resource_type()),
            physical_id: owned(resource.physical_resource_id()),
        };
        Ok(Page {
            items: answer.stack_resource_summaries().iter().map(resource).collect(),
            next: answer.next_token().map(str::to_owned),
        })
    }

    async fn quota(&self, quota: Quota) -> Result<u64> {
        const OP: &str = "cloudformation:DescribeAccountLimits";
        let Quota::Stacks = quota;
        let mut next = None;
        loop {
            let answer = self.cloudformation.describe_account_limits().set_next_token(next);
            let answer = answer.send().await.map_err(|error| from_sdk(OP, &error))?;
            let mut limits = answer.account_limits().iter();
            let limit = limits.find(|limit| limit.name() == Some("StackLimit"));
            if let Some(limit) = limit.and_then(sdk::AccountLimit::value) {
                return u64::try_from(limit).map_err(|_| unusable(OP, format!("the StackLimit is {limit}")));
            }
            next = answer.next_token().map(str::to_owned);
            if next.is_none() {
                return Err(unusable(OP, "the answer names no StackLimit"));
            }
        }
    }

    async fn detect_drift(&self, stack: &str) -> Result<String> {
        let answer = self.cloudformation.detect_stack_drift().stack_name(stack).send().await;
        let op = about("DetectStackDrift", stack);
        let answer = answer.map_err(|error| from_sdk(&op, &error))?;
        required(op, "drift detection", answer.stack_drift_detection_id())
    }

    async fn detection(&self, id: &str) -> Result<Detection> {
        let answer = self
            .cloudformation
            .describe_stack_drift_detection_status()
            .stack_drift_detection_id(id)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk(about("DescribeStackDriftDetectionStatus", id), &error))?;
        Ok(
            match answer.detection_status().map(sdk::StackDriftDetectionStatus::as_str) {
                Some("DETECTION_COMPLETE") => Detection::Done,
                Some("DETECTION_FAILED") => Detection::Failed(owned(answer.detection_status_reason())),
                _ => Detection::Running,
            },
        )
    }

    async fn drifted(&self, stack: &str, next: Option<String>) -> Result<Page<DriftedResource>> {
        let answer = self
            .cloudformation
            .describe_stack_resource_drifts()
            .stack_name(stack)
            .stack_resource_drift_status_filters(sdk::StackResourceDriftStatus::Modified)
            .stack_resource_drift_status_filters(sdk::StackResourceDriftStatus::Deleted)
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk(about("DescribeStackResourceDrifts", stack), &error))?;
        Ok(Page {
            items: answer.stack_resource_drifts().iter().map(drifted).collect(),
            next: answer.next_token().map(str::to_owned),
        })
    }
}

/// Before a token for the next page of the older of the two lists of events.
const OLDER: &str = "stack-events:";

impl Account {
    async fn failed_stack_events(&self, stack_id: &str, next: Option<String>) -> Result<Page<FailedEvent>> {
        let answer = self
            .cloudformation
            .describe_stack_events()
            .stack_name(stack_id)
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk(about("DescribeStackEvents", stack_id), &error))?;
        let failed = answer.stack_events().iter().filter_map(|event| {
            let status = event.resource_status()?.as_str();
            status.ends_with("_FAILED").then(|| FailedEvent {
                resource: owned(event.logical_resource_id()),
                resource_type: owned(event.resource_type()),
                status: status.to_owned(),
                reason: owned(event.resource_status_reason()),
                at: event.timestamp().and_then(timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
                token: event.client_request_token().map(str::to_owned),
            })
        });
        Ok(Page {
            items: failed.collect(),
            next: answer.next_token().map(|token| format!("{OLDER}{token}")),
        })
    }
}

/// The items of a page. One that was cut short may not be the only one, and what is missing would be taken for gone.
fn whole<T>(op: impl Into<String>, items: impl Iterator<Item = Option<T>>) -> Result<Vec<T>> {
    let items: Option<Vec<T>> = items.collect();
    items.ok_or_else(|| unusable(op, "the answer is cut short"))
}

fn is_unknown_action(
    error: &aws_sdk_cloudformation::error::SdkError<
        aws_sdk_cloudformation::operation::describe_events::DescribeEventsError,
        aws_sdk_cloudformation::config::http::HttpResponse,
    >,
) -> bool {
    use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
    let code = error.code().unwrap_or_default();
    matches!(code, "InvalidAction" | "UnknownOperationException" | "NotImplemented")
}

/// An event of a resource, a validation or a hook; CloudFormation gives the reason in a field of its own for each. What a
/// validation or hook only warns of has failed nothing.
fn operation_event(event: &sdk::OperationEvent) -> Option<FailedEvent> {
    let modes = [event.validation_failure_mode(), event.hook_failure_mode()];
    if event.resource_status().is_none() && modes.contains(&Some(&sdk::HookFailureMode::Warn)) {
        return None;
    }
    let reason = [
        event.resource_status_reason(),
        event.validation_status_reason(),
        event.hook_status_reason(),
    ];
    let status = event.resource_status().map(sdk::ResourceStatus::as_str);
    let status = status.or_else(|| event.validation_status().map(sdk::ValidationStatus::as_str));
    let status = status.or_else(|| event.hook_status().map(sdk::HookStatus::as_str))?;
    Some(FailedEvent {
        resource: owned(event.logical_resource_id()),
        resource_type: owned(event.resource_type()),
        status: status.to_owned(),
        reason: owned(reason.into_iter().flatten().next()),
        at: event.timestamp().and_then(timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
        token: event.client_request_token().map(str::to_owned),
    })
}

fn drifted(resource: &sdk::StackResourceDrift) -> DriftedResource {
    let is_deleted = resource
        .stack_resource_drift_status()
        .is_some_and(|status| *status == sdk::StackResourceDriftStatus::Deleted);
    let difference = |difference: &sdk::PropertyDifference| DriftedProperty {
        path: owned(difference.property_path()),
        expected: owned(difference.expected_value()),
        actual: owned(difference.actual_value()),
    };
    DriftedResource {
        id: owned(resource.logical_resource_id()),
        resource_type: owned(resource.resource_type()),
        is_deleted,
        differences: resource.property_differences().iter().map(difference).collect(),
    }
}
