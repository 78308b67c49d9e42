//! What every adapter of an AWS account and region promises, written against the port. It runs on the embedded account; an
//! adapter that reaches AWS, or an emulator of it, runs the same promises with a rig of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use oort_streams::local::account::{Account, Behaviour};
use oort_streams::model::source::SourceState;
use oort_streams::model::stack::{
    ChangeSet, ChangeSetKind, ChangeSetState, Execution, LiveStack, NewChangeSet, Phase, Replacement, ResourceAction,
    TemplateBody,
};
use oort_streams::ports::cloud::{Cloud, Detection, MetricQuery, Page, Quota, Statistic};
use oort_streams::ports::{Kind, Result};

const STACK: &str = "oort-contract-acme";
const SOURCE: &str = "aws.partner/okta.com/acme/0123-contract";
/// Looks before a test gives up waiting.
const LOOKS: u32 = 1_000;

/// A fresh account, and the hands that the port does not have.
#[async_trait]
trait Rig: Send + Sync {
    fn cloud(&self) -> &dyn Cloud;
    /// The account's ID.
    fn account(&self) -> String;
    /// Okta makes a partner event source.
    fn offer(&self, source: &str);
    /// Waits between two looks at something that is at work.
    async fn pause(&self);
}

/// Runs every promise of the port, each on a fresh account.
async fn keeps_its_promises<R: Rig>(fresh: impl AsyncFn() -> R) {
    the_caller_is_told_whose_account_it_is(&fresh().await).await;
    what_is_not_there_is_told_so(&fresh().await).await;
    a_new_stack_is_in_review_until_its_change_set_is_carried_out(&fresh().await).await;
    a_name_in_review_can_be_given_free(&fresh().await).await;
    asking_again_gives_the_same_change_set(&fresh().await).await;
    a_change_set_tells_what_would_change(&fresh().await).await;
    a_change_set_without_changes_is_empty(&fresh().await).await;
    a_change_set_is_carried_out_once(&fresh().await).await;
    carrying_one_out_drops_the_others(&fresh().await).await;
    what_a_failed_creation_made_is_deleted_again(&fresh().await).await;
    a_failed_update_is_undone(&fresh().await).await;
    a_protected_stack_is_not_deleted(&fresh().await).await;
    a_deleted_stack_is_found_by_its_id(&fresh().await).await;
    only_a_failed_deletion_takes_a_list_of_what_stays(&fresh().await).await;
    only_a_stuck_stack_continues_its_rollback(&fresh().await).await;
    every_stack_is_listed_once_with_its_tags(&fresh().await).await;
    the_restless_are_those_at_work_or_failed(&fresh().await).await;
    an_import_needs_its_export(&fresh().await).await;
    a_bus_accepts_its_source(&fresh().await).await;
    drift_is_looked_for(&fresh().await).await;
    what_is_not_measured_has_no_values(&fresh().await).await;
}

#[tokio::test(start_paused = true)]
async fn the_embedded_account_keeps_them() {
    keeps_its_promises(async || Embedded::fresh(Behaviour::default())).await;
}

#[tokio::test(start_paused = true)]
async fn the_embedded_account_keeps_them_with_small_pages() {
    let behaviour = Behaviour {
        list_page: 1,
        ..Behaviour::default()
    };
    keeps_its_promises(async || Embedded::fresh(behaviour.clone())).await;
}

struct Embedded(Account);

impl Embedded {
    fn fresh(behaviour: Behaviour) -> Self {
        let start = "2026-11-01T00:00:00Z".parse().unwrap();
        Self(Account::new(
            "909617834444",
            "us-east-2",
            start,
            behaviour,
            |_, property| property.ends_with("Name"),
        ))
    }
}

#[async_trait]
impl Rig for Embedded {
    fn cloud(&self) -> &dyn Cloud {
        &self.0
    }

    fn account(&self) -> String {
        "909617834444".to_owned()
    }

