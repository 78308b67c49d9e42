//! How a stack comes, changes and fails.

use super::*;
use crate::ports::cloud::StackResource;

#[tokio::test(start_paused = true)]
async fn a_stack_goes_from_review_to_created() {
    let account = account();
    let text = with_outputs(
        &[("Queue", "{Type: AWS::SQS::Queue, Properties: {QueueName: events}}")],
        &[(
            "Name",
            "{Value: {Fn::GetAtt: [Queue, QueueName]}, Export: {Name: {Fn::Sub: '${AWS::StackName}-name'}}}",
        )],
    );
    let mut wanted = wanted(STACK, "first", ChangeSetKind::Create, &text);
    wanted.tags = tags(&[("team", "soc")]);
    let proposed = account.propose(&wanted).await.unwrap();
    let in_review = account.stack(STACK).await.unwrap().unwrap();
    assert_eq!(in_review.status.as_str(), "REVIEW_IN_PROGRESS");
    assert_eq!(
        (in_review.id.as_str(), in_review.tags.len()),
        (proposed.stack_id.as_str(), 0)
    );
    assert_eq!(account.template(STACK).await.unwrap(), "{}");
    assert_eq!(
        kind(account.execute(&proposed.change_set, "t").await),
        Kind::Conflict,
        "it is not ready"
    );

    sleep(Duration::from_secs(4)).await;
    account.execute(&proposed.change_set, "t").await.unwrap();
    assert_eq!(status(&account, STACK).await, "CREATE_IN_PROGRESS");
    assert!(account.resources(STACK, None).await.unwrap().items.is_empty());
    sleep(Duration::from_mins(1)).await;
    let live = account.stack(STACK).await.unwrap().unwrap();
    assert_eq!(live.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(live.tags, wanted.tags);
    assert_eq!(live.exports, tags(&[("oort-staging-acme-name", "events")]));
    assert_eq!((live.created, live.updated), (in_review.created, None));
    assert!(live.created.unwrap() >= start());
    assert_eq!(account.template(STACK).await.unwrap(), text);
    let resource = StackResource {
        id: "Queue".to_owned(),
        resource_type: "AWS::SQS::Queue".to_owned(),
        physical_id: "events".to_owned(),
    };
    assert_eq!(account.resources(STACK, None).await.unwrap().items, [resource]);
}

#[tokio::test(start_paused = true)]
async fn an_update_cleans_up_before_it_is_complete() {
    let account = account();
    let before = created(&account, STACK, &template(&[("Queue", &queue(30))])).await;
    let wanted = wanted(
        STACK,
        "second",
        ChangeSetKind::Update,
        &template(&[("Queue", &queue(60))]),
    );
    let change_set = reviewed(&account, &wanted).await;
    account.execute(&change_set.id, "t").await.unwrap();
    assert_eq!(status(&account, STACK).await, "UPDATE_IN_PROGRESS");
    sleep(Duration::from_secs(45)).await;
    assert_eq!(status(&account, STACK).await, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    sleep(Duration::from_secs(15)).await;
    let after = account.stack(STACK).await.unwrap().unwrap();
    assert_eq!(after.status.as_str(), "UPDATE_COMPLETE");
    assert_eq!(after.id, before.id);
    assert!(after.updated.unwrap() > before.created.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_leaves_a_stack_that_has_to_be_deleted_first() {
    let account = account();
    let text = template(&[("First", &named_queue("a")), ("Second", &queue(30))]);
    account.fail(STACK, "First", "Queue limit reached", 1);
    let stack = created(&account, STACK, &text).await;
    assert_eq!(stack.status.as_str(), "ROLLBACK_COMPLETE");
    assert!(account.resources(&stack.id, None).await.unwrap().items.is_empty());
    assert_eq!(account.leftovers(), [], "what it created is deleted again");

    let failures = account.failures(&stack.id, None).await.unwrap().items;
    let told: Vec<_> = failures
        .iter()
        .map(|one| (one.resource.as_str(), one.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("Second", "Resource creation cancelled"),
            ("First", "Queue limit reached")
        ]
    );
    assert!(
        failures
            .iter()
            .all(|one| one.status == "CREATE_FAILED" && one.token.as_deref() == Some("create"))
    );

    let update = wanted(STACK, "again", ChangeSetKind::Update, &text);
    assert_eq!(kind(account.propose(&update).await), Kind::Conflict);
    let again = wanted(STACK, "again", ChangeSetKind::Create, &text);
    assert_eq!(kind(account.propose(&again).await), Kind::Conflict);
    assert_eq!(deleted(&account, &stack, "d").await.status.as_str(), "DELETE_COMPLETE");
    let next = created(&account, STACK, &text).await;
    assert_eq!(next.status.as_str(), "CREATE_COMPLETE");
    assert_ne!(next.id, stack.id);
}

#[tokio::test(start_paused = true)]
async fn a_failed_update_is_undone() {
    let account = account();
    let text = template(&[("Queue", &queue(30)), ("Other", &queue(30))]);
    created(&account, STACK, &text).await;
    account.fail(STACK, "Queue", "Internal error", 1);
    let mut wanted = wanted(
        STACK,
        "second",
        ChangeSetKind::Update,
        &template(&[("Queue", &queue(60))]),
    );
    wanted.tags = tags(&[("content", "new")]);
    let change_set = reviewed(&account, &wanted).await;
    account.execute(&change_set.id, "t").await.unwrap();
    assert_eq!(account.stack(STACK).await.unwrap().unwrap().tags, wanted.tags);
    sleep(Duration::from_secs(45)).await;
    let undoing = account.stack(STACK).await.unwrap().unwrap();
    assert_eq!(undoing.status.as_str(), "UPDATE_ROLLBACK_IN_PROGRESS");
    assert_eq!(
        undoing.reason.as_deref(),
        Some("The following resource(s) failed to update: [Queue]. ")
    );

    let undone = at_rest(&account, &undoing.id).await;
    assert_eq!(undone.status.as_str(), "UPDATE_ROLLBACK_COMPLETE");
    assert!(undone.tags.is_empty());
    assert_eq!(account.template(STACK).await.unwrap(), text);
    assert_eq!(account.resources(STACK, None).await.unwrap().items.len(), 2);
    let after = updated(&account, STACK, "third", &template(&[("Queue", &queue(60))])).await;
    assert_eq!(after.status.as_str(), "UPDATE_COMPLETE", "it takes the next update");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_sticks_is_continued() {
    let account = account();
    let text = template(&[("Queue", &queue(30))]);
    created(&account, STACK, &text).await;
    account.fail(STACK, "Queue", "Internal error", 1);
    account.stick(STACK);
    account.stick(STACK);
    let stack = updated(&account, STACK, "second", &template(&[("Queue", &queue(60))])).await;
    assert_eq!(stack.status.as_str(), "UPDATE_ROLLBACK_FAILED");
    let update = wanted(STACK, "third", ChangeSetKind::Update, &text);
    assert_eq!(kind(account.propose(&update).await), Kind::Conflict);

    account.continue_rollback(&stack.id, "a", &[]).await.unwrap();
    account.continue_rollback(&stack.id, "a", &[]).await.unwrap();
    assert_eq!(
        at_rest(&account, &stack.id).await.status.as_str(),
        "UPDATE_ROLLBACK_FAILED",
        "it sticks again"
    );
    let wrong = account.continue_rollback(&stack.id, "b", &["Other".to_owned()]).await;
    assert_eq!(kind(wrong), Kind::Invalid, "it was not in the way");

    account.stick(STACK);
    account
        .continue_rollback(&stack.id, "c", &["Queue".to_owned()])
        .await
        .unwrap();
    let stack = at_rest(&account, &stack.id).await;
    assert_eq!(stack.status.as_str(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(account.template(STACK).await.unwrap(), text);
    assert_eq!(
        kind(account.continue_rollback(&stack.id, "d", &[]).await),
        Kind::Conflict
    );
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_used_neither_changes_nor_goes() {
    let account = account();
    let foundation = |name: &str, export: &str| {
        with_outputs(
            &[(
                "Topic",
                &format!("{{Type: AWS::SNS::Topic, Properties: {{TopicName: {name}}}}}"),
            )],
            &[(
                "Arn",
                &format!("{{Value: {{Fn::GetAtt: [Topic, Arn]}}, Export: {{Name: {export}}}}}"),
            )],
        )
    };
    let user = template(&[(
        "Queue",
        "{Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: {Fn::ImportValue: shared}}}",
    )]);
    created(&account, "foundation", &foundation("one", "shared")).await;
    created(&account, "user", &user).await;

    for (name, text) in [
        ("renamed", foundation("one", "other")),
        ("moved", foundation("two", "shared")),
    ] {
        let stack = updated(&account, "foundation", name, &text).await;
        assert_eq!(stack.status.as_str(), "UPDATE_ROLLBACK_COMPLETE", "{name}");
        let failure = &account.failures("foundation", None).await.unwrap().items[0];
        assert!(failure.reason.contains("in use by user"), "{}", failure.reason);
        assert_eq!(stack.exports["shared"], "arn:aws:sns:us-east-2:909617834444:one");
    }
    let twin = created(&account, "twin", &foundation("three", "shared")).await;
    assert_eq!(twin.status.as_str(), "ROLLBACK_COMPLETE", "an export has one owner");

    let stack = account.stack("foundation").await.unwrap().unwrap();
    assert_eq!(deleted(&account, &stack, "a").await.status.as_str(), "DELETE_FAILED");
    let user = account.stack("user").await.unwrap().unwrap();
    deleted(&account, &user, "b").await;
    assert_eq!(deleted(&account, &stack, "c").await.status.as_str(), "DELETE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn stacks_are_listed_in_pages_and_the_restless_apart() {
    let account = with(Behaviour {
        list_page: 2,
        ..Behaviour::default()
    });
    for name in ["a", "b", "c", "d", "e"] {
        created(&account, name, &template(&[("Queue", &queue(30))])).await;
    }
    let gone = account.stack("c").await.unwrap().unwrap();
    deleted(&account, &gone, "t").await;
    assert!(
        account.restless(None).await.unwrap().items.is_empty(),
        "all is at peace"
    );
    account
        .propose(&wanted(
            "f",
            "x",
            ChangeSetKind::Create,
            &template(&[("Queue", &queue(30))]),
        ))
        .await
        .unwrap();
    account.fail("a", "Queue", "no", 1);
    updated(&account, "a", "x", &template(&[("Queue", &queue(60))])).await;

    let (mut names, mut next) = (Vec::new(), None);
    loop {
        let page = account.stacks(next).await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(page.items.into_iter().map(|stack| stack.name));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(names, ["f", "e", "d", "b", "a"]);
    let restless = account.restless(None).await.unwrap().items;
    let told: Vec<_> = restless
        .iter()
        .map(|stack| (stack.name.as_str(), stack.status.as_str()))
        .collect();
    assert_eq!(told, [("a", "UPDATE_ROLLBACK_COMPLETE")]);
    assert_eq!(kind(account.stacks(Some("?".to_owned())).await), Kind::Invalid);
}
