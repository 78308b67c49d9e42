//! Addresses what a person has (a bare event, or an envelope from somewhere) as Okta would: an envelope for one tenant's
//! partner event source. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::event::{Head, Unusable, wrap};

/// A tenant's partner event source, as envelopes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub source: String,
    pub account: String,
    pub region: String,
}

#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

/// The envelope to put on the tenant's bus. An envelope stays as it is, for the bus's rule to judge, unless `readdress`
/// is set: then its event gets a new envelope, as a bare event does.
pub fn address<'a>(piece: &'a str, to: &Address, readdress: bool) -> Result<Cow<'a, str>, Unusable> {
    let not_json = |error: serde_json::Error| Unusable::NotJson(error.to_string());
    if !piece.starts_with('{') {
        return Err(match serde_json::from_str::<serde_json::Value>(piece) {
            Ok(_) => Unusable::NotJson("a value that is no object".to_owned()),
            Err(error) => not_json(error),
        });
    }
    let probe: Probe<'a> = serde_json::from_str(piece).map_err(not_json)?;
    match probe.detail {
        Some(_) if !readdress => Ok(Cow::Borrowed(piece)),
        Some(event) => wrapped(event.get(), to),
        None => wrapped(piece, to),
    }
}

fn wrapped(event: &str, to: &Address) -> Result<Cow<'static, str>, Unusable> {
    let head = Head::parse(event)?;
    Ok(Cow::Owned(wrap(event, &head, &to.source, &to.account, &to.region)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::detail;

    const EVENT: &str = r#"{"uuid":"u","published":"2026-11-01T10:00:00.123Z","eventType":"e"}"#;

    fn to() -> Address {
        Address {
            source: "aws.partner/okta.com/acme/one".to_owned(),
            account: "000000000000".to_owned(),
            region: "us-east-2".to_owned(),
        }
    }

    #[test]
    fn a_bare_event_gets_an_envelope_of_the_tenant() {
        let envelope = address(EVENT, &to(), false).unwrap();
        let value: serde_json::Value = serde_json::from_str(&envelope).unwrap();
        assert_eq!(value["source"], "aws.partner/okta.com/acme/one");
        assert_eq!(value["time"], "2026-11-01T10:00:00Z");
        assert_eq!(detail(&envelope), Some(EVENT));
    }

    #[test]
    fn an_envelope_is_readdressed_only_when_asked() {
        let foreign = format!(r#"{{"source":"aws.partner/okta.com/other/two","detail":{EVENT}}}"#);
        assert_eq!(address(&foreign, &to(), false).unwrap(), foreign);
        let envelope = address(&foreign, &to(), true).unwrap();
        assert_eq!(envelope, address(EVENT, &to(), false).unwrap());
    }

    #[test]
    fn what_is_no_event_says_why() {
        let reason = |piece| address(piece, &to(), false).unwrap_err().to_string();
        assert_eq!(reason("7"), "not JSON: a value that is no object");
        assert!(reason("{\"uuid\":").starts_with("not JSON: EOF"));
        assert!(reason("oops").starts_with("not JSON: expected value"));
        assert_eq!(reason("{}"), "the event has no `uuid`");
    }
}
