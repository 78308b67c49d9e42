//! Each semantic of the embedded account, on paused time.

mod change_sets;
mod deletion;
mod executions;
mod gate;
mod golden;
mod policies;
mod sources;
mod stack_life;
mod walk;
mod watch;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use super::{Account, Behaviour};
use crate::model::stack::{ChangeSet, ChangeSetKind, ChangeSetState, LiveStack, NewChangeSet, Phase, TemplateBody};
use crate::ports::Kind;
use crate::ports::cloud::{ProposeStacks, ReadStacks, WriteStacks};

const STACK: &str = "oort-staging-acme";

fn start() -> Timestamp {
    "2026-11-01T00:00:00Z".parse().unwrap()
}

fn replaces(_: &str, property: &str) -> bool {
    property.ends_with("Name") || property == "FifoQueue"
}

fn account() -> Account {
    with(Behaviour::default())
}

fn with(behaviour: Behaviour) -> Account {
    Account::new("909617834444", "us-east-2", start(), behaviour, replaces)
}

/// A template with these resources, as YAML maps in one line each.
fn template(resources: &[(&str, &str)]) -> String {
    with_outputs(resources, &[])
}

fn with_outputs(resources: &[(&str, &str)], outputs: &[(&str, &str)]) -> String {
    let mut text = "Resources:\n".to_owned();
    for (id, body) in resources {
        let _ = writeln!(text, "  {id}: {body}");
    }
    if !outputs.is_empty() {
        text += "Outputs:\n";
    }
    for (id, body) in outputs {
        let _ = writeln!(text, "  {id}: {body}");
    }
    text
}

fn queue(visibility: u32) -> String {
    format!("{{Type: AWS::SQS::Queue, Properties: {{VisibilityTimeout: {visibility}}}}}")
}

fn named_queue(name: &str) -> String {
    format!("{{Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: {{QueueName: {name}}}}}")
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn wanted(stack: &str, name: &str, kind: ChangeSetKind, template: &str) -> NewChangeSet {
    NewChangeSet {
        stack: stack.to_owned(),
        name: name.to_owned(),
        kind,
        template: TemplateBody::Inline(template.to_owned()),
        tags: BTreeMap::new(),
        adopts: false,
    }
}

/// Makes a change set and waits until CloudFormation has looked at it.
async fn reviewed(account: &Account, wanted: &NewChangeSet) -> ChangeSet {
    let proposed = account.propose(wanted).await.unwrap();
    loop {
        sleep(Duration::from_secs(1)).await;
        let (change_set, _) = account.change_set(&proposed.change_set, None).await.unwrap();
        if change_set.state != ChangeSetState::Pending {
            return change_set;
        }
    }
}

/// Makes a change set, carries it out with its name as the token, and waits for the end.
async fn deployed(account: &Account, wanted: &NewChangeSet) -> LiveStack {
    let change_set = reviewed(account, wanted).await;
    assert_eq!(change_set.state, ChangeSetState::Ready);
    account.execute(&change_set.id, &wanted.name).await.unwrap();
    at_rest(account, &change_set.stack_id).await
}

async fn created(account: &Account, stack: &str, template: &str) -> LiveStack {
    deployed(account, &wanted(stack, "create", ChangeSetKind::Create, template)).await
}

async fn updated(account: &Account, stack: &str, name: &str, template: &str) -> LiveStack {
    deployed(account, &wanted(stack, name, ChangeSetKind::Update, template)).await
}

async fn deleted(account: &Account, stack: &LiveStack, token: &str) -> LiveStack {
    account.delete(&stack.id, token, &[]).await.unwrap();
    at_rest(account, &stack.id).await
}

async fn at_rest(account: &Account, stack_id: &str) -> LiveStack {
    loop {
        let stack = account.stack(stack_id).await.unwrap().unwrap();
        if stack.status.phase() != Phase::Running {
            return stack;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn status(account: &Account, stack: &str) -> String {
    account.stack(stack).await.unwrap().unwrap().status.0
}

/// The kind of the error that a call failed with.
fn kind<T: std::fmt::Debug>(answer: crate::ports::Result<T>) -> Kind {
    answer.unwrap_err().kind
}
