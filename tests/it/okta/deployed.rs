//! The tasks as they are deployed, where IAM is enforced, with an org that is reached over HTTP.

use std::sync::Arc;

use oort_streams::deploy::cost::usage::Run;
use oort_streams::local::clock::SystemClock;
use oort_streams::local::org::LocalOrg;
use oort_streams::model::okta::{EVENTBRIDGE, NewLogStream, Org};
use oort_streams::ports::okta::{Act, Okta as _};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::contract::Served;
use crate::cost::{billed, is_reckoned_with};
use crate::emulator::{Emulator, STAGING};
use crate::rollout::Rollout;
use crate::tasks::{Task, credentials, others_read, sample};

const SOURCE: &str = "aws.partner/okta.com/initech-preview/b7702e15-initech-staging";

/// A deployed tenant, its org, and its tasks.
struct Deployed {
    rollout: Rollout,
    scratch: tempfile::TempDir,
    org: Arc<LocalOrg>,
    /// What `OORT_OKTA` is, with an address on loopback.
    told: String,
    runtime: Runtime,
}

impl Deployed {
    fn new() -> Self {
        let rollout = Rollout::deployed_on(Emulator::enforcing());
        let secret = json!({"Name": "oort/staging/initech/okta-token", "SecretString": "00-token"});
        rollout.emulator.keep_secret(STAGING, &secret);
        let scratch = tempfile::tempdir().unwrap();
        let runtime = Runtime::new().unwrap();
        let org = LocalOrg::open(scratch.path(), "initech", Arc::new(SystemClock));
        let org = Arc::new(runtime.block_on(org).unwrap());
        let task = Task::deployed(&rollout, STAGING, "oort-staging-initech-reconciler");
        let told = &task.environment["OORT_OKTA"];
        let mut told: Org = serde_json::from_str(told).unwrap();
        assert_eq!(told.address, "https://initech-preview.oktapreview.com");
        told.address = runtime.block_on(Served::start(Arc::clone(&org)));
        let stream = NewLogStream {
            kind: EVENTBRIDGE,
            name: "Oort".to_owned(),
            settings: told.place.clone(),
        };
        runtime.block_on(org.act(&Act::Create(stream))).unwrap();
        Self {
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

#[test]
fn a_reconciler_fills_the_gap_and_knows_the_users_with_its_own_role() {
    let deployed = Deployed::new();
    let events = sample(&deployed.rollout, "400");
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
