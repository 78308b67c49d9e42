//! What an on-call engineer asks of a deployed environment: how every tenant is, what somebody changed by hand, and which of
//! Okta's event sources nobody has taken on.

use serde_json::{Value, json};

use crate::emulator::STAGING;
use crate::rollout::Rollout;

fn row<'r>(rows: &'r Value, name: &str) -> &'r Value {
    rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
}

fn concerns(row: &Value) -> Vec<&str> {
    row["concerns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|concern| concern["what"].as_str().unwrap())
        .collect()
}

#[test]
fn every_tenant_has_a_line_and_what_is_wrong_comes_first() {
    let rollout = Rollout::new();
    let early = rollout.expect(0, STAGING, &["status", "-e", "staging", "--format", "json"]);
    let rows: Value = serde_json::from_str(&early.out).unwrap();
    assert_eq!(row(&rows, "acme")["source"]["state"], "missing");
    assert_eq!(concerns(row(&rows, "acme")), ["waits for Okta's event source"]);
    rollout.offer_all();
    let pending = rollout.expect(5, STAGING, &["status", "-e", "staging", "--check"]);
    assert!(
        pending.out.contains("what Okta sends is lost, and expires in"),
        "{}",
        pending.out
    );

    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    let metric = |stack: &str, queue: &str, name: &str, value: f64| {
        rollout.emulator.put_metric(
            STAGING,
            "AWS/SQS",
            name,
            &json!({"QueueName": format!("{stack}-{queue}")}),
            value,
        );
    };
    metric("oort-staging-acme", "events", "NumberOfMessagesSent", 40.0);
    metric("oort-staging-acme", "events", "ApproximateNumberOfMessagesVisible", 7.0);
    metric("oort-staging-acme", "events", "ApproximateAgeOfOldestMessage", 240.0);
    metric(
        "oort-staging-initech",
        "dead-letters",
        "ApproximateNumberOfMessagesVisible",
        3.0,
    );
    metric("oort-staging-acme", "events", "NumberOfEmptyReceives", 1.0);
    rollout.emulator.forget_calls();
    let told = rollout.expect(0, STAGING, &["status", "-e", "staging", "--format", "json"]);
    let calls = rollout.emulator.calls(STAGING);
    assert!(calls.values().sum::<u64>() <= 10, "{calls:?}");
    let rows: Value = serde_json::from_str(&told.out).unwrap();
    let acme = row(&rows, "acme");
    assert_eq!(
        (&acme["source"]["state"], &acme["deployed"]),
        (&"active".into(), &"same".into())
    );
    assert_eq!(
        (acme["queue"].as_u64(), acme["oldest_seconds"].as_u64()),
        (Some(7), Some(240))
    );
    assert!(acme["last_event"].is_string() && acme["last_detector"].is_string() && acme["last_compactor"].is_null());
    let own = json!({"Environment": "staging", "Tenant": "acme"});
    rollout
        .emulator
        .put_metric(STAGING, "Oort/LogStreams", "CompactorRuns", &own, 1.0);
    let later = rollout.expect(0, STAGING, &["status", "-e", "staging", "--format", "json"]);
    let later: Value = serde_json::from_str(&later.out).unwrap();
    assert!(row(&later, "acme")["last_compactor"].is_string(), "{later}");
    // The emulator sets off alarms of its own.
    assert!(concerns(acme).iter().all(|what| what.starts_with("alarm ")), "{acme}");
    assert_ne!(rows[0]["name"], "foundation", "what needs a look comes first");
    assert!(concerns(row(&rows, "initech")).contains(&"3 dead letters"), "{rows}");

    // A stack that CloudFormation cannot help, and a source that Okta deleted.
    rollout
        .emulator
        .set_status(STAGING, "oort-staging-acme", "UPDATE_ROLLBACK_FAILED", "no");
    rollout
        .emulator
        .withdraw(STAGING, "aws.partner/okta.com/initech-preview/b7702e15-initech-staging");
    let told = rollout.expect(5, STAGING, &["status", "-e", "staging", "--check"]);
    assert!(
        told.out.contains("UPDATE_ROLLBACK_FAILED: mend what the reason names"),
        "{}",
        told.out
    );
    assert!(told.out.contains("Okta deleted the event source"), "{}", told.out);
    let one = rollout.expect(
        0,
        STAGING,
        &["status", "-e", "staging", "-t", "acme", "--format", "json"],
    );
    let rows: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
}

#[test]
fn what_somebody_changed_by_hand_is_found() {
    let rollout = Rollout::deployed();
    let none = rollout.expect(0, STAGING, &["drift", "-e", "staging"]);
    assert!(none.out.contains("No change in 3 stacks"), "{}", none.out);
    for tenant in ["acme", "initech"] {
        rollout.emulator.set_queue(
            STAGING,
            &format!("oort-staging-{tenant}-events"),
            "VisibilityTimeout",
            "7",
        );
    }
    let told = rollout.expect(2, STAGING, &["drift", "-e", "staging"]);
    assert!(told.out.contains("EventQueue (AWS::SQS::Queue)"), "{}", told.out);
    assert!(
        told.out.contains("in 2 stacks: staging/acme, staging/initech"),
        "{}",
        told.out
    );
    assert!(told.out.contains("VisibilityTimeout: 900 -> 7"), "{}", told.out);
    let one = rollout.expect(
        2,
        STAGING,
        &["drift", "-e", "staging", "-t", "acme", "--format", "json"],
    );
    let json: Value = serde_json::from_str(&one.out).unwrap();
    assert_eq!(json["summary"]["stacks"], 1);
    let status = rollout.expect(0, STAGING, &["status", "-e", "staging"]);
    assert!(status.out.contains("somebody changed it by hand"), "{}", status.out);
}

#[test]
fn a_source_that_nobody_named_becomes_a_tenant() {
    let rollout = Rollout::new();
    rollout.offer_all();
    let none = rollout.expect(0, STAGING, &["tenant", "import", "-e", "staging"]);
    assert!(none.out.contains("has its tenant"), "{}", none.out);
    rollout.emulator.offer(STAGING, "aws.partner/okta.com/umbrella/11-aa");
    let told = rollout.expect(2, STAGING, &["tenant", "import", "-e", "staging"]);
    assert!(
        told.out.contains("oort tenant add umbrella --environment staging"),
        "{}",
        told.out
    );
    rollout.expect(0, STAGING, &["tenant", "import", "-e", "staging", "--write"]);
    rollout.expect(0, STAGING, &["tenant", "import", "-e", "staging"]);
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    assert!(
        rollout.plan()["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["tenant"] == "umbrella")
    );
}
