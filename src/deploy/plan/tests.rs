//! Plans without an account: what stacks need, in which order, and what nobody may do unasked.

use std::collections::{BTreeMap, BTreeSet};

use super::intent::{Intent, WaysOut, intent, missing_exports};
use super::moved::moved;
use super::order::{Candidate, waves};
use super::review::{beyond, guarded, overlay, promised, stack_policy};
use super::*;
use crate::deploy::diff::compare::{After, compare};
use crate::deploy::profile::rollout::Tolerance;
use crate::deploy::template;
use crate::deploy::world::World;
use crate::model::name::{EventSourceName, StackName, TenantId};
use crate::model::source::{EventSource, SourceState};
use crate::model::stack::{CONTENT_HASH_TAG, ENVIRONMENT_TAG, Replacement, ResourceAction, StackSpec, TENANT_TAG};

const SOURCE: &str = "aws.partner/okta.com/acme/77aa";

fn spec(hash: &str) -> StackSpec {
    StackSpec {
        name: StackName::parse("oort-test-acme").unwrap(),
        tenant: Some(TenantId::parse("acme").unwrap()),
        body: String::new(),
        tags: tags(hash),
    }
}

fn tags(hash: &str) -> BTreeMap<String, String> {
    [
        (ENVIRONMENT_TAG, "test"),
        (TENANT_TAG, "acme"),
        (CONTENT_HASH_TAG, hash),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn live(status: &str, hash: &str) -> LiveStack {
    LiveStack {
        id: "arn:1".to_owned(),
        name: "oort-test-acme".to_owned(),
        status: StackStatus::new(status),
        reason: Some("EventQueue failed".to_owned()),
        tags: tags(hash),
        exports: BTreeMap::new(),
        created: None,
        updated: None,
        is_protected: true,
        drift: None,
    }
}

fn world(stack: Option<LiveStack>, source: Option<SourceState>) -> World {
    let source = source.map(|state| EventSource {
        name: SOURCE.to_owned(),
        state,
        created: None,
        expires: Some("2026-11-30T00:00:00Z".parse().unwrap()),
    });
    World {
        stacks: stack.into_iter().map(|stack| (stack.name.clone(), stack)).collect(),
        sources: source.into_iter().map(|source| (source.name.clone(), source)).collect(),
    }
}

fn needs(stack: Option<LiveStack>, source: Option<SourceState>, ways_out: &WaysOut) -> String {
    let source_name = EventSourceName::parse(SOURCE).unwrap();
    match intent(&spec("new"), Some(&source_name), &world(stack, source), ways_out) {
        Intent::Nothing(_) => "nothing".to_owned(),
        Intent::Wait(waiting) => format!("wait{}", if waiting.is_deleted { ", deleted" } else { "" }),
        Intent::Blocked(blocked) => format!("blocked: {}; {}", blocked.why, blocked.way_out),
        Intent::Create(expires) => format!("create, expires {expires:?}"),
        Intent::Update => "update".to_owned(),
        Intent::Recreate => "recreate".to_owned(),
        Intent::Protect => "protect".to_owned(),
        Intent::ContinueRollback(skip) => format!("continue, skipping {skip:?}"),
    }
}

#[test]
fn every_state_of_a_stack_has_one_answer() {
    use SourceState::{Active, Deleted, Pending};
    let none = WaysOut::default();
    let allowed = WaysOut {
        recreate: ["acme".to_owned()].into(),
        continue_rollback: [("oort-test-acme".to_owned(), vec!["EventRule".to_owned()])].into(),
    };
    let foreign = LiveStack {
        tags: BTreeMap::new(),
        ..live("CREATE_COMPLETE", "new")
    };
    let bare = LiveStack {
        is_protected: false,
        ..live("UPDATE_COMPLETE", "new")
    };
    let answers = [
        ("no stack, no source", needs(None, None, &none)),
        ("no stack, source pending", needs(None, Some(Pending), &none)),
        ("no stack, source deleted", needs(None, Some(Deleted), &none)),
        ("no stack, source active", needs(None, Some(Active), &none)),
        (
            "in review",
            needs(Some(live("REVIEW_IN_PROGRESS", "x")), Some(Pending), &none),
        ),
        (
            "same content",
            needs(Some(live("CREATE_COMPLETE", "new")), Some(Active), &none),
        ),
        ("same content, unprotected", needs(Some(bare), Some(Active), &none)),
        (
            "other content",
            needs(Some(live("UPDATE_COMPLETE", "old")), Some(Active), &none),
        ),
        (
            "other content, source gone",
            needs(Some(live("UPDATE_COMPLETE", "old")), None, &none),
        ),
        (
            "last update undone",
            needs(Some(live("UPDATE_ROLLBACK_COMPLETE", "old")), None, &none),
        ),
        ("at work", needs(Some(live("UPDATE_IN_PROGRESS", "old")), None, &none)),
        (
            "never created",
            needs(Some(live("ROLLBACK_COMPLETE", "new")), None, &none),
        ),
        (
            "never created, allowed",
            needs(Some(live("ROLLBACK_COMPLETE", "new")), None, &allowed),
        ),
        ("stuck", needs(Some(live("UPDATE_ROLLBACK_FAILED", "new")), None, &none)),
        (
            "stuck, allowed",
            needs(Some(live("UPDATE_ROLLBACK_FAILED", "new")), None, &allowed),
        ),
        (
            "deletion failed",
            needs(Some(live("DELETE_FAILED", "new")), None, &none),
        ),
        ("somebody else's", needs(Some(foreign), Some(Pending), &none)),
    ];
    let told: Vec<String> = answers
        .iter()
        .map(|(state, answer)| format!("{state}: {answer}"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    no stack, no source: wait
    no stack, source pending: create, expires Some(2026-11-30T00:00:00Z)
    no stack, source deleted: wait, deleted
    no stack, source active: create, expires None
    in review: create, expires Some(2026-11-30T00:00:00Z)
    same content: nothing
    same content, unprotected: protect
    other content: update
    other content, source gone: update
    last update undone: update
    at work: blocked: it is in UPDATE_IN_PROGRESS: EventQueue failed; plan again when CloudFormation is done with it
    never created: blocked: it is in ROLLBACK_COMPLETE: EventQueue failed; its creation failed, and it holds nothing that ever received an event: plan with --recreate acme to delete it and create it again
    never created, allowed: recreate
    stuck: blocked: it is in UPDATE_ROLLBACK_FAILED: EventQueue failed; mend what the reason names and plan with --continue-rollback acme; with --continue-rollback acme=RESOURCE,... CloudFormation takes these resources for rolled back
    stuck, allowed: continue, skipping ["EventRule"]
    deletion failed: blocked: it is in DELETE_FAILED: EventQueue failed; mend what the reason names and delete it again with oort destroy --tenant acme; --retain RESOURCE leaves a resource behind
    somebody else's: blocked: a stack of that name is there and belongs to somebody else: its tag oort:environment is none, and should be test; give that stack another name, or have its owner delete it; nothing was done to it
    "#);
}

fn candidate(tenant: Option<&str>, expires: Option<&str>) -> Candidate {
    Candidate {
        stack: tenant.map_or_else(|| "foundation".to_owned(), str::to_owned),
        tenant: tenant.map(str::to_owned),
        expires: expires.map(|at| at.parse().unwrap()),
    }
}

#[test]
fn waves_grow_and_what_expires_comes_first() {
    let rollout = Rollout {
        canaries: vec!["t07".to_owned()],
        wave_percents: vec![10, 50],
        ..Rollout::default()
    };
    let mut candidates: Vec<Candidate> = (0..20)
        .map(|n| candidate(Some(&format!("t{n:02}")), (n == 13).then_some("2026-11-30T00:00:00Z")))
        .collect();
    candidates.push(candidate(None, None));
    candidates.push(candidate(Some("urgent"), Some("2026-11-24T00:00:00Z")));
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let told: Vec<String> = waves(candidates.clone(), &rollout, now)
        .into_iter()
        .map(|wave| format!("{}: {}", wave.name, wave.stacks.join(" ")))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    foundation: foundation
    canaries: urgent t07
    up to 10 %: t13
    up to 50 %: t00 t01 t02 t03 t04 t05 t06 t08
    the rest: t09 t10 t11 t12 t14 t15 t16 t17 t18 t19
    ");
    for percents in [vec![], vec![1], vec![99]] {
        let rollout = Rollout {
            wave_percents: percents,
            ..rollout.clone()
        };
        let waves = waves(candidates.clone(), &rollout, now);
        let stacks: Vec<&String> = waves.iter().flat_map(|wave| &wave.stacks).collect();
        let distinct: BTreeSet<&&String> = stacks.iter().collect();
        assert_eq!((stacks.len(), distinct.len()), (22, 22));
    }
}

const BEFORE: &str = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: Retain\n    Properties:\n      QueueName: a\n  Rule:\n    Type: AWS::Events::Rule\n    Properties:\n      Name: r\n      Targets:\n        - Id: q\n          Arn: {\"Fn::GetAtt\": [Queue, Arn]}\n";

fn changes(after: &str) -> Vec<Change> {
    let tree = template::read(after).unwrap();
    let after = After {
        text: after,
        tree: &|| tree.clone(),
    };
    compare("test", "acme", Some(BEFORE), Some(&after))
        .unwrap()
        .unwrap()
        .changes
}

fn said(
    id: &str,
    resource_type: &str,
    action: ResourceAction,
    replacement: Replacement,
    targets: &[&str],
) -> ResourceChange {
    ResourceChange {
        id: id.to_owned(),
        resource_type: resource_type.to_owned(),
        action,
        replacement,
        policy_action: (replacement == Replacement::Yes).then(|| "ReplaceAndDelete".to_owned()),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
    }
}

#[test]
fn cloudformations_word_is_laid_over_ours() {
    use Replacement::{Conditional, No, Yes};
    use ResourceAction::Modify;
    let ours = changes(&BEFORE.replace("QueueName: a", "QueueName: a\n      DelaySeconds: 5"));
    assert_eq!(guarded(&ours), BTreeSet::new());
    // What is only touched by tags, or may be by what it refers to, is nothing to look at.
    let quiet = [
        said(
            "Queue",
            "AWS::SQS::Queue",
            Modify,
            No,
            &["Properties.DelaySeconds", "Tags"],
        ),
        said("Rule", "AWS::Events::Rule", Modify, Conditional, &["Tags"]),
    ];
    assert_eq!(overlay(ours.clone(), &quiet), ours);
    let grave = [
        said("Queue", "AWS::SQS::Queue", Modify, Yes, &["Properties.DelaySeconds"]),
        said("Rule", "AWS::Events::Rule", Modify, No, &["Properties.State"]),
    ];
    let told = overlay(ours, &grave);
    assert_eq!(guarded(&told), BTreeSet::from(["Queue".to_owned()]));
    insta::assert_snapshot!(format!("{:#}", serde_json::json!(told)), @r#"
    [
      {
        "action": "replace",
        "data": "lost",
        "notes": [
          "CloudFormation says Replace."
        ],
        "properties": [
          {
            "after": "5",
            "path": "DelaySeconds"
          }
        ],
        "subject": {
          "id": "Queue",
          "kind": "resource",
          "type": "AWS::SQS::Queue"
        }
      },
      {
        "action": "update",
        "data": "none",
        "notes": [
          "The templates do not show this; CloudFormation names Properties.State."
        ],
        "properties": [],
        "subject": {
          "id": "Rule",
          "kind": "resource",
          "type": "AWS::Events::Rule"
        }
      }
    ]
    "#);
}

#[test]
fn what_holds_something_is_guarded_and_named() {
    let renamed = changes(&BEFORE.replace("QueueName: a", "QueueName: b"));
    assert_eq!(guarded(&renamed), BTreeSet::from(["Queue".to_owned()]));
    let gone = changes("Resources:\n  Rule:\n    Type: AWS::Events::Rule\n    Properties: {Name: r}\n");
    assert_eq!(guarded(&gone), BTreeSet::from(["Queue".to_owned()]));
    let allowed = BTreeSet::from(["acme/Queue".to_owned()]);
    assert!(review::is_allowed(&allowed, "acme", "Queue") && !review::is_allowed(&allowed, "globex", "Queue"));
    let policy: serde_json::Value = serde_json::from_str(&stack_policy(&["Queue".to_owned()])).unwrap();
    assert_eq!(policy["Statement"][1]["NotResource"][0], "LogicalResourceId/Queue");
    assert!(stack_policy(&[]).contains("AWS::Events::EventBus"));
}

#[test]
fn a_late_change_set_does_no_more_than_was_approved() {
    use Replacement::{Conditional, No, Yes};
    use ResourceAction::{Add, Import, Modify, Remove};
    let after = BEFORE.replace("QueueName: a", "QueueName: b");
    let promise = promised(&changes(&after), &template::read(&after).unwrap());
    let queue = |replacement| {
        said(
            "Queue",
            "AWS::SQS::Queue",
            Modify,
            replacement,
            &["Properties.QueueName"],
        )
    };
    assert_eq!(beyond(&promise, &[queue(Yes)]), Vec::<String>::new());
    assert_eq!(
        beyond(
            &promise,
            &[
                queue(No),
                said("Other", "AWS::SNS::Topic", Modify, Conditional, &["Tags"])
            ]
        ),
        Vec::<String>::new()
    );
    let more = [
        said("Queue", "AWS::SQS::Queue", Remove, No, &[]),
        said("Other", "AWS::SNS::Topic", Modify, No, &["Properties.TopicName"]),
        said("New", "AWS::SNS::Topic", Add, No, &[]),
    ];
    assert_eq!(beyond(&promise, &more).len(), 3);
    let creation = [said("Queue", "AWS::SQS::Queue", Add, No, &[])];
    assert_eq!(
        beyond(&creation, &[said("Queue", "AWS::SQS::Queue", Import, No, &[])]),
        Vec::<String>::new()
    );
}

#[test]
fn a_plan_is_stale_when_anything_moved() {
    let profile = Plan {
        format: FORMAT,
        id: "1".to_owned(),
        purpose: Purpose::Deploy,
        environment: "test".to_owned(),
        account: String::new(),
        region: String::new(),
        made: Timestamp::UNIX_EPOCH,
        rollout: Rollout {
            tolerated: Tolerance::Count(0),
            ..Rollout::default()
        },
        waves: Vec::new(),
        steps: Vec::new(),
        unchanged: vec![Seen {
            stack: "oort-test-acme".to_owned(),
            live: Live::of(&live("CREATE_COMPLETE", "a")),
        }],
        waiting: vec![Waiting {
            stack: "oort-test-new".to_owned(),
            tenant: "new".to_owned(),
            source: SOURCE.to_owned(),
            is_deleted: false,
        }],
        blocked: Vec::new(),
    };
    let same = world(Some(live("CREATE_COMPLETE", "a")), None);
    assert_eq!(moved(&profile, &same, |_| false), Vec::<String>::new());
    let mut told = moved(&profile, &world(None, None), |_| false);
    told.extend(moved(
        &profile,
        &world(Some(live("UPDATE_COMPLETE", "b")), None),
        |_| false,
    ));
    let again = LiveStack {
        id: "arn:2".to_owned(),
        ..live("CREATE_COMPLETE", "a")
    };
    told.extend(moved(&profile, &world(Some(again), None), |_| false));
    let mut appeared = same.clone();
    let new = LiveStack {
        name: "oort-test-new".to_owned(),
        ..live("CREATE_IN_PROGRESS", "a")
    };
    appeared.stacks.insert(new.name.clone(), new);
    told.extend(moved(&profile, &appeared, |_| false));
    insta::assert_snapshot!(told.join("\n"), @"
    oort-test-acme: was deleted
    oort-test-acme: was in CREATE_COMPLETE, and is in UPDATE_COMPLETE now, with other content
    oort-test-acme: was deleted and created again, and is in CREATE_COMPLETE now
    oort-test-new: was not there, and is in CREATE_IN_PROGRESS now
    ");
    assert_eq!(moved(&profile, &world(None, None), |_| true), Vec::<String>::new());
    let digest = profile.digest();
    let other = Plan {
        id: "2".to_owned(),
        ..profile.clone()
    };
    assert_ne!(other.digest(), digest);
    let text = serde_json::to_string(&profile).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap().digest(), digest);
}

#[test]
fn what_is_imported_and_exported_nowhere_is_missing() {
    let tree = template::read(
        "Resources: {A: {Type: X, Properties: {P: [{\"Fn::ImportValue\": there}, {\"Fn::ImportValue\": missing}]}}}",
    )
    .unwrap();
    let exporter = LiveStack {
        exports: [("there".to_owned(), "1".to_owned())].into(),
        ..live("CREATE_COMPLETE", "a")
    };
    assert_eq!(
        missing_exports(&tree, &world(Some(exporter), None)),
        BTreeSet::from(["missing".to_owned()])
    );
}
