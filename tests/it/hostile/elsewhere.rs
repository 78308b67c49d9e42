//! Answers that lead elsewhere, and what leaves by the console: nobody is followed, and nothing runs in a spreadsheet.

use std::process::Stdio;

use reqwest::StatusCode;
use serde_json::json;

use crate::console::doors::{free_port, started};
use crate::server::{Answer, Server};
use crate::world::World;

/// A console on this machine; gives its address, and what ends it.
fn console(world: &World, arguments: &[&str]) -> (String, impl Drop + use<>) {
    let listen = format!("127.0.0.1:{}", free_port());
    let verb = ["console", "--environment", "local", "--listen", &listen];
    let mut command = world.command(&[&verb, arguments].concat());
    let child = command.current_dir(world.root()).stdout(Stdio::piped()).spawn();
    (format!("http://{listen}"), started(child.unwrap()))
}

fn browser() -> reqwest::Client {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    browser.build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_sends_the_console_elsewhere_is_not_followed() {
    let inner = Server::start([]).await;
    let provider = Server::start([]).await;
    let world = World::new();
    let (console, _ends) = console(
        &world,
        &["--oidc-issuer", &provider.address, "--oidc-client-id", "0oa1"],
    );
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/latest/meta-data/\r\n", inner.address);
        provider.answer([Answer::Status(status, location, String::new())]);
        let answer = browser().get(format!("{console}/signin/go")).send().await.unwrap();
        assert!(answer.status().is_server_error(), "{status}: {}", answer.status());
    }
    assert_eq!(provider.asked().len(), 5);
    assert!(inner.asked().is_empty(), "{:?}", inner.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_downloaded_runs_in_no_spreadsheet() {
    const FORMULAS: [&str; 6] = [
        "=HYPERLINK(\"https://evil.example\",\"open\")",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
    ];
    let world = World::new();
    let events = FORMULAS.iter().enumerate().map(|(number, formula)| {
        let event = json!({
            "uuid": format!("u{number}"), "published": "2026-11-01T10:00:00.500Z", "eventType": "system.api_token.create",
            "actor": {"id": "00uann", "type": "User", "alternateId": formula, "displayName": formula},
            "client": {"ipAddress": formula, "userAgent": {"rawUserAgent": formula}, "geographicalContext": {"city": formula}},
            "outcome": {"result": "SUCCESS", "reason": formula},
            "target": [{"id": formula, "type": "Token", "alternateId": formula, "displayName": formula}],
        });
        event.to_string() + "\n"
    });
    world.send(&events.collect::<String>());
    world.ok(&["detect", "--tenant", "acme"]);
    world.ok(&["compact", "--tenant", "acme"]);
    let (console, _ends) = console(&world, &[]);
    for path in [
        "/tenants/acme/findings.csv",
        "/tenants/acme/users.csv",
        "/tenants/acme/users/00uann/activity.csv?since=2026-10-01&until=2026-12-01",
    ] {
        let answer = browser().get(format!("{console}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let text = answer.text().await.unwrap();
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        let cells: Vec<String> = rows
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        for cell in &cells {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{path}: {cell:?}");
        }
        if !path.contains("users.csv") {
            assert!(
                cells.iter().any(|cell| cell.starts_with("'=HYPERLINK")),
                "{path}: {text}"
            );
        }
    }
}
