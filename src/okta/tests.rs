//! What is decided without a server: turns, pages, signatures.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::time::Instant;

use super::answer::{self, Told};
use super::pace::{Share, Window};
use super::{sign_in, target};
use crate::ports::okta::{Ask, LogQuery};

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn base() -> Url {
    Url::parse("https://acme.okta.com").unwrap()
}

#[test]
fn the_next_page_is_the_one_that_okta_links_to() {
    let links = headers(&[
        ("link", r#"<https://acme.okta.com/api/v1/logs?limit=2>; rel="self""#),
        (
            "link",
            r#"<https://acme.okta.com/api/v1/logs?after=a%2Cb&limit=2>; rel="next""#,
        ),
    ]);
    let next = answer::next(&links, &base()).unwrap().unwrap();
    assert_eq!(next.as_str(), "https://acme.okta.com/api/v1/logs?after=a%2Cb&limit=2");
    let in_one = headers(&[(
        "link",
        r#"<https://acme.okta.com/a>; rel="self", <https://acme.okta.com/b>; rel="next""#,
    )]);
    assert_eq!(answer::next(&in_one, &base()).unwrap().unwrap().path(), "/b");
    assert_eq!(answer::next(&headers(&[]), &base()).unwrap(), None);
}

#[test]
fn a_next_page_of_somebody_else_is_not_asked_for() {
    for elsewhere in [
        "https://evil.example/api/v1/logs",
        "http://acme.okta.com/api/v1/logs",
        "https://acme.okta.com:444/x",
        "//evil.example/x",
    ] {
        let link = format!(r#"<{elsewhere}>; rel="next""#);
        let error = answer::next(&headers(&[("link", &link)]), &base()).unwrap_err();
        assert!(error.contains("not this org"), "{elsewhere}: {error}");
    }
}

#[test]
fn what_comes_from_outside_stays_one_segment_of_the_path() {
    let url = |user: &str| target::ask(&Ask::Factors(user.to_owned())).url(&base());
    assert_eq!(
        url("a b?c#d%2e@x").unwrap().as_str(),
        "https://acme.okta.com/api/v1/users/a%20b%3Fc%23d%252e@x/factors"
    );
    for odd in ["..", ".", "", "a/b", "a\\b"] {
        assert_eq!(url(odd), None, "{odd:?}");
    }
    let filter = target::quoted(r#"x" or status eq "ACTIVE"#);
    assert_eq!(filter, r#""x\" or status eq \"ACTIVE""#);
}

#[test]
fn a_bounded_query_begins_before_its_first_moment() {
    let query = LogQuery {
        from: "2026-11-23T10:00:00Z".parse().unwrap(),
        to: "2026-11-23T11:00:00Z".parse().unwrap(),
        filter: None,
    };
    let url = target::ask(&Ask::Events(query)).url(&base()).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert_eq!(pairs[0], ("since".to_owned(), "2026-11-23T09:59:59.999Z".to_owned()));
    assert_eq!(pairs[1], ("until".to_owned(), "2026-11-23T11:00:00.000Z".to_owned()));
}

#[test]
fn the_rate_limit_is_read_by_oktas_clock() {
    let told = answer::rate_limit(&headers(&[
        ("date", "Mon, 23 Nov 2026 10:00:00 GMT"),
        ("x-rate-limit-limit", "60"),
        ("x-rate-limit-remaining", "59"),
        ("x-rate-limit-reset", "1795428030"),
    ]));
    let reset: Timestamp = "2026-11-23T10:00:30Z".parse().unwrap();
    assert_eq!(reset.as_second(), 1_795_428_030);
    assert_eq!(
        told,
        Some(Told {
            limit: 60,
            remaining: 59,
            resets_in: Duration::from_secs(31)
        })
    );
    assert_eq!(answer::rate_limit(&headers(&[("x-rate-limit-limit", "60")])), None);
}

#[test]
fn a_failure_is_told_in_oktas_words_and_on_one_line() {
    let body = br#"{"errorCode":"E0000011","errorSummary":"Invalid\ntoken \u001b[31mprovided","errorCauses":[{"errorSummary":"why"}]}"#;
    assert_eq!(answer::said(body), "E0000011: Invalid token  [31mprovided: why");
    assert_eq!(answer::said(b"<html>"), "");
}

proptest! {
    /// Whoever asks as fast as it may leaves the others their share of each window, whatever they take of it meanwhile.
    #[test]
    fn a_share_of_each_window_stays_with_others(
        limit in 2..200_u32,
        percent in 1..=100_u8,
        others in prop::collection::vec(0..4_u32, 400),
    ) {
        let share = Share::percent(percent);
        let begin = Instant::now();
        let at = |second: u64| begin + Duration::from_secs(second);
        let (mut window, mut taken, mut ours) = (None::<Window>, 0_u32, 0_u32);
        for (second, others) in (0_u64..).zip(others) {
            let now = at(second);
            if second % 60 == 0 {
                (taken, ours) = (0, 0);
            }
            taken = (taken + others).min(limit);
            let wait = window.map_or(Duration::ZERO, |window| window.wait(share, now));
            if wait.is_zero() && taken < limit {
                taken += 1;
                ours += 1;
                if let Some(window) = &mut window {
                    window.send();
                }
                let told = Told {
                    limit,
                    remaining: limit - taken,
                    resets_in: Duration::from_secs(60 - second % 60),
                };
                window = Some(Window::after(window, told, now));
            }
            let most = (u64::from(limit) * u64::from(percent) / 100).max(1);
            prop_assert!(u64::from(ours) <= most + 1, "{ours} of {limit} at {percent} %");
        }
    }
}

#[test]
fn one_request_a_window_is_ours_whatever_others_take() {
    let now = Instant::now();
    let told = |remaining| Told {
        limit: 60,
        remaining,
        resets_in: Duration::from_secs(30),
    };
    let share = Share::percent(50);
    let window = Window::after(None, told(40), now);
    assert_eq!(window.wait(share, now), Duration::ZERO);
    let window = Window::after(Some(window), told(30), now);
    assert_eq!(window.wait(share, now), Duration::from_secs(30));
    let later = now + Duration::from_secs(31);
    assert!(window.is_over(later));
    assert_eq!(window.wait(share, later), Duration::ZERO);
}

#[test]
fn an_application_tells_who_it_is_by_its_signature() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use secrecy::ExposeSecret as _;

    let now = Timestamp::from_second(1_795_428_000).unwrap();
    let error = sign_in::assertion_for_tests("no key", now).unwrap_err();
    assert!(error.to_string().contains("okta-key"), "{error}");

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let document = pair.to_pkcs8v1().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(document.as_ref())
    );
    let signed = sign_in::assertion_for_tests(&pem, now).unwrap();
    let key = jsonwebtoken::DecodingKey::from_ec_der(pair.public_key().as_ref());
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    rules.set_audience(&["https://acme.okta.com/oauth2/v1/token"]);
    rules.validate_exp = false;
    let read = jsonwebtoken::decode::<serde_json::Value>(signed.expose_secret(), &key, &rules).unwrap();
    assert_eq!(read.header.kid.as_deref(), Some("k1"));
    assert_eq!(
        read.claims["exp"].as_i64().unwrap() - read.claims["iat"].as_i64().unwrap(),
        300
    );
    let (iss, sub) = (&read.claims["iss"], &read.claims["sub"]);
    assert_eq!((iss, sub), (&"0oa1".into(), &"0oa1".into()));
}
