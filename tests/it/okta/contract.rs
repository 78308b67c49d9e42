//! What an org promises, held against the one on this machine and against the client that reaches it over HTTP.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use oort_streams::local::clock::ManualClock;
use oort_streams::local::org::{LocalOrg, Thing};
use oort_streams::model::okta::{EVENTBRIDGE, LogStream, NewLogStream, StreamSettings};
use oort_streams::ports::okta::{Act, Ask, LogQuery, Next, Okta};
use oort_streams::ports::{Error, Kind};
use reqwest::Url;
use serde_json::{Value, json};

use super::{SignIn, now, reach};
use crate::gaps::event;
use crate::server::{Answer, Answers, Asked, serve_with};

/// The org of this machine behind Okta's addresses.
pub struct Served {
    /// Whether the token may change nothing.
    denies: Arc<AtomicBool>,
    org: Arc<LocalOrg>,
    base: std::sync::OnceLock<String>,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Served {
    /// Serves an org on loopback; gives its address.
    pub async fn start(org: Arc<LocalOrg>) -> String {
        Self::denying(org, Arc::default()).await
    }

    /// The same, of which a token may change nothing while `denies` is set.
    pub async fn denying(org: Arc<LocalOrg>, denies: Arc<AtomicBool>) -> String {
        let served = Arc::new(Self {
            org,
            denies,
            base: std::sync::OnceLock::new(),
        });
        let address = serve_with(Arc::clone(&served) as Arc<dyn Answers>).await;
        served.base.set(address.clone()).unwrap();
        address
    }

    async fn act(&self, asked: &Asked, path: &[&str]) -> Result<Option<LogStream>, Error> {
        let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let act = match (asked.line.split(' ').next().unwrap(), path) {
            ("POST", ["logStreams"]) => Act::Create(NewLogStream {
                kind: EVENTBRIDGE,
                name: body["name"].as_str().unwrap().to_owned(),
                settings: serde_json::from_value(body["settings"].clone()).unwrap(),
            }),
            ("POST", ["logStreams", id, "lifecycle", "activate"]) => Act::Activate((*id).to_owned()),
            ("POST", ["logStreams", id, "lifecycle", "deactivate"]) => Act::Deactivate((*id).to_owned()),
            ("DELETE", ["logStreams", id]) => Act::Delete((*id).to_owned()),
            ("PUT", ["logStreams", id]) => Act::Touch(LogStream {
                id: (*id).to_owned(),
                kind: EVENTBRIDGE.to_owned(),
                name: body["name"].as_str().unwrap().to_owned(),
                status: String::new(),
                settings: serde_json::from_value(body["settings"].clone()).unwrap(),
            }),
            _ => panic!("{}", asked.line),
        };
        self.org.act(&act).await
    }

    /// What is asked for, and whether it comes as a list.
    fn ask(path: &[&str], get: impl Fn(&str) -> Option<String>) -> (Ask, bool) {
        let changed_since = |key: &str| {
            let filter = get(key)?;
            let quoted = filter.split_once('"')?.1.trim_end_matches('"').to_owned();
            Some(time(&quoted)).filter(|since| *since > Timestamp::UNIX_EPOCH)
        };
        match path {
            ["logs"] => {
                let query = LogQuery {
                    // Okta leaves out what is as old as `since`.
                    from: time(&get("since").unwrap()) + SignedDuration::from_millis(1),
                    to: time(&get("until").unwrap()),
                    filter: get("filter"),
                };
                (Ask::Events(query), true)
            }
            ["logStreams"] => (Ask::LogStreams, true),
            ["users"] => match get("filter").unwrap().strip_prefix("profile.email eq ") {
                Some(email) => (Ask::UsersByEmail(email.trim_matches('"').to_owned()), true),
                None => (
                    Ask::Users {
                        changed_since: changed_since("filter"),
                    },
                    true,
                ),
            },
            ["users", "me"] => (Ask::Me, false),
            ["users", id, "roles"] => (Ask::Roles((*id).to_owned()), true),
            ["users", id] => (Ask::User((*id).to_owned()), false),
            ["users", id, "factors"] => (Ask::Factors((*id).to_owned()), true),
            ["users", id, "devices"] => (Ask::UserDevices((*id).to_owned()), true),
            ["devices"] => (
                Ask::Devices {
                    changed_since: changed_since("search"),
                },
                true,
            ),
            _ => panic!("{path:?}"),
        }
    }
}

fn failure(error: &Error) -> Answer {
    let status = match error.kind {
        Kind::NotFound => 404,
        Kind::Denied => 403,
        _ => 400,
    };
    Answer::body(status, &json!({"errorSummary": format!("{error:?}")}).to_string())
}

#[async_trait]
impl Answers for Served {
    async fn answer(&self, asked: Asked) -> Answer {
        let target = asked.line.split(' ').nth(1).unwrap();
        let url = Url::parse(&format!("{}{target}", self.base.get().unwrap())).unwrap();
        let path = url.path().trim_start_matches("/api/v1/").to_owned();
        let path: Vec<String> = path.split('/').map(|part| part.replace("%40", "@")).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        if asked.line.starts_with("GET /.well-known") {
            let date = "date: Tue, 24 Nov 2026 10:00:00 GMT\r\n".to_owned();
            return Answer::Status(200, date, r#"{"id":"00o1"}"#.to_owned());
        }
        if !asked.line.starts_with("GET ") {
            if self.denies.load(Ordering::Relaxed) {
                return Answer::body(403, r#"{"errorCode":"E0000006","errorSummary":"no permission"}"#);
            }
            return match self.act(&asked, &path).await {
                Ok(Some(stream)) => Answer::body(200, &json!(stream).to_string()),
                Ok(None) => Answer::status(204),
                Err(error) => failure(&error),
            };
        }
        let get = |key: &str| {
            url.query_pairs()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value.into_owned())
        };
        let (ask, is_list) = Self::ask(&path, get);
        let next = get("after").map(Next);
        match self.org.ask(&ask, next.as_ref()).await {
            Err(error) => failure(&error),
            Ok(page) => {
                let items: Vec<&str> = page.items.iter().map(|item| item.get()).collect();
                let mut headers = String::new();
                if let Some(Next(after)) = page.next {
                    let mut more = url.clone();
                    let kept: Vec<_> = url.query_pairs().filter(|(name, _)| name != "after").collect();
                    more.query_pairs_mut()
                        .clear()
                        .extend_pairs(kept)
                        .append_pair("after", &after);
                    let _ = write!(headers, "link: <{more}>; rel=\"next\"\r\n");
                }
                let body = if is_list {
                    format!("[{}]", items.join(","))
                } else {
                    items[0].to_owned()
                };
                Answer::Status(200, headers, body)
            }
        }
    }
}

/// An org with three days of events, one a minute, and how it is reached.
async fn filled(folder: &Path) -> Arc<LocalOrg> {
    let clock = Arc::new(ManualClock::new(now()));
    let org = Arc::new(LocalOrg::open(folder, "acme", clock.clone()).await.unwrap());
    let minute = |minute: i64| {
        let user = if minute % 500 == 0 { "00u2" } else { "00u1" };
        event(
            &format!("e{minute:04}"),
            now() + SignedDuration::from_mins(minute),
            user,
        )
    };
    org.record(&(0..4_320).map(minute).collect::<Vec<_>>()).await.unwrap();
    for number in 0..450 {
        let user = json!({"id": format!("00uMany{number:03}"), "status": "DEPROVISIONED", "profile": {"login": format!("m{number}@acme"), "email": "many@acme.example"}});
        org.put(Thing::User, &format!("00uMany{number:03}"), &user)
            .await
            .unwrap();
    }
    clock.advance(Duration::from_mins(1));
    let late =
        json!({"id": "00uLate", "status": "ACTIVE", "profile": {"login": "late@acme", "email": "late@acme.example"}});
    org.put(Thing::User, "00uLate", &late).await.unwrap();
    let device = json!({"id": "guo1", "status": "ACTIVE", "profile": {"displayName": "Mac"}, "_embedded": {"users": [{"user": {"id": "00uLate"}}]}});
    org.put(Thing::Device, "guo1", &device).await.unwrap();
    org
}

async fn all(okta: &dyn Okta, ask: &Ask) -> Vec<Value> {
    let (mut items, mut next) = (Vec::new(), None);
    loop {
        let page = okta.ask(ask, next.as_ref()).await.unwrap();
        items.extend(
            page.items
                .iter()
                .map(|item| serde_json::from_str::<Value>(item.get()).unwrap()),
        );
        next = page.next;
        if next.is_none() {
            return items;
        }
    }
}

fn between(from: &str, to: &str, filter: Option<&str>) -> Ask {
    Ask::Events(LogQuery {
        from: time(from),
        to: time(to),
        filter: filter.map(str::to_owned),
    })
}

fn uuids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["uuid"].as_str().unwrap()).collect()
}

