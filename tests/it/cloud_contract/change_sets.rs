//! What change sets tell and do.

use std::collections::BTreeMap;

use oort_streams::model::stack::{
    ChangeSetKind, ChangeSetState, Execution, INLINE_BYTES, Phase, Replacement, ResourceAction, TemplateBody,
};
use oort_streams::ports::Kind;

use super::*;

pub async fn a_new_stack_is_in_review_until_its_change_set_is_carried_out(rig: &dyn Rig) {
    let wanted = asked(STACK, "create", ChangeSetKind::Create, &queue(30));
    let change_set = reviewed(rig, &wanted).await;
    let in_review = rig.cloud().stack(STACK).await.unwrap().unwrap();
    assert_eq!(
        (in_review.id.as_str(), in_review.status.phase()),
        (change_set.stack_id.as_str(), Phase::Reviewed)
    );
    let live = deployed(rig, &wanted).await;
    assert_eq!(live.status.as_str(), "CREATE_COMPLETE");
    assert_eq!((live.id, live.tags), (in_review.id, wanted.tags.clone()));
    assert_eq!(rig.cloud().template(STACK).await.unwrap(), queue(30));
    let resources = all(async |next| rig.cloud().resources(STACK, next).await).await;
    let told: Vec<_> = resources
        .iter()
        .map(|one| (one.id.as_str(), one.resource_type.as_str()))
        .collect();
    assert_eq!(told, [("Queue", "AWS::SQS::Queue")]);
    let again = asked(STACK, "again", ChangeSetKind::Create, &queue(30));
    assert_eq!(
        kind(rig.cloud().propose(&again).await),
        Kind::Conflict,
        "it is there already"
    );
}

pub async fn a_name_in_review_can_be_given_free(rig: &dyn Rig) {
    let change_set = reviewed(rig, &asked(STACK, "create", ChangeSetKind::Create, &queue(30))).await;
    rig.cloud().drop_change_set(&change_set.id).await.unwrap();
    rig.cloud().drop_change_set(&change_set.id).await.unwrap();
    let left = rig.cloud().stack(STACK).await.unwrap().unwrap();
    assert_eq!(left.status.phase(), Phase::Reviewed, "the name is still taken");
    rig.cloud().drop_reviewed(&left.id).await.unwrap();
    at_rest_or_gone(rig).await;
    created(rig, &queue(30)).await;
}

async fn at_rest_or_gone(rig: &dyn Rig) {
    for _ in 0..LOOKS {
        if rig.cloud().stack(STACK).await.unwrap().is_none() {
            return;
        }
        rig.pause().await;
    }
    panic!("{STACK} is still there");
}

pub async fn asking_again_gives_the_same_change_set(rig: &dyn Rig) {
    let wanted = asked(STACK, "create", ChangeSetKind::Create, &queue(30));
    let first = rig.cloud().propose(&wanted).await.unwrap();
    assert_eq!(rig.cloud().propose(&wanted).await.unwrap(), first);
    assert_eq!(reviewed(rig, &wanted).await.id, first.change_set);
}

pub async fn a_change_set_tells_what_would_change(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let mut wanted = asked(
        STACK,
        "update",
        ChangeSetKind::Update,
        &(queue(60) + topic("other").strip_prefix("Resources:\n").unwrap()),
    );
    wanted.tags = BTreeMap::from([("made-for".to_owned(), "create".to_owned())]);
    let change_set = reviewed(rig, &wanted).await;
    assert_eq!(
        (change_set.state, change_set.execution),
        (ChangeSetState::Ready, Execution::NotStarted)
    );
    let told: Vec<_> = change_set
        .changes
        .iter()
        .map(|change| (change.id.as_str(), change.action, change.replacement))
        .collect();
    let expected = [
        ("Queue", ResourceAction::Modify, Replacement::No),
        ("Topic", ResourceAction::Add, Replacement::No),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        rig.cloud().template(STACK).await.unwrap(),
        queue(30),
        "nothing is done yet"
    );
}

pub async fn a_change_set_without_changes_is_empty(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let mut same = asked(STACK, "same", ChangeSetKind::Update, &queue(30));
    same.tags = BTreeMap::from([("made-for".to_owned(), "create".to_owned())]);
    assert_eq!(reviewed(rig, &same).await.state, ChangeSetState::Empty);
}

pub async fn a_change_set_is_carried_out_once(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let change_set = reviewed(rig, &asked(STACK, "update", ChangeSetKind::Update, &queue(60))).await;
    rig.cloud().execute(&change_set.id, "token").await.unwrap();
    rig.cloud().execute(&change_set.id, "token").await.unwrap();
    assert!(rig.cloud().execute(&change_set.id, "other").await.is_err());
    let after = at_rest(rig, &change_set.stack_id).await;
    assert_eq!(after.status.as_str(), "UPDATE_COMPLETE");
    assert!(after.updated.is_some());
    assert_eq!(rig.cloud().template(STACK).await.unwrap(), queue(60));
}

pub async fn carrying_one_out_drops_the_others(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let one = reviewed(rig, &asked(STACK, "one", ChangeSetKind::Update, &queue(60))).await;
    let other = reviewed(rig, &asked(STACK, "other", ChangeSetKind::Update, &queue(90))).await;
    rig.cloud().execute(&one.id, "token").await.unwrap();
    at_rest(rig, &one.stack_id).await;
    assert!(rig.cloud().execute(&other.id, "another").await.is_err());
    assert_eq!(rig.cloud().template(STACK).await.unwrap(), queue(60));
}

pub async fn a_large_template_goes_through_a_bucket(rig: &dyn Rig) {
    let bucket = rig.bucket().await;
    let large = format!("{}Metadata:\n  Note: {}\n", queue(30), "n".repeat(INLINE_BYTES));
    let mut wanted = asked(STACK, "create", ChangeSetKind::Create, &large);
    assert_eq!(kind(rig.cloud().propose(&wanted).await), Kind::Invalid);
    let key = "templates/a-plan/stack.yaml";
    let url = rig.cloud().put_template(&bucket, key, &large).await.unwrap();
    wanted.template = TemplateBody::Url(url);
    let live = deployed(rig, &wanted).await;
    assert_eq!(live.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(rig.cloud().template(STACK).await.unwrap(), large);
}

pub async fn an_import_needs_its_export(rig: &dyn Rig) {
    let user = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      KmsMasterKeyId:\n        Fn::ImportValue: contract-name\n";
    let early = reviewed(rig, &asked("oort-contract-user", "early", ChangeSetKind::Create, user)).await;
    assert!(
        matches!(&early.state, ChangeSetState::Failed { reason } if reason.contains("contract-name")),
        "{:?}",
        early.state
    );
    let export = format!(
        "{}Outputs:\n  Name:\n    Value: given\n    Export:\n      Name: contract-name\n",
        topic("exporting")
    );
    assert_eq!(
        created(rig, &export).await.exports,
        BTreeMap::from([("contract-name".to_owned(), "given".to_owned())])
    );
    let user = deployed(rig, &asked("oort-contract-user", "late", ChangeSetKind::Create, user)).await;
    assert_eq!(user.status.as_str(), "CREATE_COMPLETE");
}
