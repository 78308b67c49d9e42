//! An OpenID provider on loopback that signs in whomever a test names, and forges what it is told to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::server::{Answer, Answers, Asked, serve_with};

pub const CLIENT: &str = "0oaConsole";

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forged {
    Audience,
    Expired,
    Key,
    Nonce,
}

pub struct Idp {
    pub address: String,
    told: Arc<Told>,
}

struct Told {
    address: Mutex<String>,
    key: EcdsaKeyPair,
    forged: Mutex<Option<Forged>>,
}

fn fresh_key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn pem(pair: &EcdsaKeyPair) -> String {
    let text = STANDARD.encode(pair.to_pkcs8v1().unwrap().as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

impl Idp {
    pub async fn start() -> Self {
        let told = Arc::new(Told {
            address: Mutex::default(),
            key: fresh_key(),
            forged: Mutex::default(),
        });
        let address = serve_with(Arc::clone(&told) as Arc<dyn Answers>).await;
        told.address.lock().unwrap().clone_from(&address);
        Self { address, told }
    }

    pub fn forge(&self, forged: Option<Forged>) {
        *self.told.forged.lock().unwrap() = forged;
    }

    /// Where the browser goes that was sent to us, once somebody has signed in. The code says what the token will.
    pub fn answer(sent: &str, name: &str, groups: &[&str]) -> String {
        let url = Url::parse(sent).unwrap();
        let asked = |name: &str| {
            let pair = url.query_pairs().find(|(own, _)| own == name);
            pair.map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        assert_eq!(
            (asked("response_type").as_str(), asked("code_challenge_method").as_str()),
            ("code", "S256")
        );
        let code =
            json!({"nonce": asked("nonce"), "challenge": asked("code_challenge"), "name": name, "groups": groups});
        let code = URL_SAFE_NO_PAD.encode(code.to_string());
        format!("/signin/callback?code={code}&state={}", asked("state"))
    }
}

impl Told {
    fn token(&self, code: &Value) -> String {
        let forged = *self.forged.lock().unwrap();
        let now = Self::real_now();
        let age = if forged == Some(Forged::Expired) { 7_200 } else { 0 };
        let claims = json!({
            "iss": *self.address.lock().unwrap(), "sub": "00uReader", "iat": now - age, "exp": now - age + 300,
            "aud": if forged == Some(Forged::Audience) { "somebody-else" } else { CLIENT },
            "nonce": if forged == Some(Forged::Nonce) { json!("another") } else { code["nonce"].clone() },
            "preferred_username": code["name"], "groups": code["groups"],
        });
        let other = fresh_key();
        let key = if forged == Some(Forged::Key) { &other } else { &self.key };
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("k1".to_owned());
        jsonwebtoken::encode(
            &header,
            &claims,
            &EncodingKey::from_ec_pem(pem(key).as_bytes()).unwrap(),
        )
        .unwrap()
    }

    /// Tokens are checked by the machine's own clock, whatever the console's says.
    #[expect(
        clippy::disallowed_methods,
        reason = "the library that checks tokens reads the machine's clock"
    )]
    fn real_now() -> i64 {
        jiff::Timestamp::now().as_second()
    }
}

#[async_trait]
impl Answers for Told {
    async fn answer(&self, asked: Asked) -> Answer {
        let address = self.address.lock().unwrap().clone();
        let body = match asked.line.split(' ').nth(1).unwrap_or_default() {
            "/.well-known/openid-configuration" => json!({
                "issuer": address, "authorization_endpoint": format!("{address}/authorize"),
                "token_endpoint": format!("{address}/token"), "jwks_uri": format!("{address}/keys"),
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            }),
            "/keys" => {
                let public = self.key.public_key().as_ref();
                let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&public[range]);
                json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "x": part(1..33), "y": part(33..65)}]})
            }
            "/token" => {
                let form = Url::parse(&format!("http://x/?{}", asked.body)).unwrap();
                let told = |name: &str| form.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned();
                let code: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(told("code")).unwrap()).unwrap();
                let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(told("code_verifier")));
                if code["challenge"] != challenge {
                    return Answer::body(400, "{\"error\":\"invalid_grant\"}");
                }
                json!({"access_token": "at", "token_type": "Bearer", "id_token": self.token(&code)})
            }
            _ => return Answer::status(404),
        };
        Answer::Status(200, "content-type: application/json\r\n".to_owned(), body.to_string())
    }
}
