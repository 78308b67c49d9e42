//! What is past its retention goes and does not come back; what is not stays, and so does everything when a setting would
//! leave nothing.

use std::collections::BTreeSet;

use oort_streams::lake::retention::Horizon;
use oort_streams::lake::set_aside::{self, SetAside};
use oort_streams::lake::{objects, segment};
use oort_streams::local::clock::ManualClock;
use oort_streams::local::objects::LocalObjects;
use oort_streams::model::finding::{Finding, RuleMatch, Severity, Status};
use oort_streams::ports::{Kind, Objects as _, Precondition};
use oort_streams::runtime::findings;
use oort_streams::runtime::retention::{drop_past, past};

use super::{Hand, all_rows, october};
use crate::lake::{Table, event};
use crate::world::World;

/// Events of day 2 to 21 of October, one a day.
fn twenty_days() -> Vec<String> {
    (0..20).map(|number| event(number, number + 1, "ann", "bob")).collect()
}

fn hand(run: &str, day: u32) -> Hand {
    Hand {
        clock: Box::new(ManualClock::new(october(day))),
        ..Hand::new(run)
    }
}

async fn days(table: &Table) -> BTreeSet<String> {
    let rows = table.read("ann").await;
    rows.iter()
        .map(|row| row.published.strftime("%d").to_string())
        .collect()
}

#[tokio::test]
async fn whole_days_go_and_no_compaction_brings_them_back() {
    let table = Table::embedded().await;
    let store = LocalObjects::open(table.folder.path(), "acme").unwrap();
    table.write(&twenty_days(), 3).await;
    let horizon = Horizon::of(october(22), 10).unwrap();
    assert_eq!(horizon.date().to_string(), "2026-10-12");

    let listed = past(&store, &table.lake, horizon).await.unwrap();
    assert_eq!((listed.activity.days, listed.activity.rows), (10, 20));
    assert_eq!(all_rows(&table.lake).await.len(), 40, "to list changes nothing");
    let hand = hand("retention", 22);
    assert_eq!(drop_past(&hand.on(&table), &store, horizon).await.unwrap(), listed);
    let kept: BTreeSet<_> = (12..=21).map(|day| format!("{day:02}")).collect();
    assert_eq!(days(&table).await, kept);
    assert_eq!(table.lake.rows().await.unwrap(), 20);

    assert_eq!(table.write(&twenty_days(), 4).await.added, 0);
    // A longer retention afterwards brings nothing back either.
    let longer = Horizon::of(october(22), 15).unwrap();
    assert_eq!(
        drop_past(&hand.on(&table), &store, longer).await.unwrap().activity.rows,
        0
    );
    assert_eq!(table.write(&twenty_days(), 5).await.added, 0);
    assert_eq!(days(&table).await, kept);
}

#[tokio::test]
async fn nothing_goes_when_nothing_would_be_left() {
    let table = Table::embedded().await;
    let store = LocalObjects::open(table.folder.path(), "acme").unwrap();
    table.write(&twenty_days(), 3).await;
    assert_eq!(Horizon::of(october(22), 0), None);
    let late = Horizon::of("2027-10-01T00:00:00Z".parse().unwrap(), 30).unwrap();
    assert!(past(&store, &table.lake, late).await.unwrap().activity.is_all);
    let refused = drop_past(&hand("retention", 22).on(&table), &store, late)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid);
    assert_eq!(all_rows(&table.lake).await.len(), 40);
}

fn finding(day: u32) -> Finding {
    Finding {
        id: format!("finding-{day}"),
        tenant: "acme".to_owned(),
        matched: RuleMatch {
            rule_id: "rule".to_owned(),
            title: "A rule".to_owned(),
            severity: Severity::Low,
            tags: Vec::new(),
            fields: Vec::new(),
        },
        published: october(day),
        event_uuid: "event".to_owned(),
        event_type: "user.session.start".to_owned(),
        actor: "ann".to_owned(),
        event: serde_json::Value::Null,
        episode: None,
        status: Status::New,
        history: Vec::new(),
        who: Vec::new(),
    }
}

#[tokio::test]
async fn segments_what_was_set_aside_and_findings_go_with_the_rows() {
    let table = Table::embedded().await;
    let store = LocalObjects::open(table.folder.path(), "acme").unwrap();
    let events = twenty_days();
    for (number, pair) in events.chunks(2).enumerate() {
        let number = number as u64;
        let mut builder = segment::Builder::new().unwrap();
        for event in pair {
            builder.push(&format!(r#"{{"detail":{event}}}"#)).unwrap();
        }
        segment::put(&store, number, builder.finish().unwrap()).await.unwrap();
        let record = SetAside {
            reason: "no event".to_owned(),
            body: "?".to_owned(),
        };
        set_aside::put(&store, &format!("{number:012}-compaction"), &[record])
            .await
            .unwrap();
    }
    for day in 2..=21 {
        assert_eq!(
            findings::tell(&store, finding(day)).await.unwrap(),
            findings::Outcome::New
        );
    }
    table.write(&events, 10).await;
    let horizon = Horizon::of(october(22), 10).unwrap();
    let hand = hand("retention", 22);
    let unjudged = past(&store, &table.lake, horizon).await.unwrap();
    assert_eq!(unjudged.segments, 0, "the analysis has yet to read them");

    let state = br#"{"next_segment":10}"#.to_vec();
    store
        .put("detector/state.json", state, Precondition::None)
        .await
        .unwrap();
    let dropped = drop_past(&hand.on(&table), &store, horizon).await.unwrap();
    assert_eq!((dropped.segments, dropped.set_aside, dropped.findings), (5, 5, 10));
    assert_eq!(segment::start(&store).await.unwrap(), 5);
    assert_eq!(segment::end(&store, 0).await.unwrap(), 10);
    assert_eq!(objects::keys(&store, "set-aside/").await.unwrap().len(), 5);
    assert_eq!(findings::all(&store).await.unwrap().len(), 10);

    // Everything is past now, but the log's end must be known: the last segment stays.
    let all = Horizon::of("2026-11-30T00:00:00Z".parse().unwrap(), 1).unwrap();
    assert_eq!(past(&store, &table.lake, all).await.unwrap().segments, 4);
}

#[test]
fn a_retention_of_no_days_is_refused_and_a_list_says_what_would_go() {
    let world = World::new();
    world.send(&world.sample(500, 1));
    world.json(&["detect", "--tenant", "acme"]);
    world.json(&["compact", "--tenant", "acme"]);
    for verb in ["retention", "maintain"] {
        let refused = world.run(&[verb, "--tenant", "acme", "--retention-days", "0"]);
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("0 is not in 1..=36500"));
    }
    let nothing = world.ok(&["retention", "--tenant", "acme"]);
    assert!(nothing.contains("kept for ever"), "{nothing}");
    let kept = world.json(&["retention", "--tenant", "acme", "--retention-days", "36500"]);
    assert_eq!(kept["activity"]["rows"], 0);
    world.edit_profile(|profile| *profile += "\ndata_retention_days: 36500\n");
    assert_eq!(world.json(&["retention", "--tenant", "acme"]), kept, "the files say so");
    assert_eq!(world.json(&["maintain", "--tenant", "acme"])["dropped"], kept);
}
