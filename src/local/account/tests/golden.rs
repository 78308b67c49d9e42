//! The stacks that are really deployed.

use std::path::Path;

use super::*;
use crate::model::source::SourceState;
use crate::ports::cloud::EventSources;

/// What a golden file in the folder of staging holds.
fn golden(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/staging");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

/// The partner event source of a tenant's stack.
fn source(text: &str) -> String {
    let line = text.lines().find(|line| line.trim().starts_with("EventSourceName: "));
    line.unwrap()
        .trim()
        .trim_start_matches("EventSourceName: ")
        .trim_matches('"')
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_environment_is_deployed_and_taken_down_again() {
    let account = account();
    let (foundation, tenant) = (golden("foundation.yaml"), golden("acme.yaml"));
    let early = reviewed(&account, &wanted(STACK, "early", ChangeSetKind::Create, &tenant)).await;
    assert!(
        matches!(early.state, ChangeSetState::Failed { reason } if reason.starts_with("No export named oort-staging-"))
    );
    let base = created(&account, "oort-staging", &foundation).await;
    assert_eq!(base.status.as_str(), "CREATE_COMPLETE");
    assert!(
        base.exports["oort-staging-DataBucketArn"].starts_with("arn:aws:s3:"),
        "{:?}",
        base.exports
    );

    account.offer_source(&source(&tenant), None);
    let stack = created(&account, STACK, &tenant).await;
    assert_eq!(
        stack.status.as_str(),
        "CREATE_COMPLETE",
        "{:?}",
        account.failures(STACK, None).await
    );
    assert_eq!(account.sources(None).await.unwrap().items[0].state, SourceState::Active);
    let same = reviewed(&account, &wanted(STACK, "same", ChangeSetKind::Update, &tenant)).await;
    assert_eq!(same.state, ChangeSetState::Empty);
    let longer = tenant.replace("VisibilityTimeout: ", "VisibilityTimeout: 1");
    let update = reviewed(&account, &wanted(STACK, "longer", ChangeSetKind::Update, &longer)).await;
    let sure: Vec<_> = update
        .changes
        .iter()
        .filter(|change| !change.targets.is_empty())
        .collect();
    assert_eq!(sure.len(), 1, "{sure:?}");
    assert_eq!(sure[0].id, "EventQueue");

    assert_eq!(
        deleted(&account, &base, "a").await.status.as_str(),
        "DELETE_FAILED",
        "its exports are in use"
    );
    assert_eq!(deleted(&account, &stack, "b").await.status.as_str(), "DELETE_COMPLETE");
    assert_eq!(deleted(&account, &base, "c").await.status.as_str(), "DELETE_COMPLETE");
    let left: Vec<_> = account
        .leftovers()
        .into_iter()
        .map(|(resource_type, _)| resource_type)
        .collect();
    assert!(
        left.contains(&"AWS::SQS::Queue".to_owned()) && left.contains(&"AWS::S3::Bucket".to_owned()),
        "{left:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_tenant_left_is_adopted_by_its_next_stack() {
    let account = account();
    let (foundation, tenant) = (golden("foundation.yaml"), golden("acme.yaml"));
    created(&account, "oort-staging", &foundation).await;
    account.offer_source(&source(&tenant), None);
    let stack = created(&account, STACK, &tenant).await;
    deleted(&account, &stack, "d").await;
    let mut adopting = wanted(STACK, "adopt", ChangeSetKind::Create, &tenant);
    adopting.adopts = true;
    let next = deployed(&account, &adopting).await;
    assert_eq!(
        next.status.as_str(),
        "CREATE_COMPLETE",
        "{:?}",
        account.failures(STACK, None).await
    );
}
