//! What other tests rely on.

use std::time::Instant;

use super::*;

fn who_am_i(emulator: &Emulator, account: &str) -> String {
    aws(
        emulator,
        account,
        "sts",
        "",
        "Action=GetCallerIdentity&Version=2011-06-15",
    )
}

#[test]
fn accounts_beside_each_other_have_sources_of_their_own() {
    let emulator = Emulator::shared();
    let (one, other) = (fresh_account(), fresh_account());
    let name = "aws.partner/okta.com/hooli/77aa";
    emulator.offer_until(&one, name, 4_000_000_000);
    let list = |account: &str| aws(emulator, account, "events", "AWSEvents.ListEventSources", "{}");
    assert!(list(&one).contains("PENDING") && list(&one).contains("4000000000"));
    assert!(!list(&other).contains(name));
    let bus = format!(r#"{{"Name":"{name}","EventSourceName":"{name}"}}"#);
    let make = |account: &str| aws(emulator, account, "events", "AWSEvents.CreateEventBus", &bus);
    assert!(make(&other).contains("ResourceNotFoundException"));
    assert!(make(&one).contains("EventBusArn") && list(&one).contains("ACTIVE"));
    emulator.put_partner_event(name, &json!({"uuid": "1"}));
    emulator.put_metric(&one, "AWS/Events", "MatchedEvents", &json!({"EventBusName": name}), 1.0);
    emulator.withdraw(&one, name);
    assert!(list(&one).contains("DELETED"));
    assert!(who_am_i(emulator, &one).contains(&one));
}

#[test]
fn calls_are_counted_and_meet_their_faults() {
    let emulator = Emulator::start();
    let account = fresh_account();
    emulator.faults(&json!([
        {"operation": "GetCallerIdentity", "account": account, "times": 1, "status": 400, "code": "Throttling", "message": "Rate exceeded"},
        {"operation": "GetCallerIdentity", "account": account, "times": 1, "drop": true},
    ]));
    let refused = who_am_i(&emulator, &account);
    assert!(
        refused.contains(" 400 ") && refused.contains("<Code>Throttling</Code>"),
        "{refused}"
    );
    assert_eq!(who_am_i(&emulator, &account), "");
    assert!(who_am_i(&emulator, &account).contains(&account));
    assert_eq!(emulator.calls(&account)["sts:GetCallerIdentity"], 3);
    assert!(emulator.executions(&account).is_empty());
    emulator.settings(&json!({"page_size": 1}));
    emulator.offer(&account, "aws.partner/okta.com/a/1");
    emulator.offer(&account, "aws.partner/okta.com/b/2");
    let list = || aws(&emulator, &account, "events", "AWSEvents.ListEventSources", "{}");
    assert!(list().contains("NextToken"));
    emulator.reset();
    assert!(!list().contains("aws.partner") && emulator.calls(&account).len() == 1);
}

#[test]
fn an_emulator_ends_with_whoever_started_it() {
    let mut emulator = Emulator::start();
    drop(emulator.child.stdin.take());
    let begun = Instant::now();
    while emulator.child.try_wait().unwrap().is_none() {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "it goes on without standard input"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
