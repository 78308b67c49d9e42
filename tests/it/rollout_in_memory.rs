//! Plans and applies in memory: planner, pacer and applier are real, AWS is the embedded account, and its clock is tokio's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use oort_streams::deploy::apply::report::Report;
use oort_streams::deploy::apply::{Apply, NotApplied};
use oort_streams::deploy::pace::Pacer;
use oort_streams::deploy::plan::intent::{WaysOut, intent};
use oort_streams::deploy::plan::{Plan, Purpose};
use oort_streams::deploy::profile::{Profile, validate};
use oort_streams::deploy::propose::{self, Clients, Draft, Made, NoPlan, Request};
use oort_streams::deploy::source::read_shared;
use oort_streams::deploy::{template, world};
use oort_streams::local::account::{Account, Behaviour};
use oort_streams::model::name::{EventSourceName, StackName, TenantId};
use oort_streams::model::stack::{CONTENT_HASH_TAG, ENVIRONMENT_TAG, StackSpec, TENANT_TAG};
use oort_streams::ports::{Clock, Journal, Result};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

const INTERVAL: Duration = Duration::from_secs(5);

/// Keeps lines in memory.
#[derive(Default)]
pub struct MemoryJournal(Mutex<Vec<String>>);

impl Journal for MemoryJournal {
    fn lines(&self) -> Result<Vec<String>> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn append(&self, line: &str) -> Result<()> {
        self.0.lock().unwrap().push(line.to_owned());
        Ok(())
    }
}

/// The account's time of day.
struct AccountClock<'a>(&'a Account);

impl Clock for AccountClock<'_> {
    fn now(&self) -> Timestamp {
        self.0.timestamp()
    }
}

/// The profile of staging, whose foundation is not needed here: the stacks below import nothing.
pub fn profile() -> Profile {
    let shared = read_shared(Path::new(env!("CARGO_MANIFEST_DIR")), "staging").unwrap();
    validate(&shared).unwrap().profile
}

/// An account in which Okta has made these tenants' event sources.
pub fn account(profile: &Profile, tenants: &[String], behaviour: Behaviour) -> Account {
    let start = "2026-11-23T00:00:00Z".parse().unwrap();
    let replaces = |_: &str, property: &str| property.ends_with("Name");
    let account = Account::new(
        profile.account_id.as_str(),
        profile.region.as_str(),
        start,
        behaviour,
        replaces,
    );
    for tenant in tenants {
        account.offer_source(&source(tenant), None);
    }
    account
}

fn source(tenant: &str) -> String {
    format!("aws.partner/okta.com/{tenant}/id")
}

pub fn digest(body: &str) -> String {
    format!("{:x}", Sha256::digest(body))
}

/// A tenant's stack with this body.
pub fn stack(tenant: &str, body: String) -> StackSpec {
    let tags = [
        (ENVIRONMENT_TAG, "staging".to_owned()),
        (TENANT_TAG, tenant.to_owned()),
        (CONTENT_HASH_TAG, digest(&body)),
    ];
    StackSpec {
        name: StackName::parse(&format!("oort-staging-{tenant}")).unwrap(),
        tenant: Some(TenantId::parse(tenant).unwrap()),
        body,
        tags: tags.map(|(key, value)| (key.to_owned(), value)).into(),
    }
}

/// One person's rollouts in an account.
pub struct Rollout<'a> {
    pub account: &'a Account,
    pub profile: &'a Profile,
    pub pacer: Pacer,
}

impl<'a> Rollout<'a> {
    pub fn new(account: &'a Account, profile: &'a Profile, seed: u64) -> Self {
        Self {
            account,
            profile,
            pacer: Pacer::new(f64::from(profile.rollout.calls_per_second), seed),
        }
    }

    /// Plans what these stacks need. `made` is left with what a plan that did not come to an end has made.
    pub async fn plan(&self, id: &str, specs: Vec<StackSpec>, made: &Made) -> std::result::Result<Plan, NoPlan> {
        let world = world::sweep(self.account, &self.pacer).await?;
        let drafts = specs.into_iter().map(|spec| {
            let source = EventSourceName::parse(&source(spec.tenant.as_ref().unwrap().as_str())).unwrap();
            Draft {
                intent: intent(&spec, Some(&source), &world, &WaysOut::default()),
                tree: template::read(&spec.body).unwrap(),
                spec,
            }
        });
        let request = Request {
            id: id.to_owned(),
            purpose: Purpose::Deploy,
            now: self.account.timestamp(),
            allowed: BTreeSet::new(),
            adopts: false,
            pause: INTERVAL,
        };
        let clients = Clients {
            cloud: self.account,
            pacer: &self.pacer,
        };
        propose::plan(&clients, self.profile, &world, drafts.collect(), &request, made, &|| ()).await
    }

    pub async fn apply(&self, plan: &Plan, journal: &MemoryJournal) -> std::result::Result<Report, NotApplied> {
        let apply = Apply {
            cloud: self.account,
            pacer: &self.pacer,
            plan,
            journal,
            clock: &AccountClock(self.account),
            interval: INTERVAL,
            observe: &|_| (),
        };
        apply.run().await
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.account.calls().values().sum()
    }
}

/// How often each change set was carried out.
pub fn executions(account: &Account) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for execution in account.executions() {
        *counts.entry(execution.change_set).or_default() += 1;
    }
    counts
}

/// A runtime whose time passes only while nothing is to be done.
pub fn on_a_virtual_clock<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// What it gives, and how long it took on the virtual clock.
pub async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    (work.await, start.elapsed())
}
