//! Objects and answers that are small until they are read.

use std::io::Read as _;
use std::path::Path;

use oort_streams::local::objects::LocalObjects;
use oort_streams::okta::{Client, Manners};
use oort_streams::ports::okta::{Ask, LogQuery, Okta as _};
use serde_json::{Value, json};

use crate::notifications::receivers::{alert, all, first};
use crate::server::{Answer, Server};
use crate::world::World;

const GIBIBYTE: u64 = 1 << 30;

/// A gibibyte of the same byte between two texts, in some ten kilobytes.
fn bomb(before: &str, after: &str) -> Vec<u8> {
    let whole = before
        .as_bytes()
        .chain(std::io::repeat(b'a').take(GIBIBYTE))
        .chain(after.as_bytes());
    let mut packed = Vec::new();
    zstd::stream::copy_encode(whole, &mut packed, 1).unwrap();
    assert!(packed.len() < 256 << 10, "{}", packed.len());
    packed
}

fn plant(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Runs a verb that must give up, and gives what it says.
fn refused(world: &World, verb: &[&str]) -> String {
    let output = world.run(&[verb, &["--tenant", "acme"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{verb:?}: {said}");
    said
}

fn event(uuid: &str) -> Value {
    json!({
        "uuid": uuid, "published": "2026-11-01T10:00:00.500Z", "eventType": "user.session.start",
        "actor": {"id": "00uann", "type": "User", "alternateId": "ann@acme.example"},
    })
}

#[test]
fn a_segment_that_unpacks_to_gigabytes_is_refused_by_everybody_who_reads_it() {
    let world = World::new();
    let segment = world.stored().join("objects/acme/segments/000000000000.jsonl.zst");
    plant(&segment, &bomb("{\"detail\":{\"uuid\":\"", "\"}}\n"));
    for verb in [&["detect"][..], &["compact"], &["refresh", "--user", "00uann"]] {
        let said = refused(&world, verb);
        assert!(
            said.contains("segments/000000000000.jsonl.zst") && said.contains("it is larger than any segment"),
            "{verb:?}: {said}"
        );
    }
}

#[test]
fn what_is_remembered_and_who_is_who_are_unpacked_within_bounds() {
    let world = World::new();
    world.send(&event("u1").to_string());
    let objects = world.stored().join("objects/acme");
    for (before, after) in [
        ("{\"next_segment\":0,\"x\":\"", "\"}\n"),
        ("{\"format\":2,\"next_segment\":0}\n", ""),
    ] {
        plant(&objects.join("detector/state.json.zst"), &bomb(before, after));
        let said = refused(&world, &["detect"]);
        assert!(
            said.contains("detector/state.json.zst") && said.contains("unpacks to more than 64 MiB"),
            "{said}"
        );
    }
    std::fs::remove_file(objects.join("detector/state.json.zst")).unwrap();
    plant(&objects.join("directory/people.json.zst"), &bomb("[{\"id\":\"", "\"}]"));
    let said = refused(&world, &["activity", "--user", "00uann"]);
    assert!(
        said.contains("directory/people.json.zst") && said.contains("unpacks to more than 64 MiB"),
        "{said}"
    );
    // Events do not wait for names.
    world.ok(&["detect", "--tenant", "acme"]);
}

#[tokio::test]
async fn an_event_that_nests_without_end_is_set_aside_and_the_others_are_not() {
    let world = World::new();
    let deep = |depth: usize| {
        let mut text = event("deep").to_string();
        text.pop();
        format!("{text},\"debugContext\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
    };
    let text = format!("{}\n{}\n{}\n{}\n", event("u1"), deep(200), deep(100_000), event("u2"));
    let sent = world.send(&text);
    assert_eq!(sent["read"], 4);
    let report = world.json(&["detect", "--tenant", "acme"]);
    assert_eq!(report["landed"], 2, "{sent} {report}");
    let objects = LocalObjects::open(&world.stored(), "acme").unwrap();
    let aside = oort_streams::lake::set_aside::all(&objects).await.unwrap();
    assert_eq!(
        aside.len(),
        2,
        "{:?}",
        aside.iter().map(|one| &one.reason).collect::<Vec<_>>()
    );
    for record in aside {
        assert!(record.reason.contains("recursion limit"), "{}", record.reason);
    }
    world.ok(&["compact", "--tenant", "acme"]);
}

/// What a server would send that had been asked for a compressed answer.
fn packed() -> Answer {
    Answer::Status(
        400,
        "content-encoding: gzip\r\ncontent-type: application/json\r\n".to_owned(),
        "x".repeat(1 << 20),
    )
}

#[tokio::test]
async fn no_answer_is_unpacked_and_little_of_one_is_told() {
    let server = Server::start([]).await;
    for (name, receiver) in all(&server) {
        server.answer(first(name).into_iter().chain([packed()]));
        let failed = receiver.deliver(&alert("f1")).await.unwrap_err();
        let cause = std::error::Error::source(&failed.error).unwrap().to_string();
        assert!(
            cause.contains("400") && cause.len() < 400,
            "{name}: {} bytes",
            cause.len()
        );
    }
    let okta = Client::new(
        &server.address,
        oort_streams::model::okta::SignIn::Token,
        std::sync::Arc::new(Token),
        std::sync::Arc::new(oort_streams::local::clock::SystemClock),
        Manners::of_a_person(),
    );
    let from = "2026-11-23T10:00:00Z".parse().unwrap();
    let ask = Ask::Events(LogQuery {
        from,
        to: from + jiff::SignedDuration::from_hours(1),
        filter: None,
    });
    server.answer([packed()]);
    assert!(okta.unwrap().ask(&ask, None).await.is_err());
    let asked = server.asked();
    assert!(asked.len() > 6 && asked.last().unwrap().line.contains("/api/v1/logs"));
    for one in asked {
        assert_eq!(one.header("accept-encoding"), None, "{}", one.line);
    }
}

struct Token;

#[async_trait::async_trait]
impl oort_streams::ports::Secrets for Token {
    async fn get(&self, _: &str) -> oort_streams::ports::Result<Option<secrecy::SecretString>> {
        Ok(Some("00token".to_owned().into()))
    }
}
