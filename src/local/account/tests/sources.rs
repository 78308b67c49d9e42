//! Partner event sources and the buses that accept them.

use super::*;
use crate::model::source::SourceState;
use crate::ports::cloud::EventSources;

const SOURCE: &str = "aws.partner/okta.com/acme/1";

fn bus(policy: &str) -> String {
    template(&[
        (
            "Bus",
            &format!(
                "{{Type: AWS::Events::EventBus, DeletionPolicy: {policy}, Properties: {{Name: {SOURCE}, EventSourceName: {SOURCE}}}}}"
            ),
        ),
        (
            "Rule",
            "{Type: AWS::Events::Rule, Properties: {Name: events, EventBusName: {Ref: Bus}}}",
        ),
    ])
}

async fn state(account: &Account) -> Option<SourceState> {
    let sources = account.sources(None).await.unwrap().items;
    sources
        .into_iter()
        .find(|source| source.name == SOURCE)
        .map(|source| source.state)
}

async fn buses(account: &Account) -> Vec<String> {
    account.buses(None).await.unwrap().items
}

#[tokio::test(start_paused = true)]
async fn a_bus_accepts_a_source_and_gives_it_back() {
    let account = account();
    account.offer_source(SOURCE, None);
    assert_eq!(state(&account).await, Some(SourceState::Pending));
    let stack = created(&account, STACK, &bus("Delete")).await;
    assert_eq!(stack.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(state(&account).await, Some(SourceState::Active));
    assert_eq!(buses(&account).await, [SOURCE, "default"]);
    deleted(&account, &stack, "d").await;
    assert_eq!(state(&account).await, Some(SourceState::Pending));
    assert_eq!(buses(&account).await, ["default"]);
}

#[tokio::test(start_paused = true)]
async fn a_bus_needs_its_source() {
    let account = account();
    let first = created(&account, STACK, &bus("Delete")).await;
    assert_eq!(first.status.as_str(), "ROLLBACK_COMPLETE");
    let failure = account.failures(STACK, None).await.unwrap().items.pop().unwrap();
    assert_eq!(failure.resource, "Bus");
    assert!(failure.reason.contains(SOURCE), "{}", failure.reason);

    let soon = account.timestamp().saturating_add(Duration::from_secs(90)).unwrap();
    account.offer_source(SOURCE, Some(soon));
    deleted(&account, &first, "d").await;
    let late = created(&account, STACK, &bus("Delete")).await;
    assert_eq!(
        late.status.as_str(),
        "ROLLBACK_COMPLETE",
        "EventBridge has deleted it meanwhile"
    );
    assert_eq!(state(&account).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_okta_deletes_leaves_the_bus() {
    let account = account();
    account.offer_source(SOURCE, None);
    let stack = created(&account, STACK, &bus("Retain")).await;
    deleted(&account, &stack, "d").await;
    assert_eq!(state(&account).await, Some(SourceState::Active), "the bus stays");
    account.withdraw_source(SOURCE);
    assert_eq!(state(&account).await, Some(SourceState::Deleted));
    assert_eq!(buses(&account).await, [SOURCE, "default"]);
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_stayed_is_adopted_with_its_source() {
    let account = account();
    account.offer_source(SOURCE, None);
    let stack = created(&account, STACK, &bus("Retain")).await;
    deleted(&account, &stack, "d").await;
    let mut adopting = wanted(STACK, "adopt", ChangeSetKind::Create, &bus("Retain"));
    adopting.adopts = true;
    assert_eq!(deployed(&account, &adopting).await.status.as_str(), "CREATE_COMPLETE");
    assert_eq!(state(&account).await, Some(SourceState::Active));
}

#[tokio::test(start_paused = true)]
async fn sources_come_in_pages_and_only_those_of_okta() {
    let account = with(Behaviour {
        list_page: 2,
        ..Behaviour::default()
    });
    for number in 0..5 {
        account.offer_source(&format!("aws.partner/okta.com/t{number}/1"), None);
    }
    account.offer_source("aws.partner/other.example/1", None);
    let (mut names, mut next) = (Vec::new(), None);
    loop {
        let page = account.sources(next).await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(page.items.into_iter().map(|source| source.name));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(
        names,
        (0..5)
            .map(|number| format!("aws.partner/okta.com/t{number}/1"))
            .collect::<Vec<_>>()
    );
}
