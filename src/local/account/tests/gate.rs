//! What stands before the calls: rates, faults, the audit.

use tokio::time::{Instant, timeout};

use super::*;
use crate::local::account::{Api, Rate};

#[tokio::test(start_paused = true)]
async fn a_call_takes_its_time() {
    let account = account();
    let began = Instant::now();
    account.stacks(None).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_millis(80));
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_rate_of_their_api_are_throttled() {
    let account = with(Behaviour {
        latency: Duration::ZERO,
        rate: Some(Rate::Each(5)),
        ..Behaviour::default()
    });
    let burst = || async {
        let mut answered = 0;
        for _ in 0..20 {
            match account.stacks(None).await {
                Ok(_) => answered += 1,
                Err(error) => assert_eq!(error.kind, Kind::Throttled),
            }
        }
        answered
    };
    assert_eq!(burst().await, 5);
    assert!(
        account.restless(None).await.is_ok(),
        "another API has a rate of its own"
    );
    sleep(Duration::from_millis(400)).await;
    assert_eq!(burst().await, 2);
    sleep(Duration::from_mins(1)).await;
    assert_eq!(burst().await, 5, "what was not used is not saved up");
    assert_eq!(account.throttled(), 48);
    assert_eq!(
        account.calls(),
        BTreeMap::from([(Api::DescribeStacks, 60), (Api::ListStacks, 1)])
    );
}

#[tokio::test(start_paused = true)]
async fn the_call_that_was_named_fails() {
    let account = account();
    account.fail_call(Api::DescribeStacks, 2, Kind::Denied);
    account.fail_call(Api::ListStacks, 1, Kind::Unavailable);
    assert!(account.stacks(None).await.is_ok());
    let error = account.stack(STACK).await.unwrap_err();
    assert_eq!(
        (error.kind, error.op.as_str()),
        (Kind::Denied, "cloudformation:DescribeStacks oort-staging-acme")
    );
    assert!(account.stack(STACK).await.is_ok());
    assert_eq!(kind(account.restless(None).await), Kind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_leaves_the_work_done() {
    let account = account();
    let wanted = wanted(
        STACK,
        "first",
        ChangeSetKind::Create,
        &template(&[("Queue", &queue(30))]),
    );
    account.lose_answer(Api::CreateChangeSet, 1);
    assert_eq!(kind(account.propose(&wanted).await), Kind::Unavailable);
    let change_set = reviewed(&account, &wanted).await;
    account.lose_answer(Api::ExecuteChangeSet, 1);
    assert_eq!(kind(account.execute(&change_set.id, "t").await), Kind::Unavailable);
    assert_eq!(status(&account, STACK).await, "CREATE_IN_PROGRESS");
    account.execute(&change_set.id, "t").await.unwrap();
    assert_eq!(account.executions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_may_have_had_it_done() {
    let account = account();
    let wanted = wanted(
        STACK,
        "first",
        ChangeSetKind::Create,
        &template(&[("Queue", &queue(30))]),
    );
    let early = timeout(Duration::from_millis(30), account.propose(&wanted)).await;
    assert!(early.is_err());
    assert_eq!(account.stack(STACK).await.unwrap(), None);
    let late = timeout(Duration::from_millis(50), account.propose(&wanted)).await;
    assert!(late.is_err());
    assert_eq!(status(&account, STACK).await, "REVIEW_IN_PROGRESS");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_faults() {
    let run = |seed| async move {
        let account = account();
        account.faults(seed, 300);
        let mut kinds = Vec::new();
        for number in 0..200 {
            let text = template(&[("Queue", &queue(30))]);
            let wanted = wanted(&format!("s{number}"), "first", ChangeSetKind::Create, &text);
            kinds.push(account.propose(&wanted).await.err().map(|error| error.kind));
        }
        account.faults(0, 0);
        let (mut made, mut next) = (0, None);
        loop {
            let page = account.stacks(next).await.unwrap();
            made += page.items.len();
            next = page.next;
            if next.is_none() {
                return (kinds, made);
            }
        }
    };
    let (kinds, made) = run(7).await;
    assert_eq!((kinds.clone(), made), run(7).await);
    assert_ne!(kinds, run(8).await.0);
    let failed = |kind| kinds.iter().filter(|one| **one == Some(kind)).count();
    let answered = kinds.iter().filter(|one| one.is_none()).count();
    assert!((30..=90).contains(&(200 - answered)), "{answered} of 200 were answered");
    assert!(failed(Kind::Throttled) > 0 && failed(Kind::Unavailable) > 0);
    assert!(made > answered, "some answers were lost");
}

#[tokio::test(start_paused = true)]
async fn a_clone_is_another_client_of_the_same_account() {
    let account = account();
    let other = account.clone();
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let wanted = wanted(
            name,
            "first",
            ChangeSetKind::Create,
            &template(&[("Queue", &queue(30))]),
        );
        ids.push(reviewed(&account, &wanted).await.id);
    }
    for id in &ids {
        other.execute(id, id).await.unwrap();
    }
    sleep(Duration::from_secs(70)).await;
    assert_eq!(status(&other, "b").await, "CREATE_COMPLETE");
    assert_eq!((account.most_at_work(), account.executions().len()), (3, 3));
}
