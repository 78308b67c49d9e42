//! What the stacks launch: the container of a rendered task definition, with its command and its environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use oort_streams::model::resources::Resources;
use serde_json::{Value, json};

use crate::emulator::{Emulator, PRODUCTION, STAGING, python, setting};
use crate::rendered;
use crate::rollout::Rollout;

const REGION: &str = "us-east-2";

/// A task's container.
pub struct Task {
    command: Vec<String>,
    pub environment: BTreeMap<String, String>,
}

/// The task of a tenant's role, as its stack's golden file defines it.
pub fn task(environment: &str, account: &str, tenant: &str, role: &str) -> Task {
    let stacks = rendered::read(environment, account, REGION);
    let definition = &stacks[tenant].resources[&format!("{role}Task")]["Properties"]["ContainerDefinitions"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Task {
        command: definition["Command"].as_array().unwrap().iter().map(text).collect(),
        environment: definition["Environment"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variable| (text(&variable["Name"]), text(&variable["Value"])))
            .collect(),
    }
}

#[test]
fn a_task_is_told_the_names_that_follow_from_its_tenant() {
    for (environment, account) in [("staging", STAGING), ("production", PRODUCTION)] {
        let expected = Resources::of(environment, "acme", account, REGION);
        let table = expected.table.unwrap();
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for (role, verb) in [
            ("Detector", "detect"),
            ("Compactor", "compact"),
            ("Maintainer", "maintain"),
        ] {
            let task = task(environment, account, "acme", role);
            assert_eq!(task.command, [verb]);
            told.extend(task.environment);
        }
        for (name, value) in [
            ("OORT_ENVIRONMENT", environment),
            ("OORT_TENANT", "acme"),
            ("OORT_BUCKET", &expected.bucket),
            ("OORT_PREFIX", &expected.prefix),
            ("OORT_QUEUE_URL", &expected.queue_url.unwrap()),
            ("OORT_TOPIC_ARN", &expected.topic_arn.unwrap()),
            ("OORT_DATABASE", &table.database),
            ("OORT_TABLE", &table.table),
        ] {
            assert_eq!(told.get(name).map(String::as_str), Some(value), "{name}");
        }
    }
}

impl Task {
    /// The task that ECS has been told of. Nothing of it is known but what ECS answers.
    pub fn deployed(rollout: &Rollout, account: &str, family: &str) -> Self {
        let answer = rollout
            .emulator
            .ecs(account, "DescribeTaskDefinition", &json!({"taskDefinition": family}));
        let container = &answer["taskDefinition"]["containerDefinitions"][0];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let variables = container["environment"].as_array().unwrap().iter();
        Self {
            command: container["command"].as_array().unwrap().iter().map(text).collect(),
            environment: variables.map(|one| (text(&one["name"]), text(&one["value"]))).collect(),
        }
    }

    /// Runs it as Fargate would, this build or the one that `OORT_TEST_TASK` names: with its command and variables, what Fargate adds to sign in, and a folder to write to.
    pub fn run(&self, rollout: &Rollout, account: &str, scratch: &Path) -> Value {
        let output = self.output(rollout, account, &[], scratch);
        let (out, err) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        assert!(
            output.status.success(),
            "{:?}: {}\n{out}\n{err}",
            self.command,
            output.status
        );
        // Metrics come as lines of their own before the report.
        let (metrics, report) = out.split_at(out.find("\n{\n").map_or(0, |at| at + 1));
        let mut report: Value = serde_json::from_str(report).unwrap_or_else(|error| panic!("{error}: {out}"));
        report["metrics"] = metrics
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect();
        report
    }

    /// What comes of it with further variables, such as a role's credentials.
    pub fn output(&self, rollout: &Rollout, account: &str, more: &[(String, String)], scratch: &Path) -> Output {
        self.command(rollout, account, more, scratch).output().unwrap()
    }

    /// The task, about to start.
    pub fn command(&self, rollout: &Rollout, account: &str, more: &[(String, String)], scratch: &Path) -> Command {
        let program = setting("OORT_TEST_TASK").unwrap_or_else(|| env!("CARGO_BIN_EXE_oort").to_owned());
        let mut command = Command::new(program);
        command
            .args(&self.command)
            .env_clear()
            .envs(&self.environment)
            .envs(rollout.emulator.environment(account))
            .envs(more.iter().cloned())
            .env("OORT_SCRATCH", scratch)
            .current_dir(scratch);
        command
    }
}

/// The events of a sample, as Okta would send them.
pub fn sample(rollout: &Rollout, events: &str) -> Vec<Value> {
    let told = rollout.expect(
        0,
        STAGING,
        &["sample", "--users", "40", "--days", "3", "--events", events],
    );
    let lines = told
        .out
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .map(|event| event.get("detail").cloned().unwrap_or(event))
        .collect()
}

#[test]
fn what_was_deployed_takes_events_to_findings_and_activity() {
    let rollout = Rollout::deployed();
    let emulator = &rollout.emulator;
    let heard = emulator.make_queue(STAGING, "soc", &json!({}));
    emulator.subscribe(STAGING, "oort-staging-acme-findings", "soc");

    let events = sample(&rollout, "600");
    emulator.put_partner_events("aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging", &events);
    let scratch = tempfile::tempdir().unwrap();
    let detector = Task::deployed(&rollout, STAGING, "oort-staging-acme-detector");
    let report = detector.run(&rollout, STAGING, scratch.path());
    let number = |report: &Value, name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{name}: {report}"));
    assert_eq!(
        number(&report, "landed") + number(&report, "set_aside"),
        events.len() as u64,
        "{report}"
    );
    assert_eq!(report["queue"], json!({"visible": 0, "in_flight": 0, "dead": 0}));
    let found = number(&report, "new_findings");
    assert!(found > 0 && number(&report, "notified") == found, "{report}");
    let told = emulator.messages(STAGING, &heard);
    assert_eq!(told.len() as u64, found, "every finding reaches the subscription once");
    // The same again changes nothing.
    let again = detector.run(&rollout, STAGING, scratch.path());
    assert_eq!((number(&again, "landed"), number(&again, "notified")), (0, 0));

    // A person's verbs find the same things by the names that follow from the tenant.
    let user = events
        .iter()
        .find_map(|event| event["actor"]["alternateId"].as_str())
        .unwrap();
    let of_acme = |verb: &[&str]| {
        let told = rollout.expect(0, STAGING, &[verb, &["-e", "staging", "-t", "acme"]].concat());
        serde_json::from_str::<Value>(&told.out).unwrap()
    };
    let refreshed = number(&of_acme(&["refresh", "--user", user]), "added");
    assert!(refreshed > 0, "{user} has no activity");
    assert_eq!(of_acme(&["redrive"])["letters"], json!([]));
    assert_eq!(
        number(&of_acme(&["replay", "--from", "2020-01-01T00:00:00Z"]), "new_findings"),
        0
    );

    let compactor = Task::deployed(&rollout, STAGING, "oort-staging-acme-compactor");
    let report = compactor.run(&rollout, STAGING, scratch.path());
    let rows = refreshed + number(&report, "added");
    assert!(rows > number(&report, "events"), "{report}");
    assert_eq!(report["metrics"][0]["CompactorRuns"], 1);
    assert_eq!(number(&compactor.run(&rollout, STAGING, scratch.path()), "added"), 0);

    let activity = of_acme(&["activity", "--user", user, "--limit", "10000", "--format", "json"]);
    assert_eq!(activity.as_array().unwrap().len() as u64, refreshed);

    let others = others_read(&rollout, "oort_staging_logs", "acme_activity");
    assert_eq!(
        (number(&others, "rows"), number(&others, "rows_by_duckdb")),
        (rows, rows)
    );
    assert_eq!(
        (&others["format_version"], &others["partition"], &others["sort_order"]),
        (&json!(2), &json!(["day:2"]), &json!([1, 2, 3]))
    );
    assert_eq!(others["has_bounds"], true);
    assert!(
        number(&others, "files_of_newest_day") < number(&others, "files"),
        "a day is found without reading the others: {others}"
    );
    let maintainer = Task::deployed(&rollout, STAGING, "oort-staging-acme-maintainer");
    let merged = maintainer.run(&rollout, STAGING, scratch.path())["merged"].clone();
    assert!(
        number(&merged, "files_after") < number(&merged, "files_before"),
        "{merged}"
    );
    let others = others_read(&rollout, "oort_staging_logs", "acme_activity");
    assert_eq!(
        (number(&others, "rows"), number(&others, "rows_by_duckdb")),
        (rows, rows)
    );
    assert_eq!(
        rollout
            .run(
                STAGING,
                &["findings", "-e", "staging", "-t", "initech", "--format", "json"]
            )
            .out
            .trim(),
        "[]"
    );
}

/// What Iceberg's own reader and `DuckDB` make of a table.
pub fn others_read(rollout: &Rollout, database: &str, table: &str) -> Value {
    let output = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers.py"))
        .args([database, table])
        .envs(rollout.emulator.environment(STAGING))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_task_that_is_told_of_two_tenants_is_refused() {
    let world = crate::world::World::new();
    let output = world
        .command(&[
            "detect",
            "--tenant",
            "acme",
            "--bucket",
            "b",
            "--prefix",
            "tenants/initech",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("the objects under `tenants/initech` are not tenant `acme`'s"),
        "{said}"
    );
}

/// The credentials of a role, as a task has them.
pub fn credentials(rollout: &Rollout, role: &str) -> Vec<(String, String)> {
    let output = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assume.py"))
        .arg(role)
        .envs(rollout.emulator.environment(STAGING))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
    told.into_iter().collect()
}

/// Where IAM is enforced, each task does its work with its own role's credentials, and nothing of another tenant's.
#[test]
fn a_role_suffices_for_its_own_task_and_for_no_other_tenants() {
    let rollout = Rollout::deployed_on(Emulator::enforcing());
    let events = sample(&rollout, "200");
    for source in [
        "acme-preview/3f6c1d90-acme-staging",
        "initech-preview/b7702e15-initech-staging",
    ] {
        rollout
            .emulator
            .put_partner_events(&format!("aws.partner/okta.com/{source}"), &events);
    }
    let scratch = tempfile::tempdir().unwrap();
    for role in ["detector", "compactor", "maintainer"] {
        let acme = Task::deployed(&rollout, STAGING, &format!("oort-staging-acme-{role}"));
        let initech = Task::deployed(&rollout, STAGING, &format!("oort-staging-initech-{role}"));
        let of_acme = credentials(&rollout, &format!("oort-staging-acme-{role}"));
        let own = acme.output(&rollout, STAGING, &of_acme, scratch.path());
        assert!(own.status.success(), "{role}: {}", String::from_utf8_lossy(&own.stderr));
        let other = initech.output(&rollout, STAGING, &of_acme, scratch.path());
        let said = String::from_utf8_lossy(&other.stderr);
        assert_eq!(other.status.code(), Some(4), "{role}: {said}");
        assert!(
            said.contains("AccessDenied") || said.contains("not authorized"),
            "{role}: {said}"
        );
    }
}
