//! What Okta's answer means: pages, limits, and failures in Okta's words. No input or output.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, LINK, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ports::Kind;

/// So much of what Okta says of a failure is told.
const MOST_SAID: usize = 300;
/// Okta's windows last a minute, a few last longer. Whatever an answer says, nobody waits for more.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What an answer's headers say of the rate limit that the request counted against. Source: Okta's `X-Rate-Limit-*` headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Requests that the org may make in one window.
    pub limit: u32,
    pub remaining: u32,
    /// How long the window still lasts, by Okta's own clock, rounded up.
    pub resets_in: Duration,
}

/// `None` where the headers say nothing of it, or not everything.
pub fn rate_limit(headers: &HeaderMap) -> Option<Told> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let reset = number("x-rate-limit-reset")?;
    let now = u64::try_from(server_time(headers)?.as_second()).ok()?;
    Some(Told {
        limit: u32::try_from(number("x-rate-limit-limit")?).unwrap_or(u32::MAX),
        remaining: u32::try_from(number("x-rate-limit-remaining")?).unwrap_or(u32::MAX),
        // Both times are cut to the second.
        resets_in: Duration::from_secs(reset.saturating_sub(now).saturating_add(1)).min(LONGEST_WAIT),
    })
}

pub fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The address of the next page; an error for one in another place, which would be handed the token.
pub fn next(headers: &HeaderMap, base: &Url) -> Result<Option<Url>, String> {
    for value in headers.get_all(LINK) {
        // Several links may share a line: each begins with an address in angle brackets, which holds none itself.
        let mut rest = value.to_str().unwrap_or_default();
        while let Some((_, link)) = rest.split_once('<') {
            let Some((address, after)) = link.split_once('>') else {
                break;
            };
            let parameters = after.split_once('<').map_or(after, |(own, _)| own);
            let is_next = parameters
                .split([';', ','])
                .any(|parameter| matches!(parameter.trim(), r#"rel="next""# | "rel=next"));
            if is_next {
                return within(address, base).map(Some);
            }
            rest = after;
        }
    }
    Ok(None)
}

/// An address that Okta gave, if it is one of this org.
pub fn within(address: &str, base: &Url) -> Result<Url, String> {
    match base.join(address) {
        Ok(url) if url.origin() == base.origin() => Ok(url),
        Ok(url) => Err(format!(
            "it names a next page at {}, which is not this org",
            url.host_str().unwrap_or("nowhere")
        )),
        Err(error) => Err(format!("it names a next page that is no address: {error}")),
    }
}

/// The items of a list, or the one thing that was asked for.
pub fn items(body: &[u8]) -> serde_json::Result<Vec<Box<RawValue>>> {
    let begins_list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if begins_list {
        serde_json::from_slice(body)
    } else {
        serde_json::from_slice(body).map(|one| vec![one])
    }
}

pub fn kind_of(status: StatusCode) -> Kind {
    match status.as_u16() {
        429 => Kind::Throttled,
        300..=399 | 401 | 403 => Kind::Denied,
        404 | 410 => Kind::NotFound,
        408 | 500..=599 => Kind::Unavailable,
        409 => Kind::Conflict,
        _ => Kind::Invalid,
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Said {
    error_code: String,
    error_summary: String,
    error_causes: Vec<Cause>,
    /// Those of OAuth.
    error: String,
    #[serde(rename = "error_description")]
    oauth_description: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Cause {
    error_summary: String,
}

/// What Okta says of a failure, in one line.
pub fn said(body: &[u8]) -> String {
    let said: Said = serde_json::from_slice(body).unwrap_or_default();
    let mut parts = vec![said.error_code, said.error, said.error_summary, said.oauth_description];
    parts.extend(said.error_causes.into_iter().map(|cause| cause.error_summary));
    parts.retain(|part| !part.is_empty());
    parts.dedup();
    let text = parts.join(": ");
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    one_line.chars().take(MOST_SAID).collect()
}

/// The OAuth error's name, where it is one.
pub fn oauth_error(body: &[u8]) -> String {
    serde_json::from_slice::<Said>(body).unwrap_or_default().error
}
