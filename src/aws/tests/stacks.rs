//! What CloudFormation tells of stacks and change sets, in the model's words.

use crate::aws::tests::script::{account, refusal, xml};
use crate::model::stack::{ChangeSet, ChangeSetState, Execution, Phase, Replacement, ResourceAction};
use crate::ports::cloud::ReadStacks as _;

async fn change_set(inner: &str) -> ChangeSet {
    let (account, _) = account([xml("DescribeChangeSet", inner)]);
    account.change_set("c", None).await.unwrap().0
}

#[tokio::test]
async fn a_stack_is_told_with_its_tags_and_exports() {
    let stack = "<Stacks><member>\
        <StackId>arn:aws:cloudformation:us-east-2:909617834444:stack/oort-staging/aaaa</StackId>\
        <StackName>oort-staging</StackName>\
        <StackStatus>UPDATE_ROLLBACK_FAILED</StackStatus>\
        <StackStatusReason>The following resource(s) failed to update: [Bus].</StackStatusReason>\
        <CreationTime>2026-11-01T10:00:00.123Z</CreationTime>\
        <LastUpdatedTime>2026-11-23T08:00:00.5Z</LastUpdatedTime>\
        <EnableTerminationProtection>true</EnableTerminationProtection>\
        <Tags><member><Key>oort:environment</Key><Value>staging</Value></member></Tags>\
        <Outputs>\
          <member><OutputKey>Lake</OutputKey><OutputValue>lake-bucket</OutputValue><ExportName>staging-lake</ExportName></member>\
          <member><OutputKey>Own</OutputKey><OutputValue>kept</OutputValue></member>\
        </Outputs></member></Stacks>";
    let (account, _) = account([xml("DescribeStacks", stack)]);
    let stack = account.stack("oort-staging").await.unwrap().unwrap();
    assert_eq!(stack.status.phase(), Phase::Stuck);
    insta::assert_debug_snapshot!(stack, @r#"
    LiveStack {
        id: "arn:aws:cloudformation:us-east-2:909617834444:stack/oort-staging/aaaa",
        name: "oort-staging",
        status: StackStatus(
            "UPDATE_ROLLBACK_FAILED",
        ),
        reason: Some(
            "The following resource(s) failed to update: [Bus].",
        ),
        tags: {
            "oort:environment": "staging",
        },
        exports: {
            "staging-lake": "lake-bucket",
        },
        created: Some(
            2026-11-01T10:00:00.123Z,
        ),
        updated: Some(
            2026-11-23T08:00:00.5Z,
        ),
        is_protected: true,
        drift: None,
    }
    "#);
}

#[tokio::test]
async fn a_stack_that_does_not_exist_is_none_and_other_refusals_are_none() {
    let missing = "Stack with id oort-staging-acme does not exist";
    let (cloud, _) = account([refusal(400, "ValidationError", missing)]);
    assert_eq!(cloud.stack("oort-staging-acme").await.unwrap(), None);
    let invalid = "1 validation error detected: Value '' at 'stackName' failed to satisfy constraint";
    let (cloud, _) = account([refusal(400, "ValidationError", invalid)]);
    cloud.stack("").await.unwrap_err();
}

/// A word of tomorrow stays as it is, and counts as work in progress.
#[tokio::test]
async fn a_status_that_is_not_known_yet_is_kept() {
    let stack = "<StackSummaries><member><StackId>s</StackId><StackName>a</StackName>\
                 <StackStatus>RESTORE_IN_PROGRESS</StackStatus></member></StackSummaries>";
    let (account, _) = account([xml("ListStacks", stack)]);
    let page = account.restless(None).await.unwrap();
    let status = &page.items[0].status;
    assert_eq!(
        (status.as_str(), status.phase()),
        ("RESTORE_IN_PROGRESS", Phase::Running)
    );
}

#[tokio::test]
async fn a_change_set_without_changes_is_empty_in_both_wordings() {
    for reason in [
        "The submitted information didn't contain changes. Submit different information to create a change set.",
        "No updates are to be performed.",
    ] {
        let inner = format!("<Status>FAILED</Status><StatusReason>{reason}</StatusReason>");
        assert_eq!(change_set(&inner).await.state, ChangeSetState::Empty);
    }
    let refused = "Transform AWS::Serverless failed with: Invalid Serverless Application Specification document.";
    let inner = format!("<Status>FAILED</Status><StatusReason>{refused}</StatusReason>");
    let reason = refused.to_owned();
    assert_eq!(change_set(&inner).await.state, ChangeSetState::Failed { reason });
}

#[tokio::test]
async fn a_change_set_goes_from_pending_to_executed() {
    for (status, state) in [
        ("CREATE_PENDING", ChangeSetState::Pending),
        ("CREATE_IN_PROGRESS", ChangeSetState::Pending),
        ("A_WORD_OF_TOMORROW", ChangeSetState::Pending),
        ("CREATE_COMPLETE", ChangeSetState::Ready),
    ] {
        assert_eq!(change_set(&format!("<Status>{status}</Status>")).await.state, state);
    }
    for (status, execution) in [
        ("UNAVAILABLE", Execution::NotStarted),
        ("AVAILABLE", Execution::NotStarted),
        ("EXECUTE_IN_PROGRESS", Execution::Started),
        ("EXECUTE_COMPLETE", Execution::Complete),
        ("EXECUTE_FAILED", Execution::Failed),
        ("OBSOLETE", Execution::Obsolete),
    ] {
        let inner = format!("<Status>CREATE_COMPLETE</Status><ExecutionStatus>{status}</ExecutionStatus>");
        assert_eq!(change_set(&inner).await.execution, execution);
    }
}

#[tokio::test]
async fn a_replacement_is_told_with_what_becomes_of_the_old_resource() {
    let changes = "<Status>CREATE_COMPLETE</Status><Changes>\
      <member><Type>Resource</Type><ResourceChange>\
        <PolicyAction>ReplaceAndDelete</PolicyAction><Action>Modify</Action>\
        <LogicalResourceId>Queue</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
        <Replacement>True</Replacement><Scope><member>Properties</member></Scope>\
        <Details>\
          <member><Target><Attribute>Properties</Attribute><Name>QueueName</Name>\
            <RequiresRecreation>Always</RequiresRecreation></Target><Evaluation>Static</Evaluation></member>\
          <member><Target><Attribute>Properties</Attribute><Name>RedrivePolicy</Name></Target>\
            <Evaluation>Dynamic</Evaluation></member>\
          <member><Target><Attribute>Tags</Attribute></Target><Evaluation>Static</Evaluation></member>\
        </Details></ResourceChange></member>\
      <member><Type>Resource</Type><ResourceChange>\
        <PolicyAction>Retain</PolicyAction><Action>Remove</Action>\
        <LogicalResourceId>Table</LogicalResourceId><ResourceType>AWS::DynamoDB::Table</ResourceType>\
      </ResourceChange></member>\
      <member><Type>Hook</Type></member>\
    </Changes>";
    let changes = change_set(changes).await.changes;
    assert_eq!(changes.len(), 2);
    assert_eq!(
        (
            changes[0].action,
            changes[0].replacement,
            changes[0].policy_action.as_deref()
        ),
        (ResourceAction::Modify, Replacement::Yes, Some("ReplaceAndDelete"))
    );
    assert_eq!(changes[0].targets, ["Properties.QueueName", "Tags"]);
    assert_eq!(
        (
            changes[1].action,
            changes[1].replacement,
            changes[1].policy_action.as_deref()
        ),
        (ResourceAction::Remove, Replacement::No, Some("Retain"))
    );
}

/// A creation that was undone: the first cause, what was cancelled for it, and a validation that only warns.
#[tokio::test]
async fn what_failed_is_told_without_what_only_warns() {
    let event = |id: &str, inner: &str| {
        format!(
            "<member><LogicalResourceId>{id}</LogicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
             <Timestamp>2026-11-23T08:00:00Z</Timestamp><ClientRequestToken>t1</ClientRequestToken>{inner}</member>"
        )
    };
    let failed = |reason: &str| {
        format!(
            "<EventType>PROVISIONING_ERROR</EventType><ResourceStatus>CREATE_FAILED</ResourceStatus>\
             <ResourceStatusReason>{reason}</ResourceStatusReason>"
        )
    };
    let validation = |mode: &str| {
        format!(
            "<EventType>VALIDATION_ERROR</EventType><ValidationStatus>FAILED</ValidationStatus>\
             <ValidationFailureMode>{mode}</ValidationFailureMode>\
             <ValidationStatusReason>Bucket is not empty</ValidationStatusReason>"
        )
    };
    let hook = "<EventType>HOOK_INVOCATION_ERROR</EventType><HookStatus>HOOK_COMPLETE_FAILED</HookStatus>\
                <HookFailureMode>FAIL</HookFailureMode><HookStatusReason>not encrypted</HookStatusReason>";
    let events = [
        event("Rule", &failed("Resource creation cancelled")),
        event("Queue", &failed("Queue already exists")),
        event("Lake", &validation("FAIL")),
        event("Logs", &validation("WARN")),
        event("Topic", hook),
    ]
    .concat();
    let (account, _) = account([xml(
        "DescribeEvents",
        &format!("<OperationEvents>{events}</OperationEvents>"),
    )]);
    let failures = account.failures("s", None).await.unwrap().items;
    let told: Vec<String> = failures
        .iter()
        .map(|event| format!("{} {}: {}", event.resource, event.status, event.reason))
        .collect();
    assert_eq!(
        told,
        [
            "Rule CREATE_FAILED: Resource creation cancelled",
            "Queue CREATE_FAILED: Queue already exists",
            "Lake FAILED: Bucket is not empty",
            "Topic HOOK_COMPLETE_FAILED: not encrypted",
        ]
    );
    assert_eq!(failures[0].token.as_deref(), Some("t1"));
    assert_eq!(failures[0].at.to_string(), "2026-11-23T08:00:00Z");
}
