//! What a run asks of AWS: counted on the wire, and held against what `oort cost` reckons with.

use std::collections::BTreeMap;

use oort_streams::deploy::cost::usage::{Run, Wire};
use serde_json::{Value, json};

use crate::emulator::{STAGING, setting};
use crate::rollout::Rollout;
use crate::tasks::{Task, sample};
use crate::world::World;

const SOURCE: &str = "aws.partner/okta.com/initech-preview/b7702e15-initech-staging";

/// Requests by what they are billed as.
pub fn billed(traffic: &BTreeMap<String, BTreeMap<String, u64>>) -> Wire {
    let mut wire = Wire::default();
    for (call, counted) in traffic {
        let (service, operation) = call.split_once(':').unwrap();
        let kind = match (service, operation) {
            ("sqs", _) => &mut wire.sqs,
            ("sns", _) => &mut wire.sns,
            ("glue", _) => &mut wire.glue,
            ("secretsmanager", _) => &mut wire.secrets,
            ("s3", "GetObject" | "HeadObject") => &mut wire.s3_reads,
            // Not billed.
            ("s3", "DeleteObject" | "DeleteObjects" | "AbortMultipartUpload") => continue,
            ("s3", _) => &mut wire.s3_writes,
            other => panic!("nobody knows what {other:?} costs"),
        };
        *kind += f64::from(u32::try_from(counted["calls"]).unwrap());
    }
    wire
}

/// What was counted is at most what is reckoned with, and not so much less that the bill would be wrong. Gives both.
pub fn is_reckoned_with(run: Run, events: usize, findings: u64, counted: Wire) -> String {
    let number = |count: u64| f64::from(u32::try_from(count).unwrap());
    let reckoned = run.wire(number(events as u64), number(findings));
    for (what, counted, reckoned) in [
        ("sqs", counted.sqs, reckoned.sqs),
        ("s3_writes", counted.s3_writes, reckoned.s3_writes),
        ("s3_reads", counted.s3_reads, reckoned.s3_reads),
        ("glue", counted.glue, reckoned.glue),
        ("sns", counted.sns, reckoned.sns),
        ("secrets", counted.secrets, reckoned.secrets),
    ] {
        // On a slow machine a lease is written more often.
        let renewals = if what == "s3_writes" { 4.0 } else { 0.0 };
        assert!(
            counted <= reckoned + renewals,
            "{run:?}: {counted} of {what} where {reckoned} are reckoned with"
        );
        assert!(
            counted >= reckoned * 0.4 - 1.0,
            "{run:?}: only {counted} of {what} where {reckoned} are reckoned with"
        );
    }
    format!("{run:?} of {events} events, {findings} findings: {counted:?}\n    reckoned {reckoned:?}")
}

/// Days of one tenant's life.
struct Life {
    rollout: Rollout,
    scratch: tempfile::TempDir,
    events: u32,
}

impl Life {
    fn run(&self, role: &str) -> (Value, Wire) {
        let task = Task::deployed(&self.rollout, STAGING, &format!("oort-staging-initech-{role}"));
        self.rollout.emulator.forget_calls();
        let report = task.run(&self.rollout, STAGING, self.scratch.path());
        (report, billed(&self.rollout.emulator.traffic(STAGING)))
    }

