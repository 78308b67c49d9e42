//! What each method asks AWS for.

use std::collections::BTreeMap;

use crate::aws::tests::script::{Answer, account, cbor, json, refusal, xml};
use crate::model::stack::{ChangeSetKind, NewChangeSet, TemplateBody};
use crate::ports::Kind;
use crate::ports::cloud::{
    Caller as _, EventSources as _, MetricQuery, ProposeStacks as _, Proposed, Quota, ReadStacks as _, Statistic,
    Watch as _, WriteStacks as _,
};

const STACK: &str = "arn:aws:cloudformation:us-east-2:909617834444:stack/oort-staging-acme/aaaa";
const CHANGE_SET: &str = "arn:aws:cloudformation:us-east-2:909617834444:changeSet/oort-p1/bbbb";

pub fn new_change_set() -> NewChangeSet {
    NewChangeSet {
        stack: "oort-staging-acme".to_owned(),
        name: "oort-p1".to_owned(),
        kind: ChangeSetKind::Create,
        template: TemplateBody::Inline("Resources: {}\n".to_owned()),
        tags: BTreeMap::from([("oort:tenant".to_owned(), "acme".to_owned())]),
        adopts: true,
    }
}

fn made() -> String {
    format!("<Id>{CHANGE_SET}</Id><StackId>{STACK}</StackId>")
}

fn described() -> String {
    format!("<ChangeSetId>{CHANGE_SET}</ChangeSetId><StackId>{STACK}</StackId><Status>CREATE_PENDING</Status>")
}

