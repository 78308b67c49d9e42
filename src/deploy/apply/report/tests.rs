use super::*;
use crate::deploy::plan::{FORMAT, Wave};
use crate::deploy::profile::rollout::Rollout;
use crate::model::stack::FailedEvent;

fn step(tenant: &str) -> Step {
    Step {
        stack: format!("oort-test-{tenant}"),
        tenant: Some(tenant.to_owned()),
        action: StepAction::Create,
        live: None,
        content_hash: None,
        change_set: None,
        late: None,
        promised: Vec::new(),
        changes: Vec::new(),
        allowed: Vec::new(),
        before: None,
    }
}

fn failed(tenant: &str) -> Result {
    let why = format!(
        "Queue oort-test-{tenant}-events cannot be made (Request ID: 0f9b2c11-7d6e-4a7e-9a55-{:012})",
        tenant.len()
    );
    Result::Failed(Cause {
        status: Some("ROLLBACK_COMPLETE".to_owned()),
        resource: Some(FailedEvent {
            resource: "EventQueue".to_owned(),
            resource_type: "AWS::SQS::Queue".to_owned(),
            status: "CREATE_FAILED".to_owned(),
            reason: why.clone(),
            at: jiff::Timestamp::UNIX_EPOCH,
            token: None,
        }),
        why,
    })
}

/// Two stacks with one cause, one with its own, one done, one never started.
fn report() -> Report {
    let tenants = ["acme", "globex", "hooli", "initech", "umbrella"];
    let plan = Plan {
        format: FORMAT,
        id: "1".to_owned(),
        purpose: Purpose::Deploy,
        environment: "test".to_owned(),
        account: "000000000000".to_owned(),
        region: "us-east-2".to_owned(),
        made: jiff::Timestamp::UNIX_EPOCH,
        rollout: Rollout::default(),
        waves: vec![
            Wave {
                name: "canaries".to_owned(),
                stacks: tenants[..4]
                    .iter()
                    .map(|tenant| format!("oort-test-{tenant}"))
                    .collect(),
            },
            Wave {
                name: "the rest".to_owned(),
                stacks: vec!["oort-test-umbrella".to_owned()],
            },
        ],
        steps: tenants.into_iter().map(step).collect(),
        unchanged: Vec::new(),
        waiting: Vec::new(),
        blocked: Vec::new(),
    };
    let results = BTreeMap::from([
        ("oort-test-acme".to_owned(), failed("acme")),
        ("oort-test-globex".to_owned(), failed("globex")),
        (
            "oort-test-hooli".to_owned(),
            Result::Failed(Cause::of("the <change set> is gone")),
        ),
        ("oort-test-initech".to_owned(), Result::Done),
    ]);
    let stopped = Some("3 of 4 stacks of wave `canaries` failed".to_owned());
    Report::new(&plan, results, stopped, BTreeMap::from([("ExecuteChangeSet", 4)]))
}

#[test]
fn the_same_cause_is_told_once_and_every_stack_is_named() {
    let report = report();
    assert_eq!(report.counts(), (1, 3, 1));
    insta::assert_snapshot!(anstream::adapter::strip_str(&text(&report)).to_string(), @"
    2 stacks failed, same cause: oort-test-acme, oort-test-globex
      resource: EventQueue (AWS::SQS::Queue)
      because: Queue <stack>-events cannot be made (Request ID: <id>)
      hint: its creation failed, and it holds nothing that ever received an event: plan with --recreate acme to delete it and create it again

    1 stack failed: oort-test-hooli
      because: the <change set> is gone

    Not started: oort-test-umbrella

    Stopped: 3 of 4 stacks of wave `canaries` failed
    1 stack done, 3 failed, 1 not started; 4 calls to AWS.
    ");
    insta::assert_snapshot!(markdown(&report), @r"
    ### test: 1 stack done, 3 failed, 1 not started; 4 calls to AWS.

    > ⚠️ **Stopped: 3 of 4 stacks of wave \`canaries\` failed**

    - **Queue &lt;stack&gt;-events cannot be made (Request ID: &lt;id&gt;)**
      - resource: EventQueue (AWS::SQS::Queue)
      - stacks: oort-test-acme, oort-test-globex
      - its creation failed, and it holds nothing that ever received an event: plan with --recreate acme to delete it and create it again
    - **the &lt;change set&gt; is gone**
      - stacks: oort-test-hooli

    | stack | wave | |
    | --- | --- | --- |
    | oort-test-acme | canaries | failed |
    | oort-test-globex | canaries | failed |
    | oort-test-hooli | canaries | failed |
    | oort-test-umbrella | the rest | not started |
    ");
    insta::assert_snapshot!(junit(&report), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="oort apply" tests="5" failures="3" errors="0" skipped="1">
      <testsuite name="canaries" tests="4" failures="3" errors="0" skipped="0">
        <testcase name="oort-test-acme" classname="create">
          <failure type="ROLLBACK_COMPLETE" message="Queue oort-test-acme-events cannot be made (Request ID: 0f9b2c11-7d6e-4a7e-9a55-000000000004)">EventQueue</failure>
        </testcase>
        <testcase name="oort-test-globex" classname="create">
          <failure type="ROLLBACK_COMPLETE" message="Queue oort-test-globex-events cannot be made (Request ID: 0f9b2c11-7d6e-4a7e-9a55-000000000006)">EventQueue</failure>
        </testcase>
        <testcase name="oort-test-hooli" classname="create">
          <failure type="failed" message="the &lt;change set&gt; is gone"></failure>
        </testcase>
        <testcase name="oort-test-initech" classname="create"/>
      </testsuite>
      <testsuite name="the rest" tests="1" failures="0" errors="0" skipped="1">
        <testcase name="oort-test-umbrella" classname="create">
          <skipped message="not started"/>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["causes"][0]["stacks"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["stacks"][0]["result"], "failed");
    assert_eq!(json["stacks"][4]["result"], "not-started");
}
