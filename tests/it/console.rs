//! The console over HTTP: nobody sees or does what is not theirs, on any route.

mod deployed;
pub mod doors;
mod provider;
mod walk;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use oort_streams::console::desk::{Desk, Integration, Outside, Sight, Stand, Tone};
use oort_streams::console::rulebook::Rulebook;
use oort_streams::console::{Access, Console, Provider, ProviderSettings, Settings};
use oort_streams::lake::Lake;
use oort_streams::local::catalog;
use oort_streams::local::clock::ManualClock;
use oort_streams::local::objects::LocalObjects;
use oort_streams::model::name::TenantId;
use oort_streams::model::prerequisite::Line;
use oort_streams::ports::{Objects, Precondition, QueueDepth, Result};
use oort_streams::runtime::refresh::{Overview, Report, Stage};
use reqwest::header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::json;

use provider::Idp;

const NOW: &str = "2026-11-24T13:00:00Z";
const FINDING: &str = "0123456789abcdef0123456789abcdef";

/// A world in which all is well.
struct Fine;

#[async_trait]
impl Outside for Fine {
    async fn sight(&self) -> Result<Sight> {
        Ok(Sight {
            source: Stand::new("ACTIVE", Tone::Good),
            stream: Stand::new("ACTIVE", Tone::Good),
            stack: Stand::new("as reviewed", Tone::Good),
            queue: Some(QueueDepth::default()),
            oldest_seconds: None,
            last_event: NOW.parse().ok(),
        })
    }

    async fn checks(&self) -> Result<Vec<Line>> {
        Ok(Vec::new())
    }

    async fn refresh(&self, _: &str, stage: &(dyn Fn(Stage) + Send + Sync)) -> Result<Report> {
        stage(Stage::Adding);
        Ok(Report::default())
    }

    async fn account(&self, _: &str) -> Result<Option<Overview>> {
        Ok(None)
    }
}

/// A console of two tenants, each with a finding, at which people sign in.
struct Site {
    address: String,
    clock: Arc<ManualClock>,
    idp: Option<Idp>,
    http: Client,
    _folder: tempfile::TempDir,
}

async fn desk(folder: &std::path::Path, tenant: &str) -> Desk {
    let objects = LocalObjects::open(folder, tenant).unwrap();
    let finding = json!({
        "id": FINDING, "tenant": tenant, "rule_id": "r1", "title": format!("What {tenant} alone may know"), "severity": "high",
        "tags": [], "fields": [["a", 1]], "published": NOW, "event_uuid": "u1", "event_type": "user.session.start",
        "actor": "ann@example.com", "event": {"actor": {"id": "00u1", "type": "User"}}, "status": "notified",
    });
    let key = format!("findings/2026-11-24/{FINDING}.json");
    objects
        .put(&key, finding.to_string().into_bytes(), Precondition::None)
        .await
        .unwrap();
    let integration = Integration {
        id: format!("5f1d-{tenant}"),
        account_id: "909617834444".to_owned(),
        region: "us-east-2".to_owned(),
        stream_name: "Oort staging".to_owned(),
        event_source: format!("aws.partner/okta.com/{tenant}/5f1d-{tenant}"),
    };
    let lake = Lake::new(catalog::open(folder).await.unwrap(), tenant);
    Desk::new(
        (
            TenantId::parse(tenant).unwrap(),
            integration,
            vec!["Open the Admin Console.".to_owned()],
        ),
        (Arc::new(objects), Some(lake)),
        Arc::new(Rulebook::new(Vec::new(), BTreeMap::new())),
        Arc::new(Fine),
    )
}

impl Site {
    async fn open(signs_in: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(NOW.parse::<Timestamp>().unwrap()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let idp = if signs_in { Some(Idp::start().await) } else { None };
        let access = match &idp {
            None => Access::ThisMachine,
            Some(idp) => Access::SignIn(Box::new(
                Provider::new(ProviderSettings {
                    issuer: idp.address.clone(),
                    client_id: provider::CLIENT.to_owned(),
                    client_secret: None,
                    claim: "groups".to_owned(),
                    prefix: "oort:".to_owned(),
                    scopes: vec!["profile".to_owned()],
                    public_url: address.clone(),
                })
                .unwrap(),
            )),
        };
        let settings = Settings {
            environment: "staging".to_owned(),
            public_url: address.clone(),
            proxies: Vec::new(),
            session_lasts: SignedDuration::from_mins(30),
        };
        let desks = vec![desk(folder.path(), "acme").await, desk(folder.path(), "globex").await];
        let console = Arc::new(Console::new(settings, access, desks, clock.clone()).unwrap());
        let service = console.router().into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            address,
            clock,
            idp,
            http,
            _folder: folder,
        }
    }

