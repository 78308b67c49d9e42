//! When change sets can be carried out and dropped.

use super::*;
use crate::model::stack::Execution;

#[tokio::test(start_paused = true)]
async fn a_change_set_is_carried_out_once_and_takes_the_others_with_it() {
    let account = account();
    created(&account, STACK, &template(&[("Queue", &queue(30))])).await;
    let text = template(&[("Queue", &queue(60))]);
    let first = reviewed(&account, &wanted(STACK, "first", ChangeSetKind::Update, &text)).await;
    let second = reviewed(&account, &wanted(STACK, "second", ChangeSetKind::Update, &text)).await;
    account.execute(&first.id, "token").await.unwrap();
    account.execute(&first.id, "token").await.unwrap();
    assert_eq!(kind(account.execute(&first.id, "other").await), Kind::Conflict);
    assert_eq!(kind(account.change_set(&second.id, None).await), Kind::NotFound);
    assert_eq!(kind(account.execute(&second.id, "another").await), Kind::NotFound);
    account.drop_change_set(&second.id).await.unwrap();
    assert_eq!(
        kind(account.drop_change_set(&first.id).await),
        Kind::Conflict,
        "it is at work"
    );
    let (running, _) = account.change_set(&first.id, None).await.unwrap();
    assert_eq!(running.execution, Execution::Started);
    at_rest(&account, &first.stack_id).await;
    account.execute(&first.id, "token").await.unwrap();
    let (done, _) = account.change_set(&first.id, None).await.unwrap();
    assert_eq!(done.execution, Execution::Complete);
    let executed: Vec<_> = account
        .executions()
        .into_iter()
        .map(|one| (one.stack, one.token))
        .collect();
    assert_eq!(
        executed,
        [
            (STACK.to_owned(), "create".to_owned()),
            (STACK.to_owned(), "token".to_owned())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_set_is_obsolete_once_its_stack_moved() {
    let account = account();
    created(&account, STACK, &template(&[("Queue", &queue(30))])).await;
    let change_set = reviewed(
        &account,
        &wanted(
            STACK,
            "mine",
            ChangeSetKind::Update,
            &template(&[("Queue", &queue(60))]),
        ),
    )
    .await;
    assert!(account.update_outside(STACK, &template(&[("Queue", &queue(90))]), &tags(&[])));
    assert!(
        !account.update_outside(STACK, &template(&[("Queue", &queue(99))]), &tags(&[])),
        "it is at work"
    );
    let update = wanted(
        STACK,
        "late",
        ChangeSetKind::Update,
        &template(&[("Queue", &queue(60))]),
    );
    assert_eq!(kind(account.propose(&update).await), Kind::Conflict);
    at_rest(&account, &change_set.stack_id).await;
    let (obsolete, _) = account.change_set(&change_set.id, None).await.unwrap();
    assert_eq!(obsolete.execution, Execution::Obsolete);
    assert_eq!(kind(account.execute(&change_set.id, "t").await), Kind::Conflict);
    account.drop_change_set(&change_set.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn asking_again_gives_the_change_set_that_is_there() {
    let account = with(Behaviour {
        list_page: 2,
        stack_limit: 1,
        ..Behaviour::default()
    });
    let many: Vec<(String, String)> = (0..5).map(|number| (format!("Queue{number}"), queue(30))).collect();
    let text = template(
        &many
            .iter()
            .map(|(id, body)| (id.as_str(), body.as_str()))
            .collect::<Vec<_>>(),
    );
    let wanted_once = wanted(STACK, "first", ChangeSetKind::Create, &text);
    let proposed = account.propose(&wanted_once).await.unwrap();
    assert_eq!(account.propose(&wanted_once).await.unwrap(), proposed);
    let other = wanted(
        STACK,
        "first",
        ChangeSetKind::Create,
        &template(&[("Queue", &queue(60))]),
    );
    assert_eq!(
        kind(account.propose(&other).await),
        Kind::Conflict,
        "the name means something else"
    );
    let beyond = wanted("other", "first", ChangeSetKind::Create, &text);
    assert_eq!(
        kind(account.propose(&beyond).await),
        Kind::Invalid,
        "the account has all the stacks it may have"
    );
    assert_eq!(
        kind(account.drop_change_set(&proposed.change_set).await),
        Kind::Conflict,
        "it is still being made"
    );
    sleep(Duration::from_secs(5)).await;

    let (mut ids, mut next) = (Vec::new(), None);
    loop {
        let (change_set, more) = account.change_set(&proposed.change_set, next).await.unwrap();
        ids.extend(change_set.changes.into_iter().map(|change| change.id));
        next = more;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["Queue0", "Queue1", "Queue2", "Queue3", "Queue4"]);
    account.drop_change_set(&proposed.change_set).await.unwrap();
    account.drop_change_set(&proposed.change_set).await.unwrap();
    assert_eq!(
        kind(account.change_set(&proposed.change_set, None).await),
        Kind::NotFound
    );
    assert_eq!(
        status(&account, STACK).await,
        "REVIEW_IN_PROGRESS",
        "the name is still taken"
    );
}
