//! What a stranger writes into events: through every verb to a terminal, and into log lines.

use std::process::Output;

use serde_json::{Value, json};

use super::{TRAPS, assert_harmless, fools};
use crate::server::{Answer, Server};
use crate::world::World;

const USER: &str = "00uEvil";

const RULE: &str = r"
title: Evil agent
id: 6a1f0c1e-3f0f-4d0c-9b60-0c3f5d1c2b11
status: test
description: An agent that says what it is.
logsource: {product: okta, service: okta}
detection:
    agent:
        client.userAgent.rawUserAgent|contains: evil
        actor.displayName|contains: Ann
        target.displayName|contains: Mail
    condition: agent
level: high
";

fn event(uuid: &str) -> Value {
    let text = |text: &str| format!("{text}{TRAPS}");
    json!({
        "uuid": text(uuid), "published": "2026-11-01T10:00:00.500Z", "eventType": text("user.session.start"),
        "displayMessage": text("Sign-in"), "severity": text("INFO"),
        "actor": {"id": USER, "type": text("User"), "alternateId": text("ann@acme.example"), "displayName": text("Ann")},
        "client": {
            "userAgent": {"rawUserAgent": text("evil"), "os": text("Linux"), "browser": text("CHROME")},
            "ipAddress": text("192.0.2.1"), "device": text("Computer"),
            "geographicalContext": {"city": text("Lisbon"), "country": text("Portugal")},
        },
        "outcome": {"result": text("FAILURE"), "reason": text("VERIFICATION_ERROR")},
        "target": [{"id": text("0oa1"), "type": "AppInstance", "alternateId": text("Mail"), "displayName": text("Mail")}],
        "debugContext": {"debugData": {"requestUri": text("/api"), TRAPS: TRAPS}},
    })
}

