//! How a stack goes, and what it leaves.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_deleted_stack_is_found_by_its_id_only() {
    let account = account();
    let stack = created(&account, STACK, &template(&[("Queue", &queue(30))])).await;
    account.set_protection(STACK, true).await.unwrap();
    assert!(account.stack(STACK).await.unwrap().unwrap().is_protected);
    assert_eq!(kind(account.delete(&stack.id, "a", &[]).await), Kind::Invalid);
    account.set_protection(STACK, false).await.unwrap();
    account.delete(&stack.id, "b", &[]).await.unwrap();
    account.delete(&stack.id, "b", &[]).await.unwrap();
    assert_eq!(status(&account, STACK).await, "DELETE_IN_PROGRESS");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(account.stack(STACK).await.unwrap(), None);
    assert_eq!(status(&account, &stack.id).await, "DELETE_COMPLETE");
    account.delete(&stack.id, "c", &[]).await.unwrap();
    assert_eq!(kind(account.template(STACK).await), Kind::NotFound);
    assert_eq!(kind(account.set_protection(STACK, true).await), Kind::NotFound);
    assert!(account.stacks(None).await.unwrap().items.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_retained_is_in_the_way_unless_it_is_adopted() {
    let account = account();
    let text = template(&[("Queue", &named_queue("events"))]);
    let stack = created(&account, STACK, &text).await;
    deleted(&account, &stack, "d").await;
    assert_eq!(
        account.leftovers(),
        [("AWS::SQS::Queue".to_owned(), "events".to_owned())]
    );

    let failed = created(&account, STACK, &text).await;
    assert_eq!(failed.status.as_str(), "ROLLBACK_COMPLETE");
    let reason = &account.failures(&failed.id, None).await.unwrap().items[0].reason;
    assert!(reason.contains("'events' already exists"), "{reason}");
    assert_eq!(account.leftovers().len(), 1, "what was there before stays");
    deleted(&account, &failed, "d").await;

    let mut adopting = wanted(STACK, "adopt", ChangeSetKind::Create, &text);
    adopting.adopts = true;
    let change_set = reviewed(&account, &adopting).await;
    assert_eq!(
        change_set.changes[0].action,
        crate::model::stack::ResourceAction::Import
    );
    assert_eq!(deployed(&account, &adopting).await.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(account.leftovers(), []);

    adopting.stack = "thief".to_owned();
    let thief = deployed(&account, &adopting).await;
    assert_eq!(
        thief.status.as_str(),
        "ROLLBACK_COMPLETE",
        "it belongs to another stack"
    );
}

#[tokio::test(start_paused = true)]
async fn only_names_that_are_written_out_are_adopted() {
    let account = account();
    account.put_outside("AWS::S3::Bucket", "data-909617834444");
    account.put_outside("AWS::SQS::Queue", "events");
    let resources = [
        (
            "Bucket",
            "{Type: AWS::S3::Bucket, DeletionPolicy: Retain, Properties: {BucketName: {Fn::Sub: 'data-${AWS::AccountId}'}}}",
        ),
        ("Queue", "{Type: AWS::SQS::Queue, Properties: {QueueName: events}}"),
    ];
    for (id, body) in resources {
        let mut adopting = wanted(id, "adopt", ChangeSetKind::Create, &template(&[(id, body)]));
        adopting.adopts = true;
        assert_eq!(
            deployed(&account, &adopting).await.status.as_str(),
            "ROLLBACK_COMPLETE",
            "{id}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_resource_in_the_way_fails_a_change_set_where_that_is_checked_early() {
    let account = with(Behaviour {
        validates_early: true,
        ..Behaviour::default()
    });
    account.put_outside("AWS::SQS::Queue", "events");
    let wanted = wanted(
        STACK,
        "first",
        ChangeSetKind::Create,
        &template(&[("Queue", &named_queue("events"))]),
    );
    let change_set = reviewed(&account, &wanted).await;
    assert!(
        matches!(change_set.state, ChangeSetState::Failed { reason } if reason.contains("'events' already exists"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_can_be_left() {
    let account = account();
    let stack = created(
        &account,
        STACK,
        &template(&[
            ("Bucket", "{Type: AWS::S3::Bucket, Properties: {BucketName: data}}"),
            ("Queue", &queue(30)),
        ]),
    )
    .await;
    let left = ["Bucket".to_owned()];
    assert_eq!(
        kind(account.delete(&stack.id, "a", &left).await),
        Kind::Invalid,
        "only after it has failed"
    );
    account.fail_deletion(STACK, "Bucket", "The bucket you tried to delete is not empty", 1);
    let failed = deleted(&account, &stack, "b").await;
    assert_eq!(failed.status.as_str(), "DELETE_FAILED");
    assert_eq!(
        failed.reason.as_deref(),
        Some("The following resource(s) failed to delete: [Bucket]. ")
    );
    let resources = account.resources(STACK, None).await.unwrap().items;
    assert_eq!(
        resources.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        ["Bucket"]
    );
    assert_eq!(
        kind(account.delete(&stack.id, "c", &["Queue".to_owned()]).await),
        Kind::Invalid
    );
    account.delete(&stack.id, "d", &left).await.unwrap();
    assert_eq!(at_rest(&account, &stack.id).await.status.as_str(), "DELETE_COMPLETE");
    assert_eq!(account.leftovers(), [("AWS::S3::Bucket".to_owned(), "data".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_stack_in_review_goes_at_once_and_one_at_work_does_not() {
    let account = account();
    let text = template(&[("Queue", &queue(30))]);
    let first = reviewed(&account, &wanted(STACK, "first", ChangeSetKind::Create, &text)).await;
    account.drop_reviewed(&first.stack_id).await.unwrap();
    assert_eq!(account.stack(STACK).await.unwrap(), None);
    assert_eq!(kind(account.execute(&first.id, "t").await), Kind::NotFound);

    let second = reviewed(&account, &wanted(STACK, "first", ChangeSetKind::Create, &text)).await;
    account.execute(&second.id, "t").await.unwrap();
    sleep(Duration::from_secs(30)).await;
    account.delete(&second.stack_id, "d", &[]).await.unwrap();
    sleep(Duration::from_secs(40)).await;
    assert_eq!(
        status(&account, STACK).await,
        "DELETE_IN_PROGRESS",
        "the creation was cancelled"
    );
    assert_eq!(
        at_rest(&account, &second.stack_id).await.status.as_str(),
        "DELETE_COMPLETE"
    );

    let third = created(&account, STACK, &text).await;
    let update = reviewed(
        &account,
        &wanted(
            STACK,
            "update",
            ChangeSetKind::Update,
            &template(&[("Queue", &queue(60))]),
        ),
    )
    .await;
    account.execute(&update.id, "u").await.unwrap();
    assert_eq!(kind(account.delete(&third.id, "e", &[]).await), Kind::Conflict);
    assert_eq!(at_rest(&account, &third.id).await.status.as_str(), "UPDATE_COMPLETE");
}
