//! Who asks: an API token, or an application that signs with its key and gets a token for an hour.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::model::okta::{KEY_SECRET, SignIn, TOKEN_SECRET};
use crate::okta::answer;
use crate::ports::{Clock, Error, Kind, Result, Secrets};

/// An assertion is used at once.
const ASSERTION_LASTS: SignedDuration = SignedDuration::from_mins(5);
/// A token that ends so soon is not used any more.
const ENDS_SOON: SignedDuration = SignedDuration::from_mins(2);
const MOST_BYTES: usize = 64 * 1024;

/// What is asked for. Okta grants all of it or nothing: where it refuses, each is asked for by itself, to learn which it grants.
const SCOPES: [&str; 7] = [
    "okta.logs.read",
    "okta.logStreams.read",
    "okta.logStreams.manage",
    "okta.users.read",
    "okta.devices.read",
    "okta.groups.read",
    "okta.roles.read",
];

/// Knows what the next request signs in with.
pub struct Keeper {
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    sign_in: SignIn,
    bearer: Mutex<Option<Bearer>>,
    /// Those that Okta grants, once that is known.
    scopes: Mutex<Option<String>>,
}

struct Bearer {
    header: HeaderValue,
    until: Timestamp,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: i64,
}

impl Keeper {
    pub fn new(secrets: Arc<dyn Secrets>, clock: Arc<dyn Clock>, sign_in: SignIn) -> Self {
        Self {
            secrets,
            clock,
            sign_in,
            bearer: Mutex::new(None),
            scopes: Mutex::new(None),
        }
    }

    /// The `Authorization` header of the next request. `http` is for the token of an application.
    pub async fn header(&self, http: &Client, base: &Url) -> Result<HeaderValue> {
        let mut bearer = self.bearer.lock().await;
        let now = self.clock.now();
        if let Some(known) = &*bearer
            && known.until > now
        {
            return Ok(known.header.clone());
        }
        let fresh = match &self.sign_in {
            SignIn::Token => {
                let token = self.secret(TOKEN_SECRET).await?;
                Bearer {
                    header: header("SSWS", &token)?,
                    until: Timestamp::MAX,
                }
            }
            SignIn::Key { client_id, key_id } => self.granted(http, base, client_id, key_id.as_deref()).await?,
        };
        let header = fresh.header.clone();
        *bearer = Some(fresh);
        Ok(header)
    }

    /// Okta refused it: the next is read or asked for afresh, as it may have been rotated.
    pub async fn forget(&self) {
        *self.bearer.lock().await = None;
    }

    async fn secret(&self, name: &str) -> Result<SecretString> {
        let found = self.secrets.get(name).await?;
        found.ok_or_else(|| {
            Error::caused(
                Kind::Denied,
                "sign in to Okta",
                format!("the tenant has no secret `{name}`"),
            )
        })
    }

    async fn granted(&self, http: &Client, base: &Url, client_id: &str, key_id: Option<&str>) -> Result<Bearer> {
        let application = Application {
            http,
            url: base
                .join("oauth2/v1/token")
                .map_err(|error| refused(&error.to_string()))?,
            client_id,
            key_id,
            pem: self.secret(KEY_SECRET).await?,
        };
        let known = self.scopes.lock().await.clone();
        let wanted = known.unwrap_or_else(|| SCOPES.join(" "));
        if let Some(bearer) = application.token(&wanted, self.clock.now()).await? {
            return Ok(bearer);
        }
        let mut granted = Vec::new();
        for scope in SCOPES {
            if application.token(scope, self.clock.now()).await?.is_some() {
                granted.push(scope);
            }
        }
        let granted = granted.join(" ");
        let bearer = match granted.as_str() {
            "" => None,
            scopes => application.token(scopes, self.clock.now()).await?,
        };
        let bearer = bearer.ok_or_else(|| refused("it grants none of what was asked for"))?;
        *self.scopes.lock().await = Some(granted);
        Ok(bearer)
    }
}

const OP: &str = "get a token from Okta";

fn refused(why: &str) -> Error {
    Error::caused(Kind::Denied, OP, why.to_owned())
}