    async fn ask(&self, method: &Method, path: &str, who: &Who) -> Response {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.address));
        if !who.cookie.is_empty() {
            request = request.header(COOKIE, &who.cookie);
        }
        if !who.csrf.is_empty() {
            request = request.header("x-csrf-token", &who.csrf);
        }
        if *method == Method::POST {
            let body = json!({"reason": "seen", "days": 7, "verdict": "benign"}).to_string();
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str, who: &Who) -> Response {
        self.ask(&Method::GET, path, who).await
    }

    /// Goes to the provider and comes back as somebody of these groups.
    async fn sign_in(&self, name: &str, groups: &[&str]) -> Who {
        let came_back = self.come_back(name, groups).await;
        let who = Who {
            cookie: cookie(&came_back, "oort-session="),
            csrf: String::new(),
        };
        assert_eq!(came_back.headers()[LOCATION], "/tenants/acme/users?q=a");
        let page = self.get("/", &who).await.text().await.unwrap();
        let csrf = page.split("name=\"csrf\" content=\"").nth(1).unwrap();
        Who {
            csrf: csrf.split('"').next().unwrap().to_owned(),
            ..who
        }
    }

    async fn come_back(&self, name: &str, groups: &[&str]) -> Response {
        let went = self.get("/signin/go?to=/tenants/acme/users?q=a", &Who::default()).await;
        assert_eq!(went.status(), StatusCode::SEE_OTHER);
        let back = Idp::answer(went.headers()[LOCATION].to_str().unwrap(), name, groups);
        let who = Who {
            cookie: cookie(&went, "oort-signin="),
            csrf: String::new(),
        };
        self.get(&back, &who).await
    }
}

/// A cookie that was set, as it is sent back.
fn cookie(response: &Response, name: &str) -> String {
    let all = response.headers().get_all(SET_COOKIE).iter();
    let mut texts = all.filter_map(|value| value.to_str().ok());
    let set = texts.find(|text| text.starts_with(name)).unwrap_or_default();
    set.split(';').next().unwrap_or_default().to_owned()
}

/// What a browser has of somebody.
#[derive(Default, Clone)]
struct Who {
    cookie: String,
    csrf: String,
}

