//! `kill -9` at any moment, then the same command again: the same table, the same findings, each notification once.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use oort_streams::local::clock::SystemClock;
use oort_streams::ports::Clock as _;
use serde_json::Value;

use crate::emulator::{STAGING, setting};
use crate::rollout::Rollout;
use crate::tasks::{Task, sample};
use crate::world::{Sight, World};

const EVENTS: u32 = 12_000;

/// Moments at which a run is killed, in milliseconds after its start, spread from its first to its last act.
fn moments(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 400
    })
}

/// Kills the command until it has been killed `kills` times or came to its end by itself that often in a row.
fn kill_often(world: &World, arguments: &[&str], kills: usize, seed: u64) -> usize {
    let mut killed = 0;
    for moment in moments(seed).take(kills) {
        let mut child = world.start(arguments);
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let was_killed = status.signal() == Some(9);
        assert!(
            was_killed || status.success(),
            "a run after a kill failed by itself: {status}"
        );
        killed += usize::from(was_killed);
    }
    killed
}

/// Runs until the queue is empty, in flight included: what a killed run had received comes back after a while.
fn detect_to_the_end(world: &World) {
    for _ in 0..40 {
        let report = world.json(&["detect", "--tenant", "acme"]);
        assert_eq!(
            report["queue"]["dead"], 0,
            "a killed run must not cost a message its life"
        );
        if report["queue"]["visible"] == 0 && report["queue"]["in_flight"] == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    panic!("the queue never became empty");
}

async fn undisturbed(sample: &str) -> Sight {
    let world = World::with_messages_that_come_back();
    world.send(sample);
    world.json(&["detect", "--tenant", "acme"]);
    world.json(&["compact", "--tenant", "acme"]);
    world.sight().await
}

/// How many runs are killed, where `OORT_TEST_ROUNDS` does not say otherwise.
fn rounds(usual: usize) -> usize {
    setting("OORT_TEST_ROUNDS").map_or(usual, |text| text.parse().unwrap())
}

/// `OORT_TEST_ROUNDS` says how many runs are killed.
#[tokio::test]
async fn killed_runs_leave_what_undisturbed_runs_leave() {
    let world = World::with_messages_that_come_back();
    // Many short runs receive a message more often than the shipped limit, which is not what is tested here.
    world.edit_profile(|profile| {
        let line = "visibility_timeout_seconds: 2\n";
        assert!(profile.contains(line));
        *profile = profile.replace(line, "visibility_timeout_seconds: 2\n  receive_limit: 1000\n");
    });
    let sample = world.sample(EVENTS, 7);
    let expected = undisturbed(&sample).await;
    assert!(
        !expected.findings.is_empty() && !expected.notifications.is_empty() && expected.rows.len() > EVENTS as usize
    );

    world.send(&sample);
    let rounds = rounds(30);
    let mut killed = kill_often(&world, &["detect", "--tenant", "acme"], rounds * 2 / 5, 1);
    killed += kill_often(&world, &["compact", "--tenant", "acme"], rounds / 5, 2);
    detect_to_the_end(&world);
    killed += kill_often(&world, &["compact", "--tenant", "acme"], rounds * 2 / 5, 3);
    println!("{killed} of {rounds} runs were killed");
    assert!(
        killed * 5 >= rounds,
        "only {killed} of {rounds} runs were still going when they were killed"
    );
    world.json(&["compact", "--tenant", "acme"]);
    assert_eq!(world.sight().await, expected);

    assert_eq!(world.json(&["compact", "--tenant", "acme"])["segments"], 0);
    assert_eq!(world.json(&["detect", "--tenant", "acme"])["evaluated"], 0);
    assert_eq!(world.sight().await, expected);
}

/// Half of an org's events were lost on their way.
#[test]
fn a_killed_comparison_fetches_what_is_missing_once() {
    let world = World::new();
    let end = (SystemClock.now() - SignedDuration::from_hours(3)).to_string();
    let sample = world.ok(&["sample", "--events", "6000", "--seed", "9", "--end", &end]);
    let lines: Vec<&str> = sample.lines().collect();
    let file = |name: &str, lines: &[&str]| world.file(name, &lines.join("\n"));
    let (brought, lost) = lines.split_at(lines.len() / 2);
    world.ok(&["tenant", "connect", "-e", "local", "-t", "acme"]);
    let sent = world.json(&["local", "org", "record", "-t", "acme", &file("brought.jsonl", brought)]);
    let recorded = world.json(&[
        "local",
        "org",
        "record",
        "-t",
        "acme",
        "--lost",
        &file("lost.jsonl", lost),
    ]);
    world.json(&["detect", "-t", "acme"]);
    let before = world.json(&["compact", "-t", "acme"])["events"].as_u64().unwrap();

    let killed = kill_often(&world, &["reconcile", "-t", "acme"], 16, 5);
    assert!(
        killed >= 6,
        "only {killed} of 16 runs were still going when they were killed"
    );
    let mut left = world.json(&["reconcile", "-t", "acme"])["gaps"]["left"].clone();
    for _ in 0..20 {
        if left == 0 {
            break;
        }
        left = world.json(&["reconcile", "-t", "acme"])["gaps"]["left"].clone();
    }
    assert_eq!(left, 0);
    let hours = world.json(&["gaps", "-t", "acme", "--hours", "2160", "--format", "json"]);
    let sum = |name: &str| -> u64 {
        hours["hours"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|hour| hour[name].as_u64())
            .sum()
    };
    assert_eq!((sum("missing"), sum("filled")), (0, recorded["new"].as_u64().unwrap()));
    // Not even in the log of segments is one twice.
    let compacted = world.json(&["compact", "-t", "acme"]);
    assert_eq!(compacted["events"].as_u64(), Some(sum("filled")));
    assert!(before >= sent["new"].as_u64().unwrap());
    let again = world.json(&["reconcile", "-t", "acme"]);
    assert_eq!(again["gaps"]["filled"], 0);
}

/// Starts an analysis and asks it to stop a while later, as a platform does before it kills; gives its report.
fn stopped_analysis(world: &World, after: Duration) -> Value {
    let mut command = world.command(&["detect", "--tenant", "acme"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let asked = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_run_that_is_asked_to_stop_comes_to_a_clean_end() {
    // With the shipped visibility timeout, what a run received and dropped would be missing in the next.
    let world = World::new();
    let sent = world.send(&world.sample(30_000, 11));
    let taken = |report: &Value| report["landed"].as_u64().unwrap() + report["set_aside"].as_u64().unwrap();
    let (mut stopped, mut all) = (0, 0);
    loop {
        let report = stopped_analysis(&world, Duration::from_millis(600));
        assert_eq!(report["queue"]["in_flight"], 0, "a message is hidden from the next run");
        all += taken(&report);
        if report["was_stopped"] == false || report["queue"]["visible"] == 0 {
            break;
        }
        stopped += 1;
        assert!(stopped < 100, "no run gets anywhere before it is stopped");
    }
    assert!(stopped > 0, "the first run was over before it was asked to stop");
    let last = world.json(&["detect", "--tenant", "acme"]);
    assert_eq!(last["was_stopped"], false);
    assert_eq!(Some(all + taken(&last)), sent["queued"].as_u64());
}

/// The same with the tasks that are deployed to the emulated AWS. A minute passes after each death, as its lease and its messages take.
#[test]
fn killed_tasks_on_aws_leave_what_undisturbed_tasks_leave() {
    let rollout = Rollout::deployed();
    let emulator = &rollout.emulator;
    let heard = emulator.make_queue(STAGING, "soc", &serde_json::json!({}));
    emulator.subscribe(STAGING, "oort-staging-acme-findings", "soc");
    let events = sample(&rollout, "1500");
    emulator.put_partner_events("aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging", &events);
    let scratch = tempfile::tempdir().unwrap();
    let task = |role: &str| Task::deployed(&rollout, STAGING, &format!("oort-staging-acme-{role}"));
    let (detector, compactor) = (task("detector"), task("compactor"));
    let rounds = rounds(12);
    let mut killed = 0;
    for (number, moment) in moments(4).take(rounds).enumerate() {
        let (task, lease) = if number % 2 == 0 {
            (&detector, "ingest")
        } else {
            (&compactor, "compact")
        };
        let mut child = task
            .command(&rollout, STAGING, &[], scratch.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 + moment * 3));
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().signal() == Some(9));
        emulator.pass(Duration::from_mins(20));
        emulator.delete_object(
            STAGING,
            &detector.environment["OORT_BUCKET"],
            &format!("tenants/acme/leases/{lease}.json"),
        );
    }
    println!("{killed} of {rounds} tasks were killed");
    assert!(
        killed * 3 >= rounds,
        "only {killed} of {rounds} tasks were still at work when they were killed"
    );
    drain(&rollout, &detector, scratch.path());
    let report = compactor.run(&rollout, STAGING, scratch.path());
    let (again, last) = (
        detector.run(&rollout, STAGING, scratch.path()),
        compactor.run(&rollout, STAGING, scratch.path()),
    );
    assert_eq!(
        (&again["evaluated"], &last["segments"]),
        (&Value::from(0), &Value::from(0)),
        "{report}"
    );

    let world = World::new();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    world.send(&lines.join("\n"));
    let undisturbed = world.json(&["detect", "--tenant", "acme"]);
    let rows = world.json(&["compact", "--tenant", "acme"])["added"].clone();
    let others = crate::tasks::others_read(&rollout, "oort_staging_logs", "acme_activity");
    assert_eq!((&others["rows"], &others["rows_by_duckdb"]), (&rows, &rows));
    let told = rollout.expect(
        0,
        STAGING,
        &[
            "findings", "-e", "staging", "-t", "acme", "--limit", "100000", "--format", "json",
        ],
    );
    let found: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        found.as_array().unwrap().len() as u64,
        undisturbed["new_findings"].as_u64().unwrap()
    );
    // SNS cannot tell a repeat; whoever hears of it can, by its key.
    let keys: std::collections::BTreeSet<String> = emulator.messages(STAGING, &heard).iter().map(key_of).collect();
    assert_eq!(keys.len() as u64, undisturbed["new_findings"].as_u64().unwrap());
}

/// Analyses until the queue has nothing more, and nothing that a killed task took comes back. A message may have been received too
/// often by then.
fn drain(rollout: &Rollout, detector: &Task, scratch: &std::path::Path) {
    for _ in 0..20 {
        rollout.emulator.pass(Duration::from_mins(20));
        let redrive = ["redrive", "-e", "staging", "-t", "acme", "--move", "--limit", "1000"];
        rollout.expect(0, STAGING, &redrive);
        let report = detector.run(rollout, STAGING, scratch);
        if report["queue"] == serde_json::json!({"visible": 0, "in_flight": 0, "dead": 0}) {
            return;
        }
    }
    panic!("the queue never became empty");
}

/// The key of the notification in a message that SNS has sent to a queue.
fn key_of(message: &Value) -> String {
    let sent: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    let notification: Value = serde_json::from_str(sent["Message"].as_str().unwrap()).unwrap();
    notification["id"].as_str().unwrap().to_owned()
}
