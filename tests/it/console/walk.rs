//! Every route, walked by whoever may not be there.

use oort_streams::console::openapi;
use oort_streams::console::route::{Needs, ROUTES, Route};
use oort_streams::console::visitor::Role;
use reqwest::StatusCode;

use super::{FINDING, Site, Who};

/// A route's address for a tenant.
fn address(route: &Route, tenant: &str) -> String {
    let part = |part: &str| match part {
        "{tenant}" => tenant.to_owned(),
        "{integration}" => format!("5f1d-{tenant}"),
        "{user}" => "00u1".to_owned(),
        "{at}" => "1795525200000000".to_owned(),
        "{uuid}" => "u1".to_owned(),
        "{finding}" => FINDING.to_owned(),
        "{file}" => "console.css".to_owned(),
        "{rule}" | "{refresh}" => "r1".to_owned(),
        other => {
            assert!(
                !other.contains('{'),
                "{other} of {} is not known to the walk",
                route.path
            );
            other.to_owned()
        }
    };
    route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn routes_of_a_tenant() -> impl Iterator<Item = (&'static Route, Role)> {
    ROUTES.iter().filter_map(|route| match route.needs {
        Needs::On(role) => Some((route, role)),
        _ => None,
    })
}

#[tokio::test]
async fn without_a_session_there_is_nothing_but_the_way_in() {
    let site = Site::open(true).await;
    let mut open = Vec::new();
    for route in ROUTES {
        let path = address(route, "acme");
        let answer = site.ask(&route.method, &path, &Who::default()).await;
        if route.needs == Needs::Nobody {
            open.push(route.path);
            continue;
        }
        let is_refused = if path.starts_with("/api/") {
            answer.status() == StatusCode::UNAUTHORIZED
        } else {
            answer.status() == StatusCode::SEE_OTHER
                && answer.headers()["location"]
                    .to_str()
                    .unwrap()
                    .starts_with("/signin?to=")
        };
        assert!(is_refused, "{} {path}: {}", route.method, answer.status());
    }
    assert_eq!(
        open,
        [
            "/healthz",
            "/assets/{file}",
            "/signin",
            "/signin/go",
            "/signin/callback",
            "/api/openapi.json"
        ]
    );
}

#[tokio::test]
async fn another_tenant_is_as_one_that_is_not_there() {
    let site = Site::open(true).await;
    let ann = site.sign_in("ann@example.com", &["oort:acme:admin"]).await;
    for (route, _) in routes_of_a_tenant() {
        let mut answers = Vec::new();
        for tenant in ["globex", "nowhere"] {
            let answer = site.ask(&route.method, &address(route, tenant), &ann).await;
            let status = answer.status();
            assert_eq!(status, StatusCode::NOT_FOUND, "{} {}", route.method, route.path);
            let text = answer.text().await.unwrap();
            assert!(!text.contains("What globex alone may know"), "{}", route.path);
            answers.push(text);
        }
        assert_eq!(answers[0], answers[1], "{} tells one from the other", route.path);
    }
}

#[tokio::test]
async fn everybody_may_do_what_their_role_allows_and_no_more() {
    let site = Site::open(true).await;
    let viewer = site.sign_in("vic@example.com", &["oort:acme:viewer"]).await;
    for (route, needed) in routes_of_a_tenant() {
        let status = site.ask(&route.method, &address(route, "acme"), &viewer).await.status();
        if needed > Role::Viewer {
            assert_eq!(status, StatusCode::FORBIDDEN, "{} {}", route.method, route.path);
        } else {
            assert!(
                !status.is_server_error() && status != StatusCode::FORBIDDEN,
                "{} {}: {status}",
                route.method,
                route.path
            );
        }
    }
    let analyst = site.sign_in("ann@example.com", &["oort:acme:analyst"]).await;
    for (route, needed) in routes_of_a_tenant().filter(|(_, needed)| *needed == Role::Analyst) {
        let status = site
            .ask(&route.method, &address(route, "acme"), &analyst)
            .await
            .status();
        assert!(
            status.is_success() || status.is_redirection(),
            "{} {} as {needed}: {status}",
            route.method,
            route.path
        );
    }
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let site = Site::open(false).await;
    for path in [
        "/",
        "/nowhere",
        "/api/v1/tenants",
        "/api/nowhere",
        "/assets/console.js",
        "/tenants/acme/findings.csv",
    ] {
        let answer = site.get(path, &Who::default()).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(
            (header("x-content-type-options"), header("x-frame-options")),
            ("nosniff".into(), "DENY".into())
        );
    }
    let wrong = site.http.put(format!("{}/", site.address)).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(wrong.headers().contains_key("content-security-policy"));
}

#[test]
fn every_route_of_the_api_is_described_once() {
    let document = openapi::document();
    let mut ids = std::collections::BTreeSet::new();
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/api/v1/")) {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][&method];
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(
            ids.insert(id.to_owned()) && !id.is_empty(),
            "{} {}",
            route.method,
            route.path
        );
    }
    assert!(document["components"]["schemas"]["Finding"]["properties"]["severity"].is_object());
}
