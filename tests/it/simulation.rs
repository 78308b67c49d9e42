//! A fleet of 10,000 tenants in 20 accounts, on a virtual clock: how long a plan and an apply take when AWS answers five
//! calls a second an account, all APIs together, and how many calls they make.

use std::collections::BTreeMap;
use std::time::Duration;

use oort_streams::deploy::profile::Profile;
use oort_streams::deploy::propose::Made;
use oort_streams::local::account::{Account, Behaviour, Rate};

use crate::emulator::setting;
use crate::rollout_in_memory::{
    MemoryJournal, Rollout, account, executions, on_a_virtual_clock, profile, stack, timed,
};

/// What CloudFormation takes for an update of a tenant's stack.
const OPERATION: Duration = Duration::from_secs(90);
const CALLS_A_SECOND: u32 = 5;

/// What one account's plan or apply took.
#[derive(Debug, Default, Clone, Copy)]
struct Took {
    plan: Duration,
    apply: Duration,
    calls: u64,
    throttled: u64,
}

/// Brings the tenants of one account to a version.
async fn roll_out(account: &Account, profile: &Profile, tenants: &[String], version: u32, seed: u64) -> Took {
    let rollout = Rollout::new(account, profile, seed);
    let (calls, throttled) = (rollout.calls(), account.throttled());
    let specs = tenants
        .iter()
        .map(|tenant| {
            let body = format!(
                "Resources:\n  EventQueue:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: oort-staging-{tenant}-events\n      VisibilityTimeout: {version}\n"
            );
            stack(tenant, body)
        })
        .collect();
    let made = Made::default();
    let (plan, took) = timed(rollout.plan(&format!("simulation-{version}"), specs, &made)).await;
    let (plan, mut took) = (
        plan.unwrap(),
        Took {
            plan: took,
            ..Took::default()
        },
    );
    assert_eq!(plan.blocked, []);
    if !plan.steps.is_empty() {
        let journal = MemoryJournal::default();
        let (report, apply) = timed(rollout.apply(&plan, &journal)).await;
        let report = report.unwrap();
        assert!(report.is_complete(), "{:?}", report.causes);
        took.apply = apply;
    }
    took.calls = rollout.calls() - calls;
    took.throttled = account.throttled() - throttled;
    took
}

/// All accounts at once; the slowest counts.
async fn fleet(accounts: usize, tenants: usize) -> BTreeMap<&'static str, Took> {
    let profile = profile();
    let names: Vec<String> = (0..tenants).map(|number| format!("t{number:05}")).collect();
    let behaviour = Behaviour {
        operation: OPERATION,
        rate: Some(Rate::Together(CALLS_A_SECOND)),
        ..Behaviour::default()
    };
    let clouds: Vec<Account> = (0..accounts)
        .map(|_| account(&profile, &names, behaviour.clone()))
        .collect();
    let mut told = BTreeMap::new();
    for (name, version) in [("create", 1), ("update", 2), ("unchanged", 2)] {
        let all = clouds
            .iter()
            .enumerate()
            .map(|(seed, cloud)| roll_out(cloud, &profile, &names, version, seed as u64));
        let took = futures::future::join_all(all).await;
        let slowest = took.iter().max_by_key(|took| took.plan + took.apply).copied().unwrap();
        told.insert(name, slowest);
    }
    for cloud in &clouds {
        let executions = executions(cloud);
        assert_eq!(executions.len(), 2 * tenants);
        assert!(
            executions.values().all(|times| *times == 1),
            "a change set was carried out twice"
        );
    }
    told
}

/// `OORT_TEST_ACCOUNTS` and `OORT_TEST_TENANTS` make it larger: 20 accounts of 500 tenants are the fleet of the README.
#[test]
fn a_fleet_is_planned_and_applied_in_an_hour_of_virtual_time() {
    let number = |name: &str, usual: usize| setting(name).map_or(usual, |text| text.parse().unwrap());
    let (accounts, tenants) = (number("OORT_TEST_ACCOUNTS", 2), number("OORT_TEST_TENANTS", 100));
    let told = on_a_virtual_clock(fleet(accounts, tenants));
    for (what, took) in &told {
        let minutes = |time: Duration| time.as_secs_f64() / 60.0;
        println!(
            "{what}: {accounts} accounts of {tenants} tenants: plan {:.1} min, apply {:.1} min, {} calls an account, {} throttled",
            minutes(took.plan),
            minutes(took.apply),
            took.calls,
            took.throttled
        );
    }
    // Throttled calls, of which a simulated account has more than a real one, count here too.
    let most = |what: &str, a_hundred_stacks: u64| {
        let calls = told[what].calls;
        assert!(
            calls * 100 <= a_hundred_stacks * tenants as u64,
            "{what}: {calls} calls"
        );
    };
    most("create", 700);
    most("unchanged", 20);
    assert!(told["update"].plan + told["update"].apply < Duration::from_hours(2));
}
