//! The console of an environment on AWS, on an emulated one: it reads what was deployed and what its tasks have done.

use std::process::Stdio;

use serde_json::{Value, json};

use super::doors::{free_port, started};
use crate::emulator::STAGING;
use crate::rollout::Rollout;
use crate::tasks::{Task, sample};

#[test]
fn it_shows_what_was_deployed_and_what_its_tasks_have_done() {
    let rollout = Rollout::deployed();
    let events = sample(&rollout, "300");
    let source = "aws.partner/okta.com/acme-preview/3f6c1d90-acme-staging";
    rollout.emulator.put_partner_events(source, &events);
    let scratch = tempfile::tempdir().unwrap();
    let run = |role: &str| Task::deployed(&rollout, STAGING, role).run(&rollout, STAGING, scratch.path());
    let found = run("oort-staging-acme-detector")["new_findings"].as_u64().unwrap();
    run("oort-staging-acme-compactor");

    let port = free_port().to_string();
    let mut command = rollout.command(
        STAGING,
        &["console", "-e", "staging", "--listen", &format!("127.0.0.1:{port}")],
    );
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let console = started(child);
    let said = &console.said;
    assert!(said.contains("the console of staging (2 tenants)"), "{said}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |path: &str| {
        runtime.block_on(async {
            let url = format!("http://127.0.0.1:{port}{path}");
            let answer = reqwest::get(&url).await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            assert!(status.is_success(), "{url}: {status} {text}");
            serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text))
        })
    };
    let tenants = ask("/api/v1/tenants");
    let of = |tenant: &str| {
        let line = tenants.as_array().unwrap().iter().find(|line| line["tenant"] == tenant);
        line.unwrap_or_else(|| panic!("{tenants}")).clone()
    };
    let (acme, initech) = (of("acme"), of("initech"));
    assert_eq!(acme["seen"]["source"], json!({"word": "ACTIVE", "tone": "good"}));
    assert_eq!(acme["seen"]["stack"], json!({"word": "as reviewed", "tone": "good"}));
    assert_eq!(acme["open"], found, "{acme}");
    assert!(
        acme["seen"]["detected"].is_string() && acme["seen"]["compacted"].is_string(),
        "{acme}"
    );
    assert_eq!((&initech["open"], &initech["state"]), (&json!(0), &json!("silent")));

    let findings = ask("/api/v1/tenants/acme/findings?limit=500");
    assert_eq!(findings["findings"].as_array().unwrap().len() as u64, found);
    let actor = events.iter().find(|event| event["actor"]["type"] == "User").unwrap();
    let id = actor["actor"]["id"].as_str().unwrap();
    let activity = ask(&format!("/api/v1/tenants/acme/users/{id}/activity?limit=5"));
    let row = &activity["rows"][0];
    assert!(
        row["event"]["uuid"] == row["event_uuid"] && row["user_id"] == id,
        "{activity}"
    );
    let runs = ask("/api/v1/tenants/acme/runs");
    let roles: Vec<&str> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["compact", "detect"]);
    for page in [
        "/",
        "/integrations/3f6c1d90-acme-staging",
        "/integrations/3f6c1d90-acme-staging/checks",
    ] {
        let text = ask(page);
        assert!(text.as_str().unwrap().contains("ACTIVE"), "{page}: {text}");
    }
}
