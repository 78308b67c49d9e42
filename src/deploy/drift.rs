//! Finds out what of a stack is not as its last deployment left it: many detections are begun, then awaited together.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::sleep;

use crate::deploy::diff::{Action, Change, DataEffect, PropertyChange, Subject};
use crate::deploy::pace::Pacer;
use crate::model::stack::{LiveStack, Phase};
use crate::ports::cloud::{Detection, DriftedResource, ReadStacks};
use crate::ports::{self, Result};

/// Stacks that are worked on at once; the pacer decides how fast calls follow each other.
const AT_ONCE: usize = 32;

/// What drift detection found in a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    pub stack: String,
    pub tenant: Option<String>,
    pub resources: Vec<DriftedResource>,
    /// Why CloudFormation could not look at all of it.
    pub failed: Option<String>,
}

/// Looks at these stacks. Those that are not deployed are left out.
pub async fn detect(
    cloud: &(impl ReadStacks + ?Sized),
    pacer: &Pacer,
    stacks: Vec<&LiveStack>,
    interval: Duration,
    on_stack: &(dyn Fn() + Sync),
) -> Result<Vec<Drift>> {
    let is_deployed = |stack: &&LiveStack| matches!(stack.status.phase(), Phase::Deployed | Phase::RolledBack);
    let one = |stack| async move {
        let drift = detect_one(cloud, pacer, stack, interval).await;
        on_stack();
        drift
    };
    let mut found = Vec::new();
    let mut all = futures::stream::iter(stacks.into_iter().filter(is_deployed).map(one)).buffered(AT_ONCE);
    while let Some(drift) = all.next().await {
        found.push(drift?);
    }
    Ok(found)
}

async fn detect_one(
    cloud: &(impl ReadStacks + ?Sized),
    pacer: &Pacer,
    stack: &LiveStack,
    interval: Duration,
) -> Result<Drift> {
    let detection = pacer.call("DetectStackDrift", || cloud.detect_drift(&stack.id)).await?;
    let mut pause = interval;
    let failed = loop {
        sleep(pause).await;
        pause = (pause * 2).min(interval * 8);
        match pacer
            .call("DescribeStackDriftDetectionStatus", || cloud.detection(&detection))
            .await?
        {
            Detection::Running => {}
            Detection::Done => break None,
            Detection::Failed(why) => break Some(why),
        }
    };
    let page = |next| cloud.drifted(&stack.id, next);
    let resources = match pacer.all("DescribeStackResourceDrifts", page).await {
        Ok(resources) => resources,
        // A detection that failed altogether leaves no result to ask for.
        Err(error) if failed.is_some() && error.kind == ports::Kind::Invalid => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(Drift {
        stack: stack.name.clone(),
        tenant: stack.tenant().map(str::to_owned),
        resources,
        failed,
    })
}

/// Why a drift is none: CloudFormation reads back otherwise what it wrote. Source: the open issues of the resource types.
pub fn false_positive(resource: &DriftedResource) -> Option<&'static str> {
    let is_all = |is: &dyn Fn(&str) -> bool| {
        !resource.is_deleted && !resource.differences.is_empty() && resource.differences.iter().all(|one| is(&one.path))
    };
    match resource.resource_type.as_str() {
        "AWS::Events::Rule" if is_all(&|path| path.contains("DeadLetterConfig")) => {
            Some("CloudFormation reads a rule's dead-letter queue back otherwise than it wrote it")
        }
        "AWS::Events::EventBus" if is_all(&|path| path.starts_with("/Policy")) => {
            Some("CloudFormation takes the policy of an event bus for its own property")
        }
        "AWS::Events::EventBusPolicy" if !resource.is_deleted => {
            Some("CloudFormation reads the policy of an event bus back otherwise than it wrote it")
        }
        _ => None,
    }
}

/// A drift as a change, from what the last deployment left to what is there now.
pub fn change(resource: &DriftedResource) -> Change {
    let property = |one: &ports::cloud::DriftedProperty| PropertyChange {
        path: one.path.trim_start_matches('/').replace('/', "."),
        before: given(&one.expected),
        after: given(&one.actual),
        replaces: false,
    };
    Change {
        subject: Subject::Resource {
            id: resource.id.clone(),
            resource_type: resource.resource_type.clone(),
        },
        action: if resource.is_deleted {
            Action::Delete
        } else {
            Action::Update
        },
        properties: resource.differences.iter().map(property).collect(),
        data: DataEffect::None,
        because_of: None,
        notes: vec!["Not by CloudFormation.".to_owned()],
    }
}

/// CloudFormation says `null` where a property is not there.
fn given(value: &str) -> Option<String> {
    (value != "null").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::cloud::DriftedProperty;

    fn drifted(resource_type: &str, paths: &[&str]) -> DriftedResource {
        DriftedResource {
            id: "R".to_owned(),
            resource_type: resource_type.to_owned(),
            is_deleted: false,
            differences: paths
                .iter()
                .map(|path| DriftedProperty {
                    path: (*path).to_owned(),
                    expected: "1".to_owned(),
                    actual: "null".to_owned(),
                })
                .collect(),
        }
    }

    #[test]
    fn only_what_is_known_to_be_none_is_passed_over() {
        let rule = |paths: &[&str]| false_positive(&drifted("AWS::Events::Rule", paths)).is_some();
        assert!(rule(&[
            "/Targets/0/DeadLetterConfig",
            "/Targets/0/DeadLetterConfig/Arn"
        ]));
        assert!(!rule(&["/Targets/0/DeadLetterConfig", "/State"]) && !rule(&[]));
        assert!(false_positive(&drifted("AWS::Events::EventBus", &["/Policy"])).is_some());
        let gone = DriftedResource {
            is_deleted: true,
            ..drifted("AWS::Events::EventBusPolicy", &[])
        };
        assert_eq!(false_positive(&gone), None);
        let change = change(&drifted("AWS::SQS::Queue", &["/RedrivePolicy/maxReceiveCount"]));
        assert_eq!(
            (change.properties[0].path.as_str(), &change.properties[0].after),
            ("RedrivePolicy.maxReceiveCount", &None)
        );
    }
}