/// Every method once, and what was sent for it.
#[tokio::test]
async fn every_method_asks_for_what_it_says() {
    let empty = |action| xml(action, "");
    // An empty map.
    let nothing = vec![0xa0];
    let (account, script) = account([
        empty("DescribeStacks"),
        empty("DescribeStacks"),
        empty("ListStacks"),
        xml("GetTemplate", "<TemplateBody>Resources: {}</TemplateBody>"),
        xml("DescribeChangeSet", &described()),
        empty("DescribeEvents"),
        empty("DescribeStackEvents"),
        empty("ListStackResources"),
        xml(
            "DescribeAccountLimits",
            "<AccountLimits><member><Name>StackLimit</Name><Value>2000</Value></member></AccountLimits>",
        ),
        xml("DetectStackDrift", "<StackDriftDetectionId>d1</StackDriftDetectionId>"),
        empty("DescribeStackDriftDetectionStatus"),
        empty("DescribeStackResourceDrifts"),
        xml("CreateChangeSet", &made()),
        xml("CreateChangeSet", &made()),
        empty("DeleteChangeSet"),
        empty("DeleteStack"),
        empty("ExecuteChangeSet"),
        empty("UpdateTerminationProtection"),
        empty("SetStackPolicy"),
        empty("DeleteStack"),
        empty("DeleteStack"),
        empty("ContinueUpdateRollback"),
        json(200, "{}"),
        json(200, "{}"),
        xml(
            "GetCallerIdentity",
            "<Account>909617834444</Account><Arn>arn:aws:sts::909617834444:assumed-role/deploy/x</Arn>",
        ),
        cbor(nothing.clone()),
        cbor(nothing),
    ]);
    account.stacks(None).await.unwrap();
    account.stack("oort-staging-acme").await.unwrap();
    account.restless(None).await.unwrap();
    account.template("oort-staging-acme").await.unwrap();
    account.change_set(CHANGE_SET, None).await.unwrap();
    account.failures(STACK, None).await.unwrap();
    account.resources("oort-staging-acme", None).await.unwrap();
    assert_eq!(account.quota(Quota::Stacks).await.unwrap(), 2000);
    assert_eq!(account.detect_drift("oort-staging-acme").await.unwrap(), "d1");
    account.detection("d1").await.unwrap();
    account.drifted("oort-staging-acme", None).await.unwrap();
    account.propose(&new_change_set()).await.unwrap();
    let update = NewChangeSet {
        kind: ChangeSetKind::Update,
        template: TemplateBody::Url("https://bucket.s3.us-east-2.amazonaws.com/templates/p1/acme.yaml".to_owned()),
        adopts: false,
        ..new_change_set()
    };
    account.propose(&update).await.unwrap();
    account.drop_change_set(CHANGE_SET).await.unwrap();
    account.drop_reviewed(STACK).await.unwrap();
    account.execute(CHANGE_SET, "token-1").await.unwrap();
    account.set_protection("oort-staging-acme", true).await.unwrap();
    account
        .set_policy("oort-staging-acme", r#"{"Statement":[]}"#)
        .await
        .unwrap();
    account.delete(STACK, "token-2", &[]).await.unwrap();
    account.delete(STACK, "token-3", &["Queue".to_owned()]).await.unwrap();
    account
        .continue_rollback(STACK, "token-4", &["Bus".to_owned()])
        .await
        .unwrap();
    account.sources(None).await.unwrap();
    account.buses(None).await.unwrap();
    assert_eq!(account.identity().await.unwrap().account, "909617834444");
    let query = MetricQuery {
        namespace: "AWS/SQS".to_owned(),
        name: "NumberOfMessagesSent".to_owned(),
        dimensions: vec![("QueueName".to_owned(), "acme".to_owned())],
        statistic: Statistic::Sum,
        period_seconds: 300,
    };
    let (from, to) = (
        "2026-11-23T07:00:00Z".parse().unwrap(),
        "2026-11-23T08:00:00Z".parse().unwrap(),
    );
    account.metrics(&[query], from, to, None).await.unwrap();
    account.alarms("oort-staging-", None).await.unwrap();
    insta::assert_snapshot!(script.requests().concat());
}

#[tokio::test]
async fn a_change_set_that_is_there_already_is_found_by_its_name() {
    let there = "ChangeSet [oort-p1] already exists";
    let (account, script) = account([
        refusal(400, "AlreadyExistsException", there),
        xml("DescribeChangeSet", &described()),
    ]);
    let proposed = account.propose(&new_change_set()).await.unwrap();
    assert_eq!(
        proposed,
        Proposed {
            change_set: CHANGE_SET.to_owned(),
            stack_id: STACK.to_owned()
        }
    );
    assert_eq!(
        script.requests()[1],
        "DescribeChangeSet\n  ChangeSetName=oort-p1\n  StackName=oort-staging-acme\n"
    );
}

#[tokio::test]
async fn a_change_set_of_that_name_with_another_template_is_not_taken_for_it() {
    let other = "ChangeSet oort-p1 cannot be created due to a mismatch with existing attribute Template";
    let (account, script) = account([refusal(400, "AlreadyExistsException", other)]);
    let error = account.propose(&new_change_set()).await.unwrap_err();
    assert_eq!((error.kind, script.requests().len()), (Kind::Conflict, 1));
}

#[tokio::test]
async fn one_that_was_made_and_dropped_again_stays_a_conflict() {
    let (account, _) = account([
        refusal(400, "AlreadyExistsException", "ChangeSet [oort-p1] already exists"),
        refusal(404, "ChangeSetNotFound", "ChangeSet [oort-p1] does not exist"),
    ]);
    let error = account.propose(&new_change_set()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
}

#[tokio::test]
async fn dropping_what_is_gone_succeeds() {
    let (account, _) = account([refusal(404, "ChangeSetNotFound", "ChangeSet [oort-p1] does not exist")]);
    account.drop_change_set(CHANGE_SET).await.unwrap();
}

/// Whoever calls counts on it: a repeat inside would be beyond the rates that were asked for.
#[tokio::test]
async fn nothing_is_repeated_by_itself() {
    for answer in [
        refusal(400, "Throttling", "Rate exceeded"),
        refusal(503, "ServiceUnavailable", "Try again"),
        Answer::Dropped,
    ] {
        let (account, script) = account([answer]);
        account.stacks(None).await.unwrap_err();
        assert_eq!(script.requests().len(), 1);
    }
}