    /// As many events as wanted, each with a name of its own, of a day of November.
    fn put(&mut self, models: &[Value], count: usize, day: u32) {
        let events: Vec<Value> = models
            .iter()
            .cycle()
            .take(count)
            .map(|model| {
                self.events += 1;
                let mut event = model.clone();
                let time = event["published"].as_str().unwrap()[10..].to_owned();
                event["uuid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.events));
                event["published"] = json!(format!("2026-11-{day:02}{time}"));
                event
            })
            .collect();
        self.rollout.emulator.put_partner_events(SOURCE, &events);
    }
}

#[test]
fn a_run_asks_for_no_more_than_is_reckoned_with() {
    let rollout = Rollout::deployed();
    let all = sample(&rollout, "2000");
    rollout
        .emulator
        .put_partner_events("aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging", &all);
    let scratch = tempfile::tempdir().unwrap();
    Task::deployed(&rollout, STAGING, "oort-staging-acme-detector").run(&rollout, STAGING, scratch.path());
    let found = rollout.expect(
        0,
        STAGING,
        &["findings", "-e", "staging", "-t", "acme", "--format", "json"],
    );
    let found: Vec<Value> = serde_json::from_str(&found.out).unwrap();
    let is_found = |event: &Value| found.iter().any(|finding| finding["event_uuid"] == event["uuid"]);
    let (telling, quiet): (Vec<Value>, Vec<Value>) = all.into_iter().partition(is_found);

    let many: usize = setting("OORT_TEST_EVENTS").map_or(1_500, |text| text.parse().unwrap());
    let mut life = Life {
        rollout,
        scratch,
        events: 0,
    };
    // Whoever comes first finds no state yet.
    life.run("detector");
    for events in [0, 10, many] {
        life.put(&quiet, events, 1);
        let (report, wire) = life.run("detector");
        assert_eq!(report["landed"], events);
        println!(
            "{}",
            is_reckoned_with(Run::Detect, events, report["new_findings"].as_u64().unwrap(), wire)
        );
    }
    life.put(&telling, 100, 1);
    let (report, wire) = life.run("detector");
    let findings = report["new_findings"].as_u64().unwrap();
    assert!(findings >= 20, "{report}");
    println!("{}", is_reckoned_with(Run::Detect, 100, findings, wire));

    // Each day's compaction, and late events of the day before.
    life.run("compactor");
    for day in 2..6 {
        life.put(&quiet, 10, day);
        life.put(&quiet, 10, day - 1);
        life.run("detector");
        println!("{}", is_reckoned_with(Run::Compact, 20, 0, life.run("compactor").1));
    }
    println!("{}", is_reckoned_with(Run::Compact, 0, 0, life.run("compactor").1));
    life.put(&quiet, many, 6);
    life.run("detector");
    println!("{}", is_reckoned_with(Run::Compact, many, 0, life.run("compactor").1));
    let (report, wire) = life.run("maintainer");
    assert_eq!(report["merged"]["days"], 4);
    is_reckoned_with(Run::Maintain, many, 0, wire);
}

fn usd(report: &Value, service: &str) -> f64 {
    let lines = report["months"][0]["lines"].as_array().unwrap().iter();
    lines
        .filter(|line| line["service"] == service)
        .map(|line| line["usd"].as_f64().unwrap())
        .sum()
}

#[test]
fn a_bill_follows_from_the_tenants_settings_and_the_prices() {
    let world = World::new();
    let reckon = |more: &[&str]| {
        world.json(
            &[
                &["cost", "-t", "acme", "--format", "json", "--events-per-day", "1000000"],
                more,
            ]
            .concat(),
        )
    };
    let bill = reckon(&[]);
    // The secret of its org alone is charged with 0.40 a month.
    let secrets = usd(&bill, "Secrets Manager");
    let idle = bill["idle_without_alarms"].as_f64().unwrap() - secrets;
    assert!((0.40..0.41).contains(&secrets) && idle < 0.35, "{secrets} and {idle}");
    let total = bill["months"][0]["total"].as_f64().unwrap();
    let million_events = 1_000_000.0 * 730.0 / 24.0 / 1_000_000.0;
    let partner_events = &bill["months"][0]["lines"][0];
    assert!(
        (partner_events["usd"].as_f64().unwrap() - million_events).abs() < 1e-9,
        "{partner_events}"
    );

    let free = world.file(
        "prices.yaml",
        "as_of: 2026-11-23\nregion: us-east-2\nprices: {sqs_million_requests: 0}\n",
    );
    let laid_over = reckon(&["--prices", &free]);
    assert!(usd(&laid_over, "SQS").abs() < 1e-9);
    let saved = total - laid_over["months"][0]["total"].as_f64().unwrap();
    assert!((saved - usd(&bill, "SQS")).abs() < 1e-9, "nothing else is cheaper");

    world.edit_profile(|profile| {
        *profile =
            profile.replace("detector:\n", "detector:\n  schedule: rate(2 hours)\n") + "\ndata_retention_days: 73\n";
    });
    let seldom = reckon(&[]);
    let stored = |report: &Value| report["months"][0]["lines"][9]["usd"].as_f64().unwrap();
    assert!(
        (stored(&seldom) - stored(&bill) / 5.0).abs() < 1e-9,
        "a fifth of a year is kept"
    );
    assert!(usd(&seldom, "Fargate") < usd(&bill, "Fargate"));
}

#[test]
fn a_price_list_that_cannot_be_read_says_why() {
    let world = World::new();
    for (prices, why) in [
        ("{sqs_milion_requests: 1}", "unknown field `sqs_milion_requests`"),
        (
            "{sqs_million_requests: much}",
            "the price `sqs_million_requests` is \"much\"",
        ),
        ("{sqs_million_requests: -1}", "the price `sqs_million_requests` is -1"),
        ("[", "line 3"),
    ] {
        let file = world.file(
            "prices.yaml",
            &["as_of: 2026-11-23\nregion: us-east-2\nprices: ", prices, "\n"].concat(),
        );
        let output = world.run(&["cost", "--prices", &file]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(why), "{prices}: {said}");
    }
}
