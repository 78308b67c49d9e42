//! The one door: every request to every route comes through here, and no handler is reached otherwise. What a route needs stands
//! beside it in the table of routes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::RequestExt as _;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::console::desk::Desk;
use crate::console::problem::Problem;
use crate::console::route::{Needs, Route};
use crate::console::visit::{Answer, Visit};
use crate::console::visitor::Visitor;
use crate::console::{Console, view};

/// A form or a JSON object of an action is small.
const MOST_FORM_BYTES: usize = 64 * 1024;
/// A page that is larger than this is sent without a tag of its content.
const MOST_TAGGED_BYTES: u64 = 8 << 20;
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What is known of a request while it is let in.
#[derive(Default)]
struct Seen {
    visitor: Option<Visitor>,
    tenant: Option<String>,
}

/// Answers a request to a route.
pub async fn answer(console: Arc<Console>, route: &'static Route, request: Request) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let tag = request.headers().get(header::IF_NONE_MATCH).cloned();
    // Whoever has to sign in first comes back to a page, and to no action.
    let address = match route.method {
        Method::POST => "/".to_owned(),
        _ => request
            .uri()
            .path_and_query()
            .map_or("/", |address| address.as_str())
            .to_owned(),
    };
    let path = request.uri().path().to_owned();
    let mut seen = Seen::default();
    let answered = let_in(&console, route, request, &mut seen).await;
    if route.method == Method::POST {
        audit(&seen, &path, &answered);
    }
    let response = match answered {
        Ok(response) => response,
        Err(problem) if problem.code() == StatusCode::UNAUTHORIZED && !is_api => {
            let to = format!("/signin?to={}", view::encoded(&address));
            Answer::See(to).into_response()
        }
        Err(problem) if is_api => as_json(&problem),
        Err(problem) => view::problem(&console, seen.visitor.as_ref(), &problem),
    };
    finish(response, tag.as_ref(), (route, console.is_secure)).await
}

async fn let_in(
    console: &Arc<Console>,
    route: &'static Route,
    mut request: Request,
    seen: &mut Seen,
) -> Result<Response, Problem> {
    // Whoever watches the machines asks by their numbers, and is told nothing.
    if route.path != "/healthz" {
        check_way(console, &request)?;
    }
    let params = params(&mut request).await?;
    let cookies = cookies(request.headers());
    let visitor = console.visitor(&cookies);
    seen.visitor.clone_from(&visitor);
    let desk = console.desk_of(&params);
    seen.tenant = desk.as_ref().map(|desk| desk.tenant.to_string());
    let visitor = check_visitor(route, visitor, desk.as_deref())?;
    let query = pairs(request.uri().query().unwrap_or_default().as_bytes());
    let is_action = route.method == Method::POST;
    let form = if is_action {
        let form = form(&mut request).await?;
        check_meant(console, &visitor, request.headers(), &form)?;
        console.pace.take(&visitor.name, console.now())?;
        form
    } else {
        Vec::new()
    };
    let visit = Visit {
        console: Arc::clone(console),
        visitor,
        desk,
        params,
        query,
        form,
        cookies,
        route: route.path,
    };
    Ok((route.handler)(visit).await?.into_response())
}

/// Who tried what, and what came of it.
fn audit(seen: &Seen, path: &str, answered: &Result<Response, Problem>) {
    let why = answered.as_ref().err().map(|problem| problem.detail.as_str());
    // No line break can stand in a path.
    tracing::info!(
        audit = true,
        who = seen.visitor.as_ref().map_or("nobody", |visitor| visitor.name.as_str()),
        tenant = seen.tenant,
        action = path,
        done = why.is_none(),
        why,
        "action"
    );
}

/// Who asks must have come by the address that we are at: a page of another site that gave its own name our address is refused,
/// and so is a proxy that is none of ours.
fn check_way(console: &Console, request: &Request) -> Result<(), Problem> {
    // HTTP/2 has it in the address.
    let of_address = request.uri().authority().map(Authority::as_str);
    let of_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = of_address.or(of_header).unwrap_or_default();
    if !console.is_ours(host) {
        return Err(
            Problem::new(StatusCode::MISDIRECTED_REQUEST, format!("This is not {host:?}."))
                .to_do("Use the address that the console told at its start, or start it with --public-url."),
        );
    }
    if console.proxies.is_empty() {
        return Ok(());
    }
    // One who came by IPv4 to an address of IPv6 is written as both.
    let info = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = info.map(|info| info.0.ip().to_canonical());
    let is_ours = peer.is_some_and(|peer| console.proxies.iter().any(|network| network.contains(&peer)));
    let is_tls = request
        .headers()
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto == "https");
    if is_ours && is_tls {
        return Ok(());
    }
    Err(Problem::forbidden("Requests come through the proxy, over TLS."))
}

/// The one check of who may see what. A tenant that the reader may not see is as one that does not exist.
fn check_visitor(route: &Route, visitor: Option<Visitor>, desk: Option<&Desk>) -> Result<Visitor, Problem> {
    let unknown = || Problem::new(StatusCode::UNAUTHORIZED, "Sign in first.");
    match route.needs {
        Needs::Nobody => Ok(visitor.unwrap_or_else(Visitor::nobody)),
        Needs::SignedIn => visitor.ok_or_else(unknown),
        Needs::On(role) => {
            let visitor = visitor.ok_or_else(unknown)?;
            let own = desk.and_then(|desk| visitor.grants.on(desk.tenant.as_str()));
            match own {
                None => Err(Problem::not_found("tenant")),
                Some(own) if own < role => Err(Problem::forbidden(format!(
                    "You look at this tenant as {own}; this needs {role}."
                ))),
                Some(_) => Ok(visitor),
            }
        }
    }
}

