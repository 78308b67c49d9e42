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

/// What is asked for, and what where Okta did not grant that to the application.
const SCOPES: [&str; 3] = [
    "okta.logs.read okta.logStreams.read okta.logStreams.manage okta.users.read okta.devices.read okta.groups.read okta.roles.read",
    "okta.logs.read okta.logStreams.read okta.users.read okta.devices.read okta.groups.read okta.roles.read",
    "okta.logs.read okta.users.read",
];

/// Knows what the next request signs in with.
pub struct Keeper {
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    sign_in: SignIn,
    bearer: Mutex<Option<Bearer>>,
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
        let op = "get a token from Okta";
        let failed = |why: &str| Error::caused(Kind::Denied, op, why.to_owned());
        let pem = self.secret(KEY_SECRET).await?;
        let url = base
            .join("oauth2/v1/token")
            .map_err(|error| failed(&error.to_string()))?;
        for (place, scope) in SCOPES.iter().enumerate() {
            let assertion = assertion(&pem, url.as_str(), client_id, key_id, self.clock.now())?;
            let mut form = url.clone();
            form.query_pairs_mut()
                .append_pair("grant_type", "client_credentials")
                .append_pair("scope", scope)
                .append_pair(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                )
                .append_pair("client_assertion", assertion.expose_secret());
            let response = http
                .post(url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(ACCEPT, "application/json")
                .body(form.query().unwrap_or_default().to_owned())
                .send()
                .await
                .map_err(|error| Error::caused(Kind::Unavailable, op, error.without_url()))?;
            let status = response.status();
            let body = super::client::body(response, MOST_BYTES)
                .await
                .map_err(|error| Error::caused(Kind::Unavailable, op, error))?;
            if status.is_success() {
                let granted: Granted =
                    serde_json::from_slice(&body).map_err(|_| failed("its answer holds no token"))?;
                let lasts = SignedDuration::from_secs(granted.expires_in) - ENDS_SOON;
                return Ok(Bearer {
                    header: header("Bearer", &SecretString::from(granted.access_token))?,
                    until: self.clock.now().saturating_add(lasts).unwrap_or(Timestamp::MAX),
                });
            }
            let is_last = place + 1 == SCOPES.len();
            if answer::oauth_error(&body) != "invalid_scope" || is_last {
                let why = format!("answered {status}: {}", answer::said(&body));
                // What an application did wrong is told as a bad request.
                let kind = if status.is_client_error() && status.as_u16() != 429 {
                    Kind::Denied
                } else {
                    answer::kind_of(status)
                };
                return Err(Error::caused(kind, op, why));
            }
        }
        Err(failed("it grants none of what was asked for"))
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
        jti: format!("{client_id}-{}", now.as_nanosecond()),
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
    )
}
