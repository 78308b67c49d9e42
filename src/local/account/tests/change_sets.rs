//! What change sets tell.

use super::*;
use crate::model::stack::{Replacement, ResourceAction, ResourceChange};

/// The change set of an update from one set of resources to another.
async fn change_set(before: &[(&str, &str)], after: &[(&str, &str)]) -> ChangeSet {
    let account = account();
    created(&account, STACK, &template(before)).await;
    reviewed(
        &account,
        &wanted(STACK, "update", ChangeSetKind::Update, &template(after)),
    )
    .await
}

fn told(change: &ResourceChange) -> (&str, ResourceAction, Replacement, Option<&str>, Vec<&str>) {
    let targets = change.targets.iter().map(String::as_str).collect();
    (
        &change.id,
        change.action,
        change.replacement,
        change.policy_action.as_deref(),
        targets,
    )
}

#[tokio::test(start_paused = true)]
async fn every_resource_that_differs_is_told() {
    let before = [
        (
            "Changed",
            "{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 30, DelaySeconds: 1}}",
        ),
        (
            "Kept",
            "{Type: AWS::SQS::Queue, Properties: {DelaySeconds: 1, VisibilityTimeout: 30}}",
        ),
        ("Renamed", "{Type: AWS::SQS::Queue, Properties: {QueueName: a}}"),
        (
            "RenamedAndKept",
            "{Type: AWS::SQS::Queue, UpdateReplacePolicy: Retain, Properties: {QueueName: b}}",
        ),
        ("Gone", "{Type: AWS::SQS::Queue}"),
        (
            "GoneAndKept",
            "{Type: AWS::SQS::Queue, DeletionPolicy: RetainExceptOnCreate}",
        ),
        (
            "Relabelled",
            "{Type: AWS::SQS::Queue, Properties: {Tags: [{Key: a, Value: b}]}}",
        ),
        ("Held", "{Type: AWS::SQS::Queue}"),
    ];
    let after = [
        (
            "Changed",
            "{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: 60}}",
        ),
        (
            "Kept",
            "{Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: '30', DelaySeconds: 1}}",
        ),
        ("Renamed", "{Type: AWS::SQS::Queue, Properties: {QueueName: c}}"),
        (
            "RenamedAndKept",
            "{Type: AWS::SQS::Queue, UpdateReplacePolicy: Retain, Properties: {QueueName: d}}",
        ),
        ("New", "{Type: AWS::SQS::Queue}"),
        (
            "Relabelled",
            "{Type: AWS::SQS::Queue, Properties: {Tags: [{Key: a, Value: c}]}}",
        ),
        (
            "Held",
            "{Type: AWS::SQS::Queue, DeletionPolicy: Retain, DependsOn: New}",
        ),
    ];
    let change_set = change_set(&before, &after).await;
    assert_eq!(change_set.state, ChangeSetState::Ready);
    let told: Vec<_> = change_set.changes.iter().map(told).collect();
    let expected = [
        (
            "Changed",
            ResourceAction::Modify,
            Replacement::No,
            None,
            vec!["Properties.DelaySeconds", "Properties.VisibilityTimeout"],
        ),
        ("Gone", ResourceAction::Remove, Replacement::No, Some("Delete"), vec![]),
        (
            "GoneAndKept",
            ResourceAction::Remove,
            Replacement::No,
            Some("Retain"),
            vec![],
        ),
        (
            "Held",
            ResourceAction::Modify,
            Replacement::No,
            None,
            vec!["DeletionPolicy"],
        ),
        ("New", ResourceAction::Add, Replacement::No, None, vec![]),
        (
            "Relabelled",
            ResourceAction::Modify,
            Replacement::No,
            None,
            vec!["Tags"],
        ),
        (
            "Renamed",
            ResourceAction::Modify,
            Replacement::Yes,
            Some("ReplaceAndDelete"),
            vec!["Properties.QueueName"],
        ),
        (
            "RenamedAndKept",
            ResourceAction::Modify,
            Replacement::Yes,
            Some("ReplaceAndRetain"),
            vec!["Properties.QueueName"],
        ),
    ];
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn what_refers_to_a_change_may_change_too() {
    let resources = |name: &str, visibility: u32| {
        [
            (
                "Alarm",
                "{Type: AWS::CloudWatch::Alarm, Properties: {Dimension: {Fn::GetAtt: [Queue, QueueName]}}}".to_owned(),
            ),
            (
                "Far",
                "{Type: AWS::SNS::Topic, Properties: {DisplayName: {Fn::Sub: '${Alarm.Arn}'}}}".to_owned(),
            ),
            (
                "Policy",
                "{Type: AWS::SQS::QueuePolicy, Properties: {Queues: [{Ref: Queue}]}}".to_owned(),
            ),
            (
                "Queue",
                format!(
                    "{{Type: AWS::SQS::Queue, Properties: {{QueueName: {name}, VisibilityTimeout: {visibility}}}}}"
                ),
            ),
        ]
    };
    let text = |name, visibility| {
        let all = resources(name, visibility);
        template(&all.iter().map(|(id, body)| (*id, body.as_str())).collect::<Vec<_>>())
    };
    let account = account();
    created(&account, STACK, &text("a", 30)).await;
    let told = |change_set: &ChangeSet| -> Vec<(String, Replacement, usize)> {
        let changes = change_set.changes.iter();
        changes
            .map(|one| (one.id.clone(), one.replacement, one.targets.len()))
            .collect()
    };
    let modified = reviewed(
        &account,
        &wanted(STACK, "modify", ChangeSetKind::Update, &text("a", 60)),
    )
    .await;
    // `DisplayName` ends as the test's replacing properties do.
    let expected = [
        ("Alarm", Replacement::No, 0),
        ("Far", Replacement::Conditional, 0),
        ("Queue", Replacement::No, 1),
    ];
    assert_eq!(
        told(&modified),
        expected.map(|(id, replacement, targets)| (id.to_owned(), replacement, targets))
    );
    let replaced = reviewed(
        &account,
        &wanted(STACK, "replace", ChangeSetKind::Update, &text("b", 30)),
    )
    .await;
    assert!(
        told(&replaced).contains(&("Policy".to_owned(), Replacement::No, 0)),
        "what `Ref` gives changes too"
    );

    let physical = || async {
        let all = account.resources(STACK, None).await.unwrap().items;
        all.into_iter()
            .map(|one| (one.id, one.physical_id))
            .collect::<BTreeMap<_, _>>()
    };
    let before = physical().await;
    account.execute(&modified.id, "t").await.unwrap();
    at_rest(&account, &modified.stack_id).await;
    assert_eq!(physical().await, before, "in the end nothing had to be replaced");
    updated(&account, STACK, "replace", &text("b", 30)).await;
    assert_eq!(physical().await["Queue"], "b");
}

#[tokio::test(start_paused = true)]
async fn tags_of_the_stack_touch_whatever_has_tags() {
    let account = account();
    let text = template(&[("Policy", "{Type: AWS::SQS::QueuePolicy}"), ("Queue", &queue(30))]);
    created(&account, STACK, &text).await;
    let mut retagged = wanted(STACK, "tags", ChangeSetKind::Update, &text);
    retagged.tags = tags(&[("team", "soc")]);
    let change_set = reviewed(&account, &retagged).await;
    let told: Vec<_> = change_set.changes.iter().map(told).collect();
    assert_eq!(
        told,
        [("Queue", ResourceAction::Modify, Replacement::No, None, vec!["Tags"])]
    );
    assert_eq!(deployed(&account, &retagged).await.tags, retagged.tags);

    created(
        &account,
        "untaggable",
        &template(&[("Policy", "{Type: AWS::SQS::QueuePolicy}")]),
    )
    .await;
    retagged.stack = "untaggable".to_owned();
    retagged.template = TemplateBody::Inline(template(&[("Policy", "{Type: AWS::SQS::QueuePolicy}")]));
    let change_set = reviewed(&account, &retagged).await;
    assert_eq!((change_set.state, change_set.changes), (ChangeSetState::Ready, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_change_set_without_changes_is_empty_but_outputs_count() {
    let account = account();
    let text = template(&[("Queue", &queue(30))]);
    created(&account, STACK, &text).await;
    let described = format!("Description: other words\n{text}");
    let empty = reviewed(&account, &wanted(STACK, "same", ChangeSetKind::Update, &described)).await;
    assert_eq!(empty.state, ChangeSetState::Empty);
    assert_eq!(kind(account.execute(&empty.id, "t").await), Kind::Conflict);
    let told = with_outputs(&[("Queue", &queue(30))], &[("Url", "{Value: {Ref: Queue}}")]);
    let outputs = reviewed(&account, &wanted(STACK, "outputs", ChangeSetKind::Update, &told)).await;
    assert_eq!((outputs.state, outputs.changes), (ChangeSetState::Ready, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_change_set_fails_with_the_reason() {
    let account = account();
    let importing =
        "{Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: {Fn::ImportValue: {Fn::Sub: '${AWS::Region}-key'}}}}";
    let failed = reviewed(
        &account,
        &wanted(
            STACK,
            "import",
            ChangeSetKind::Create,
            &template(&[("Queue", importing)]),
        ),
    )
    .await;
    let reason = "No export named us-east-2-key found.".to_owned();
    assert_eq!(failed.state, ChangeSetState::Failed { reason });
    assert_eq!(status(&account, STACK).await, "REVIEW_IN_PROGRESS");

    created(&account, "other", &template(&[("Queue", &queue(30))])).await;
    let retyped = template(&[("Queue", "{Type: AWS::SNS::Topic}")]);
    let failed = reviewed(&account, &wanted("other", "retype", ChangeSetKind::Update, &retyped)).await;
    assert!(matches!(failed.state, ChangeSetState::Failed { reason } if reason.ends_with("[Queue]")));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_stack_is_refused_at_once() {
    let account = account();
    let large = format!(
        "Description: {}\n{}",
        "x".repeat(52_000),
        template(&[("Queue", &queue(30))])
    );
    let bad = [
        (STACK, "Resources: {}"),
        (STACK, "Resources: ["),
        (STACK, "Resources: {Queue: {Properties: {}}}"),
        (
            STACK,
            "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: {Ref: Key}}}}",
        ),
        (STACK, &large),
        ("oort_staging", "Resources: {Queue: {Type: AWS::SQS::Queue}}"),
    ];
    for (stack, text) in bad {
        let wanted = wanted(stack, "first", ChangeSetKind::Create, text);
        assert_eq!(
            kind(account.propose(&wanted).await),
            Kind::Invalid,
            "{stack}: {text:.60}"
        );
    }
    assert!(account.stacks(None).await.unwrap().items.is_empty());
    let update = wanted(
        STACK,
        "first",
        ChangeSetKind::Update,
        &template(&[("Queue", &queue(30))]),
    );
    assert_eq!(kind(account.propose(&update).await), Kind::NotFound);

    let mut stored = wanted(STACK, "first", ChangeSetKind::Create, "");
    stored.template = TemplateBody::Url(
        account
            .put_template("bucket", "templates/a.yaml", &large)
            .await
            .unwrap(),
    );
    assert_eq!(deployed(&account, &stored).await.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(account.template(STACK).await.unwrap(), large);
    stored.template = TemplateBody::Url("https://nowhere.example/a.yaml".to_owned());
    stored.stack = "other".to_owned();
    assert_eq!(kind(account.propose(&stored).await), Kind::Invalid);
}
