//! The tasks as they are deployed, where IAM is enforced, with an org that is reached over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use oort_streams::deploy::cost::usage::Run;
use oort_streams::local::clock::SystemClock;
use oort_streams::local::org::LocalOrg;
use oort_streams::model::okta::{EVENTBRIDGE, NewLogStream, Org};
use oort_streams::ports::Clock as _;
use oort_streams::ports::okta::{Act, Okta as _};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::contract::Served;
use crate::cost::{billed, is_reckoned_with};
use crate::emulator::{Emulator, STAGING};
use crate::rollout::Rollout;
use crate::tasks::{Task, credentials, others_read, task};

const SOURCE: &str = "aws.partner/okta.com/initech-preview/b7702e15-initech-staging";

/// A deployed tenant, its org, and its tasks.
struct Deployed {
    rollout: Arc<Rollout>,
    scratch: tempfile::TempDir,
    denies: Arc<AtomicBool>,
    org: Arc<LocalOrg>,
    /// What `OORT_OKTA` is, with an address on loopback.
    told: String,
    runtime: Runtime,
}

impl Deployed {
    /// With the stream made and all deployed.
    fn new() -> Self {
        let deployed = Self::around(Rollout::deployed_on(Emulator::enforcing()));
        let stream = NewLogStream {
            kind: EVENTBRIDGE,
            name: "Oort".to_owned(),
            settings: serde_json::from_str::<Org>(&deployed.told).unwrap().place,
        };
        deployed
            .runtime
            .block_on(deployed.org.act(&Act::Create(stream)))
            .unwrap();
        deployed
    }

    fn around(rollout: Rollout) -> Self {
        let rollout = Arc::new(rollout);
        let secret = json!({"Name": "oort/staging/initech/okta-token", "SecretString": "00-token"});
        rollout.emulator.keep_secret(STAGING, &secret);
        let scratch = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let org = LocalOrg::open(scratch.path(), "initech", Arc::new(SystemClock));
        let org = Arc::new(runtime.block_on(org).unwrap());
        let mut told = told_to_the_reconciler();
        assert_eq!(told.address, "https://initech-preview.oktapreview.com");
        let denies = Arc::new(AtomicBool::new(false));
        told.address = runtime.block_on(Served::denying(Arc::clone(&org), Arc::clone(&denies)));
        Self {
            denies,
            rollout,
            scratch,
            org,
            told: serde_json::to_string(&told).unwrap(),
            runtime,
        }
    }

    /// A run with its own role's credentials alone.
    fn run(&self, role: &str) -> Value {
        let task = Task::deployed(&self.rollout, STAGING, &format!("oort-staging-initech-{role}"));
        self.run_with(
            &task,
            credentials(&self.rollout, &format!("oort-staging-initech-{role}")),
        )
    }

