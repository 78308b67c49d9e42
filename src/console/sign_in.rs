//! Signing in at an OpenID provider: authorisation code with PKCE. What a reader may do stands in a claim of the ID token.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::console::problem::Problem;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::console::visitor::Grants;
use crate::console::{Access, Console, view};
use crate::ports::{Error, Kind, Result, chain};

/// Somebody who went to the provider comes back within so long.
const COMES_BACK: SignedDuration = SignedDuration::from_mins(10);
/// Sign-ins under way; the oldest makes room.
const MOST_UNDER_WAY: usize = 5_000;
/// No address of ours is longer.
const MOST_ADDRESS: usize = 2_048;
const REQUEST_LASTS: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 1 << 20;
/// What the provider publishes of itself is read again after so long: it changes its keys.
const KNOWN_FOR: SignedDuration = SignedDuration::from_mins(15);

/// Claims that are the organisation's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims(Map<String, Value>);

impl AdditionalClaims for Claims {}

type Fields = IdTokenFields<
    Claims,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
type Asked = Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// How readers sign in.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// As in `https://acme.okta.com`.
    pub issuer: String,
    pub client_id: String,
    /// `None` for an application without one, which PKCE alone protects.
    pub client_secret: Option<SecretString>,
    /// Of the ID token: a text or a list of texts.
    pub claim: String,
    /// What a value of it begins with that grants a role here.
    pub prefix: String,
    pub scopes: Vec<String>,
    /// The console's own address.
    pub public_url: String,
}

/// The provider.
pub struct Provider {
    settings: ProviderSettings,
    http: reqwest::Client,
    known: tokio::sync::Mutex<Option<(Timestamp, Asked)>>,
    /// By state.
    under_way: Mutex<HashMap<String, UnderWay>>,
}

struct UnderWay {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    /// The page that somebody wanted to see.
    to: String,
    until: Timestamp,
}

