//! What every adapter of an AWS account and region promises, written against the port: the embedded account, and the AWS
//! adapter on an emulator.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use oort_streams::aws;
use oort_streams::local::account::{Account, Behaviour};
use oort_streams::model::stack::{
    ChangeSet, ChangeSetKind, ChangeSetState, LiveStack, NewChangeSet, Phase, TemplateBody,
};
use oort_streams::ports::cloud::{Cloud, Page};
use oort_streams::ports::{Kind, Result};

use crate::emulator::{Emulator, fresh_account};

mod around;
mod change_sets;
mod stacks;

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
    /// A bucket to put templates into.
    async fn bucket(&self) -> String;
    /// Waits between two looks at something that is at work.
    async fn pause(&self);
}

/// Runs every promise of the port, each on a fresh account.
async fn keeps_its_promises<R: Rig>(fresh: impl AsyncFn() -> R) {
    around::the_caller_is_told_whose_account_it_is(&fresh().await).await;
    stacks::what_is_not_there_is_told_so(&fresh().await).await;
    change_sets::a_new_stack_is_in_review_until_its_change_set_is_carried_out(&fresh().await).await;
    change_sets::a_name_in_review_can_be_given_free(&fresh().await).await;
    change_sets::asking_again_gives_the_same_change_set(&fresh().await).await;
    change_sets::a_change_set_tells_what_would_change(&fresh().await).await;
    change_sets::a_change_set_without_changes_is_empty(&fresh().await).await;
    change_sets::a_change_set_is_carried_out_once(&fresh().await).await;
    change_sets::carrying_one_out_drops_the_others(&fresh().await).await;
    stacks::what_a_failed_creation_made_is_deleted_again(&fresh().await).await;
    stacks::a_failed_update_is_undone(&fresh().await).await;
    stacks::a_protected_stack_is_not_deleted(&fresh().await).await;
    stacks::a_deleted_stack_is_found_by_its_id(&fresh().await).await;
    stacks::only_a_failed_deletion_takes_a_list_of_what_stays(&fresh().await).await;
    stacks::only_a_stuck_stack_continues_its_rollback(&fresh().await).await;
    stacks::every_stack_is_listed_once_with_its_tags(&fresh().await).await;
    stacks::the_restless_are_those_at_work_or_failed(&fresh().await).await;
    change_sets::an_import_needs_its_export(&fresh().await).await;
    change_sets::a_large_template_goes_through_a_bucket(&fresh().await).await;
    around::a_bus_accepts_its_source(&fresh().await).await;
    around::drift_is_looked_for(&fresh().await).await;
    around::what_is_not_measured_has_no_values(&fresh().await).await;
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

    async fn bucket(&self) -> String {
        "contract".to_owned()
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The AWS adapter in an account of its own.
struct Emulated {
    cloud: aws::Account,
    account: String,
}

impl Emulated {
    async fn fresh() -> Self {
        let account = fresh_account();
        let config = Emulator::shared().config(&account).await;
        Self {
            cloud: aws::Session::of(config).account(),
            account,
        }
    }
}

#[async_trait]
impl Rig for Emulated {
    fn cloud(&self) -> &dyn Cloud {
        &self.cloud
    }

    fn account(&self) -> String {
        self.account.clone()
    }

    fn offer(&self, source: &str) {
        Emulator::shared().offer(&self.account, source);
    }

    async fn bucket(&self) -> String {
        let name = format!("contract-{}", self.account);
        let template =
            format!("Resources:\n  Bucket:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: {name}\n");
        deployed(self, &asked("bucket", "create", ChangeSetKind::Create, &template)).await;
        name
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_aws_adapter_keeps_them() {
    Box::pin(keeps_its_promises(Emulated::fresh)).await;
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