    fn run_with(&self, task: &Task, mut own: Vec<(String, String)>) -> Value {
        if task.environment.contains_key("OORT_OKTA") {
            own.push(("OORT_OKTA".to_owned(), self.told.clone()));
        }
        self.rollout.emulator.forget_calls();
        let output = task.output(&self.rollout, STAGING, &own, self.scratch.path());
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{out}\n{err}");
        serde_json::from_str(&out[out.find("{\n").unwrap()..]).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

/// What the golden file says, which is what is deployed.
fn told_to_the_reconciler() -> Org {
    let task = task("staging", STAGING, "initech", "Reconciler");
    serde_json::from_str(&task.environment["OORT_OKTA"]).unwrap()
}

/// Events of the days before now, which Okta still has.
fn recent(rollout: &Rollout, events: &str) -> Vec<Value> {
    let end = (SystemClock.now() - SignedDuration::from_hours(3)).to_string();
    let arguments = [
        "sample", "--users", "40", "--days", "3", "--events", events, "--end", &end,
    ];
    let told = rollout.expect(0, STAGING, &arguments);
    told.out
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn a_reconciler_fills_the_gap_and_knows_the_users_with_its_own_role() {
    let deployed = Deployed::new();
    let events = recent(&deployed.rollout, "400");
    let texts: Vec<String> = events.iter().map(Value::to_string).collect();
    let recorded = deployed.runtime.block_on(deployed.org.record(&texts)).unwrap();
    let (brought, _) = events.split_at(events.len() / 2);
    deployed.rollout.emulator.put_partner_events(SOURCE, brought);
    assert_eq!(deployed.run("detector")["stream"], "active");

    let report = deployed.run("reconciler");
    println!("the first reconciliation: {report}");
    let filled = report["gaps"]["filled"].as_u64().unwrap();
    assert!(filled >= events.len() as u64 / 2 - 10, "{report}");
    assert_eq!(
        (&report["gaps"]["left"], &report["gaps"]["expected"]),
        (&json!(0), &json!(recorded.new))
    );
    let users = report["directory"]["users"]["current"].as_u64().unwrap();
    assert!(users > 10, "{report}");
    // The next run follows what was fetched.
    assert_eq!(deployed.run("reconciler")["gaps"]["filled"], 0);
    // What a run asks for that finds nothing new, counted by the account's own credentials.
    let task = Task::deployed(&deployed.rollout, STAGING, "oort-staging-initech-reconciler");
    let again = deployed.run_with(&task, Vec::new());
    assert_eq!(
        (&again["gaps"]["filled"], &again["directory"]["users"]["begun"]),
        (&json!(0), &json!(0))
    );
    let wire = billed(&deployed.rollout.emulator.traffic(STAGING));
    println!("{wire:?}\n{}", is_reckoned_with(Run::Reconcile, 0, 0, wire));

    let detected = deployed.run("detector");
    assert_eq!(detected["evaluated"], filled, "rules see what was fetched");
    let compacted = deployed.run("compactor");
    assert_eq!(compacted["set_aside"], 0);
    deployed.run("maintainer");
    let read = others_read(&deployed.rollout, "oort_staging_logs", "initech_users");
    assert_eq!(
        (&read["rows"], &read["rows_by_duckdb"]),
        (&json!(users), &json!(users)),
        "{read}"
    );
}

/// Okta's side: makes the partner event source when there is a stream, and sends what the stream has to send. What it sends before
/// the bus is there is dropped.
fn stream_in_the_background(deployed: &Deployed) -> Arc<AtomicBool> {
    let (org, is_over) = (Arc::clone(&deployed.org), Arc::new(AtomicBool::new(false)));
    let (over, rollout) = (Arc::clone(&is_over), Arc::clone(&deployed.rollout));
    deployed.runtime.spawn(async move {
        let mut has_offered = false;
        while !over.load(Ordering::Relaxed) {
            let (events, last) = org.waiting(1_000).await.unwrap();
            if let Some(last) = last {
                let rollout = Arc::clone(&rollout);
                let offers = !std::mem::replace(&mut has_offered, true);
                let send = move || {
                    if offers {
                        rollout.emulator.offer(STAGING, SOURCE);
                    }
                    let events: Vec<Value> = events
                        .iter()
                        .map(|event| serde_json::from_str(event).unwrap())
                        .collect();
                    rollout.emulator.put_partner_events(SOURCE, &events);
                };
                tokio::task::spawn_blocking(send).await.unwrap();
                org.sent(last).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    is_over
}

#[test]
fn a_tenant_is_connected_checked_reactivated_and_disconnected() {
    let rollout = Rollout::new();
    rollout
        .emulator
        .offer(STAGING, "aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging");
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    let deployed = Deployed::around(rollout);
    let run = |code: i32, arguments: &[&str]| {
        let whole = [&["tenant"], arguments, &["-e", "staging", "-t", "initech"]].concat();
        let output = deployed
            .rollout
            .world
            .command(&whole)
            .current_dir(deployed.rollout.world.root())
            .envs(deployed.rollout.emulator.environment(STAGING))
            .env("OORT_OKTA", &deployed.told)
            .output()
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}");
        text
    };
    let is_over = stream_in_the_background(&deployed);

    let before = run(5, &["check"]);
    for line in [
        "failed   A log stream sends",
        "failed   The partner event source",
        "failed   Events come: none",
    ] {
        assert!(before.contains(line), "{line}\n{before}");
    }
    // Where the token may not, the admin's guide is printed.
    deployed.denies.store(true, Ordering::Relaxed);
    assert!(run(4, &["connect"]).contains("b7702e15-initech-staging"));
    deployed.denies.store(false, Ordering::Relaxed);

    let connect = ["connect", "--interval", "0.1", "--wait", "60"];
    let told = run(0, &connect);
    assert!(told.contains("connected, first event after "), "{told}");
    let told = run(0, &connect);
    assert!(
        told.contains("is active") && told.contains("connected, first event after "),
        "{told}"
    );
    let after = run(5, &["check"]);
    // The served org's clock stands still.
    assert_eq!(
        after.matches("failed ").count(),
        after.matches("failed   Okta's clock").count(),
        "{after}"
    );

    deployed.runtime.block_on(deployed.org.fail_streams()).unwrap();
    assert!(run(5, &["check"]).contains("failed   The log stream is active: INACTIVE"));
    assert!(
        run(5, &["check", "--format", "junit"])
            .contains("<testcase name=\"log-stream-active\" classname=\"initech\">\n      <failure")
    );
    deployed.denies.store(true, Ordering::Relaxed);
    assert!(run(4, &["reactivate"]).contains("Reports > Log Streaming"));
    deployed.denies.store(false, Ordering::Relaxed);
    assert!(run(0, &["reactivate", "--wait", "60"]).contains("sends, first event after"));

    assert!(run(4, &["disconnect"]).contains("--confirm initech"));
    run(0, &["disconnect", "--confirm", "initech", "--keep"]);
    run(0, &["disconnect", "--confirm", "initech"]);
    assert!(run(0, &["disconnect", "--confirm", "initech"]).contains("nothing to do"));
    assert!(run(3, &["reactivate"]).contains("oort tenant connect"));
    is_over.store(true, Ordering::Relaxed);
}
