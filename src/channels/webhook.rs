//! A webhook of anybody's own, signed as Standard Webhooks has it, for whose receivers there are libraries in most languages.
//! Source: the specification of Standard Webhooks.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;

use crate::channels::http::Request;
use crate::model::notification::Alert;

/// How the specification has keys written: this, and then base64.
const PREFIX: &str = "whsec_";

pub fn request(alert: &Alert, address: &str, secret: &str, now: Timestamp) -> Request {
    let body = json!({
        "type": "oort.findings",
        "timestamp": alert.notifications.iter().map(|one| one.last_seen).max().map(|at| at.to_string()),
        "data": {"tenant": alert.tenant, "findings": alert.notifications},
    });
    let mut request = Request::post(address, &body);
    let time = now.as_second().to_string();
    let signature = signature(secret, &alert.key, &time, request.body.as_deref().unwrap_or_default());
    request = request
        .header("webhook-id", &alert.key)
        .header("idempotency-key", &alert.key)
        .header("webhook-timestamp", time)
        .header("webhook-signature", signature);
    request.keeps(secret)
}

/// `v1,` and the base64 of HMAC-SHA256 over id, time and body.
fn signature(secret: &str, id: &str, time: &str, body: &str) -> String {
    let decoded = secret
        .strip_prefix(PREFIX)
        .and_then(|text| BASE64_STANDARD.decode(text).ok());
    let key = decoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else {
        return String::new();
    };
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let signature = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
