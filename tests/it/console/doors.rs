//! The console as it is started: refused where others could come in, and over TLS.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use reqwest::{Certificate, StatusCode};

use crate::server::Server;
use crate::world::World;

/// A console that ends with the test.
pub struct Started {
    child: Child,
    pub said: String,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it on this machine.
fn start(world: &World, arguments: &[&str]) -> Started {
    let mut command = world.command(&[&["console", "--environment", "local"], arguments].concat());
    started(
        command
            .current_dir(world.root())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    )
}

/// Waits until a console says where it is.
pub fn started(mut child: Child) -> Started {
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    Started { child, said }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn nobody_is_let_in_from_elsewhere_without_tls_and_a_sign_in() {
    let world = World::new();
    let refused = |arguments: &[&str], code: i32, why: &str| {
        let all = [&["console", "--environment", "local"], arguments].concat();
        let output = world.command(&all).current_dir(world.root()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(why), "{arguments:?}: {said}");
    };
    let issuer = ["--oidc-issuer", "https://acme.okta.com", "--oidc-client-id", "0oa1"];
    let with = |more: &[&'static str]| [more, &issuer].concat();
    refused(&["--listen", "0.0.0.0:0"], 4, "there is no TLS");
    refused(&with(&["--listen", "0.0.0.0:0"]), 4, "there is no TLS");
    refused(
        &["--listen", "0.0.0.0:0", "--trusted-proxy", "10.0.0.0/8"],
        4,
        "nobody would have to sign in",
    );
    // A proxy on this machine brings others as well.
    refused(&["--trusted-proxy", "127.0.0.1/32"], 4, "nobody would have to sign in");
    refused(&with(&["--trusted-proxy", "127.0.0.1/32"]), 3, "--public-url");
    // So does one of which nobody told.
    refused(
        &["--public-url", "https://console.example.com"],
        4,
        "would not have to sign in",
    );
    refused(
        &with(&["--public-url", "http://console.example.com"]),
        3,
        "in the clear",
    );
    refused(
        &["--oidc-issuer", "http://login.example.com", "--oidc-client-id", "0oa1"],
        3,
        "asked in the clear",
    );
}

#[tokio::test]
async fn it_serves_over_tls_and_its_cookies_stay_there() {
    let world = World::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (world.root().join("chain.pem"), world.root().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let idp = super::Idp::start().await;
    let port = free_port();
    let (listen, url) = (format!("127.0.0.1:{port}"), format!("https://localhost:{port}"));
    let started = start(
        &world,
        &[
            "--listen",
            &listen,
            "--public-url",
            &url,
            "--tls-certificate",
            certificate.to_str().unwrap(),
            "--tls-key",
            key.to_str().unwrap(),
            "--oidc-issuer",
            &idp.address,
            "--oidc-client-id",
            super::provider::CLIENT,
        ],
    );
    assert!(started.said.contains(&url), "{}", started.said);
    let http = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let went = http.get(format!("{url}/signin/go")).send().await.unwrap();
    assert_eq!(went.status(), StatusCode::SEE_OTHER);
    let cookie = went.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-oort-signin=") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(
        http.get(format!("http://{listen}/healthz")).send().await.is_err(),
        "it answers in the clear"
    );
}

#[tokio::test]
async fn behind_a_proxy_it_answers_that_proxy_alone() {
    let world = World::new();
    let idp = Server::start([]).await;
    for (network, forwarded, status) in [
        ("127.0.0.1/32", Some("https"), StatusCode::OK),
        ("127.0.0.1/32", Some("http"), StatusCode::FORBIDDEN),
        ("127.0.0.1/32", None, StatusCode::FORBIDDEN),
        ("10.0.0.0/8", Some("https"), StatusCode::FORBIDDEN),
    ] {
        let listen = format!("127.0.0.1:{}", free_port());
        let _started = start(
            &world,
            &[
                "--listen",
                &listen,
                "--public-url",
                "https://console.example.com",
                "--trusted-proxy",
                network,
                "--oidc-issuer",
                &idp.address,
                "--oidc-client-id",
                "0oa1",
            ],
        );
        let request = reqwest::Client::new()
            .get(format!("http://{listen}/signin"))
            .header("host", "console.example.com");
        let request = match forwarded {
            Some(proto) => request.header("x-forwarded-proto", proto),
            None => request,
        };
        assert_eq!(
            request.send().await.unwrap().status(),
            status,
            "{network} {forwarded:?}"
        );
    }
}

#[tokio::test]
async fn every_action_leaves_a_line_in_the_log() {
    let world = World::new();
    let listen = format!("127.0.0.1:{}", free_port());
    let log = world.root().join("log.jsonl");
    let mut command = world.command(&[
        "console",
        "--environment",
        "local",
        "--listen",
        &listen,
        "--log-format",
        "json",
        "--log",
        "info",
    ]);
    command.stderr(std::fs::File::create(&log).unwrap());
    let _started = started(
        command
            .current_dir(world.root())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let http = reqwest::Client::new();
    let page = http
        .get(format!("http://{listen}/"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let csrf = page
        .split("name=\"csrf\" content=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    for (token, done) in [(csrf, true), ("another", false)] {
        let action = http.post(format!("http://{listen}/api/v1/tenants/acme/users/00u1/refresh"));
        let status = action.header("x-csrf-token", token).send().await.unwrap().status();
        assert_eq!(status.is_success(), done);
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let audited: Vec<serde_json::Value> = lines.filter(|line| line["audit"] == true).collect();
    assert_eq!(audited.len(), 2, "{text}");
    for (line, done) in audited.iter().zip([true, false]) {
        assert_eq!(
            (&line["who"], &line["tenant"]),
            (&"this machine".into(), &"acme".into())
        );
        assert_eq!(line["action"], "/api/v1/tenants/acme/users/00u1/refresh");
        assert_eq!(
            (&line["done"], line["why"].is_string()),
            (&done.into(), !done),
            "{line}"
        );
    }
}

#[tokio::test]
async fn it_knows_its_own_name_in_http_2_as_well() {
    let world = World::new();
    let listen = format!("127.0.0.1:{}", free_port());
    let _started = start(&world, &["--listen", &listen]);
    for (host, status) in [(listen.as_str(), 200), ("evil.example", 421)] {
        let stream = tokio::net::TcpStream::connect(&listen).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = axum::http::Request::get(format!("http://{host}/tenants/acme/rules"))
            .body(())
            .unwrap();
        let (response, _) = client.ready().await.unwrap().send_request(request, true).unwrap();
        assert_eq!(response.await.unwrap().status(), status, "{host}");
    }
}
