//! From a file of events to a user's Activity table, through the real binary.

use serde_json::{Value, json};

use crate::world::World;

const TENANT: [&str; 2] = ["--tenant", "acme"];

fn activity(world: &World, user: &str) -> Vec<Value> {
    let arguments = [
        "activity", "--user", user, "--limit", "100000", "--format", "json", "--tenant", "acme",
    ];
    world.json(&arguments).as_array().unwrap().clone()
}

fn event(uuid: &str, actor: &str) -> Value {
    json!({
        "uuid": uuid, "published": "2026-11-01T10:00:00.500Z", "eventType": "user.session.start",
        "actor": {"id": actor, "type": "User", "alternateId": format!("{actor}@acme.example")},
        "outcome": {"result": "SUCCESS"}, "target": null,
    })
}

#[tokio::test]
async fn events_become_findings_notifications_and_activity() {
    let world = World::new();
    let sample = world.sample(2_000, 3);
    let sent = world.send(&sample);
    assert_eq!(sent["queued"], sample.lines().count());

    let report = world.json(&["detect", "--tenant", "acme"]);
    assert_eq!(
        (&report["landed"], &report["evaluated"]),
        (&sent["queued"], &sent["queued"])
    );
    assert!(report["new_findings"].as_u64().unwrap() > 0 && report["routed"].as_u64().unwrap() > 0);

    let findings = world.json(&["findings", "--tenant", "acme", "--format", "json"]);
    let finding = &findings[0];
    assert!(
        sample.contains(finding["event_uuid"].as_str().unwrap()) && finding["event"]["uuid"] == finding["event_uuid"]
    );
    let user = finding["event"]["actor"]["id"].as_str().unwrap();

    assert!(activity(&world, user).is_empty());
    let refreshed = world.json(&["refresh", "--user", user, "--tenant", "acme"]);
    let after_refresh = activity(&world, user);
    assert_eq!(refreshed["added"], after_refresh.len());
    assert!(!after_refresh.is_empty());

    world.json(&["compact", "--tenant", "acme"]);
    assert_eq!(activity(&world, user), after_refresh);
    let before = world.sight().await;
    assert!(
        before.rows.values().all(|times| *times == 1),
        "no row may be there twice"
    );

    for arguments in [&["compact"][..], &["detect"], &["refresh", "--user", user]] {
        world.json(&[arguments, &TENANT].concat());
        assert_eq!(
            world.sight().await,
            before,
            "a second {arguments:?} must change nothing"
        );
    }
}

#[tokio::test]
async fn a_refresh_sees_what_still_waits_in_the_queue() {
    let world = World::new();
    world.send(&format!("{}\n{}", event("e1", "00uann"), event("e2", "00ubob")));
    let report = world.json(&["refresh", "--user", "00UANN@acme.example", "--tenant", "acme"]);
    assert_eq!((&report["landed"], &report["added"]), (&json!(2), &json!(1)));
    assert_eq!(activity(&world, "00uann")[0]["event_uuid"], "e1");
    assert!(activity(&world, "00ubob").is_empty());
    // Landing does not skip detection: the rules see the events at the next run.
    assert_eq!(world.json(&["detect", "--tenant", "acme"])["evaluated"], 2);
}

#[test]
fn every_shape_of_a_file_gives_the_same_events() {
    let events = [event("e1", "00uann"), event("e2", "00uann"), event("e3", "00uann")];
    let envelope =
        |event: &Value| json!({"source": "aws.partner/okta.com/elsewhere/x", "account": "1", "detail": event});
    let envelopes: Vec<Value> = events.iter().map(envelope).collect();
    let lines = |values: &[Value]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let shapes = [
        lines(&events),
        serde_json::to_string(&events).unwrap(),
        serde_json::to_string_pretty(&events).unwrap(),
        lines(&envelopes),
        serde_json::to_string_pretty(&envelopes).unwrap(),
    ];
    for text in shapes {
        let world = World::new();
        let file = world.file("events", &text);
        let sent = world.json(&["local", "send", "--readdress", &file, "--tenant", "acme"]);
        assert_eq!(
            sent,
            json!({"read": 3, "queued": 3, "not_admitted": 0, "set_aside": 0}),
            "{text}"
        );
        world.json(&["detect", "--tenant", "acme"]);
        world.json(&["compact", "--tenant", "acme"]);
        assert_eq!(activity(&world, "00uann").len(), 3, "{text}");
    }
}

