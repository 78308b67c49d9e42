//! From nothing to nothing on an emulated AWS, through the real binary: plan, apply, update, rollback, prune, destroy, in the
//! accounts of staging and production beside each other.

use std::process::{Command, Output};

use serde_json::Value;

use crate::emulator::{Emulator, PRODUCTION, STAGING};
use crate::world::World;

/// The shipped environments against an emulator of their own.
pub struct Rollout {
    pub world: World,
    pub emulator: Emulator,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Rollout {
    pub fn new() -> Self {
        Self {
            world: World::of_all_environments(),
            emulator: Emulator::start(),
        }
    }

    /// Staging with its foundation and tenants deployed.
    pub fn deployed() -> Self {
        Self::deployed_on(Emulator::start())
    }

    /// The same on this emulator.
    pub fn deployed_on(emulator: Emulator) -> Self {
        let rollout = Self {
            world: World::of_all_environments(),
            emulator,
        };
        rollout.offer_all();
        rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
        rollout.expect(0, STAGING, &["apply"]);
        rollout
    }

    /// Okta makes the event source of every tenant of staging and production.
    pub fn offer_all(&self) {
        for (account, name) in [
            (STAGING, "acme-preview/3f6c1d90-acme-staging"),
            (STAGING, "initech-preview/b7702e15-initech-staging"),
            (PRODUCTION, "acme/3f6c1d90-acme-production"),
            (PRODUCTION, "initech/b7702e15-initech-production"),
        ] {
            self.emulator.offer(account, &format!("aws.partner/okta.com/{name}"));
        }
    }

    /// Runs a command in an account. The plan is kept in the data folder's parent, where each command finds it.
    pub fn run(&self, account: &str, arguments: &[&str]) -> Ended {
        let output: Output = self.command(account, arguments).output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A command that is about to run in an account.
    pub fn command(&self, account: &str, arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        command
            .current_dir(self.world.root())
            .envs(self.emulator.environment(account));
        command
    }

    /// Runs a command that has to end with this exit code.
    pub fn expect(&self, code: i32, account: &str, arguments: &[&str]) -> Ended {
        let ended = self.run(account, arguments);
        assert_eq!(ended.code, code, "oort {arguments:?}\n{}\n{}", ended.out, ended.err);
        ended
    }

    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.world.root().join(path);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{} has no {from:?}", path.display());
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// The plan as it was written.
    pub fn plan(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.world.root().join("plan.json")).unwrap()).unwrap()
    }

    /// The digest that a person approves, as a command told it.
    pub fn digest(told: &str) -> String {
        let (_, rest) = told
            .split_once("digest ")
            .unwrap_or_else(|| panic!("no digest: {told}"));
        rest.chars().take_while(char::is_ascii_hexdigit).collect()
    }
}

