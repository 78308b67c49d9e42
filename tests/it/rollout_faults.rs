//! What goes wrong while a plan is carried out: failed resources, stuck stacks, throttling, lost answers, kills. Nothing is
//! done twice, and whoever reads the report knows why and what to do.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use oort_streams::deploy::wording::number;
use serde_json::json;

use crate::emulator::{STAGING, setting};
use crate::rollout::Rollout;

/// Staging with some more tenants, whose sources are there; nothing is deployed.
fn fleet(tenants: usize) -> Rollout {
    let rollout = Rollout::new();
    rollout.offer_all();
    add_tenants(&rollout, tenants);
    rollout
}

fn add_tenants(rollout: &Rollout, tenants: usize) {
    let quota = format!("quotas:\n  event_buses: {}\n\ntags:\n", 100.max(2 * tenants));
    rollout.edit("environments/staging/profile.yaml", "tags:\n", &quota);
    for number in 0..tenants {
        let text =
            format!("tenant: t{number:04}\nokta:\n  subdomain: t{number:04}\n  integration_id: \"id-{number:04}\"\n");
        let path = format!("environments/staging/tenants/t{number:04}.yaml");
        std::fs::write(rollout.world.root().join(path), text).unwrap();
        rollout
            .emulator
            .offer(STAGING, &format!("aws.partner/okta.com/t{number:04}/id-{number:04}"));
    }
}

#[test]
fn a_failed_resource_undoes_its_stack_and_is_named() {
    let rollout = fleet(6);
    let failing = ["t0001", "t0003", "t0005"].map(|tenant| {
        json!({"stack": format!("oort-staging-{tenant}"), "resource": "EventQueue",
               "reason": format!("oort-staging-{tenant}-events: the queue cannot be made")})
    });
    rollout.edit(
        "environments/defaults.yaml",
        "tolerated_failures: \"0\"",
        "tolerated_failures: \"100%\"",
    );
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.emulator.failures(&json!(failing));
    let report = rollout.expect(5, STAGING, &["apply"]);
    assert!(report.out.contains("3 stacks failed, same cause"), "{}", report.out);
    assert!(
        report.out.contains("because: <stack>-events: the queue cannot be made"),
        "{}",
        report.out
    );
    assert!(report.out.contains("EventQueue (AWS::SQS::Queue)"), "{}", report.out);
    assert!(report.out.contains("6 stacks done, 3 failed;"), "{}", report.out);
    // Nothing is done to such a stack unasked.
    let blocked = rollout.expect(5, STAGING, &["plan", "-e", "staging"]);
    assert!(
        blocked.out.contains("ROLLBACK_COMPLETE") && blocked.out.contains("--recreate t0001"),
        "{}",
        blocked.out
    );
    rollout.expect(
        2,
        STAGING,
        &[
            "plan",
            "-e",
            "staging",
            "--recreate",
            "t0001",
            "--recreate",
            "t0003",
            "--recreate",
            "t0005",
        ],
    );
    rollout.expect(0, STAGING, &["apply"]);
    rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
}

#[test]
fn a_failed_wave_is_the_last() {
    let rollout = Rollout::deployed();
    add_tenants(&rollout, 10);
    rollout.edit(
        "environments/staging/profile.yaml",
        "tags:\n",
        "rollout:\n  canaries: [t0000]\n\ntags:\n",
    );
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout
        .emulator
        .failures(&json!([{"stack": "oort-staging-t0000", "resource": "EventRule", "reason": "no"}]));
    let report = rollout.expect(5, STAGING, &["apply", "--report", "json"]);
    let report: serde_json::Value = serde_json::from_str(&report.out).unwrap();
    let stacks = report["stacks"].as_array().unwrap();
    let results: Vec<&str> = stacks.iter().map(|one| one["result"].as_str().unwrap()).collect();
    assert_eq!(results[0], "failed");
    assert_eq!(results[1..], ["not-started"; 9]);
    assert_eq!(rollout.emulator.executions(STAGING).len(), 4);
    // The same command says the same and starts nothing.
    rollout.expect(5, STAGING, &["apply"]);
    assert_eq!(rollout.emulator.executions(STAGING).len(), 4);
    // The names that the change sets of the others hold are given free.
    rollout.expect(0, STAGING, &["plan", "discard"]);
    let calls = rollout.emulator.calls(STAGING);
    assert_eq!(calls["cloudformation:DeleteStack"], 9);
}