#[tokio::test]
async fn what_is_no_event_is_set_aside_with_its_reason() {
    let world = World::new();
    let foreign =
        json!({"source": "aws.partner/okta.com/other/other", "account": "1", "detail": event("e1", "00uann")});
    // Right in all that the rule asks for, but its event has no uuid: it reaches the queue and is set aside there.
    let mut headless = event("", "00uann");
    headless.as_object_mut().unwrap().remove("uuid");
    let twin = std::fs::read_to_string(world.root().join("environments/local/tenants/acme.yaml")).unwrap();
    let value = |key: &str| {
        twin.lines()
            .find_map(|line| line.trim().strip_prefix(key))
            .unwrap()
            .trim()
            .trim_matches('"')
            .to_owned()
    };
    let source = format!(
        "aws.partner/okta.com/{}/{}",
        value("subdomain:"),
        value("integration_id:")
    );
    let envelope = json!({"source": source, "account": "000000000000", "detail-type": "SystemLog", "detail": headless});
    let text = format!(
        "not json\n{}\n{{\"eventType\":\"x\"}}\n{foreign}\n{envelope}\n",
        event("e2", "00uann")
    );

    let sent = world.send(&text);
    assert_eq!(sent, json!({"read": 5, "queued": 2, "not_admitted": 1, "set_aside": 2}));
    let report = world.json(&["detect", "--tenant", "acme"]);
    assert_eq!((&report["landed"], &report["set_aside"]), (&json!(1), &json!(1)));

    let objects = oort_streams::local::objects::LocalObjects::open(&world.stored(), "acme").unwrap();
    let aside = oort_streams::lake::set_aside::all(&objects).await.unwrap();
    let mut reasons: Vec<_> = aside.iter().map(|record| record.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "no rule of the bus matches the envelope (line 4 of the file)",
            "not JSON: expected ident at line 1 column 2 (line 1 of the file)",
            "the event has no `uuid`",
            "the event has no `uuid` (line 3 of the file)",
        ]
    );
    assert!(
        aside.iter().any(|record| record.body == "not json"),
        "the bytes are kept"
    );
}

#[test]
fn a_tenant_sees_nothing_of_another() {
    let world = World::new();
    world.send(&world.sample(500, 5));
    world.json(&["detect", "--tenant", "acme"]);
    world.json(&["compact", "--tenant", "acme"]);
    assert_eq!(world.json(&["detect", "--tenant", "globex"])["evaluated"], 0);
    assert_eq!(world.json(&["compact", "--tenant", "globex"])["segments"], 0);
    assert_eq!(
        world.json(&["findings", "--tenant", "globex", "--format", "json"]),
        json!([])
    );
}

/// Whether the rule of a finding holds events against what is usual.
fn is_of_habit(world: &World, finding: &Value) -> bool {
    let id = format!("\nid: {}\n", finding["rule_id"].as_str().unwrap());
    let mut files = std::fs::read_dir(world.root().join("detections")).unwrap();
    let text = files.find_map(|entry| {
        std::fs::read_to_string(entry.unwrap().path())
            .ok()
            .filter(|text| text.contains(&id))
    });
    let text = text.unwrap();
    ["first_seen:", "returns_after:", "impossible_travel:"]
        .iter()
        .any(|key| text.contains(key))
}