/// An action must come from a page of ours.
fn check_meant(
    console: &Console,
    visitor: &Visitor,
    headers: &HeaderMap,
    form: &[(String, String)],
) -> Result<(), Problem> {
    let refused = || {
        Problem::forbidden("The request did not come from a page of this console.")
            .to_do("Load the page again, and do it from there.")
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        if !host.is_some_and(|(_, host)| console.is_ours(host)) {
            return Err(refused());
        }
    }
    let of_header = headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
    let of_form = form
        .iter()
        .find(|(name, _)| name == "csrf")
        .map(|(_, value)| value.as_str());
    let sent = of_header.or(of_form).unwrap_or_default();
    let is_it = !visitor.csrf.is_empty() && bool::from(sent.as_bytes().ct_eq(visitor.csrf.as_bytes()));
    if is_it { Ok(()) } else { Err(refused()) }
}

async fn params(request: &mut Request) -> Result<HashMap<String, String>, Problem> {
    let params = request.extract_parts::<RawPathParams>().await;
    let params = params.map_err(|_| Problem::bad_request("The address cannot be read."))?;
    Ok(params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

fn cookies(headers: &HeaderMap) -> String {
    let all = headers.get_all(header::COOKIE).iter();
    let texts: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
    texts.join("; ")
}

/// `name=value` pairs as a query and a form have them.
fn pairs(text: &[u8]) -> Vec<(String, String)> {
    reqwest::Url::parse("http://x/")
        .map(|mut url| {
            url.set_query(std::str::from_utf8(text).ok());
            url.query_pairs()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect()
        })
        .unwrap_or_default()
}

async fn form(request: &mut Request) -> Result<Vec<(String, String)>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).cloned();
    let kind = kind
        .as_ref()
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = std::mem::replace(request.body_mut(), Body::empty());
    let bytes = to_bytes(body, MOST_FORM_BYTES)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large."))?;
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(pairs(&bytes));
    }
    if !kind.starts_with("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "An action takes application/json, or a form.",
        ));
    }
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::bad_request(format!("The body is no object: {error}.")))?;
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(fields.into_iter().map(|(name, value)| (name, text(value))).collect())
}

fn as_json(problem: &Problem) -> Response {
    let body = serde_json::to_vec(problem).unwrap_or_default();
    (
        problem.code(),
        [(header::CONTENT_TYPE, "application/problem+json")],
        body,
    )
        .into_response()
}

/// What every response has; a page that the reader has already is not sent again.
async fn finish(response: Response, known: Option<&HeaderValue>, (route, is_secure): (&Route, bool)) -> Response {
    let is_tagged = route.method == Method::GET
        && response.status() == StatusCode::OK
        && !response.headers().contains_key(header::CONTENT_DISPOSITION);
    let mut response = if is_tagged {
        tagged(response, known).await
    } else {
        response
    };
    let headers = response.headers_mut();
    let lasting = matches!(route.needs, Needs::Nobody) && route.path.starts_with("/assets/");
    let keep = if lasting {
        "public, max-age=300"
    } else {
        "private, no-cache"
    };
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("cache-control", keep),
        ("x-content-type-options", "nosniff"),
        // A form without a referrer would come without its origin, too.
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        ("vary", "Cookie"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_secure {
        headers.insert(
            "strict-transport-security",
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}

/// Pages are made whole; what is larger than a page comes without a tag.
async fn tagged(response: Response, known: Option<&HeaderValue>) -> Response {
    if response
        .body()
        .size_hint()
        .exact()
        .is_none_or(|bytes| bytes > MOST_TAGGED_BYTES)
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{}\"", &format!("{:x}", Sha256::digest(&bytes))[..32]);
    let is_known = known
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    if is_known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// How often somebody may act: a bucket a reader.
#[derive(Default)]
pub struct Pace(std::sync::Mutex<HashMap<String, (f64, jiff::Timestamp)>>);

impl Pace {
    const AT_ONCE: f64 = 20.0;
    const A_SECOND: f64 = 0.5;
    /// Readers that are remembered.
    const MOST: usize = 10_000;

    pub fn take(&self, who: &str, now: jiff::Timestamp) -> Result<(), Problem> {
        let mut buckets = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() > Self::MOST {
            let full = SignedDuration::from_secs_f64(Self::AT_ONCE / Self::A_SECOND);
            buckets.retain(|_, (_, at)| now.duration_since(*at) < full);
        }
        let (left, at) = buckets.entry(who.to_owned()).or_insert((Self::AT_ONCE, now));
        let passed = now.duration_since(*at).as_secs_f64().max(0.0);
        *left = (*left + passed * Self::A_SECOND).min(Self::AT_ONCE);
        *at = now;
        if *left < 1.0 {
            return Err(
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "You act faster than the console takes.")
                    .to_do("Wait some seconds."),
            );
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_acts_too_fast_waits() {
        let pace = Pace::default();
        let now: jiff::Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
        for _ in 0..20 {
            pace.take("ann", now).unwrap();
        }
        assert_eq!(pace.take("ann", now).unwrap_err().status, 429);
        pace.take("bob", now).unwrap();
        pace.take("ann", now + SignedDuration::from_secs(2)).unwrap();
    }

    #[test]
    fn pairs_are_read_as_forms_write_them() {
        let read = pairs(b"a=1+2&b=%C3%A9&a=&c");
        let expected = [("a", "1 2"), ("b", "\u{e9}"), ("a", ""), ("c", "")];
        assert!(
            read.iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .eq(expected)
        );
    }
}
