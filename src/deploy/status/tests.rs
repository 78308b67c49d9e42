use super::*;
use crate::deploy::profile::validate;
use crate::deploy::source::{Source as File, SourceSet};
use crate::model::source::EventSource;
use crate::model::stack::{CONTENT_HASH_TAG, StackStatus};

const NOW: &str = "2026-11-23T12:00:00Z";

fn profile() -> Profile {
    let file = |path: &str, text: &str| File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let sources = SourceSet {
        environment: "test".to_owned(),
        defaults: None,
        profile: file(
            "p.yaml",
            "environment: test\ntarget: aws\naccount_id: \"000000000000\"\nregion: us-east-2\nimage: i\nnetwork: {subnets: [subnet-0], security_groups: [sg-0]}\ndetector: {schedule: rate(1 hour), jitter_minutes: 0, cpu: 256, memory_mib: 512}\ncompactor: {schedule: rate(1 day), jitter_minutes: 0, cpu: 256, memory_mib: 512}\nmaintainer: {schedule: rate(7 days), jitter_minutes: 0, cpu: 256, memory_mib: 512}\nreconciler: {schedule: rate(6 hours), jitter_minutes: 0, cpu: 256, memory_mib: 512}\nqueue: {visibility_timeout_seconds: 60, receive_limit: 5, retention_days: 14}\narchive_retention_days: 14\ndata_retention_days: 0\nlog_retention_days: 30\n",
        ),
        groups: Vec::new(),
        tenants: Vec::new(),
        foundation_template: file("f", ""),
        tenant_template: file("t", ""),
    };
    let mut sources = sources;
    sources.profile.text = sources.profile.text.replace(
        "image: i",
        "image: 000000000000.dkr.ecr.us-east-2.amazonaws.com/oort-streams:1",
    );
    validate(&sources)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .profile
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

struct Case {
    tenant: &'static str,
    source: Option<SourceState>,
    stack: Option<(&'static str, &'static str)>,
    signs: Signs,
}

fn case(tenant: &'static str, source: Option<SourceState>, stack: Option<(&'static str, &'static str)>) -> Case {
    Case {
        tenant,
        source,
        stack,
        signs: Signs::default(),
    }
}

/// A tenant for each thing that can be wrong, and one that is well.
fn cases() -> [Case; 11] {
    use SourceState::{Active, Deleted, Pending};
    let well = Signs {
        queue: Some(12),
        oldest_seconds: Some(340),
        dead_letters: Some(0),
        last_event: Some(at("2026-11-23T11:55:00Z")),
        last_detector: Some(at("2026-11-23T11:00:00Z")),
        last_compactor: Some(at("2026-11-23T03:00:00Z")),
        alarms: Vec::new(),
    };
    let silent = Signs {
        last_event: Some(at("2026-11-22T05:00:00Z")),
        ..well.clone()
    };
    let dead = Signs {
        dead_letters: Some(3),
        alarms: vec!["dead-letters".to_owned()],
        ..well.clone()
    };
    let with = |case: Case, signs: &Signs| Case {
        signs: signs.clone(),
        ..case
    };
    let deployed = Some(("UPDATE_COMPLETE", "a"));
    [
        with(case("well", Some(Active), deployed), &well),
        with(case("silent", Some(Active), deployed), &silent),
        with(case("dead", Some(Active), deployed), &dead),
        with(case("behind", Some(Active), Some(("CREATE_COMPLETE", "b"))), &well),
        case("never", Some(Active), deployed),
        case("waiting", None, None),
        case("pending", Some(Pending), None),
        case("lost", Some(Pending), deployed),
        with(case("gone", Some(Deleted), deployed), &well),
        with(
            case("stuck", Some(Active), Some(("UPDATE_ROLLBACK_FAILED", "a"))),
            &well,
        ),
        with(
            case("undone", Some(Active), Some(("UPDATE_ROLLBACK_COMPLETE", "b"))),
            &well,
        ),
    ]
}

#[test]
fn what_needs_a_look_comes_first_and_says_why() {
    let mut world = World::default();
    let (mut wanted, mut signs) = (Vec::new(), BTreeMap::new());
    for case in &cases() {
        let (stack, source) = (
            format!("oort-test-{}", case.tenant),
            format!("aws.partner/okta.com/{}/1", case.tenant),
        );
        wanted.push(Wanted {
            name: case.tenant.to_owned(),
            stack: stack.clone(),
            source: Some(source.clone()),
            content_hash: "a".to_owned(),
        });
        if let Some((status, hash)) = case.stack {
            let live = LiveStack {
                id: stack.clone(),
                name: stack.clone(),
                status: StackStatus::new(status),
                reason: None,
                tags: [(CONTENT_HASH_TAG.to_owned(), hash.to_owned())].into(),
                exports: BTreeMap::new(),
                created: Some(at("2026-11-01T00:00:00Z")),
                updated: None,
                is_protected: true,
                drift: (case.tenant == "behind").then(|| "DRIFTED".to_owned()),
            };
            world.stacks.insert(stack.clone(), live);
        }
        if let Some(state) = case.source {
            let known = EventSource {
                name: source.clone(),
                state,
                created: None,
                expires: Some(at("2026-11-25T12:00:00Z")),
            };
            world.sources.insert(source, known);
        }
        signs.insert(stack, case.signs.clone());
    }
    let rows = rows(&wanted, &world, &signs, &profile(), at(NOW));
    assert!(is_alarming(&rows) && !is_alarming(&rows[rows.len() - 1..]));
    let text = format!("{}{}", table(&rows, at(NOW)), summary(&rows));
    insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @"
    TENANT   SOURCE   STACK                   DRIFT    QUEUE  OLDEST  DETECTOR    COMPACTOR  LAST EVENT
    dead     active   deployed                -        12     5 min   60 min ago  9 h ago    5 min ago
      ! 3 dead letters
      ! alarm dead-letters
    gone     deleted  deployed                -        12     5 min   60 min ago  9 h ago    5 min ago
      ! Okta deleted the event source: no event will come
    lost     pending  deployed                -        -      -       -           -          -
      ! its event bus is gone: what Okta sends is lost, and expires in 48 h
      ! no event in 14 d
    never    active   deployed                -        -      -       -           -          -
      ! no event in 14 d
    pending  pending  none                    -        -      -       -           -          -
      ! Okta's event source waits, and what Okta sends is lost, and expires in 48 h
    silent   active   deployed                -        12     5 min   60 min ago  9 h ago    31 h ago
      ! silent for 31 h
    stuck    active   UPDATE_ROLLBACK_FAILED  -        12     5 min   60 min ago  9 h ago    5 min ago
      ! UPDATE_ROLLBACK_FAILED: mend what the reason names and plan with --continue-rollback stuck; with --continue-rollback stuck=RESOURCE,... CloudFormation takes these resources for rolled back
    behind   active   other content           drifted  12     5 min   60 min ago  9 h ago    5 min ago
      ! somebody changed it by hand: oort drift shows what
    undone   active   other content           -        12     5 min   60 min ago  9 h ago    5 min ago
      ! the last update failed and was undone
    waiting  missing  none                    -        -      -       -           -          -
      ! waits for Okta's event source
    well     active   deployed                -        12     5 min   60 min ago  9 h ago    5 min ago
    10 of 11 need a look.
    ");
}
