//! A month of an org, on a virtual clock and from a seed: its stream is switched off, brings events late, twice and not at all;
//! its token is rotated, its API is down or says to wait. At the end the Activity table holds exactly the org's events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use oort_streams::lake::segment;
use oort_streams::local::org::LocalOrg;
use oort_streams::model::activity::Activity;
use oort_streams::model::event::{Arrival, Head, detail, wrap};
use oort_streams::model::okta::{LogStream, User};
use oort_streams::ports::okta::{Act, Ask, LogQuery, Next, Okta, Page};
use oort_streams::ports::{Clock as _, Error, Kind, Result};
use oort_streams::runtime::{findings, stream};
use oort_streams::sample::{Generator, Settings};

use crate::chance::Chance;
use crate::emulator::setting;
use crate::gaps::Tenant;

const DAYS: u32 = 30;
/// Half of a limit of sixty requests a minute.
const REQUESTS_A_MINUTE: u64 = 30;

/// The org as its management API is reached: with a rate limit that takes time, and with bad days.
struct Reached<'a> {
    tenant: &'a Tenant,
    chance: Chance,
    requests: AtomicU64,
    bad_until: Mutex<Option<(Timestamp, Kind)>>,
}

impl Reached<'_> {
    fn okta(&self) -> &LocalOrg {
        &self.tenant.okta
    }

    /// Some hours of an outage, or until a new token is where the old one was.
    fn maybe_a_bad_day(&self) {
        let now = self.tenant.clock.now();
        let mut bad = self.bad_until.lock().unwrap();
        if bad.is_none_or(|(until, _)| until <= now) {
            *bad = None;
            for (one_in, hours, kind) in [(60, 9, Kind::Unavailable), (100, 5, Kind::Denied)] {
                if self.chance.one_in(one_in) {
                    let hours = 1 + self.chance.below(hours);
                    *bad = Some((now + SignedDuration::from_hours(hours.cast_signed()), kind));
                }
            }
        }
    }

    fn calm(&self) {
        *self.bad_until.lock().unwrap() = Some((Timestamp::MAX, Kind::NotFound));
    }

    fn turn(&self) -> Result<()> {
        if self.requests.fetch_add(1, Ordering::Relaxed) % REQUESTS_A_MINUTE == REQUESTS_A_MINUTE - 1 {
            self.tenant.clock.advance(Duration::from_mins(1));
        }
        let bad = *self.bad_until.lock().unwrap();
        match bad {
            Some((_, Kind::NotFound)) => Ok(()),
            Some((until, kind)) if self.tenant.clock.now() < until => Err(Error::new(kind, "ask on a bad day")),
            _ if self.chance.one_in(300) => Err(Error::new(Kind::Throttled, "ask once too often")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Okta for Reached<'_> {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        self.turn()?;
        self.okta().ask(ask, next).await
    }

    async fn act(&self, act: &Act) -> Result<Option<LogStream>> {
        self.turn()?;
        self.okta().act(act).await
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// What was to be told of the month.
#[derive(Default)]
struct Told {
    /// Minutes from when an event was published to when it was fetched.
    open_minutes: Vec<i64>,
    /// Requests of each run, by job.
    requests: BTreeMap<&'static str, Vec<u64>>,
    outages: usize,
    lost: u64,
    late: u64,
    doubled: u64,
    failed_runs: u64,
}

impl Told {
    fn count(&mut self, job: &'static str, before: u64, after: u64) {
        self.requests.entry(job).or_default().push(after - before);
    }
}

/// The month's events by the hour in which the org stores them: a few only hours after they were published.
fn events(chance: &Chance, start: Timestamp, seed: u64) -> BTreeMap<i64, Vec<String>> {
    let settings = Settings {
        users: 40,
        days: DAYS,
        events: 6_000,
        seed,
        end: start + SignedDuration::from_hours(i64::from(DAYS) * 24),
    };
    let mut hours: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for event in Generator::new(settings) {
        let published = Head::parse(&event).unwrap().published;
        let late = if chance.one_in(50) { 1 + chance.below(6) } else { 0 };
        let hour = published.duration_since(start).as_secs().div_euclid(3_600).max(0) + 1 + late.cast_signed();
        hours.entry(hour).or_default().push(event);
    }
    hours
}

/// What the stream has to send, and when it comes.
fn send(
    tenant_sent: Vec<String>,
    hour: i64,
    chance: &Chance,
    under_way: &mut BTreeMap<i64, Vec<String>>,
    told: &mut Told,
) {
    for envelope in tenant_sent {
        if chance.one_in(100) {
            told.lost += 1;
            continue;
        }
        let late = if chance.one_in(20) { 1 + chance.below(30) } else { 0 };
        told.late += u64::from(late > 0);
        if chance.one_in(33) {
            told.doubled += 1;
            let again = hour + chance.below(10).cast_signed();
            under_way.entry(again).or_default().push(envelope.clone());
        }
        under_way.entry(hour + late.cast_signed()).or_default().push(envelope);
    }
}

async fn reconcile(tenant: &Tenant, reached: &Reached<'_>, told: &mut Told) {
    let first = segment::end(&tenant.objects, 0).await.unwrap();
    let before = reached.requests();
    let (_, failure) = tenant.reconcile(reached).await;
    told.failed_runs += u64::from(failure.is_some());
    told.count("reconcile", before, reached.requests());
    let now = tenant.clock.now();
    for number in first..segment::end(&tenant.objects, first).await.unwrap() {
        let mut lines = segment::Lines::open(&tenant.objects, number).await.unwrap();
        while let Some(line) = lines.next_line().unwrap() {
            if Arrival::of(line) == Arrival::Backfilled {
                let head = Head::parse(detail(line).unwrap()).unwrap();
                told.open_minutes.push(now.duration_since(head.published).as_mins());
            }
        }
    }
}

async fn live(tenant: &Tenant, reached: &Reached<'_>, hours_between: i64, seed: u64) -> Told {
    let start = tenant.clock.now();
    let chance = &reached.chance;
    let mut stored = events(chance, start, seed);
    let (mut told, mut under_way) = (Told::default(), BTreeMap::new());
    let last = i64::from(DAYS) * 24;
    // After the month a day and a half without trouble, in which what is late comes.
    for hour in 1..=last + 36 {
        let due = start + SignedDuration::from_hours(hour);
        let wait = due.duration_since(tenant.clock.now());
        tenant.clock.advance(wait.try_into().unwrap_or_default());
        if hour > last {
            reached.calm();
        } else {
            reached.maybe_a_bad_day();
            if chance.one_in(60) {
                tenant.okta.fail_streams().await.unwrap();
            }
        }
        tenant
            .okta
            .record(&stored.remove(&hour).unwrap_or_default())
            .await
            .unwrap();
        send(tenant.sent().await, hour, chance, &mut under_way, &mut told);
        let come = under_way.remove(&hour).unwrap_or_default();
        tenant.queue.0.lock().unwrap().extend(come);

        let before = reached.requests();
        tenant.detect(reached).await;
        told.count("detect", before, reached.requests());
        if hour % hours_between == 0 {
            reconcile(tenant, reached, &mut told).await;
        }
        if hour % 24 == 3 {
            tenant.compact().await;
        }
        if hour % 24 == 10 {
            let before = reached.requests();
            let users = tenant
                .okta
                .ask(&Ask::Users { changed_since: None }, None)
                .await
                .unwrap()
                .items;
            let user: User =
                serde_json::from_str(users[usize::try_from(chance.below(users.len() as u64)).unwrap()].get()).unwrap();
            tenant.refresh(reached, &user.profile.login).await.unwrap();
            told.count("refresh", before, reached.requests());
        }
    }
    assert!(stored.is_empty() && under_way.is_empty());
    tenant.compact().await;
    told.outages = stream::outages(&tenant.objects).await.unwrap().len();
    told
}

/// Every event of the org, as its System Log gives it.
async fn all_events(tenant: &Tenant) -> Vec<String> {
    let ask = Ask::Events(LogQuery {
        from: Timestamp::UNIX_EPOCH,
        to: tenant.clock.now() + SignedDuration::from_hours(1),
        filter: None,
    });
    let (mut events, mut next) = (Vec::new(), None);
    loop {
        let page = tenant.okta.ask(&ask, next.as_ref()).await.unwrap();
        events.extend(page.items.iter().map(|item| item.get().to_owned()));
        next = page.next;
        if next.is_none() {
            return events;
        }
    }
}

/// Each user's rows are the org's events of that user, each once.
async fn check_activity(tenant: &Tenant) -> usize {
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in all_events(tenant).await {
        let activity = Activity::parse(&event).unwrap();
        let uuid = Head::parse(&event).unwrap().uuid.to_string();
        for subject in activity.subjects() {
            assert!(expected.entry(subject.id.to_owned()).or_default().insert(uuid.clone()));
        }
    }
    let mut rows = 0;
    for (user, uuids) in &expected {
        let mut own: Vec<String> = tenant
            .rows(user)
            .await
            .into_iter()
            .filter(|row| row.user_id == *user)
            .map(|row| row.event_uuid)
            .collect();
        own.sort();
        assert!(
            own.iter().eq(uuids),
            "{user}: {} rows, {} events",
            own.len(),
            uuids.len()
        );
        rows += own.len();
    }
    assert_eq!(
        tenant.lake.rows().await.unwrap(),
        rows as u64,
        "there are no other rows"
    );
    rows
}

/// What the rules find of the org's events but for its log stream, by whom it is of, with how many findings there are: one that was
/// told of before its first event came is known by a later one.
async fn found(tenant: &Tenant) -> BTreeMap<String, usize> {
    let all = findings::all(&tenant.objects).await.unwrap().into_iter();
    let mut found = BTreeMap::new();
    for finding in all.filter(|finding| !finding.matched.title.to_lowercase().contains("log stream")) {
        let episode = finding.episode.unwrap();
        let day = episode.last_seen.strftime("%Y-%m-%d");
        *found
            .entry(format!("{}: {} on {day}", finding.matched.title, episode.entity))
            .or_default() += 1;
    }
    found
}

/// The same events, each once, in order and in time.
async fn undisturbed(events: &[String]) -> BTreeMap<String, usize> {
    let tenant = Tenant::new("2026-10-01T00:00:00Z").await;
    let (source, account, region) = tenant.org.envelope();
    let envelope = |event: &String| wrap(event, &Head::parse(event).unwrap(), source, account, region);
    tenant.queue.0.lock().unwrap().extend(events.iter().map(envelope));
    tenant.detect(&tenant.okta).await;
    found(&tenant).await
}

/// Lives a month, and tells of it.
async fn month(seed: u64, hours_between: i64) -> String {
    let tenant = Tenant::new("2026-10-01T00:00:00Z").await;
    tenant.connect().await;
    let reached = Reached {
        tenant: &tenant,
        chance: Chance::new(seed),
        requests: AtomicU64::new(0),
        bad_until: Mutex::new(None),
    };
    let mut told = live(&tenant, &reached, hours_between, seed).await;
    let rows = check_activity(&tenant).await;
    let (told_of, expected) = (found(&tenant).await, undisturbed(&all_events(&tenant).await).await);
    assert_eq!(told_of, expected, "no phantom, and none missed");
    let hours = tenant.hours().await;
    assert!(
        hours
            .values()
            .all(|hour| hour.missing().is_none_or(|missing| missing == 0))
    );
    let open = hours
        .values()
        .filter(|hour| hour.checked.is_none() && hour.received > 0)
        .count();
    told.open_minutes.sort_unstable();
    let all = told.open_minutes.len();
    assert!(
        told.outages > 3 && told.lost > 10 && told.failed_runs > 0 && all > 100,
        "the month was bad enough"
    );
    let worst = told.open_minutes[all - 1];
    let mut said = format!(
        "seed {seed}, compared every {hours_between} h: {rows} rows of {} events; {} outages, {} lost, {} late, {} doubled, {} runs \
         failed; {} findings, no other than in order; {all} fetched, after {:.1} h (median) and {:.1} h (worst); {open} hours not compared yet",
        all_events(&tenant).await.len(),
        told.outages,
        told.lost,
        told.late,
        told.doubled,
        told.failed_runs,
        told_of.values().sum::<usize>(),
        minutes(told.open_minutes[all / 2]),
        minutes(worst),
    );
    for (job, requests) in &mut told.requests {
        requests.sort_unstable();
        let _ = write!(
            said,
            "\n  {job}: {} requests (median), {} (most)",
            requests[requests.len() / 2],
            requests[requests.len() - 1]
        );
    }
    // Two comparisons may fail on one bad day, and an hour is settled after eight.
    let bound = 60 * (9 + 9 + 2 * hours_between) + 8 * 60;
    assert!(worst <= bound, "a gap was open for {worst} minutes");
    assert!(!findings::all(&tenant.objects).await.unwrap().is_empty());
    said
}

#[expect(clippy::cast_precision_loss, reason = "hours for people")]
fn minutes(minutes: i64) -> f64 {
    minutes as f64 / 60.0
}

/// `OORT_TEST_MONTHS` says how many months, each from another seed.
#[tokio::test]
async fn a_month_with_all_that_goes_wrong_ends_with_every_event_once() {
    let months: u64 = setting("OORT_TEST_MONTHS").map_or(1, |text| text.parse().unwrap());
    for seed in 1..=months {
        println!("{}", month(seed, 6).await);
    }
}