#[test]
fn a_stopped_wave_stays_stopped() {
    let rollout = Rollout::deployed();
    add_tenants(&rollout, 10);
    let profile = "environments/staging/profile.yaml";
    rollout.edit(
        profile,
        "tags:\n",
        "rollout:\n  wave_percents: []\n  concurrency: 1\n\ntags:\n",
    );
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout
        .emulator
        .failures(&json!([{"stack": "oort-staging-t0004", "resource": "EventRule", "reason": "no"}]));
    for _ in 0..2 {
        let report = rollout.expect(5, STAGING, &["apply"]);
        assert!(
            report.out.contains("4 stacks done, 1 failed, 5 not started"),
            "{}",
            report.out
        );
        assert_eq!(rollout.emulator.executions(STAGING).len(), 8);
    }
}

#[test]
fn an_alarm_after_a_wave_holds_the_next_back() {
    let rollout = fleet(4);
    rollout.edit(
        "environments/staging/profile.yaml",
        "tags:\n",
        "rollout:\n  canaries: [acme]\n\ntags:\n",
    );
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    // The second stack that is finished is the canary's.
    rollout
        .emulator
        .alarm_after(STAGING, "SetStackPolicy", 2, "oort-staging-acme-dead-letters");
    let report = rollout.expect(5, STAGING, &["apply"]);
    assert!(
        report.out.contains("alarm oort-staging-acme-dead-letters went off"),
        "{}",
        report.out
    );
    assert_eq!(rollout.emulator.executions(STAGING).len(), 2);
    // Neither does the next run, while the alarm is off.
    let again = rollout.expect(5, STAGING, &["apply"]);
    assert!(
        again.out.contains("alarm oort-staging-acme-dead-letters went off"),
        "{}",
        again.out
    );
    assert_eq!(rollout.emulator.executions(STAGING).len(), 2);
}

#[test]
fn a_stuck_stack_is_continued_when_that_is_allowed() {
    let rollout = Rollout::deployed();
    rollout.emulator.set_status(
        STAGING,
        "oort-staging-acme",
        "UPDATE_ROLLBACK_FAILED",
        "EventRule could not be restored",
    );
    rollout.edit("environments/defaults.yaml", "receive_limit: 5", "receive_limit: 6");
    let blocked = rollout.expect(5, STAGING, &["plan", "-e", "staging"]);
    assert!(
        blocked.out.contains("EventRule could not be restored"),
        "{}",
        blocked.out
    );
    assert!(blocked.out.contains("--continue-rollback acme"), "{}", blocked.out);
    rollout.expect(2, STAGING, &["plan", "-e", "staging", "--continue-rollback", "acme"]);
    rollout.expect(0, STAGING, &["apply"]);
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
}

#[test]
fn a_storm_of_throttling_and_lost_answers_changes_nothing() {
    let rollout = fleet(4);
    let throttled = |operation: &str, times: u32| json!({"operation": operation, "times": times, "skip": 1, "status": 400, "code": "Throttling", "message": "Rate exceeded"});
    let lost = |operation: &str| json!({"operation": operation, "times": 2, "skip": 2, "status": 503, "code": "ServiceUnavailable", "after": true});
    rollout.emulator.faults(&json!([
        throttled("CreateChangeSet", 3),
        throttled("DescribeChangeSet", 3),
        throttled("ListStacks", 3),
        throttled("ExecuteChangeSet", 3),
        throttled("SetStackPolicy", 2),
        lost("CreateChangeSet"),
        lost("ExecuteChangeSet"),
        lost("UpdateTerminationProtection"),
    ]));
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    let report = rollout.expect(0, STAGING, &["apply"]);
    assert!(report.out.contains("7 stacks done;"), "{}", report.out);
    let mut executed = rollout.emulator.executions(STAGING);
    let all = executed.len();
    executed.sort();
    executed.dedup();
    assert_eq!((all, executed.len()), (7, 7), "each change set was carried out once");
    rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
}