async fn keeps_its_promises(okta: &dyn Okta) {
    // The beginning belongs to a query, its end does not; order is by time, over pages.
    let two = all(okta, &between("2026-11-23T10:01:00Z", "2026-11-23T10:03:00Z", None)).await;
    assert_eq!(uuids(&two), ["e0001", "e0002"]);
    let whole = all(okta, &between("2026-11-23T10:00:00Z", "2026-11-26T10:00:00Z", None)).await;
    assert_eq!(whole.len(), 4_320);
    assert!(uuids(&whole).is_sorted());
    let filter = r#"actor.id eq "00u2" or target.id eq "00u2""#;
    let of_one = all(
        okta,
        &between("2026-11-23T10:01:00Z", "2026-11-26T10:00:00Z", Some(filter)),
    )
    .await;
    assert_eq!(of_one.len(), 8);
    let none = all(okta, &between("2026-11-26T10:00:00Z", "2026-11-27T10:00:00Z", None)).await;
    assert!(none.is_empty());

    let everybody = all(okta, &Ask::Users { changed_since: None }).await;
    assert_eq!(everybody.len(), 453, "the deprovisioned too, and the actors of events");
    let changed = Ask::Users {
        changed_since: Some(now() + SignedDuration::from_secs(30)),
    };
    assert_eq!(all(okta, &changed).await[0]["id"], "00uLate");
    assert_eq!(all(okta, &changed).await.len(), 1);
    assert_eq!(
        all(okta, &Ask::UsersByEmail("many@acme.example".to_owned()))
            .await
            .len(),
        450
    );
    for name in ["00uLate", "late@acme"] {
        assert_eq!(all(okta, &Ask::User(name.to_owned())).await[0]["id"], "00uLate");
    }
    let nobody = okta.ask(&Ask::User("nobody".to_owned()), None).await.unwrap_err();
    assert_eq!(nobody.kind, Kind::NotFound);
    assert!(all(okta, &Ask::Factors("00uLate".to_owned())).await.is_empty());
    let devices = all(okta, &Ask::UserDevices("00uLate".to_owned())).await;
    assert_eq!(devices[0]["device"]["id"], "guo1");
    assert_eq!(all(okta, &Ask::Devices { changed_since: None }).await.len(), 1);
    streams(okta).await;
}

