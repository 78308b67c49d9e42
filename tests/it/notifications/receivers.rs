//! Every receiver against a server that behaves badly: what is taken, what may be tried again, and what no error tells.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use oort_streams::channels::{Channels, Reach};
use oort_streams::local::clock::ManualClock;
use oort_streams::model::finding::Severity;
use oort_streams::model::notification::{Alert, Notification};
use oort_streams::model::route::{Channel, Filter, Pace, Route};
use oort_streams::ports::{self, Kind, Notifier, Secrets, Undelivered};
use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::server::{Answer, Server};

struct InMemory(HashMap<String, String>);

#[async_trait]
impl Secrets for InMemory {
    async fn get(&self, name: &str) -> ports::Result<Option<SecretString>> {
        Ok(self.0.get(name).cloned().map(SecretString::from))
    }
}

pub fn alert(id: &str) -> Alert {
    let at = "2026-11-23T10:00:00Z".parse().unwrap();
    Alert::single(Notification {
        id: id.to_owned(),
        finding_id: id.to_owned(),
        tenant: "acme".to_owned(),
        severity: Severity::High,
        rule_id: "rule".to_owned(),
        title: "Password spray".to_owned(),
        tags: Vec::new(),
        actor: "ann@example.com".to_owned(),
        who: Vec::new(),
        entity: "ann@example.com".to_owned(),
        event_type: "user.session.start".to_owned(),
        published: at,
        first_seen: at,
        last_seen: at,
        count: 1,
        evidence: Vec::new(),
        description: "What it means.".to_owned(),
        response: vec!["Ask her".to_owned()],
    })
}

pub fn receiver(channel: Channel, secrets: &[(&str, &str)], allowed: &[&str]) -> Arc<dyn Notifier> {
    let secrets = secrets
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap()));
    let reach = Reach::new(allowed.iter().map(|network| network.parse().unwrap()));
    let channels = Channels::new(Arc::new(InMemory(secrets.collect())), reach, clock).unwrap();
    channels.open(&Route {
        name: "soc".to_owned(),
        channel,
        filter: Filter::all(),
        pace: Pace::unbounded(),
    })
}

pub const LOOPBACK: &[&str] = &["127.0.0.0/8"];
const HIDDEN: &str = "hidden-in-the-address";

/// Every receiver that is reached by HTTP, all at one server.
pub fn all(server: &Server) -> Vec<(&'static str, Arc<dyn Notifier>)> {
    let address = server.address.clone();
    let secret = || "s".to_owned();
    let web = format!("{address}/{HIDDEN}");
    let open = |channel: Channel, secret: &str| receiver(channel, &[("s", secret)], LOOPBACK);
    vec![
        ("slack", open(Channel::Slack { secret: secret() }, &web)),
        ("teams", open(Channel::Teams { secret: secret() }, &web)),
        (
            "webhook",
            open(
                Channel::Webhook {
                    endpoint: web.clone(),
                    secret: secret(),
                },
                HIDDEN,
            ),
        ),
        (
            "pagerduty",
            open(
                Channel::Pagerduty {
                    endpoint: Some(format!("{address}/v2/enqueue")),
                    secret: secret(),
                },
                HIDDEN,
            ),
        ),
        (
            "jira",
            open(
                Channel::Jira {
                    endpoint: address.clone(),
                    project: "SEC".to_owned(),
                    issue_type: "Task".to_owned(),
                    secret: secret(),
                },
                "bot:hidden-in-the-address",
            ),
        ),
        (
            "servicenow",
            open(
                Channel::Servicenow {
                    endpoint: address,
                    secret: secret(),
                },
                "bot:hidden-in-the-address",
            ),
        ),
    ]
}