#[test]
fn no_account_but_the_profiles_is_asked_for_anything() {
    let rollout = Rollout::new();
    let wrong = rollout.expect(4, STAGING, &["plan", "-e", "production"]);
    assert!(
        wrong.err.contains("988897525199") && wrong.err.contains("hint:"),
        "{}",
        wrong.err
    );
    let calls = rollout.emulator.calls(STAGING);
    assert_eq!(calls.keys().collect::<Vec<_>>(), ["sts:GetCallerIdentity"]);
    let output = rollout
        .world
        .command(&["plan", "-e", "staging"])
        .envs(rollout.emulator.environment(STAGING))
        .env("AWS_REGION", "eu-west-1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("eu-west-1"));
    let embedded = rollout.expect(4, STAGING, &["plan", "-e", "local"]);
    assert!(embedded.err.contains("runs on this machine"), "{}", embedded.err);
    assert_eq!(rollout.emulator.calls(STAGING).len(), 1, "no other call was made");
}

#[test]
fn two_environments_from_nothing_to_nothing() {
    let rollout = Rollout::new();
    // Before Okta has made the sources, tenants wait, and that is no error.
    let early = rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    assert!(early.out.contains("Waiting for Okta: acme"), "{}", early.out);
    assert_eq!(rollout.plan()["steps"].as_array().unwrap().len(), 1);
    rollout.expect(0, STAGING, &["plan", "discard"]);
    rollout.offer_all();

    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    // The same command again finds all done.
    let again = rollout.expect(0, STAGING, &["apply"]);
    assert!(again.out.contains("3 stacks done"), "{}", again.out);
    assert_eq!(rollout.emulator.executions(STAGING).len(), 3);

    // Production wants a person's word.
    let told = rollout.expect(2, PRODUCTION, &["plan", "-e", "production"]);
    let digest = Rollout::digest(&told.out);
    let unapproved = rollout.expect(4, PRODUCTION, &["apply"]);
    assert!(unapproved.err.contains(&digest), "{}", unapproved.err);
    rollout.expect(4, PRODUCTION, &["apply", "--approve", "0123456789abcdef"]);
    assert!(rollout.emulator.executions(PRODUCTION).is_empty());
    rollout.edit(
        "environments/production/profile.yaml",
        "soak_minutes: 10",
        "soak_minutes: 0",
    );
    rollout.expect(2, PRODUCTION, &["plan", "-e", "production"]);
    let digest = Rollout::digest(&rollout.expect(2, PRODUCTION, &["plan", "-e", "production"]).out);
    rollout.expect(0, PRODUCTION, &["apply", "--approve", &digest]);

    // What is unchanged costs no change set.
    rollout.emulator.forget_calls();
    let unchanged = rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
    assert!(unchanged.out.contains("3 stacks unchanged"), "{}", unchanged.out);
    let calls = rollout.emulator.calls(STAGING);
    assert_eq!(
        calls.keys().map(String::as_str).collect::<Vec<_>>(),
        [
            "cloudformation:DescribeStacks",
            "events:ListEventSources",
            "sts:GetCallerIdentity"
        ]
    );

    let bare = rollout.expect(4, PRODUCTION, &["destroy", "-e", "production"]);
    assert!(
        bare.out.contains("AWS::Events::Archive oort-production-acme"),
        "what stays is named: {}",
        bare.out
    );
    for (account, environment) in [(STAGING, "staging"), (PRODUCTION, "production")] {
        let told = rollout.expect(2, account, &["destroy", "-e", environment, "-o", "gone.json"]);
        let digest = Rollout::digest(&told.out);
        rollout.expect(0, account, &["apply", "gone.json", "--approve", &digest]);
        let empty = rollout.expect(0, account, &["destroy", "-e", environment]);
        assert!(empty.out.contains("Nothing to delete"), "{}", empty.out);
    }
}

#[test]
fn a_replacement_of_what_holds_something_is_refused_and_then_allowed() {
    let rollout = Rollout::deployed();
    rollout.edit(
        "templates/tenant.yaml.j2",
        "QueueName: {{ prefix ~ \"-events\" }}",
        "QueueName: {{ prefix ~ \"-inbox\" }}",
    );
    let refused = rollout.expect(4, STAGING, &["plan", "-e", "staging"]);
    assert!(
        refused.err.contains("acme/EventQueue") && refused.err.contains("initech/EventQueue"),
        "{}",
        refused.err
    );
    // Nothing of the refused plan is left.
    let calls = rollout.emulator.calls(STAGING);
    assert_eq!(calls["cloudformation:DeleteChangeSet"], 2);
    let told = rollout.expect(
        2,
        STAGING,
        &[
            "plan",
            "-e",
            "staging",
            "-t",
            "acme",
            "--allow-replace",
            "acme/EventQueue",
        ],
    );
    assert!(
        told.out.contains("EventQueue (AWS::SQS::Queue)") && told.out.contains("retained"),
        "{}",
        told.out
    );
    rollout.expect(0, STAGING, &["apply"]);
    let other = rollout.expect(
        4,
        STAGING,
        &["plan", "-e", "staging", "--allow-replace", "acme/EventQueue"],
    );
    assert!(
        !other.err.contains("acme/EventQueue") && other.err.contains("initech/EventQueue"),
        "{}",
        other.err
    );
}

#[test]
fn an_update_is_rolled_back_to_what_was_before() {
    let rollout = Rollout::deployed();
    let before = rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
    assert!(before.out.contains("unchanged"));
    rollout.edit("environments/defaults.yaml", "receive_limit: 5", "receive_limit: 6");
    let told = rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    assert!(
        told.out.contains("RedrivePolicy.maxReceiveCount: 5 -> 6"),
        "{}",
        told.out
    );
    rollout.expect(0, STAGING, &["apply"]);
    rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
    let back = rollout.expect(0, STAGING, &["rollback", "-e", "staging"]);
    assert!(
        back.out.contains("RedrivePolicy.maxReceiveCount: 6 -> 5"),
        "{}",
        back.out
    );
    let again = rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    assert!(again.out.contains("5 -> 6"), "{}", again.out);
}

#[test]
fn a_plan_of_yesterday_is_refused_with_what_moved() {
    let rollout = Rollout::deployed();
    rollout.edit("environments/defaults.yaml", "receive_limit: 5", "receive_limit: 6");
    rollout.expect(2, STAGING, &["plan", "-e", "staging", "-o", "old.json"]);
    rollout.edit("environments/defaults.yaml", "receive_limit: 6", "receive_limit: 7");
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    let stale = rollout.expect(4, STAGING, &["apply", "old.json"]);
    // A refused plan is none to roll back to.
    assert!(
        stale.err.contains("oort-staging-acme: was in") && stale.err.contains("with other content"),
        "{}",
        stale.err
    );
    assert_eq!(rollout.emulator.executions(STAGING).len(), 4);
    let back = rollout.expect(0, STAGING, &["rollback", "-e", "staging"]);
    assert!(back.out.contains("7 -> 5"), "{}", back.out);
}

#[test]
fn a_tenant_waits_for_its_foundation() {
    let rollout = Rollout::new();
    rollout.offer_all();
    let blocked = rollout.expect(5, STAGING, &["plan", "-e", "staging", "-t", "acme"]);
    assert!(
        blocked.out.contains("which no stack exports") && blocked.out.contains("without --tenant"),
        "{}",
        blocked.out
    );
    assert!(
        !rollout
            .emulator
            .calls(STAGING)
            .contains_key("cloudformation:CreateChangeSet")
    );
}

#[test]
fn stacks_that_no_file_names_are_pruned() {
    let rollout = Rollout::deployed();
    std::fs::remove_file(rollout.world.root().join("environments/staging/tenants/initech.yaml")).unwrap();
    let told = rollout.expect(2, STAGING, &["prune", "-e", "staging", "-o", "gone.json"]);
    assert!(told.out.contains("oort-staging-initech leaves behind"), "{}", told.out);
    let digest = Rollout::digest(&told.out);
    let done = rollout.expect(0, STAGING, &["apply", "gone.json", "--approve", &digest]);
    assert!(done.out.contains("1 stack done"), "{}", done.out);
    let none = rollout.expect(0, STAGING, &["prune", "-e", "staging"]);
    assert!(none.out.contains("Nothing to delete"), "{}", none.out);
}

#[test]
fn a_stack_comes_as_soon_as_its_source_is_there() {
    let rollout = Rollout::new();
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    let watch = ["apply", "--watch-sources", "-e", "staging", "--once"];
    rollout.expect(0, STAGING, &watch);
    assert_eq!(rollout.emulator.executions(STAGING), ["oort-staging-foundation"]);
    rollout.offer_all();
    rollout.expect(0, STAGING, &watch);
    let mut executed = rollout.emulator.executions(STAGING);
    executed.sort();
    assert_eq!(
        executed,
        ["oort-staging-acme", "oort-staging-foundation", "oort-staging-initech"]
    );
    // In production nothing is created unasked before a person has approved all that the files say.
    let refused = rollout.expect(
        4,
        PRODUCTION,
        &["apply", "--watch-sources", "-e", "production", "--once"],
    );
    assert!(refused.err.contains("--approve"), "{}", refused.err);
}

#[test]
fn a_template_too_large_for_a_call_goes_through_the_bucket() {
    let rollout = Rollout::new();
    rollout.offer_all();
    let resource = "  EventQueue:\n    Type: AWS::SQS::Queue\n";
    let note = "n".repeat(60_000);
    rollout.edit(
        "templates/tenant.yaml.j2",
        resource,
        &format!("{resource}    Metadata:\n      Note: {note}\n"),
    );
    rollout.expect(0, STAGING, &["render", "-e", "staging"]);
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
    // Where the bucket is there, the plan itself goes through it.
    rollout.edit("templates/tenant.yaml.j2", &note, &format!("m{note}"));
    rollout.expect(0, STAGING, &["render", "-e", "staging"]);
    rollout.expect(2, STAGING, &["plan", "-e", "staging"]);
    rollout.expect(0, STAGING, &["apply"]);
    rollout.expect(0, STAGING, &["plan", "-e", "staging"]);
    assert_eq!(rollout.emulator.calls(STAGING)["s3:PutObject"], 4);
}