async fn streams(okta: &dyn Okta) {
    let new = |name: &str| {
        Act::Create(NewLogStream {
            kind: EVENTBRIDGE,
            name: name.to_owned(),
            settings: StreamSettings {
                account_id: "909617834444".to_owned(),
                event_source_name: name.to_owned(),
                region: "us-east-2".to_owned(),
            },
        })
    };
    let one = okta.act(&new("one")).await.unwrap().unwrap();
    assert!(one.is_active());
    assert_eq!(
        okta.act(&new("one")).await.unwrap_err().kind,
        Kind::Invalid,
        "a name is one stream's"
    );
    okta.act(&new("two")).await.unwrap();
    assert_eq!(
        okta.act(&new("three")).await.unwrap_err().kind,
        Kind::Invalid,
        "two are the most"
    );
    assert_eq!(okta.act(&Act::Touch(one.clone())).await.unwrap(), Some(one.clone()));
    let refused = okta.act(&Act::Delete(one.id.clone())).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid, "it is active");
    for _ in 0..2 {
        let stopped = okta.act(&Act::Deactivate(one.id.clone())).await.unwrap().unwrap();
        assert!(!stopped.is_active());
    }
    assert!(
        okta.act(&Act::Activate(one.id.clone()))
            .await
            .unwrap()
            .unwrap()
            .is_active()
    );
    okta.act(&Act::Deactivate(one.id.clone())).await.unwrap();
    assert_eq!(okta.act(&Act::Delete(one.id.clone())).await.unwrap(), None);
    assert_eq!(okta.act(&Act::Activate(one.id)).await.unwrap_err().kind, Kind::NotFound);
    let left: Vec<LogStream> = all(okta, &Ask::LogStreams)
        .await
        .into_iter()
        .map(|stream| serde_json::from_value(stream).unwrap())
        .collect();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn the_org_on_this_machine_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    keeps_its_promises(&*filled(folder.path()).await).await;
}

#[tokio::test]
async fn the_client_keeps_them_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let address = Served::start(filled(folder.path()).await).await;
    keeps_its_promises(&reach(&address, SignIn::Token, Duration::from_secs(20))).await;
}

#[tokio::test]
async fn what_waits_to_be_sent_is_lost_when_the_stream_stops() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(now()));
    let org = LocalOrg::open(folder.path(), "acme", clock).await.unwrap();
    let one = |uuid: &str| vec![event(uuid, now(), "00u1")];
    assert_eq!(org.record(&one("a")).await.unwrap().to_be_sent, 0, "no stream yet");
    let stream = NewLogStream {
        kind: EVENTBRIDGE,
        name: "Oort".to_owned(),
        settings: StreamSettings::default(),
    };
    org.act(&Act::Create(stream)).await.unwrap();
    let recorded = org.record(&[one("b"), one("b"), one("a")].concat()).await.unwrap();
    assert_eq!((recorded.new, recorded.known, recorded.to_be_sent), (1, 2, 1));
    let (events, last) = org.waiting(10).await.unwrap();
    assert_eq!(events.len(), 2, "its own beginning and `b`");
    org.sent(last.unwrap()).await.unwrap();
    org.record(&one("c")).await.unwrap();
    org.fail_streams().await.unwrap();
    org.record(&one("d")).await.unwrap();
    assert!(org.waiting(10).await.unwrap().0.is_empty());
}
