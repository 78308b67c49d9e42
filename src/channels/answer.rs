//! What a receiver's answer means: whether a repeat may help, and when; what it says of a failure; whether it knows a message
//! already. No input or output.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::channels::clip;
use crate::ports::Kind;

/// So much of what a receiver says of a failure is told.
const MOST_SAID: usize = 200;

pub fn kind_of(status: StatusCode) -> Kind {
    match status.as_u16() {
        429 => Kind::Throttled,
        300..=399 | 401 | 403 | 407 => Kind::Denied,
        404 | 410 => Kind::NotFound,
        408 | 425 | 500..=599 => Kind::Unavailable,
        _ => Kind::Invalid,
    }
}

/// Seconds, or a date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = at.duration_since(now).max(SignedDuration::ZERO);
    Duration::try_from(wait).ok()
}

/// What a receiver says of a failure, in one line, without the secrets.
pub fn said(body: &str, secrets: &[String]) -> String {
    let mut text = body.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), "(secret)");
    }
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clip(&one_line, MOST_SAID)
}

/// Whether the answer to a search has anything in its list of that name; otherwise what is wrong with it.
pub fn has_any(body: &str, list: &str) -> Result<bool, String> {
    let answer: serde_json::Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    match answer.get(list).and_then(serde_json::Value::as_array) {
        Some(found) => Ok(!found.is_empty()),
        None => Err(format!("it has no list `{list}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let after = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(after("90"), Some(Duration::from_secs(90)));
        assert_eq!(after("Mon, 23 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Mon, 23 Nov 2026 09:00:30 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }
}