    fn offer(&self, source: &str) {
        self.0.offer_source(source, None);
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn queue(visibility: u32) -> String {
    format!(
        "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: contract\n      VisibilityTimeout: {visibility}\n"
    )
}

/// A queue, and an event bus for the source.
fn with_bus(visibility: u32) -> String {
    format!(
        "{}  Bus:\n    Type: AWS::Events::EventBus\n    Properties:\n      Name: {SOURCE}\n      EventSourceName: {SOURCE}\n",
        queue(visibility)
    )
}

fn topic(name: &str) -> String {
    format!("Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: {name}\n")
}

fn asked(stack: &str, name: &str, kind: ChangeSetKind, template: &str) -> NewChangeSet {
    NewChangeSet {
        stack: stack.to_owned(),
        name: name.to_owned(),
        kind,
        template: TemplateBody::Inline(template.to_owned()),
        tags: BTreeMap::from([("made-for".to_owned(), name.to_owned())]),
        adopts: false,
    }
}

/// A change set once CloudFormation has looked at it, with all its changes.
async fn reviewed(rig: &dyn Rig, asked: &NewChangeSet) -> ChangeSet {
    let proposed = rig.cloud().propose(asked).await.unwrap();
    for _ in 0..LOOKS {
        let (mut change_set, mut next) = rig.cloud().change_set(&proposed.change_set, None).await.unwrap();
        if change_set.state != ChangeSetState::Pending {
            while next.is_some() {
                let (more, after) = rig.cloud().change_set(&proposed.change_set, next).await.unwrap();
                change_set.changes.extend(more.changes);
                next = after;
            }
            return change_set;
        }
        rig.pause().await;
    }
    panic!("{} is still pending", asked.name);
}

async fn at_rest(rig: &dyn Rig, stack_id: &str) -> LiveStack {
    for _ in 0..LOOKS {
        let stack = rig.cloud().stack(stack_id).await.unwrap().unwrap();
        if stack.status.phase() != Phase::Running {
            return stack;
        }
        rig.pause().await;
    }
    panic!("{stack_id} is still at work");
}

async fn deployed(rig: &dyn Rig, asked: &NewChangeSet) -> LiveStack {
    let change_set = reviewed(rig, asked).await;
    assert_eq!(change_set.state, ChangeSetState::Ready);
    rig.cloud().execute(&change_set.id, &asked.name).await.unwrap();
    at_rest(rig, &change_set.stack_id).await
}

async fn created(rig: &dyn Rig, template: &str) -> LiveStack {
    let stack = deployed(rig, &asked(STACK, "create", ChangeSetKind::Create, template)).await;
    assert_eq!(stack.status.as_str(), "CREATE_COMPLETE");
    stack
}

/// Every item of a list.
async fn all<T>(mut page: impl AsyncFnMut(Option<String>) -> Result<Page<T>>) -> Vec<T> {
    let (mut items, mut next) = (Vec::new(), None);
    loop {
        let more = page(next).await.unwrap();
        items.extend(more.items);
        next = more.next;
        if next.is_none() {
            return items;
        }
    }
}

fn kind<T: std::fmt::Debug>(answer: Result<T>) -> Kind {
    answer.unwrap_err().kind
}

async fn the_caller_is_told_whose_account_it_is(rig: &dyn Rig) {
    let identity = rig.cloud().identity().await.unwrap();
    assert_eq!(identity.account, rig.account());
    assert!(identity.arn.contains(&identity.account), "{}", identity.arn);
    assert!(rig.cloud().quota(Quota::Stacks).await.unwrap() > 0);
}

async fn what_is_not_there_is_told_so(rig: &dyn Rig) {
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

async fn a_new_stack_is_in_review_until_its_change_set_is_carried_out(rig: &dyn Rig) {
    let wanted = asked(STACK, "create", ChangeSetKind::Create, &queue(30));
    let change_set = reviewed(rig, &wanted).await;
    let in_review = rig.cloud().stack(STACK).await.unwrap().unwrap();
    assert_eq!(
        (in_review.id.as_str(), in_review.status.phase()),
        (change_set.stack_id.as_str(), Phase::Reviewed)
    );
    let live = deployed(rig, &wanted).await;
    assert_eq!(live.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(
        (live.id, live.tags, live.updated),
        (in_review.id, wanted.tags.clone(), None)
    );
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

async fn a_name_in_review_can_be_given_free(rig: &dyn Rig) {
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

async fn asking_again_gives_the_same_change_set(rig: &dyn Rig) {
    let wanted = asked(STACK, "create", ChangeSetKind::Create, &queue(30));
    let first = rig.cloud().propose(&wanted).await.unwrap();
    assert_eq!(rig.cloud().propose(&wanted).await.unwrap(), first);
    assert_eq!(reviewed(rig, &wanted).await.id, first.change_set);
}

async fn a_change_set_tells_what_would_change(rig: &dyn Rig) {
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

async fn a_change_set_without_changes_is_empty(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let mut same = asked(STACK, "same", ChangeSetKind::Update, &queue(30));
    same.tags = BTreeMap::from([("made-for".to_owned(), "create".to_owned())]);
    assert_eq!(reviewed(rig, &same).await.state, ChangeSetState::Empty);
}

async fn a_change_set_is_carried_out_once(rig: &dyn Rig) {
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

async fn carrying_one_out_drops_the_others(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let one = reviewed(rig, &asked(STACK, "one", ChangeSetKind::Update, &queue(60))).await;
    let other = reviewed(rig, &asked(STACK, "other", ChangeSetKind::Update, &queue(90))).await;
    rig.cloud().execute(&one.id, "token").await.unwrap();
    at_rest(rig, &one.stack_id).await;
    assert!(rig.cloud().execute(&other.id, "another").await.is_err());
    assert_eq!(rig.cloud().template(STACK).await.unwrap(), queue(60));
}

async fn what_a_failed_creation_made_is_deleted_again(rig: &dyn Rig) {
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

async fn a_failed_update_is_undone(rig: &dyn Rig) {
    let before = created(rig, &queue(30)).await;
    let undone = deployed(rig, &asked(STACK, "update", ChangeSetKind::Update, &with_bus(60))).await;
    assert_eq!(undone.status.phase(), Phase::RolledBack);
    assert_eq!(undone.tags, before.tags);
    assert_eq!(rig.cloud().template(STACK).await.unwrap(), queue(30));
    let next = deployed(rig, &asked(STACK, "next", ChangeSetKind::Update, &queue(60))).await;
    assert_eq!(next.status.as_str(), "UPDATE_COMPLETE");
}

async fn a_protected_stack_is_not_deleted(rig: &dyn Rig) {
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

async fn a_deleted_stack_is_found_by_its_id(rig: &dyn Rig) {
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

async fn only_a_failed_deletion_takes_a_list_of_what_stays(rig: &dyn Rig) {
    let stack = created(rig, &queue(30)).await;
    assert!(
        rig.cloud()
            .delete(&stack.id, "delete", &["Queue".to_owned()])
            .await
            .is_err()
    );
    assert_eq!(at_rest(rig, &stack.id).await.status.as_str(), "CREATE_COMPLETE");
}

async fn only_a_stuck_stack_continues_its_rollback(rig: &dyn Rig) {
    let stack = created(rig, &queue(30)).await;
    assert!(rig.cloud().continue_rollback(&stack.id, "continue", &[]).await.is_err());
}

async fn every_stack_is_listed_once_with_its_tags(rig: &dyn Rig) {
    let names: Vec<String> = (0..5).map(|number| format!("oort-contract-{number}")).collect();
    for name in &names {
        deployed(rig, &asked(name, "create", ChangeSetKind::Create, &topic(name))).await;
    }
    let mut stacks = all(async |next| rig.cloud().stacks(next).await).await;
    stacks.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(stacks.iter().map(|stack| stack.name.clone()).collect::<Vec<_>>(), names);
    assert!(stacks.iter().all(|stack| stack.tags["made-for"] == "create"));
}

async fn the_restless_are_those_at_work_or_failed(rig: &dyn Rig) {
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

async fn an_import_needs_its_export(rig: &dyn Rig) {
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

async fn a_bus_accepts_its_source(rig: &dyn Rig) {
    rig.offer(SOURCE);
    let state = async || {
        let sources = all(async |next| rig.cloud().sources(next).await).await;
        sources
            .iter()
            .map(|source| (source.name.clone(), source.state))
            .collect::<Vec<_>>()
    };
    assert_eq!(state().await, [(SOURCE.to_owned(), SourceState::Pending)]);
    let stack = created(rig, &with_bus(30)).await;
    assert_eq!(state().await, [(SOURCE.to_owned(), SourceState::Active)]);
    assert!(
        all(async |next| rig.cloud().buses(next).await)
            .await
            .contains(&SOURCE.to_owned())
    );
    rig.cloud().delete(&stack.id, "delete", &[]).await.unwrap();
    at_rest(rig, &stack.id).await;
    assert_eq!(state().await, [(SOURCE.to_owned(), SourceState::Pending)]);
    assert!(
        !all(async |next| rig.cloud().buses(next).await)
            .await
            .contains(&SOURCE.to_owned())
    );
}

async fn drift_is_looked_for(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let detection = rig.cloud().detect_drift(STACK).await.unwrap();
    for _ in 0..LOOKS {
        if rig.cloud().detection(&detection).await.unwrap() == Detection::Done {
            assert_eq!(all(async |next| rig.cloud().drifted(STACK, next).await).await, []);
            return;
        }
        rig.pause().await;
    }
    panic!("the detection does not end");
}

async fn what_is_not_measured_has_no_values(rig: &dyn Rig) {
    let query = MetricQuery {
        namespace: "AWS/SQS".to_owned(),
        name: "NumberOfMessagesSent".to_owned(),
        dimensions: vec![("QueueName".to_owned(), "nobody".to_owned())],
        statistic: Statistic::Sum,
        period_seconds: 300,
    };
    let (from, to) = (
        "2026-11-01T00:00:00Z".parse().unwrap(),
        "2026-11-01T01:00:00Z".parse().unwrap(),
    );
    let queries = [query];
    assert_eq!(
        all(async |next| rig.cloud().metrics(&queries, from, to, next).await).await,
        []
    );
    assert_eq!(
        all(async |next| rig.cloud().alarms("oort-contract-", next).await).await,
        []
    );
}
