//! The client of Okta's management API, against a server on loopback that answers well and badly.

mod contract;
mod deployed;
mod openapi;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use oort_streams::local::clock::ManualClock;
use oort_streams::model::okta::{EVENTBRIDGE, KEY_SECRET, NewLogStream, SignIn, StreamSettings, TOKEN_SECRET};
use oort_streams::okta::{Client, Manners};
use oort_streams::ports::okta::{Act, Ask, LogQuery, Okta, Page};
use oort_streams::ports::{Kind, Result, Secrets};
use secrecy::SecretString;

use crate::server::{Answer, Server};

const TOKEN: &str = "00-never-shown-token";

/// A token that is another each time it is read, so that a rotation can be told.
struct Rotated(AtomicU32);

#[async_trait]
impl Secrets for Rotated {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        let reading = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(match name {
            TOKEN_SECRET => Some(SecretString::from(format!("{TOKEN}-{reading}"))),
            KEY_SECRET => Some(SecretString::from(key())),
            _ => None,
        })
    }
}

/// A new private key of P-256, as PEM.
fn key() -> String {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use base64::Engine as _;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let document = pair.to_pkcs8v1().unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(document.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn client(server: &Server, sign_in: SignIn, patience: Duration) -> Client {
    reach(&server.address, sign_in, patience)
}

fn reach(address: &str, sign_in: SignIn, patience: Duration) -> Client {
    let manners = Manners {
        share_percent: 50,
        patience,
    };
    let secrets = Arc::new(Rotated(AtomicU32::new(0)));
    let clock = Arc::new(ManualClock::new(now()));
    Client::new(address, sign_in, secrets, clock, manners).unwrap()
}

fn by_token(server: &Server) -> Client {
    client(server, SignIn::Token, Duration::from_secs(8))
}

fn an_hour() -> Ask {
    Ask::Events(LogQuery {
        from: now(),
        to: now() + jiff::SignedDuration::from_hours(1),
        filter: None,
    })
}

fn texts(page: &Page) -> Vec<&str> {
    page.items.iter().map(|item| item.get()).collect()
}

/// A page with the headers of a rate limit, by a server whose clock is this test's.
fn page(body: &str, remaining: u32, resets_in_seconds: i64, link: Option<&str>) -> Answer {
    let reset = now().as_second() + resets_in_seconds;
    let link = link.map_or(String::new(), |link| format!("link: <{link}>; rel=\"next\"\r\n"));
    let headers = format!(
        "date: Mon, 23 Nov 2026 10:00:00 GMT\r\nx-rate-limit-limit: 60\r\nx-rate-limit-remaining: {remaining}\r\n\
         x-rate-limit-reset: {reset}\r\n{link}"
    );
    Answer::Status(200, headers, body.to_owned())
}

#[tokio::test]
async fn pages_are_followed_to_their_end_and_items_stay_as_they_were_written() {
    let server = Server::start([]).await;
    let link = format!("{}/api/v1/logs?after=1%2C2", server.address);
    server.answer([
        page(r#"[{"uuid":"a", "x":1.0},{"uuid":"b"}]"#, 59, 60, Some(&link)),
        page(r#"[{"uuid":"c"}]"#, 58, 60, Some(&format!("{link}%2C3"))),
        page("[]", 57, 60, Some(&link)),
        page("[{}]", 56, 60, Some(&link)),
    ]);
    let okta = by_token(&server);
    let first = okta.ask(&an_hour(), None).await.unwrap();
    assert_eq!(texts(&first), [r#"{"uuid":"a", "x":1.0}"#, r#"{"uuid":"b"}"#]);
    assert_eq!(first.at, Some(now()));
    let second = okta.ask(&an_hour(), first.next.as_ref()).await.unwrap();
    assert_eq!(texts(&second), [r#"{"uuid":"c"}"#]);
    let third = okta.ask(&an_hour(), second.next.as_ref()).await.unwrap();
    assert!(
        third.items.is_empty() && third.next.is_none(),
        "an empty page is the last"
    );
    let round = okta.ask(&an_hour(), first.next.as_ref()).await.unwrap_err();
    assert_eq!(round.kind, Kind::Invalid, "a page that is its own next would never end");
    let asked = server.asked();
    assert_eq!(asked[1].line, "GET /api/v1/logs?after=1%2C2");
    assert_eq!(asked[0].header("authorization"), Some("SSWS 00-never-shown-token-0"));
    assert_eq!(okta.requests(), 4);
}

#[tokio::test]
async fn the_token_is_not_sent_to_another_place() {
    let (server, other) = (Server::start([]).await, Server::start([]).await);
    server.answer([page("[{}]", 59, 60, Some(&format!("{}/api/v1/logs", other.address)))]);
    let error = by_token(&server).ask(&an_hour(), None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    server.answer([Answer::Status(
        302,
        format!("location: {}/x\r\n", other.address),
        String::new(),
    )]);
    let error = by_token(&server).ask(&an_hour(), None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn half_of_the_bucket_stays_with_others() {
    let server = Server::start([page("[]", 30, 2, None), page("[]", 59, 60, None)]).await;
    let okta = by_token(&server);
    okta.ask(&an_hour(), None).await.unwrap();
    let begin = Instant::now();
    okta.ask(&an_hour(), None).await.unwrap();
    assert!(
        begin.elapsed() >= Duration::from_secs(2),
        "it waits for the next window"
    );
    // Another endpoint has a limit of its own.
    let begin = Instant::now();
    server.answer([Answer::body(200, "[]")]);
    okta.ask(&Ask::LogStreams, None).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn what_okta_refuses_for_a_while_is_repeated() {
    let refused = Answer::Status(
        429,
        format!(
            "date: Mon, 23 Nov 2026 10:00:00 GMT\r\nx-rate-limit-limit: 60\r\nx-rate-limit-remaining: 0\r\nx-rate-limit-reset: {}\r\n",
            now().as_second() + 1
        ),
        r#"{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit"}"#.to_owned(),
    );
    let server = Server::start([refused, page("[{}]", 59, 60, None)]).await;
    let begin = Instant::now();
    let found = by_token(&server).ask(&an_hour(), None).await.unwrap();
    assert_eq!(found.items.len(), 1);
    assert!(begin.elapsed() >= Duration::from_secs(2), "not before the window's end");

    for bad in [
        Answer::status(503),
        Answer::Hang,
        Answer::Cut(200),
        Answer::Status(500, String::new(), "<html>".to_owned()),
    ] {
        let server = Server::start([bad.clone(), page("[{}]", 59, 60, None)]).await;
        let found = by_token(&server).ask(&an_hour(), None).await.unwrap();
        assert_eq!(found.items.len(), 1, "{bad:?}");
    }
}

#[tokio::test]
async fn patience_ends() {
    let server = Server::start([Answer::Status(429, "retry-after: 60\r\n".to_owned(), String::new())]).await;
    let begin = Instant::now();
    let error = by_token(&server).ask(&an_hour(), None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Throttled);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "a wait that is too long is not begun"
    );
    let server = Server::start((0..50).map(|_| Answer::status(502))).await;
    let okta = client(&server, SignIn::Token, Duration::from_secs(2));
    assert_eq!(okta.ask(&an_hour(), None).await.unwrap_err().kind, Kind::Unavailable);
}

#[tokio::test]
async fn a_token_that_was_rotated_is_read_again_and_one_that_is_refused_is_never_told() {
    let denied = || {
        Answer::body(
            401,
            r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#,
        )
    };
    let server = Server::start([denied(), page("[{}]", 59, 60, None)]).await;
    by_token(&server).ask(&an_hour(), None).await.unwrap();
    let tokens: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| asked.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(tokens, [format!("SSWS {TOKEN}-0"), format!("SSWS {TOKEN}-1")]);

    let server = Server::start([denied(), denied(), denied()]).await;
    let error = by_token(&server).ask(&an_hour(), None).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    let told = format!("{error:?}: {error}");
    assert!(told.contains("E0000011") && !told.contains("never-shown"), "{told}");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn what_may_not_be_and_what_is_not_there_are_told_apart_at_once() {
    for (status, kind) in [(403, Kind::Denied), (404, Kind::NotFound), (400, Kind::Invalid)] {
        let server = Server::start([Answer::status(status)]).await;
        let error = by_token(&server)
            .ask(&Ask::User("ann@example.com".to_owned()), None)
            .await
            .unwrap_err();
        assert_eq!(error.kind, kind);
        assert_eq!(server.asked().len(), 1, "{status} is not repeated");
        assert_eq!(server.asked()[0].line, "GET /api/v1/users/ann@example.com");
    }
}

#[tokio::test]
async fn a_change_that_may_have_been_done_is_not_done_again() {
    let stream = NewLogStream {
        kind: EVENTBRIDGE,
        name: "Oort".to_owned(),
        settings: StreamSettings {
            account_id: "988897525199".to_owned(),
            event_source_name: "acme-1".to_owned(),
            region: "us-east-2".to_owned(),
        },
    };
    for bad in [Answer::status(500), Answer::Hang, Answer::Cut(200)] {
        let server = Server::start([bad]).await;
        let error = by_token(&server).act(&Act::Create(stream.clone())).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        assert_eq!(server.asked().len(), 1);
    }
    let made = r#"{"id":"0oa1","type":"aws_eventbridge","name":"Oort","status":"ACTIVE",
        "settings":{"accountId":"988897525199","eventSourceName":"acme-1","region":"us-east-2"}}"#;
    let throttled = Answer::Status(429, "retry-after: 1\r\n".to_owned(), String::new());
    let server = Server::start([throttled, Answer::body(200, made), Answer::status(204)]).await;
    let okta = by_token(&server);
    let created = okta.act(&Act::Create(stream.clone())).await.unwrap().unwrap();
    assert!(created.is_active() && created.sends_to(&stream.settings));
    assert_eq!(okta.act(&Act::Delete(created.id)).await.unwrap(), None);
    let asked = server.asked();
    assert_eq!(asked[1].line, "POST /api/v1/logStreams");
    assert_eq!(
        asked[1].body,
        r#"{"name":"Oort","settings":{"accountId":"988897525199","eventSourceName":"acme-1","region":"us-east-2"},"type":"aws_eventbridge"}"#
    );
    assert_eq!(asked[2].line, "DELETE /api/v1/logStreams/0oa1");
}

#[tokio::test]
async fn an_application_asks_for_less_where_not_all_is_granted_and_keeps_its_token() {
    let refused = Answer::body(
        400,
        r#"{"error":"invalid_scope","error_description":"One or more scopes are not granted"}"#,
    );
    let granted = Answer::body(
        200,
        r#"{"access_token":"eyJ-never-shown","expires_in":3600,"token_type":"Bearer"}"#,
    );
    // All at once is refused; then each is asked for by itself, of which the third and the sixth are; then what is left.
    let by_itself = (1..=7).map(|number| match number {
        3 | 6 => refused.clone(),
        _ => granted.clone(),
    });
    let answers = [refused.clone()].into_iter().chain(by_itself).chain([granted.clone()]);
    let pages = [page("[]", 59, 60, None), page("[]", 58, 60, None)];
    let server = Server::start(answers.chain(pages)).await;
    let sign_in = SignIn::Key {
        client_id: "0oa9".to_owned(),
        key_id: None,
    };
    let okta = client(&server, sign_in.clone(), Duration::from_secs(8));
    okta.ask(&an_hour(), None).await.unwrap();
    okta.ask(&an_hour(), None).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked.len(), 11, "the token is asked for once");
    assert_eq!(asked[0].line, "POST /oauth2/v1/token");
    assert!(asked[0].body.contains("okta.logStreams.manage"));
    let last = &asked[8].body;
    assert!(
        last.contains("okta.logStreams.read") && last.contains("okta.devices.read"),
        "{last}"
    );
    assert!(
        !last.contains("okta.logStreams.manage") && !last.contains("okta.groups.read"),
        "{last}"
    );
    assert!(last.contains("client-assertion-type%3Ajwt-bearer"));
    assert_eq!(asked[9].header("authorization"), Some("Bearer eyJ-never-shown"));

    let wrong = Answer::body(
        401,
        r#"{"error":"invalid_client","error_description":"The client_assertion token has an invalid signature."}"#,
    );
    let server = Server::start([wrong.clone(), wrong]).await;
    let error = client(&server, sign_in, Duration::from_secs(8))
        .ask(&an_hour(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    let told = format!("{error:?}");
    assert!(told.contains("invalid_client") && !told.contains("eyJ"), "{told}");
}

#[test]
fn an_org_is_not_spoken_to_in_the_clear() {
    let made = |base: &str| {
        let secrets = Arc::new(Rotated(AtomicU32::new(0)));
        Client::new(
            base,
            SignIn::Token,
            secrets,
            Arc::new(ManualClock::new(now())),
            Manners::of_a_task(),
        )
        .map(drop)
    };
    assert!(made("https://acme.okta.com").is_ok());
    for odd in ["http://acme.okta.com", "ftp://acme.okta.com", "acme.okta.com"] {
        assert_eq!(made(odd).unwrap_err().kind, Kind::Invalid, "{odd}");
    }
}