impl Provider {
    pub fn new(settings: ProviderSettings) -> Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(REQUEST_LASTS)
            .user_agent(concat!("oort-streams/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::caused(Kind::Invalid, "make ready for the OpenID provider", error))?;
        Ok(Self {
            settings,
            http,
            known: tokio::sync::Mutex::default(),
            under_way: Mutex::default(),
        })
    }

    /// Its name for readers.
    fn name(&self) -> &str {
        let issuer = self.settings.issuer.as_str();
        issuer.split_once("://").map_or(issuer, |(_, host)| host)
    }

    /// The provider, as it describes itself.
    async fn asked(&self, now: Timestamp) -> Result<Asked> {
        let mut known = self.known.lock().await;
        if let Some((at, asked)) = &*known
            && now.duration_since(*at) < KNOWN_FOR
        {
            return Ok(asked.clone());
        }
        let op = || format!("ask the OpenID provider {}", self.settings.issuer);
        let invalid = |error: openidconnect::url::ParseError| Error::caused(Kind::Invalid, op(), error);
        let issuer = IssuerUrl::new(self.settings.issuer.clone()).map_err(invalid)?;
        let back = format!("{}/signin/callback", self.settings.public_url.trim_end_matches('/'));
        let back = RedirectUrl::new(back).map_err(invalid)?;
        let send = |request| send(self.http.clone(), request);
        let metadata = match CoreProviderMetadata::discover_async(issuer, &send).await {
            Ok(metadata) => metadata,
            // It described itself before, and most of that lasts.
            Err(error) => {
                let old = known.as_ref().map(|(_, asked)| asked.clone());
                return old.ok_or_else(|| Error::caused(Kind::Unavailable, op(), error));
            }
        };
        let secret = self.settings.client_secret.as_ref();
        let asked = Client::from_provider_metadata(
            metadata,
            ClientId::new(self.settings.client_id.clone()),
            secret.map(|secret| ClientSecret::new(secret.expose_secret().to_owned())),
        )
        .set_redirect_uri(back);
        *known = Some((now, asked.clone()));
        Ok(asked)
    }

    /// Where somebody signs in, and the state by which they are known when they come back.
    async fn begin(&self, to: &str, now: Timestamp) -> Result<(String, String)> {
        let asked = self.asked(now).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = asked
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .set_pkce_challenge(challenge);
        for scope in &self.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.url();
        let state = state.secret().clone();
        let mut under_way = self.under_way();
        under_way.retain(|_, one| one.until > now);
        if under_way.len() >= MOST_UNDER_WAY {
            let first = under_way.iter().min_by_key(|(_, one)| one.until);
            if let Some(first) = first.map(|(state, _)| state.clone()) {
                under_way.remove(&first);
            }
        }
        let one = UnderWay {
            nonce,
            verifier,
            to: to.to_owned(),
            until: now.saturating_add(COMES_BACK).unwrap_or(now),
        };
        under_way.insert(state.clone(), one);
        Ok((url.into(), state))
    }

    /// Who came back with a code, what they may do, and the page that they wanted.
    async fn finish(&self, state: &str, code: &str, now: Timestamp) -> Result<(String, Grants, String)> {
        let refused = |why: String| Error::caused(Kind::Denied, "sign in", why);
        let one = self.under_way().remove(state).filter(|one| one.until > now);
        let one = one.ok_or_else(|| refused("the sign-in was begun too long ago".to_owned()))?;
        let asked = self.asked(now).await?;
        let send = |request| send(self.http.clone(), request);
        let tokens = asked
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| refused(error.to_string()))?
            .set_pkce_verifier(one.verifier)
            .request_async(&send)
            .await
            .map_err(|error| refused(chain(&error)))?;
        let token = tokens
            .id_token()
            .ok_or_else(|| refused("the provider gave no ID token".to_owned()))?;
        let claims = token
            .claims(&asked.id_token_verifier(), &one.nonce)
            .map_err(|error| refused(chain(&error)))?;
        let name = claims
            .preferred_username()
            .map(|name| name.as_str())
            .or(claims.email().map(|email| email.as_str()))
            .unwrap_or(claims.subject().as_str());
        let values = match claims.additional_claims().0.get(&self.settings.claim) {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let grants = Grants::parse(values, &self.settings.prefix);
        Ok((name.to_owned(), grants, one.to))
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashMap<String, UnderWay>> {
        self.under_way.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Sends what the library asks for.
async fn send(http: reqwest::Client, request: HttpRequest) -> std::result::Result<HttpResponse, Error> {
    let failed =
        |error: reqwest::Error| Error::caused(Kind::Unavailable, "ask the OpenID provider", error.without_url());
    let (parts, body) = request.into_parts();
    let mut response = http
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body)
        .send()
        .await
        .map_err(failed)?;
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MOST_BYTES {
            return Err(Error::caused(
                Kind::Invalid,
                "ask the OpenID provider",
                "its answer is too large",
            ));
        }
    }
    let mut answer = HttpResponse::new(bytes);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// The provider; where nobody signs in, there is no such page.
fn provider(console: &Console) -> std::result::Result<&Provider, Problem> {
    match &console.access {
        Access::SignIn(provider) => Ok(provider),
        Access::ThisMachine => Err(Problem::not_found("page")),
    }
}

/// Only to a page of this console.
fn own_page(to: &str) -> &str {
    // Browsers pass over white space in an address, so that none may stand in it.
    let is_plain = to.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    let is_own = to.starts_with('/') && !to.starts_with("//") && is_plain && to.len() <= MOST_ADDRESS;
    if is_own { to } else { "/" }
}

pub fn page(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let provider = provider(&visit.console)?;
        let to = own_page(visit.asked("to"));
        if visit.visitor.is_signed_in {
            return Ok(Answer::See(to.to_owned()));
        }
        let said = match visit.asked("why") {
            "out" => Some("You are signed out."),
            "failed" => Some("Signing in did not work. Try again; if it goes on, ask whoever runs the console."),
            "nothing" => {
                Some("You are known, but no group gives you a role here. Ask whoever runs the console for one.")
            }
            _ => None,
        };
        let href = view::with_query("/signin/go", &[("to", to)]);
        let content = json!({ "signin": json!({ "href": href, "provider": provider.name(), "said": said }) });
        view::page(&visit, ("", "Sign in"), "signin.html", &content)
    })
}

/// On to the provider. The state goes into a cookie, too: who comes back must be who went.
pub fn go(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let console = &visit.console;
        let (to, state) = provider(console)?
            .begin(own_page(visit.asked("to")), console.now())
            .await?;
        let cookie = console.sessions.cookie("signin", state, COMES_BACK);
        Ok(Answer::SignIn { to, cookie })
    })
}

pub fn callback(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let (console, now) = (&visit.console, visit.console.now());
        let provider = provider(console)?;
        let away = console.sessions.no_cookie("signin");
        let back = |why: &str| {
            Ok(Answer::SeeWith {
                to: format!("/signin?why={why}"),
                cookies: vec![away.clone()],
            })
        };
        let (state, code) = (visit.asked("state"), visit.asked("code"));
        let went = console.sessions.read(&visit.cookies, "signin");
        if code.is_empty() || went.as_deref() != Some(state) {
            tracing::warn!(audit = true, error = visit.asked("error"), "a sign-in was not finished");
            return back("failed");
        }
        let (name, grants, to) = match provider.finish(state, code, now).await {
            Ok(finished) => finished,
            Err(error) => {
                tracing::warn!(audit = true, "a sign-in failed: {}", chain(&error));
                return back("failed");
            }
        };
        if grants.are_empty() {
            tracing::warn!(audit = true, who = name, "signed in without a role");
            return back("nothing");
        }
        tracing::info!(audit = true, who = name, "signed in");
        let session = console.sessions.begin(name, grants, now)?;
        Ok(Answer::SeeWith {
            to,
            cookies: vec![session, away],
        })
    })
}

pub fn out(visit: Visit) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        visit.console.sessions.end(&visit.cookies);
        Ok(Answer::SeeWith {
            to: "/signin?why=out".to_owned(),
            cookies: vec![visit.console.sessions.no_cookie("session")],
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site_after_signing_in() {
        for (to, page) in [
            ("/tenants/acme/users?q=a", "/tenants/acme/users?q=a"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/ /evil.example", "/"),
            ("", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ] {
            assert_eq!(own_page(to), page, "{to:?}");
        }
    }
}
