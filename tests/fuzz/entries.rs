//! Where bytes from outside enter the program: each place as one function, which hands the bytes over as production does and
//! takes whatever is said of them. The fuzz targets and the properties of `tests/it/fuzzed.rs` go in by the same functions.
//!
//! A function panics where a promise is broken, and only there.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use oort_streams::channels::answer as receiver;
use oort_streams::deploy::apply::record::Recovered;
use oort_streams::deploy::cost::prices;
use oort_streams::deploy::diff::compare::{After, compare};
use oort_streams::deploy::diff::fleet::{Fleet, own_names_of};
use oort_streams::deploy::diff::format::{html, json, markdown, text};
use oort_streams::deploy::plan::Plan;
use oort_streams::deploy::render::render;
use oort_streams::deploy::source::{Source, SourceSet};
use oort_streams::deploy::{check, golden, profile, template};
use oort_streams::lake::objects::decode;
use oort_streams::lake::page::Cursor;
use oort_streams::lake::segment::Lines;
use oort_streams::local::pattern::Pattern;
use oort_streams::local::schedule::Schedule;
use oort_streams::local::twin::{Pseudo, TwinStack};
use oort_streams::model::activity::Activity;
use oort_streams::model::directory::{DEVICES, USERS, Version};
use oort_streams::model::event::{Arrival, detail, wrap_as};
use oort_streams::model::finding::Finding;
use oort_streams::model::ledger::Hour;
use oort_streams::model::notification::{Advice, Alert, Notification};
use oort_streams::model::okta::{LogStream, User};
use oort_streams::model::run::Run;
use oort_streams::okta::answer as okta;
use oort_streams::runtime::backfill::{on_one_line, usable};
use oort_streams::runtime::detect::shipped::shipped;
use oort_streams::runtime::detect::{Memory, OktaEvent, RuleFile, RuleSet};
use oort_streams::runtime::ingest::usable_line;
use oort_streams::runtime::{analysis, ledger, outbox};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// A place where bytes enter.
pub struct Entry {
    /// Of the fuzz target and of the folder of its seeds.
    pub name: &'static str,
    pub take: fn(&[u8]),
}

macro_rules! entries {
    ($($name:ident),* $(,)?) => {
        pub const ALL: &[Entry] = &[$(Entry { name: stringify!($name), take: $name }),*];
    };
}

entries![
    configuration,
    cloudformation,
    envelope,
    log_event,
    event_pattern,
    sigma,
    schedule,
    receiver_answer,
    okta_answer,
    segment,
    stored,
    address,
];

const GOLDEN: &str = include_str!("../../snapshots/staging/acme.yaml");
const SAMPLE: &str = include_str!("seeds/envelope/sign-in.json");
const TENANT: &str = "acme";

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn sources() -> SourceSet {
    SourceSet {
        environment: "staging".to_owned(),
        defaults: Some(source(
            "environments/defaults.yaml",
            include_str!("../../environments/defaults.yaml"),
        )),
        profile: source(
            "environments/staging/profile.yaml",
            include_str!("../../environments/staging/profile.yaml"),
        ),
        groups: vec![source(
            "environments/staging/groups/busy.yaml",
            include_str!("../../environments/staging/groups/busy.yaml"),
        )],
        tenants: vec![source(
            "environments/staging/tenants/acme.yaml",
            include_str!("../../environments/staging/tenants/acme.yaml"),
        )],
        foundation_template: source(
            "templates/foundation.yaml.j2",
            include_str!("../../templates/foundation.yaml.j2"),
        ),
        tenant_template: source(
            "templates/tenant.yaml.j2",
            include_str!("../../templates/tenant.yaml.j2"),
        ),
    }
}

/// A file that people write, in the place of each kind: defaults, profile, group, tenant, prices.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let places: [fn(&mut SourceSet) -> &mut String; 4] = [
        |sources| &mut sources.defaults.as_mut().unwrap().text,
        |sources| &mut sources.profile.text,
        |sources| &mut sources.groups[0].text,
        |sources| &mut sources.tenants[0].text,
    ];
    for place in places {
        let mut sources = sources();
        text.clone_into(place(&mut sources));
        match profile::validate(&sources) {
            Ok(environment) => {
                if let Ok(stacks) = render(&environment, &sources) {
                    assert!(stacks.iter().all(|stack| template::read(&stack.spec.body).is_ok()));
                }
            }
            Err(problems) => assert_ne!(problems.to_string(), ""),
        }
    }
    let usual = include_str!("../../environments/prices.yaml");
    drop(prices::read(&[("environments/prices.yaml", usual), ("own.yaml", text)]));
}

