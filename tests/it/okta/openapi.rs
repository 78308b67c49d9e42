//! Every request of the client against a server that Okta's own API description makes, and that refuses what the description
//! does not allow. Skipped where that description does not lie beside the project.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use oort_streams::model::okta::SignIn;
use oort_streams::model::okta::{EVENTBRIDGE, LogStream, NewLogStream, Role, StreamSettings, User};
use oort_streams::ports::Kind;
use oort_streams::ports::okta::{Act, Ask, LogQuery, Okta};
use serde::de::DeserializeOwned;

use super::{now, reach};

/// The mock server, which ends with the test.
struct Mock {
    child: Child,
    address: String,
    _description: tempfile::TempDir,
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mock {
    fn start(description: &Path) -> Self {
        let prism =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("target/prism/node_modules/@stoplight/prism-cli/dist/index.js");
        assert!(
            prism.exists(),
            "{} is missing: run make test once: it installs the mock server",
            prism.display()
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("okta.yaml");
        std::fs::write(&path, without_webhooks(&std::fs::read_to_string(description).unwrap())).unwrap();
        let port = free_port();
        let mut child = Command::new("node")
            .arg(prism)
            .args(["mock", "--port", &port.to_string()])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("is listening") {
            let read = told.read_line(&mut text).unwrap();
            assert!(read > 0, "the mock server ends before it listens: {text}");
        }
        // Whoever does not read on would stop it.
        std::thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
            _description: folder,
        }
    }
}

/// The description refers in its webhooks to parts that it does not have.
fn without_webhooks(description: &str) -> String {
    let mut is_left_out = false;
    let kept = description.lines().filter(|line| {
        if line.starts_with(|first: char| first.is_ascii_alphabetic()) {
            is_left_out = line.starts_with("x-webhooks:");
        }
        !is_left_out
    });
    kept.collect::<Vec<_>>().join("\n")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Where Okta's API description is, where it is.
fn description() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/okta-openapi/management-subset.yaml");
    path.exists().then_some(path)
}

/// What Okta gives as an example of an answer is read as the product reads it.
async fn read<T: DeserializeOwned>(okta: &dyn Okta, ask: &Ask) -> Vec<T> {
    let page = okta
        .ask(ask, None)
        .await
        .unwrap_or_else(|error| panic!("{ask:?}: {error:?}"));
    assert!(!page.items.is_empty(), "{ask:?}");
    let items = page.items.iter().map(|item| serde_json::from_str(item.get()));
    items
        .map(|item| item.unwrap_or_else(|error| panic!("{ask:?}: {error}")))
        .collect()
}

#[tokio::test]
async fn every_request_is_one_that_oktas_own_description_allows() {
    let Some(description) = description() else {
        println!("skipped: Okta's API description is not beside the project");
        return;
    };
    let mock = Mock::start(&description);
    let okta = reach(&mock.address, SignIn::Token, Duration::from_secs(20));
    let user = || "00u1f96ECLNVOKVMUSEA".to_owned();
    let events = Ask::Events(LogQuery {
        from: now(),
        to: now() + jiff::SignedDuration::from_hours(1),
        filter: Some(r#"actor.id eq "00u1" or target.id eq "00u1""#.to_owned()),
    });
    read::<serde_json::Value>(&okta, &events).await;
    let streams: Vec<LogStream> = read(&okta, &Ask::LogStreams).await;
    assert!(
        streams
            .iter()
            .any(|stream| stream.kind == EVENTBRIDGE && !stream.settings.account_id.is_empty())
    );
    for ask in [
        Ask::Me,
        Ask::User("ann@example.com".to_owned()),
        Ask::UsersByEmail("ann@example.com".to_owned()),
        Ask::Users { changed_since: None },
        Ask::Users {
            changed_since: Some(now()),
        },
    ] {
        let users: Vec<User> = read(&okta, &ask).await;
        assert!(users.iter().all(|user| !user.profile.login.is_empty()), "{ask:?}");
    }
    read::<Role>(&okta, &Ask::Roles(user())).await;
    for ask in [
        Ask::Factors(user()),
        Ask::UserDevices(user()),
        Ask::Devices { changed_since: None },
        Ask::Devices {
            changed_since: Some(now()),
        },
        Ask::Groups,
        Ask::Org,
    ] {
        read::<serde_json::Value>(&okta, &ask).await;
    }
    let new = NewLogStream {
        kind: EVENTBRIDGE,
        name: "Oort".to_owned(),
        settings: StreamSettings {
            account_id: "988897525199".to_owned(),
            event_source_name: "b7702e15-acme_1.x".to_owned(),
            region: "us-east-2".to_owned(),
        },
    };
    let made = okta.act(&Act::Create(new.clone())).await.unwrap().unwrap();
    okta.act(&Act::Touch(made.clone())).await.unwrap().unwrap();
    okta.act(&Act::Deactivate(made.id.clone())).await.unwrap().unwrap();
    okta.act(&Act::Activate(made.id.clone())).await.unwrap().unwrap();
    assert_eq!(okta.act(&Act::Delete(made.id)).await.unwrap(), None);
    // It does refuse what the description does not know.
    let wrong = NewLogStream { kind: "pigeon", ..new };
    let error = okta.act(&Act::Create(wrong)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid, "{error:?}");
    assert!(format!("{error:?}").contains("E0000001"), "{error:?}");
}
