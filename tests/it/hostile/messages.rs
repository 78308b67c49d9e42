//! What an event says in messages: no receiver takes it for its own words.

use oort_streams::model::notification::{Alert, Notification};
use serde_json::Value;

use super::{TRAPS, assert_harmless, fools};
use crate::notifications::receivers::{LOOPBACK, alert, all, first, mail, mail_server};
use crate::server::Server;

/// Mentions, links, markup and headers of all receivers at once.
const MARKUP: &str = "<!channel> <!here> <@U024BE7LH> <https://evil.example|bank> @everyone [bank](https://evil.example) *b* _i_ `c` \
                      <at>all</at> {color:red}h1. x{color} [~admin] !https://evil.example/x.png! <img src=x> \r\nBcc: evil@evil.example\r\n\r\nforged";

fn hostile() -> Notification {
    let text = format!("ann{TRAPS}{MARKUP}");
    let mut alert = alert("f1");
    let one = alert.notifications.remove(0);
    Notification {
        actor: text.clone(),
        entity: text.clone(),
        event_type: text.clone(),
        who: vec![text.clone()],
        evidence: vec![("client.userAgent".to_owned(), Value::from(text))],
        ..one
    }
}

/// A message of one finding and one of three.
fn alerts() -> [Alert; 2] {
    let many = (0..3).map(|number| Notification {
        id: format!("f{number}"),
        ..hostile()
    });
    [
        Alert::single(hostile()),
        Alert::several("bundle".to_owned(), many.collect()).unwrap(),
    ]
}

/// Every text of a value, by its key.
fn texts<'v>(value: &'v Value, key: &'v str, found: &mut Vec<(&'v str, &'v str)>) {
    match value {
        Value::String(text) => found.push((key, text)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, key, found)),
        Value::Object(map) => map.iter().for_each(|(key, item)| texts(item, key, found)),
        _ => {}
    }
}

/// Whether a mark stands there that the receiver would read.
fn has_bare(text: &str, marks: &[char]) -> bool {
    let mut before = ' ';
    text.chars().any(|c| {
        let is_bare = marks.contains(&c) && before != '\\';
        before = if before == '\\' && c == '\\' { ' ' } else { c };
        is_bare
    })
}

#[tokio::test]
async fn no_receiver_takes_what_an_event_says_for_its_own_markup() {
    let server = Server::start([]).await;
    for (name, receiver) in all(&server) {
        for alert in alerts() {
            let before = server.asked().len();
            server.answer(first(name));
            assert_eq!(receiver.deliver(&alert).await.unwrap(), ["soc"], "{name}");
            let asked = server.asked()[before..].last().unwrap().clone();
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            let mut found = Vec::new();
            texts(&body, "", &mut found);
            assert!(
                found.iter().any(|(_, text)| text.contains("evil.example")),
                "{name}: {body}"
            );
            for (key, text) in found {
                let what = format!("{name} {key}");
                match name {
                    // Programs read these: they are told what was written.
                    "webhook" => continue,
                    "pagerduty" if key != "summary" => continue,
                    "slack" if key == "text" => assert!(!text.contains('<') && !text.contains('>'), "{what}: {text}"),
                    "teams" => assert!(!has_bare(text, &['[', ']', '*', '_', '`', '<', '>']), "{what}: {text}"),
                    _ => {}
                }
                assert_harmless(&what, text);
            }
            if name == "jira" {
                let description = &body["fields"]["description"];
                assert_eq!(description["type"], "doc");
                for paragraph in description["content"].as_array().unwrap() {
                    for node in paragraph["content"].as_array().unwrap() {
                        assert_eq!((&node["type"], &node["marks"]), (&Value::from("text"), &Value::Null));
                    }
                }
            }
            if name == "webhook" {
                assert_eq!(body["data"]["findings"][0]["actor"], hostile().actor);
            }
        }
    }
}

#[tokio::test]
async fn no_text_of_an_event_becomes_a_header_or_a_line_of_a_mail() {
    for alert in alerts() {
        let (port, server) = mail_server("250 fine\r\n").await;
        mail(port, LOOPBACK).deliver(&alert).await.unwrap();
        let seen = server.await.unwrap();
        let told: Vec<&String> = seen.iter().filter(|line| line.starts_with("RCPT ")).collect();
        assert_eq!(told, ["RCPT TO:<soc@acme.example>"]);
        let begin = seen.iter().position(|line| line == "DATA").unwrap() + 1;
        let end = begin + seen[begin..].iter().position(String::is_empty).unwrap();
        let known = [
            "Message-ID",
            "From",
            "To",
            "Subject",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Date",
            "MIME-Version",
        ];
        for line in &seen[begin..end] {
            // A long header goes on behind a space.
            let name = line.split(':').next().unwrap();
            assert!(line.starts_with(' ') || known.contains(&name), "{line}");
            assert!(line.is_ascii() && !line.contains(fools), "{line:?}");
        }
        let body = quoted_printable(&seen[end + 1..]);
        assert!(body.contains("evil.example"), "{body}");
        assert_harmless("the mail", &body);
    }
}

/// The text of a body in quoted-printable or as it is.
fn quoted_printable(lines: &[String]) -> String {
    let lines = lines.iter().take_while(|line| *line != ".");
    let joined = lines.fold(String::new(), |text, line| match line.strip_suffix('=') {
        Some(part) => text + part,
        None => text + line + "\n",
    });
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'=').then(|| after.get(..2)).flatten();
        let code = code.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(bytes).unwrap()
}