#[test]
fn what_an_account_has_no_room_for_is_refused_before_anything_is_made() {
    let rollout = fleet(3);
    rollout.emulator.settings(&json!({"stacks": 4}));
    let refused = rollout.expect(4, STAGING, &["plan", "-e", "staging"]);
    assert!(
        refused
            .err
            .contains("6 new stacks and the 0 that are there exceed the 4"),
        "{}",
        refused.err
    );
    let calls = rollout.emulator.calls(STAGING);
    assert!(!calls.contains_key("cloudformation:CreateChangeSet"), "{calls:?}");
}

#[test]
fn what_nobody_is_allowed_ends_the_apply_at_once() {
    let rollout = Rollout::new();
    rollout.offer_all();
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.emulator.faults(
        &json!([{"operation": "ExecuteChangeSet", "times": 99, "status": 403, "code": "AccessDenied",
        "message": "User: deployer is not authorized to perform: cloudformation:ExecuteChangeSet"}]),
    );
    let denied = rollout.expect(4, STAGING, &["apply"]);
    assert!(
        denied.err.contains("is not authorized to perform") && denied.err.contains("hint:"),
        "{}",
        denied.err
    );
    rollout.emulator.faults(
        &json!([{"operation": "ExecuteChangeSet", "times": 99, "status": 403, "code": "ExpiredToken",
        "message": "The security token included in the request is expired"}]),
    );
    let expired = rollout.expect(4, STAGING, &["apply"]);
    assert!(expired.err.contains("sign in again"), "{}", expired.err);
    rollout.emulator.faults(&json!([]));
    rollout.expect(0, STAGING, &["apply"]);
}

/// A fleet in one apply that is killed twenty times, and goes on each time.
#[test]
fn a_killed_apply_goes_on_where_it_was() {
    const KILLS: u32 = 20;
    let tenants: usize = setting("OORT_TEST_TENANTS").map_or(60, |number| number.parse().unwrap());
    let rollout = fleet(tenants);
    rollout.edit(
        "environments/defaults.yaml",
        "calls_per_second: 5",
        "calls_per_second: 100",
    );
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.emulator.operations_take(0.1);
    let mut killed = 0;
    for kill in 0..KILLS {
        let mut child = rollout
            .world
            .command(&["apply"])
            .current_dir(rollout.world.root())
            .envs(rollout.emulator.environment(STAGING))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Spread over the whole way of the fleet, each time at another point of some stacks' way.
        let longest = 500 * (tenants as u64 / 100).max(1);
        std::thread::sleep(Duration::from_millis(60 + u64::from(kill) * 9_973 % longest));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().signal() == Some(9));
    }
    assert!(killed > KILLS / 2, "only {killed} runs were killed before their end");
    let report = rollout.expect(0, STAGING, &["apply"]);
    assert!(
        report.out.contains(&format!("{} stacks done;", number(tenants + 3))),
        "{}",
        report.out
    );
    let executed = rollout.emulator.executions(STAGING);
    let distinct: BTreeSet<&String> = executed.iter().collect();
    assert_eq!(
        (executed.len(), distinct.len()),
        (tenants + 3, tenants + 3),
        "each change set was carried out once"
    );
    rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
    let calls: u64 = rollout.emulator.calls(STAGING).values().sum();
    println!(
        "{tenants} tenants, {killed} kills, {calls} calls for {} stacks",
        executed.len()
    );
}
