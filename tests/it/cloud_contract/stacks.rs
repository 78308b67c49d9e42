//! How stacks fail, go and are listed.

use oort_streams::model::stack::{ChangeSetKind, Phase};
use oort_streams::ports::Kind;

use super::*;

pub async fn what_is_not_there_is_told_so(rig: &dyn Rig) {
    let cloud = rig.cloud();
    assert_eq!(cloud.stack(STACK).await.unwrap(), None);
    assert_eq!(kind(cloud.template(STACK).await), Kind::NotFound);
    assert_eq!(kind(cloud.set_protection(STACK, true).await), Kind::NotFound);
    let update = asked(STACK, "update", ChangeSetKind::Update, &queue(30));
    assert_eq!(kind(cloud.propose(&update).await), Kind::NotFound);
    assert_eq!(all(async |next| cloud.stacks(next).await).await, []);
    assert_eq!(all(async |next| cloud.restless(next).await).await, []);
    assert_eq!(all(async |next| cloud.sources(next).await).await, []);
}

pub async fn what_a_failed_creation_made_is_deleted_again(rig: &dyn Rig) {
    let failed = deployed(rig, &asked(STACK, "create", ChangeSetKind::Create, &with_bus(30))).await;
    assert_eq!(failed.status.phase(), Phase::NeverCreated, "there is no such source");
    let failures = all(async |next| rig.cloud().failures(&failed.id, next).await).await;
    let cause = failures.iter().rev().find(|failure| failure.resource == "Bus").unwrap();
    assert_eq!(
        (cause.status.as_str(), cause.resource_type.as_str()),
        ("CREATE_FAILED", "AWS::Events::EventBus")
    );
    assert!(!cause.reason.is_empty());
    assert!(
        failures.windows(2).all(|pair| pair[0].at >= pair[1].at),
        "the newest first"
    );
    rig.cloud().delete(&failed.id, "delete", &[]).await.unwrap();
    at_rest(rig, &failed.id).await;
    created(rig, &queue(30)).await;
}

pub async fn a_failed_update_is_undone(rig: &dyn Rig) {
    let before = created(rig, &queue(30)).await;
    let undone = deployed(rig, &asked(STACK, "update", ChangeSetKind::Update, &with_bus(60))).await;
    assert_eq!(undone.status.phase(), Phase::RolledBack);
    assert_eq!(undone.tags, before.tags);
    assert_eq!(rig.cloud().template(STACK).await.unwrap(), queue(30));
    let next = deployed(rig, &asked(STACK, "next", ChangeSetKind::Update, &queue(60))).await;
    assert_eq!(next.status.as_str(), "UPDATE_COMPLETE");
}

pub async fn a_protected_stack_is_not_deleted(rig: &dyn Rig) {
    let stack = created(rig, &queue(30)).await;
    assert!(!stack.is_protected);
    rig.cloud().set_protection(STACK, true).await.unwrap();
    assert!(rig.cloud().stack(STACK).await.unwrap().unwrap().is_protected);
    assert_eq!(kind(rig.cloud().delete(&stack.id, "a", &[]).await), Kind::Invalid);
    rig.cloud().set_protection(STACK, false).await.unwrap();
    let policy = r#"{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}"#;
    rig.cloud().set_policy(STACK, policy).await.unwrap();
    rig.cloud().delete(&stack.id, "b", &[]).await.unwrap();
    assert_eq!(at_rest(rig, &stack.id).await.status.phase(), Phase::Deleted);
}

pub async fn a_deleted_stack_is_found_by_its_id(rig: &dyn Rig) {
    let stack = created(rig, &queue(30)).await;
    rig.cloud().delete(&stack.id, "delete", &[]).await.unwrap();
    rig.cloud().delete(&stack.id, "delete", &[]).await.unwrap();
    assert_eq!(at_rest(rig, &stack.id).await.status.phase(), Phase::Deleted);
    assert_eq!(rig.cloud().stack(STACK).await.unwrap(), None);
    assert_eq!(all(async |next| rig.cloud().stacks(next).await).await, []);
    let next = created(rig, &queue(30)).await;
    assert_ne!(next.id, stack.id);
    assert_eq!(
        rig.cloud().stack(&stack.id).await.unwrap().unwrap().status.phase(),
        Phase::Deleted
    );
}

pub async fn only_a_failed_deletion_takes_a_list_of_what_stays(rig: &dyn Rig) {
    let stack = created(rig, &queue(30)).await;
    assert!(
        rig.cloud()
            .delete(&stack.id, "delete", &["Queue".to_owned()])
            .await
            .is_err()
    );
    assert_eq!(at_rest(rig, &stack.id).await.status.as_str(), "CREATE_COMPLETE");
}

pub async fn only_a_stuck_stack_continues_its_rollback(rig: &dyn Rig) {
    let stack = created(rig, &queue(30)).await;
    assert!(rig.cloud().continue_rollback(&stack.id, "continue", &[]).await.is_err());
}

pub async fn every_stack_is_listed_once_with_its_tags(rig: &dyn Rig) {
    let names: Vec<String> = (0..5).map(|number| format!("oort-contract-{number}")).collect();
    for name in &names {
        deployed(rig, &asked(name, "create", ChangeSetKind::Create, &topic(name))).await;
    }
    let mut stacks = all(async |next| rig.cloud().stacks(next).await).await;
    stacks.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(stacks.iter().map(|stack| stack.name.clone()).collect::<Vec<_>>(), names);
    assert!(stacks.iter().all(|stack| stack.tags["made-for"] == "create"));
}

pub async fn the_restless_are_those_at_work_or_failed(rig: &dyn Rig) {
    let stack = created(rig, &queue(30)).await;
    assert_eq!(all(async |next| rig.cloud().restless(next).await).await, []);
    deployed(rig, &asked(STACK, "update", ChangeSetKind::Update, &with_bus(60))).await;
    let review = asked("oort-contract-other", "create", ChangeSetKind::Create, &topic("other"));
    reviewed(rig, &review).await;
    let restless = all(async |next| rig.cloud().restless(next).await).await;
    let told: Vec<_> = restless
        .iter()
        .map(|one| (one.name.as_str(), one.status.phase()))
        .collect();
    assert_eq!(told, [(STACK, Phase::RolledBack)]);
    assert_eq!(restless[0].id, stack.id);
}