/// A tenant whose events, directory and receiver are all in the wrong hands.
fn world(server: &Server) -> World {
    let world = World::new();
    std::fs::write(world.root().join("detections/evil.yml"), RULE).unwrap();
    world.edit_profile(|profile| profile.push_str("\nprivate_webhooks: [127.0.0.0/8]\n"));
    let tenant = world.root().join("environments/local/tenants/acme.yaml");
    let route = "notifications:\n  - {name: chat, protocol: slack, secret: chat-hook, minimum_severity: low}\n";
    let file = std::fs::read_to_string(&tenant).unwrap();
    assert!(file.contains("notifications:\n"));
    std::fs::write(&tenant, file.replace("notifications:\n", route)).unwrap();
    let secrets = world.stored().join("secrets/acme");
    std::fs::create_dir_all(&secrets).unwrap();
    let secret = secrets.join("chat-hook");
    std::fs::write(&secret, format!("{}/hook", server.address)).unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let people = json!([{
        "id": USER, "login": format!("ann{TRAPS}"), "name": format!("Ann{TRAPS}"), "status": format!("ACTIVE{TRAPS}"),
        "department": format!("Finance{TRAPS}"), "manager": TRAPS,
        "devices": [{"id": "guo1", "name": format!("Mac{TRAPS}"), "platform": TRAPS, "status": "ACTIVE", "management": TRAPS}],
    }]);
    let directory = world.stored().join("objects/acme/directory");
    std::fs::create_dir_all(&directory).unwrap();
    let packed = zstd::encode_all(people.to_string().as_bytes(), 1).unwrap();
    std::fs::write(directory.join("people.json.zst"), packed).unwrap();
    world
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a verb with every log line that it has, as machines and as people read them.
fn run(world: &World, format: &str, verb: &[&str]) -> Output {
    let output = world
        .command(&[verb, &["--tenant", "acme", "--log-format", format]].concat())
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_harmless(&format!("{verb:?} on standard error"), &said);
    let lines: Vec<&str> = said.lines().filter(|line| !is_told(line)).collect();
    for line in lines {
        if format == "json" {
            let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{verb:?}: {error}: {line}"));
            assert!(record["level"].is_string(), "{line}");
            assert_ne!(record["message"], "forged");
        } else {
            let level = line.split_whitespace().next().unwrap_or_default();
            assert!(["ERROR", "WARN", "INFO"].contains(&level), "{verb:?}: {line}");
        }
    }
    output
}

/// What a failure says beside the log.
fn is_told(line: &str) -> bool {
    let starts = [
        "error: ",
        "  because: ",
        "hint: ",
        "  [possible values: ",
        "For more information",
    ];
    line.is_empty() || starts.iter().any(|start| line.starts_with(start))
}

/// A receiver that answers with the same.
async fn receiver() -> Server {
    let server = Server::start([]).await;
    server.answer(vec![Answer::body(400, &format!("no{TRAPS}")); 64]);
    server
}

fn land(world: &World) {
    let events = ["u1", "u2", "u3"].map(|uuid| event(uuid).to_string()).join("\n");
    assert_eq!(world.send(&events)["queued"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_log_line_is_one_record_whatever_events_and_receivers_say() {
    for format in ["json", "text"] {
        let server = receiver().await;
        let world = world(&server);
        land(&world);
        let detected = run(&world, format, &["detect"]);
        assert_eq!(detected.status.code(), Some(5), "{}", text(&detected.stderr));
        assert!(!server.asked().is_empty());
        // The receiver's own words stand in the log, on the line that tells of its failure.
        let said = text(&detected.stderr);
        let line = said
            .lines()
            .find(|line| line.contains("a message was not delivered"))
            .unwrap();
        assert!(
            line.contains("chat") && line.contains("owned") && line.contains("forged: line"),
            "{line}"
        );
        for verb in [
            &["compact"][..],
            &["refresh", "--user", USER],
            &["reconcile"],
            &["maintain"],
            &["replay", "--from", "2026-10-01T00:00:00Z"],
        ] {
            let output = run(&world, format, verb);
            assert!(output.status.success(), "{verb:?}: {}", text(&output.stderr));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_stranger_wrote_moves_a_terminal_or_begins_a_line() {
    let server = receiver().await;
    let world = world(&server);
    land(&world);
    // What is no event says so with its own bytes.
    world.send(&format!("{{\"uuid\": \"x\", \"published\": {}}}\n", Value::from(TRAPS)));
    run(&world, "json", &["detect"]);
    run(&world, "json", &["compact"]);
    let findings = world.json(&["findings", "--tenant", "acme", "--format", "json"]);
    let finding = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["title"] == "Evil agent")
        .unwrap();
    let id = finding["id"].as_str().unwrap();
    // What people type may have lines of its own.
    let typed = TRAPS.replace('\n', " ");
    // `true` where a person must see the stranger's text, as far as it shows.
    let verbs: [(&[&str], bool); 20] = [
        (&["findings"], true),
        (&["findings", "show", id], true),
        (&["findings", "mute", id, "--because", TRAPS, "--by", TRAPS], false),
        (&["findings", "show", id], true),
        (&["activity", "--user", USER], true),
        (&["routes", "show"], false),
        (&["routes", "test"], true),
        (&["gaps"], false),
        (&["rules", "backtest", "--days", "3650"], false),
        (&["refresh", "--user", USER], false),
        (&["refresh", "--user", &typed], false),
        (&["activity", "--user", &typed], false),
        (&["findings", "show", &typed], false),
        (&["routes", "test", "--route", &typed], false),
        (&["findings", "--rule", &typed], false),
        (&["findings", "--format", &typed], false),
        (&["rules", "backtest", "--detections", &typed], false),
        (&["retention"], false),
        (&["erase", "--user", &typed], false),
        (&["redrive"], false),
    ];
    for (verb, shows) in verbs {
        let output = run(&world, "text", verb);
        let shown = text(&output.stdout);
        assert_harmless(&format!("{verb:?}"), &shown);
        assert!(!shows || shown.contains("owned"), "{verb:?}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_and_ocsf_say_what_was_written_and_move_no_terminal() {
    let server = receiver().await;
    let world = world(&server);
    land(&world);
    run(&world, "json", &["detect"]);
    run(&world, "json", &["compact"]);
    let agent = format!("evil{TRAPS}");
    let is_evil = |value: &Value| value["title"] == "Evil agent";
    let id = {
        let findings = world.json(&["findings", "--tenant", "acme", "--format", "json"]);
        let finding = findings.as_array().unwrap().iter().find(|one| is_evil(one)).unwrap();
        assert_eq!(finding["event"]["client"]["userAgent"]["rawUserAgent"], agent);
        finding["id"].as_str().unwrap().to_owned()
    };
    for (verb, is_lines) in [
        (&["findings", "--format", "json"][..], false),
        (&["findings", "show", &id, "--format", "json"], false),
        (&["activity", "--user", USER, "--format", "json"], false),
        (&["findings", "--format", "ocsf"], true),
        (&["findings", "show", &id, "--format", "ocsf"], true),
        (&["activity", "--user", USER, "--format", "ocsf"], true),
    ] {
        let shown = text(&run(&world, "json", verb).stdout);
        assert!(!shown.contains(fools), "{verb:?}: {shown:?}");
        let values: Vec<Value> = if is_lines {
            shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        } else {
            vec![serde_json::from_str(&shown).unwrap()]
        };
        assert!(!values.is_empty());
        let said = Value::from(values).to_string();
        assert!(
            said.contains(Value::from(TRAPS).to_string().trim_matches('"')),
            "{verb:?} says something else"
        );
    }
}