/// A template as somebody has deployed it, or as an older revision has it: against what is rendered now, by itself, and as the
/// embedded target stands in for it.
pub fn cloudformation(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let after = After {
        text: GOLDEN,
        tree: &|| template::read(GOLDEN).unwrap(),
    };
    let names = own_names_of("oort-staging-acme", Some(TENANT));
    for after in [Some(&after), None] {
        if let Ok(diff) = compare("staging", TENANT, Some(text), after) {
            let mut fleet = Fleet::default();
            fleet.add(diff, &names);
            drop((self::text::text(&fleet), markdown::markdown(&fleet)));
            drop((html::html(&fleet), json::json(&fleet)));
        }
    }
    golden::compare("acme.yaml", GOLDEN, Some(text));
    if let Ok(tree) = template::read(text) {
        let subject = check::Subject {
            environment: "staging",
            stack: TENANT,
            tenant: None,
            template: &tree,
            file: "acme.yaml",
            line_of: &|_| 1,
        };
        check::check(&subject);
    }
    let pseudo = Pseudo {
        account: "909617834444".to_owned(),
        region: "us-east-2".to_owned(),
    };
    if let Err(error) = TwinStack::parse("acme.yaml", text, &pseudo) {
        assert_ne!(error.to_string(), "");
    }
}

static RULES: LazyLock<RuleSet> = LazyLock::new(|| RuleSet::load(&shipped()).unwrap());

/// A message of the event queue, on its way to findings, what is told of them, and rows.
pub fn envelope(bytes: &[u8]) {
    let Ok(body) = std::str::from_utf8(bytes) else { return };
    if let Ok(line) = usable_line(body) {
        assert!(!line.contains(['\n', '\r']));
        landed(&line);
    }
}

/// What Okta's System Log API has for an event, on the same way.
pub fn log_event(bytes: &[u8]) {
    let Ok(event) = std::str::from_utf8(bytes) else { return };
    let event = on_one_line(event);
    if let Ok(head) = usable(&event) {
        let place = ("aws.partner/okta.com/acme/1", "909617834444", "us-east-2");
        let line = wrap_as(&event, &head, place, Arrival::Backfilled);
        assert_eq!(Arrival::of(&line), Arrival::Backfilled);
        landed(&line);
    }
}

/// What is landed can be read by every later reader.
fn landed(line: &str) {
    let event = detail(line).unwrap();
    let activity = Activity::parse(event).unwrap().arrived(Arrival::of(line));
    assert!(OktaEvent::new(event.as_bytes()).value().is_object());
    for subject in activity.subjects() {
        assert!(activity.columns(&subject).len() > 1 && activity.key(&subject).published > i64::MIN);
    }
    for finding in analysis::find(TENANT, &RULES, &mut Memory::default(), line).unwrap() {
        let alert = Alert::single(Notification::of(&finding, Advice::default()));
        assert!(!alert.text().is_empty() && !alert.headline().is_empty());
    }
}

/// The pattern of a rule or the filter policy of a subscription, as JSON.
pub fn event_pattern(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice(bytes) else {
        return;
    };
    if let Ok(pattern) = Pattern::new(&value) {
        for document in [
            SAMPLE,
            "{}",
            r#"{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"}"#,
        ] {
            pattern.matches(document).unwrap();
        }
    }
}

/// A file of Sigma rules, and what they make of an event.
pub fn sigma(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let file = RuleFile {
        path: "rules.yml".to_owned(),
        text: text.to_owned(),
    };
    match RuleSet::load(&[file]) {
        Ok(rules) => {
            let mut memory = Memory::default();
            for _ in 0..3 {
                analysis::find(TENANT, &rules, &mut memory, SAMPLE.trim()).unwrap();
            }
            rules.tidy(&mut memory);
        }
        Err(problems) => {
            let lines = text.lines().count().max(1);
            assert!(problems.0.iter().all(|problem| (1..=lines).contains(&problem.line)));
        }
    }
}