/// An application that asks for tokens.
struct Application<'a> {
    http: &'a Client,
    url: Url,
    client_id: &'a str,
    key_id: Option<&'a str>,
    pem: SecretString,
}

impl Application<'_> {
    /// A token with these scopes; `None` when Okta does not grant all of them.
    async fn token(&self, scopes: &str, now: Timestamp) -> Result<Option<Bearer>> {
        let assertion = assertion(&self.pem, self.url.as_str(), self.client_id, self.key_id, now, scopes)?;
        let mut form = self.url.clone();
        form.query_pairs_mut()
            .append_pair("grant_type", "client_credentials")
            .append_pair("scope", scopes)
            .append_pair(
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            )
            .append_pair("client_assertion", assertion.expose_secret());
        let response = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(form.query().unwrap_or_default().to_owned())
            .send()
            .await
            .map_err(|error| Error::caused(Kind::Unavailable, OP, error.without_url()))?;
        let status = response.status();
        let body = super::client::body(response, MOST_BYTES)
            .await
            .map_err(|error| Error::caused(Kind::Unavailable, OP, error))?;
        if status.is_success() {
            let granted: Granted = serde_json::from_slice(&body).map_err(|_| refused("its answer holds no token"))?;
            let lasts = SignedDuration::from_secs(granted.expires_in) - ENDS_SOON;
            return Ok(Some(Bearer {
                header: header("Bearer", &SecretString::from(granted.access_token))?,
                until: now.saturating_add(lasts).unwrap_or(Timestamp::MAX),
            }));
        }
        if answer::oauth_error(&body) == "invalid_scope" {
            return Ok(None);
        }
        let why = format!("answered {status}: {}", answer::said(&body));
        // What an application did wrong is told as a bad request.
        let kind = if status.is_client_error() && status.as_u16() != 429 {
            Kind::Denied
        } else {
            answer::kind_of(status)
        };
        Err(Error::caused(kind, OP, why))
    }
}

fn header(scheme: &str, token: &SecretString) -> Result<HeaderValue> {
    let text = format!("{scheme} {}", token.expose_secret().trim());
    let mut header = HeaderValue::try_from(text)
        .map_err(|_| Error::caused(Kind::Denied, "sign in to Okta", "its token cannot stand in a header"))?;
    header.set_sensitive(true);
    Ok(header)
}

/// A JWT by which an application tells who it is. Source: RFC 7523, and Okta's guide to service applications.
fn assertion(
    pem: &SecretString,
    audience: &str,
    client_id: &str,
    key_id: Option<&str>,
    now: Timestamp,
    scopes: &str,
) -> Result<SecretString> {
    let failed = |why: String| Error::caused(Kind::Denied, format!("sign with the secret `{KEY_SECRET}`"), why);
    let bytes = pem.expose_secret().as_bytes();
    let (key, algorithm) = EncodingKey::from_rsa_pem(bytes)
        .map(|key| (key, Algorithm::RS256))
        .or_else(|_| EncodingKey::from_ec_pem(bytes).map(|key| (key, Algorithm::ES256)))
        .map_err(|_| failed("it is no RSA or P-256 private key in PEM".to_owned()))?;
    let mut header = Header::new(algorithm);
    header.kid = key_id.map(str::to_owned);
    let claims = Claims {
        aud: audience,
        iss: client_id,
        sub: client_id,
        iat: now.as_second(),
        exp: (now + ASSERTION_LASTS).as_second(),
        // Unique enough: Okta wants no assertion twice within its five minutes.
        jti: format!("{client_id}-{}-{}", now.as_nanosecond(), scopes.len()),
    };
    let text = jsonwebtoken::encode(&header, &claims, &key).map_err(|error| failed(error.to_string()))?;
    Ok(SecretString::from(text))
}

#[cfg(test)]
pub(super) fn assertion_for_tests(pem: &str, now: Timestamp) -> Result<SecretString> {
    assertion(
        &SecretString::from(pem),
        "https://acme.okta.com/oauth2/v1/token",
        "0oa1",
        Some("k1"),
        now,
        "okta.logs.read",
    )
}