#[test]
fn a_replay_finds_what_was_found_and_nothing_else() {
    // An event that came twice is found twice, the second time as known.
    let count = |report: &Value, name: &str| report[name].as_u64().unwrap();
    let all_of = |report: &Value| count(report, "new_findings") + count(report, "known_findings");
    let world = World::new();
    world.send(&world.sample(1_500, 3));
    let found = world.json(&["detect", "--tenant", "acme"]);
    assert!(count(&found, "new_findings") > 0);
    let replay = ["replay", "--tenant", "acme", "--from", "2020-01-01T00:00:00Z"];
    let all = world.json(&replay);
    // What was usual then is no longer known: rules that ask for that are left out.
    let of_habits = world.json(&["findings", "--tenant", "acme", "--format", "json"]);
    let of_habits = of_habits
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| is_of_habit(&world, finding));
    assert_eq!(
        (count(&all, "new_findings"), count(&all, "known_findings")),
        (0, all_of(&found) - of_habits.count() as u64)
    );
    let none = world.json(&[&replay[..], &["--to", "2020-01-02T00:00:00Z"]].concat());
    assert_eq!((count(&none, "evaluated"), count(&none, "known_findings")), (0, 0));

    // A new rule finds in old events what was never told.
    let rules = world.root().join("new-rules");
    std::fs::create_dir_all(&rules).unwrap();
    let rule = "title: Any session\nid: 0c5b1f0e-7f3c-4d0e-9b53-0f3f0f6a7c11\nstatus: test\nlogsource:\n  product: okta\n  service: okta\ndetection:\n  selection:\n    eventtype: user.session.start\n  condition: selection\nlevel: low\n";
    std::fs::write(rules.join("any.yml"), rule).unwrap();
    let replay = [&replay[..], &["--detections", rules.to_str().unwrap()]].concat();
    let fresh = world.json(&replay);
    assert!(count(&fresh, "new_findings") > 0);
    let next = world.json(&["detect", "--tenant", "acme"]);
    assert_eq!(count(&next, "notified"), count(&fresh, "new_findings"));
    assert_eq!(count(&world.json(&replay), "known_findings"), all_of(&fresh));
}

#[test]
fn a_backtest_tells_of_what_would_be_found_and_stores_nothing() {
    let world = World::new();
    world.send(&world.sample(1_500, 3));
    let landed = world.json(&["detect", "--tenant", "acme"])["landed"].clone();
    let before = world.json(&["findings", "--tenant", "acme", "--format", "json"]);
    let report = world.json(&[
        "rules", "backtest", "--tenant", "acme", "--days", "3650", "--format", "json",
    ]);
    assert_eq!(report["events"], landed);
    let spray = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["title"] == "Password spray")
        .unwrap();
    assert_eq!(spray["findings"], 1);
    assert_eq!(spray["entities"][0][1], 1);
    assert_eq!(
        world.json(&["findings", "--tenant", "acme", "--format", "json"]),
        before
    );
    let text = world.ok(&["rules", "backtest", "--tenant", "acme", "--days", "1"]);
    assert!(
        text.contains("0 of 70 rules would have told of something in 0 events of 1 days"),
        "{text}"
    );
}

#[test]
fn what_the_rules_remember_is_read_from_older_builds_and_not_from_newer() {
    let world = World::new();
    world.send(&world.sample(300, 3));
    world.json(&["detect", "--tenant", "acme"]);
    let folder = world.stored().join("objects/acme/detector");
    let state = folder.join("state.json.zst");
    let kept = zstd::decode_all(&*std::fs::read(&state).unwrap()).unwrap();
    let line = kept.split(|byte| *byte == b'\n').next().unwrap();
    let line: Value = serde_json::from_slice(line).unwrap();
    assert_eq!((&line["format"], &line["next_segment"]), (&json!(2), &json!(1)));

    std::fs::remove_file(&state).unwrap();
    std::fs::write(folder.join("state.json"), r#"{"next_segment":1}"#).unwrap();
    assert_eq!(world.json(&["detect", "--tenant", "acme"])["evaluated"], 0);

    let newer = json!({"format": 3, "next_segment": 1}).to_string();
    std::fs::write(&state, zstd::encode_all(newer.as_bytes(), 1).unwrap()).unwrap();
    let refused = world.run(&["detect", "--tenant", "acme"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("written by a newer build, in format 3"), "{said}");
}