/// A schedule expression.
pub fn schedule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(schedule) = Schedule::parse(text) else { return };
    let zones = ["UTC", "America/New_York", "Australia/Lord_Howe"];
    for zone in zones.map(|name| TimeZone::get(name).unwrap()) {
        for (anchor, after) in [
            (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
            (Timestamp::MIN, Timestamp::MAX),
            (Timestamp::MAX, Timestamp::MIN),
        ] {
            if let Some(due) = schedule.next_after(anchor, after, &zone) {
                assert!(due > after);
            }
        }
    }
}

/// Header lines, an empty line, and a body, as HTTP has them.
fn answer(bytes: &[u8]) -> (HeaderMap, &[u8]) {
    let end = bytes.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((bytes, &[][..]), |end| (&bytes[..end], &bytes[end + 2..]));
    let mut headers = HeaderMap::new();
    // No HTTP library takes more.
    for line in head.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    (headers, body)
}

/// What the receiver of a notification answers.
pub fn receiver_answer(bytes: &[u8]) {
    let (headers, body) = answer(bytes);
    let now = Timestamp::from_second(1_780_000_000).unwrap();
    if let Some(wait) = receiver::retry_after(&headers, now) {
        drop(now.checked_add(wait));
    }
    let body = String::from_utf8_lossy(body);
    let said = receiver::said(&body, &["hunter2hunter2".to_owned(), "ab".to_owned()]);
    assert!(said.chars().count() <= 200 && !said.contains("hunter2hunter2"));
    for list in ["issues", "result"] {
        drop(receiver::has_any(&body, list));
    }
}

/// What Okta answers.
pub fn okta_answer(bytes: &[u8]) {
    let (headers, body) = answer(bytes);
    let base = Url::parse("https://acme.okta.com").unwrap();
    let now = std::time::Instant::now();
    let waits = [
        okta::retry_after(&headers),
        okta::rate_limit(&headers).map(|told| told.resets_in),
    ];
    for wait in waits.into_iter().flatten() {
        assert!(now.checked_add(wait).is_some());
    }
    okta::server_time(&headers);
    if let Ok(Some(next)) = okta::next(&headers, &base) {
        assert_eq!(next.origin(), base.origin());
    }
    assert!(okta::said(body).chars().count() <= 300);
    okta::oauth_error(body);
    for item in okta::items(body).unwrap_or_default() {
        log_event(item.get().as_bytes());
        for subject in [&USERS, &DEVICES] {
            Version::of(subject, item.get(), Timestamp::UNIX_EPOCH);
        }
        drop(serde_json::from_str::<LogStream>(item.get()));
        drop(serde_json::from_str::<User>(item.get()));
    }
}

/// The bytes of a segment.
pub fn segment(bytes: &[u8]) {
    let Ok(mut lines) = Lines::of(1, bytes.to_vec()) else {
        return;
    };
    while let Ok(Some(line)) = lines.next_line() {
        Arrival::of(line);
        if let Some(event) = detail(line)
            && let Ok(activity) = Activity::parse(event)
        {
            drop(activity.subjects());
        }
    }
}

/// What the program has written itself and reads again: plans, journals, findings and what belongs to them.
pub fn stored(bytes: &[u8]) {
    if let Ok(plan) = serde_json::from_slice::<Plan>(bytes) {
        assert_eq!(plan.digest().len(), 64);
        plan.steps.iter().for_each(|step| drop(step.own_names()));
        plan.needs_approval();
    }
    let lines: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    Recovered::read(&lines).has_begun();
    if let Ok(finding) = decode::<Finding>("findings/1", bytes) {
        finding.stands(Timestamp::UNIX_EPOCH);
        finding.muted_until();
        let notification = Notification::of(&finding, Advice::default());
        drop((notification.text(), notification.headline(), notification.footer()));
    }
    drop(decode::<outbox::Entry>("outbox/1", bytes));
    drop(decode::<outbox::GivenUp>("outbox/1", bytes));
    drop(decode::<outbox::RouteState>("outbox/1", bytes));
    drop(decode::<ledger::State>("ledger/1", bytes));
    drop(decode::<Run>("runs/1", bytes));
    drop(decode::<Memory>("detector/1", bytes));
}

/// What stands in an address of the console.
pub fn address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(place) = text.parse::<Cursor>() {
        assert_eq!(place.to_string().parse::<Cursor>(), Ok(place));
    }
    if let Ok(hour) = text.parse::<Hour>() {
        assert!(hour.start() <= hour.end());
    }
}