/// The whole of an error, as it would be logged.
fn told(failed: &Undelivered) -> String {
    let mut text = format!("{failed} {failed:?}");
    let mut cause: Option<&dyn std::error::Error> = Some(&failed.error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The answer of a search that finds nothing, for those who search first.
pub fn first(name: &str) -> Vec<Answer> {
    match name {
        "jira" => vec![Answer::body(200, r#"{"issues":[]}"#)],
        "servicenow" => vec![Answer::body(200, r#"{"result":[]}"#)],
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn what_a_bad_answer_means_is_the_same_for_every_receiver() {
    let cases = [
        (Answer::status(500), Kind::Unavailable, None),
        (Answer::status(503), Kind::Unavailable, None),
        (
            Answer::Status(429, "retry-after: 7\r\n".to_owned(), String::new()),
            Kind::Throttled,
            Some(7),
        ),
        (
            Answer::Status(
                429,
                "retry-after: Mon, 23 Nov 2026 12:00:09 GMT\r\n".to_owned(),
                String::new(),
            ),
            Kind::Throttled,
            Some(9),
        ),
        (
            Answer::body(400, "no such field: hidden-in-the-address"),
            Kind::Invalid,
            None,
        ),
        (Answer::body(401, "hidden-in-the-address is wrong"), Kind::Denied, None),
        (Answer::status(404), Kind::NotFound, None),
        (
            Answer::Status(
                302,
                "location: http://127.0.0.1:1/elsewhere\r\n".to_owned(),
                String::new(),
            ),
            Kind::Denied,
            None,
        ),
        (Answer::Hang, Kind::Unavailable, None),
        (Answer::Cut(500), Kind::Unavailable, None),
    ];
    let server = Server::start([]).await;
    for (name, receiver) in all(&server) {
        for (answer, kind, seconds) in &cases {
            // A connection that was kept open may be found closed, and is then asked again by HTTP's own rules.
            let answers = vec![answer.clone(); if matches!(answer, Answer::Hang) { 4 } else { 1 }];
            let before = server.asked().len();
            server.answer(first(name).into_iter().chain(answers));
            let failed = receiver.deliver(&alert("f1")).await.unwrap_err();
            assert_eq!(failed.error.kind, *kind, "{name} {answer:?}: {failed:?}");
            assert_eq!(
                failed.retry_after,
                seconds.map(Duration::from_secs),
                "{name} {answer:?}"
            );
            let text = told(&failed);
            assert!(!text.contains(HIDDEN), "{name} {answer:?}: {text}");
            assert!(
                !server.asked()[before..]
                    .iter()
                    .any(|asked| asked.line.contains("elsewhere")),
                "a redirect was followed"
            );
        }
        server.answer(first(name));
        assert_eq!(receiver.deliver(&alert("f1")).await.unwrap(), ["soc"], "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_after_a_good_status_was_taken() {
    let server = Server::start([]).await;
    for (name, receiver) in all(&server) {
        server.answer(first(name).into_iter().chain([Answer::Cut(200)]));
        assert_eq!(receiver.deliver(&alert("f1")).await.unwrap(), ["soc"], "{name}");
    }
}

#[tokio::test]
async fn a_search_that_breaks_off_creates_nothing() {
    let server = Server::start([]).await;
    for (name, receiver) in all(&server).into_iter().filter(|(name, _)| !first(name).is_empty()) {
        for answer in [Answer::Cut(200), Answer::body(200, "<html>"), Answer::body(200, "{}")] {
            server.answer([answer]);
            let before = server.asked().len();
            let failed = receiver.deliver(&alert("f1")).await.unwrap_err();
            assert_eq!(failed.error.kind, Kind::Unavailable, "{name}");
            assert_eq!(server.asked().len(), before + 1, "{name}");
        }
        let known = if name == "jira" {
            r#"{"issues":[{"id":"1"}]}"#
        } else {
            r#"{"result":[{"sys_id":"1"}]}"#
        };
        server.answer([Answer::body(200, known)]);
        let before = server.asked().len();
        assert_eq!(receiver.deliver(&alert("f1")).await.unwrap(), ["soc"], "{name}");
        assert_eq!(
            server.asked().len(),
            before + 1,
            "{name}: what is there is not made again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_says_nothing_is_not_waited_for_for_ever() {
    let server = Server::start([
        Answer::Slow(Duration::from_hours(1)),
        Answer::Slow(Duration::from_hours(1)),
    ])
    .await;
    let receiver = receiver(
        Channel::Slack { secret: "s".to_owned() },
        &[("s", &server.address)],
        LOOPBACK,
    );
    let begun = tokio::time::Instant::now();
    let failed = receiver.deliver(&alert("f1")).await.unwrap_err();
    assert_eq!(failed.error.kind, Kind::Unavailable);
    assert!(begun.elapsed() <= Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn private_addresses_are_reached_only_where_the_environment_allows_them() {
    let server = Server::start([]).await;
    for address in [
        server.address.clone(),
        format!("http://localhost:{}", server.port),
        format!("https://127.0.0.1:{}", server.port),
        format!("https://localhost:{}", server.port),
        format!("https://[::ffff:127.0.0.1]:{}", server.port),
        format!("https://2130706433:{}", server.port),
        format!("https://0x7f000001:{}", server.port),
        format!("https://0x7f.1:{}", server.port),
        format!("https://0177.0.0.1:{}", server.port),
        format!("https://127.1:{}", server.port),
        format!("https://127.0.0.1.:{}", server.port),
        format!("https://\u{ff11}27.0.0.1:{}", server.port),
        format!("https://hooks.slack.com@127.0.0.1:{}", server.port),
        format!("https://0.0.0.0:{}", server.port),
        format!("https://[::]:{}", server.port),
        format!("https://[::1]:{}", server.port),
        format!("https://[::127.0.0.1]:{}", server.port),
        format!("https://[::ffff:7f00:1]:{}", server.port),
        format!("https://[64:ff9b::7f00:1]:{}", server.port),
        format!("https://[2002:7f00:1::]:{}", server.port),
        "https://[::ffff:169.254.169.254]/latest/meta-data/".to_owned(),
        "https://[fd00:ec2::254]/latest/meta-data/".to_owned(),
        "https://169.254.170.2/v2/credentials".to_owned(),
        "https://2852039166/latest/meta-data/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://192.168.0.1/".to_owned(),
        "https://100.64.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        "ftp://example.com/".to_owned(),
        "nonsense".to_owned(),
    ] {
        let receiver = receiver(Channel::Slack { secret: "s".to_owned() }, &[("s", &address)], &[]);
        let failed = receiver.deliver(&alert("f1")).await.unwrap_err();
        assert_eq!(failed.error.kind, Kind::Denied, "{address}: {failed:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_secret_that_is_missing_says_which() {
    let receiver = receiver(
        Channel::Slack {
            secret: "slack-webhook".to_owned(),
        },
        &[],
        &[],
    );
    let failed = receiver.deliver(&alert("f1")).await.unwrap_err();
    assert_eq!(failed.error.kind, Kind::NotFound);
    assert!(
        told(&failed).contains("no secret `slack-webhook` is stored"),
        "{}",
        told(&failed)
    );
}

/// A mail server that takes a message, or answers `MAIL` as it is told.
pub async fn mail_server(answer: &'static str) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut seen = Vec::new();
        let mut is_data = false;
        write.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            seen.push(line.clone());
            let reply = match line.split_whitespace().next().unwrap_or_default() {
                "." if is_data => {
                    is_data = false;
                    "250 taken\r\n"
                }
                _ if is_data => continue,
                "EHLO" => "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n",
                "AUTH" => "235 welcome\r\n",
                "MAIL" => answer,
                "DATA" => {
                    is_data = true;
                    "354 go on\r\n"
                }
                "QUIT" => break,
                _ => "250 fine\r\n",
            };
            if write.write_all(reply.as_bytes()).await.is_err() {
                break;
            }
        }
        seen
    });
    (port, server)
}

pub fn mail(port: u16, allowed: &[&str]) -> Arc<dyn Notifier> {
    let channel = Channel::Smtp {
        endpoint: "soc@acme.example".to_owned(),
        server: format!("127.0.0.1:{port}"),
        from: "oort@platform.example".to_owned(),
        secret: Some("mail".to_owned()),
    };
    receiver(channel, &[("mail", "oort:hidden-in-the-address")], allowed)
}

#[tokio::test]
async fn mail_arrives_with_a_message_id_that_is_its_key() {
    let (port, server) = mail_server("250 fine\r\n").await;
    assert_eq!(mail(port, LOOPBACK).deliver(&alert("f1")).await.unwrap(), ["soc"]);
    let seen = server.await.unwrap().join("\n");
    for line in [
        "MAIL FROM:<oort@platform.example>",
        "RCPT TO:<soc@acme.example>",
        "Message-ID: <oort-f1@platform.example>",
        "Subject: [high] Password spray: ann@example.com",
        "1. Ask her",
        "AUTH PLAIN",
    ] {
        assert!(seen.contains(line), "{line}: {seen}");
    }
}

#[tokio::test]
async fn what_a_mail_server_refuses_may_be_tried_again_or_not() {
    for (answer, kind) in [
        ("451 try later\r\n", Kind::Unavailable),
        ("550 no such user\r\n", Kind::Invalid),
        ("535 who are you\r\n", Kind::Denied),
    ] {
        let (port, server) = mail_server(answer).await;
        let failed = mail(port, LOOPBACK).deliver(&alert("f1")).await.unwrap_err();
        assert_eq!(failed.error.kind, kind, "{answer}: {failed:?}");
        assert!(!told(&failed).contains(HIDDEN));
        server.abort();
    }
    let (port, server) = mail_server("250 fine\r\n").await;
    let failed = mail(port, &[]).deliver(&alert("f1")).await.unwrap_err();
    assert_eq!(failed.error.kind, Kind::Denied, "{failed:?}");
    assert!(!server.is_finished(), "nobody connected");
    server.abort();
}
