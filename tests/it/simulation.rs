//! A fleet of 10,000 tenants in 20 accounts, on a virtual clock: how long a plan and an apply take when AWS answers five
//! calls a second an account, and how many calls they make. What is simulated is AWS; planner, pacer and applier are real.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use oort_streams::deploy::apply::Apply;
use oort_streams::deploy::pace::Pacer;
use oort_streams::deploy::plan::Purpose;
use oort_streams::deploy::plan::intent::{WaysOut, intent};
use oort_streams::deploy::profile::{Profile, validate};
use oort_streams::deploy::propose::{self, Clients, Draft, Made, Request};
use oort_streams::deploy::source::read_shared;
use oort_streams::deploy::{template, world};
use oort_streams::model::name::{EventSourceName, StackName, TenantId};
use oort_streams::model::stack::{CONTENT_HASH_TAG, ENVIRONMENT_TAG, StackSpec, TENANT_TAG};
use oort_streams::ports::{Clock, Journal, Result};
use tokio::time::Instant;

use crate::emulator::setting;
use crate::simulated_account::SimulatedAccount;

/// What CloudFormation takes for an update of a tenant's stack.
const OPERATION: Duration = Duration::from_secs(90);
const CALLS_A_SECOND: f64 = 5.0;

/// Keeps lines in memory.
#[derive(Default)]
struct MemoryJournal(Mutex<Vec<String>>);

impl Journal for MemoryJournal {
    fn lines(&self) -> Result<Vec<String>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn append(&self, line: &str) -> Result<()> {
        self.0.lock().unwrap().push(line.to_owned());
        Ok(())
    }
}

/// The virtual clock as time of day.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        start + jiff::SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
}

fn spec(tenant: &str, version: u32) -> StackSpec {
    let body = format!(
        "Resources:\n  EventQueue:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: oort-staging-{tenant}-events\n      VisibilityTimeout: {version}\n"
    );
    let tags = [
        (ENVIRONMENT_TAG, "staging".to_owned()),
        (TENANT_TAG, tenant.to_owned()),
        (CONTENT_HASH_TAG, version.to_string()),
    ];
    StackSpec {
        name: StackName::parse(&format!("oort-staging-{tenant}")).unwrap(),
        tenant: Some(TenantId::parse(tenant).unwrap()),
        body,
        tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}

/// What one account's plan or apply took.
#[derive(Debug, Default, Clone, Copy)]
struct Took {
    plan: Duration,
    apply: Duration,
    calls: u64,
    throttled: u64,
}

/// Brings the tenants of one account to a version.
async fn roll_out(account: &SimulatedAccount, profile: &Profile, tenants: &[String], version: u32, seed: u64) -> Took {
    let pacer = Pacer::new(f64::from(profile.rollout.calls_per_second), seed);
    let clock = VirtualClock(Instant::now());
    let start = Instant::now();
    let world = world::sweep(account, &pacer).await.unwrap();
    let drafts = tenants
        .iter()
        .map(|tenant| {
            let spec = spec(tenant, version);
            let source = EventSourceName::parse(&format!("aws.partner/okta.com/{tenant}/id")).unwrap();
            Draft {
                intent: intent(&spec, Some(&source), &world, &WaysOut::default()),
                tree: template::read(&spec.body).unwrap(),
                spec,
            }
        })
        .collect();
    let request = Request {
        id: format!("simulation-{version}"),
        purpose: Purpose::Deploy,
        now: clock.now(),
        allowed: std::collections::BTreeSet::new(),
        adopts: false,
        pause: Duration::from_secs(5),
    };
    let clients = Clients {
        cloud: account,
        pacer: &pacer,
        templates: None,
    };
    let plan = propose::plan(&clients, profile, &world, drafts, &request, &Made::default(), &|| ())
        .await
        .unwrap();
    assert_eq!(plan.blocked, []);
    let mut took = Took {
        plan: start.elapsed(),
        calls: account.calls(),
        ..Took::default()
    };
    if plan.steps.is_empty() {
        return took;
    }
    let start = Instant::now();
    let journal = MemoryJournal::default();
    let apply = Apply {
        cloud: account,
        pacer: &pacer,
        plan: &plan,
        journal: &journal,
        clock: &clock,
        templates: None,
        interval: Duration::from_secs(5),
        observe: &|_| (),
    };
    let report = apply.run().await.unwrap();
    assert!(report.is_complete(), "{:?}", report.causes);
    took.apply = start.elapsed();
    took.calls = account.calls();
    took.throttled = account.throttled();
    took
}

/// All accounts at once; the slowest counts.
fn fleet(accounts: usize, tenants: usize) -> BTreeMap<&'static str, Took> {
    let shared = read_shared(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), "staging").unwrap();
    let profile = validate(&shared).unwrap().profile;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let names: Vec<String> = (0..tenants).map(|number| format!("t{number:05}")).collect();
        let clouds: Vec<SimulatedAccount> = (0..accounts)
            .map(|_| SimulatedAccount::new(&names, OPERATION, CALLS_A_SECOND))
            .collect();
        let mut told = BTreeMap::new();
        for (name, version) in [("create", 1), ("update", 2), ("unchanged", 2)] {
            let all = clouds.iter().enumerate().map(|(seed, cloud)| {
                cloud.forget_calls();
                roll_out(cloud, &profile, &names, version, seed as u64)
            });
            let took = futures::future::join_all(all).await;
            let slowest = took.iter().max_by_key(|took| took.plan + took.apply).copied().unwrap();
            told.insert(name, slowest);
        }
        for cloud in &clouds {
            assert_eq!(cloud.most_executions(), 1, "no change set was carried out twice");
        }
        told
    })
}

/// `OORT_TEST_ACCOUNTS` and `OORT_TEST_TENANTS` make it larger: 20 accounts of 500 tenants are the fleet of the README.
#[test]
fn a_fleet_is_planned_and_applied_in_an_hour_of_virtual_time() {
    let number = |name: &str, usual: usize| setting(name).map_or(usual, |text| text.parse().unwrap());
    let (accounts, tenants) = (number("OORT_TEST_ACCOUNTS", 2), number("OORT_TEST_TENANTS", 100));
    let told = fleet(accounts, tenants);
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