#[tokio::test]
async fn people_sign_in_until_they_sign_out_or_their_time_is_over() {
    let site = Site::open(true).await;
    let ann = site
        .sign_in("ann@example.com", &["Everyone", "oort:acme:analyst"])
        .await;
    let page = site.get("/", &ann).await.text().await.unwrap();
    assert!(page.contains("ann@example.com") && page.contains("analyst"), "{page}");
    assert!(
        page.contains("acme") && !page.contains("globex"),
        "another tenant shows"
    );

    assert_eq!(
        site.ask(&Method::POST, "/signout", &ann).await.headers()[LOCATION],
        "/signin?why=out"
    );
    assert_eq!(site.get("/", &ann).await.headers()[LOCATION], "/signin?to=%2F");

    let bob = site.sign_in("bob@example.com", &["oort:*:viewer"]).await;
    site.clock.advance(std::time::Duration::from_mins(29));
    assert_eq!(site.get("/", &bob).await.status(), StatusCode::OK);
    site.clock.advance(std::time::Duration::from_mins(2));
    assert_eq!(
        site.get("/api/v1/tenants", &bob).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_sign_in_that_is_not_ones_own_is_refused() {
    let site = Site::open(true).await;
    let idp = site.idp.as_ref().unwrap();
    // Without a role, and with a token that is not for us, too old, of another key, or of another sign-in.
    let nobody = site
        .come_back("eve@example.com", &["Everyone", "oort:acme:owner"])
        .await;
    assert_eq!(nobody.headers()[LOCATION], "/signin?why=nothing");
    for forged in [
        provider::Forged::Audience,
        provider::Forged::Expired,
        provider::Forged::Key,
        provider::Forged::Nonce,
    ] {
        idp.forge(Some(forged));
        let refused = site.come_back("eve@example.com", &["oort:*:admin"]).await;
        assert_eq!(refused.headers()[LOCATION], "/signin?why=failed", "{forged:?}");
        assert_eq!(cookie(&refused, "oort-session="), "");
    }
    idp.forge(None);
    // Somebody else's address of return, of whom the browser has no cookie.
    let went = site.get("/signin/go?to=/", &Who::default()).await;
    let back = Idp::answer(
        went.headers()[LOCATION].to_str().unwrap(),
        "eve@example.com",
        &["oort:*:admin"],
    );
    assert_eq!(
        site.get(&back, &Who::default()).await.headers()[LOCATION],
        "/signin?why=failed"
    );
    // Ten minutes were enough.
    let who = Who {
        cookie: cookie(&went, "oort-signin="),
        csrf: String::new(),
    };
    site.clock.advance(std::time::Duration::from_mins(11));
    assert_eq!(site.get(&back, &who).await.headers()[LOCATION], "/signin?why=failed");
}

#[tokio::test]
async fn an_action_comes_from_a_page_of_this_console() {
    let site = Site::open(true).await;
    let ann = site.sign_in("ann@example.com", &["oort:acme:analyst"]).await;
    let bob = site.sign_in("bob@example.com", &["oort:acme:analyst"]).await;
    let mute = format!("/tenants/acme/findings/{FINDING}/mute");
    for csrf in [String::new(), "x".to_owned(), bob.csrf.clone()] {
        let who = Who { csrf, ..ann.clone() };
        assert_eq!(
            site.ask(&Method::POST, &mute, &who).await.status(),
            StatusCode::FORBIDDEN
        );
    }
    for origin in ["null", "https://evil.example", "http://127.0.0.1:1"] {
        let request = site.http.post(format!("{}{mute}", site.address)).header(ORIGIN, origin);
        let request = request.header(COOKIE, &ann.cookie).header("x-csrf-token", &ann.csrf);
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::FORBIDDEN,
            "{origin}"
        );
    }
    let form = format!("csrf={}&reason=known&days=7", ann.csrf);
    let request = site
        .http
        .post(format!("{}{mute}", site.address))
        .header(COOKIE, &ann.cookie)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form);
    assert_eq!(
        request.send().await.unwrap().headers()[LOCATION],
        format!("/tenants/acme/findings/{FINDING}?done=mute")
    );
    let page = site
        .get(&format!("/tenants/acme/findings/{FINDING}"), &ann)
        .await
        .text()
        .await
        .unwrap();
    assert!(page.contains("known") && page.contains("2026-12-01"), "{page}");
    let other = site
        .get(&format!("/api/v1/tenants/acme/findings/{FINDING}"), &bob)
        .await
        .text()
        .await
        .unwrap();
    assert!(
        other.contains("\"until\":\"2026-12-01T13:00:00Z\"") && other.contains("\"by\":\"ann@example.com\""),
        "{other}"
    );
}

#[tokio::test]
async fn whoever_acts_too_fast_waits() {
    let site = Site::open(false).await;
    let page = site.get("/", &Who::default()).await.text().await.unwrap();
    let csrf = page
        .split("name=\"csrf\" content=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let who = Who {
        cookie: String::new(),
        csrf: csrf.to_owned(),
    };
    let reopen = format!("/api/v1/tenants/acme/findings/{FINDING}/reopen");
    let mut statuses = Vec::new();
    for _ in 0..21 {
        statuses.push(site.ask(&Method::POST, &reopen, &who).await.status().as_u16());
    }
    assert_eq!((statuses[19], statuses[20]), (200, 429));
}

#[tokio::test]
async fn another_name_for_this_address_is_refused() {
    let site = Site::open(false).await;
    for host in ["evil.example", "evil.example:80", "127.0.0.1:1", "localhost"] {
        let request = site.http.get(format!("{}/", site.address)).header(HOST, host);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let port = site.address.rsplit(':').next().unwrap();
    let request = site
        .http
        .get(format!("{}/", site.address))
        .header(HOST, format!("localhost:{port}"));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn what_a_browser_has_already_is_not_sent_again() {
    let site = Site::open(false).await;
    let first = site.get("/tenants/acme/findings", &Who::default()).await;
    let tag = first.headers()["etag"].clone();
    let again = site
        .http
        .get(format!("{}/tenants/acme/findings", site.address))
        .header("if-none-match", &tag);
    let again = again.send().await.unwrap();
    assert_eq!(
        (again.status(), again.content_length()),
        (StatusCode::NOT_MODIFIED, Some(0))
    );
}
