//! The envelope that EventBridge delivers and the System Log event inside it: a pure and tolerant parse that keeps the
//! event's bytes as they came.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::loose::{Sound, Text};

/// The three facts without which an event can be neither deduplicated, ordered nor read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'a> {
    pub uuid: Cow<'a, str>,
    pub published: Timestamp,
    pub event_type: Cow<'a, str>,
}

/// Why a message cannot become an event. The text is the reason that is kept beside what was set aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("the envelope has no `detail` object")]
    NoDetail,
    #[error("the event has no `{0}`")]
    Missing(&'static str),
    #[error("`published` is not an RFC 3339 time: {0}")]
    Published(String),
}

#[derive(Deserialize)]
struct RawHead<'a> {
    #[serde(borrow, default)]
    uuid: Text<'a>,
    #[serde(borrow, default)]
    published: Text<'a>,
    #[serde(borrow, default, rename = "eventType")]
    event_type: Text<'a>,
}

impl<'a> Head<'a> {
    /// Reads the head of one `LogEvent` given as JSON text.
    pub fn parse(event: &'a str) -> Result<Self, Unusable> {
        let raw: RawHead<'a> = serde_json::from_str(event).map_err(|error| Unusable::NotJson(error.to_string()))?;
        Self::from_parts(raw.uuid, raw.published, raw.event_type)
    }

    /// Builds a head from its three values as they stand in the event.
    pub fn from_parts(uuid: Text<'a>, published: Text<'a>, event_type: Text<'a>) -> Result<Self, Unusable> {
        let uuid = required(uuid, "uuid")?;
        let published = required(published, "published")?;
        Ok(Self {
            uuid,
            published: published
                .parse()
                .map_err(|_| Unusable::Published(published.into_owned()))?,
            event_type: required(event_type, "eventType")?,
        })
    }
}

/// Whether every reader of the program can read the event; the reason when not.
pub fn check_sound(event: &str) -> Result<(), Unusable> {
    match serde_json::from_str::<Sound>(event) {
        Ok(Sound) => Ok(()),
        Err(error) => Err(Unusable::NotJson(error.to_string())),
    }
}

fn required<'a>(text: Text<'a>, name: &'static str) -> Result<Cow<'a, str>, Unusable> {
    match text.0 {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(Unusable::Missing(name)),
    }
}

/// An EventBridge envelope. Only what routing needs is read; `detail` is the event's own text.
#[derive(Debug, Deserialize)]
pub struct Envelope<'a> {
    #[serde(borrow, default)]
    pub source: Text<'a>,
    #[serde(borrow)]
    pub detail: &'a RawValue,
}

/// One message as a line of a segment: the envelope on one line, `detail` its last key.
///
/// EventBridge writes envelopes that way already, and those are kept byte by byte. Others are written anew around the
/// unchanged bytes of `detail`, so that [`detail`] finds the event without parsing the line.
pub fn segment_line(body: &str) -> Result<Cow<'_, str>, Unusable> {
    let body = body.trim();
    let envelope: Envelope<'_> = match serde_json::from_str(body) {
        Ok(envelope) => envelope,
        Err(error) if error.is_data() => return Err(Unusable::NoDetail),
        Err(error) => return Err(Unusable::NotJson(error.to_string())),
    };
    if !envelope.detail.get().starts_with('{') {
        return Err(Unusable::NoDetail);
    }
    if detail(body) == Some(envelope.detail.get()) && !body.contains(['\n', '\r']) {
        return Ok(Cow::Borrowed(body));
    }
    rewrite(body, envelope.detail.get()).map(Cow::Owned)
}

fn rewrite(body: &str, detail: &str) -> Result<String, Unusable> {
    let mut envelope: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(body).map_err(|error| Unusable::NotJson(error.to_string()))?;
    envelope.remove("detail");
    // A nested key of that name would hide the real one from `detail`; only scalars are kept beside it.
    envelope.retain(|_, value| !value.is_object() && !value.is_array());
    let mut line = serde_json::Value::Object(envelope).to_string();
    line.pop();
    line.push_str(if line.len() > 1 { DETAIL_KEY } else { &DETAIL_KEY[1..] });
    // Inside a JSON string a line break is always escaped, so a raw one is white space.
    line.extend(detail.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
    line.push('}');
    Ok(line)
}

const DETAIL_KEY: &str = ",\"detail\":";

/// The event inside a line that [`segment_line`] made.
///
/// Sound without parsing: within a JSON string every quote is escaped, so the key's bytes cannot stand in a value, and
/// before `detail` such a line holds scalars and lists of strings only.
pub fn detail(line: &str) -> Option<&str> {
    let key = &DETAIL_KEY[1..];
    let start = memchr::memmem::find(line.as_bytes(), key.as_bytes())? + key.len();
    line.get(start..)?.strip_suffix('}').map(str::trim)
}

/// The envelope that EventBridge would put around `event`.
pub fn wrap(event: &str, head: &Head<'_>, source: &str, account: &str, region: &str) -> String {
    wrap_as(event, head, (source, account, region), Arrival::Streamed)
}

/// As [`wrap`], with a mark of how the event came where the stream did not bring it. The place is source, account and region.
pub fn wrap_as(
    event: &str,
    head: &Head<'_>,
    (source, account, region): (&str, &str, &str),
    arrival: Arrival,
) -> String {
    let seconds = head.published.strftime("%Y-%m-%dT%H:%M:%SZ");
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let mark = arrival
        .mark()
        .map_or_else(String::new, |mark| format!("{ARRIVAL_KEY}{mark}\""));
    format!(
        r#"{{"version":"0","id":{id},"detail-type":"SystemLog","source":{source},"account":{account},"time":"{seconds}","region":{region}{mark},"resources":[],"detail":{event}}}"#,
        id = text(&head.uuid),
        source = text(source),
        account = text(account),
        region = text(region),
    )
}

/// How an event came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// By the log stream.
    #[default]
    Streamed,
    /// From the System Log API, because the stream had not brought it.
    Backfilled,
    /// From the System Log API, from a time before the stream.
    History,
    /// From the System Log API, because somebody refreshed a user.
    Refreshed,
}

const ARRIVAL_KEY: &str = ",\"arrival\":\"";

impl Arrival {
    /// What the Activity table and a segment's line call it; nothing for what the stream brought.
    pub fn mark(self) -> Option<&'static str> {
        match self {
            Self::Streamed => None,
            Self::Backfilled => Some("backfilled"),
            Self::History => Some("history"),
            Self::Refreshed => Some("refreshed"),
        }
    }

    /// Of a segment's line. EventBridge's envelopes have no such key.
    pub fn of(line: &str) -> Self {
        let line = line.as_bytes();
        let head = &line[..memchr::memmem::find(line, DETAIL_KEY.as_bytes()).unwrap_or(line.len())];
        let Some(at) = memchr::memmem::find(head, ARRIVAL_KEY.as_bytes()) else {
            return Self::Streamed;
        };
        let value = &head[at + ARRIVAL_KEY.len()..];
        [Self::Backfilled, Self::History, Self::Refreshed]
            .into_iter()
            .find(|one| one.mark().is_some_and(|mark| value.starts_with(mark.as_bytes())))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EVENT: &str =
        r#"{"uuid":"u1","published":"2026-11-01T10:00:00.123Z","eventType":"user.session.start","x":"a\"detail\":{}"}"#;

    #[test]
    fn a_head_is_read_whatever_the_other_fields_are() {
        let head = Head::parse(EVENT).unwrap();
        assert_eq!((&*head.uuid, &*head.event_type), ("u1", "user.session.start"));
        assert_eq!(head.published.as_millisecond() % 1000, 123);
    }

    #[test]
    fn a_line_says_how_its_event_came() {
        let head = Head::parse(EVENT).unwrap();
        let place = ("aws.partner/okta.com/acme/1", "909617834444", "us-east-2");
        for arrival in [
            Arrival::Streamed,
            Arrival::Backfilled,
            Arrival::History,
            Arrival::Refreshed,
        ] {
            let line = wrap_as(EVENT, &head, place, arrival);
            assert_eq!(segment_line(&line).unwrap(), line);
            assert_eq!((Arrival::of(&line), detail(&line)), (arrival, Some(EVENT)));
        }
        let forged = r#"{"version":"0","detail":{"uuid":"u",  "x":{"a":1,"arrival":"history"}}}"#;
        assert_eq!(Arrival::of(forged), Arrival::Streamed);
    }

    #[test]
    fn an_unusable_event_says_why() {
        let reason = |text: &str| Head::parse(text).unwrap_err().to_string();
        assert_eq!(
            reason(r#"{"published":"2026-11-01T10:00:00Z","eventType":"e"}"#),
            "the event has no `uuid`"
        );
        assert_eq!(
            reason(r#"{"uuid":"","published":"2026-11-01T10:00:00Z","eventType":"e"}"#),
            "the event has no `uuid`"
        );
        assert_eq!(
            reason(r#"{"uuid":"u","eventType":"e"}"#),
            "the event has no `published`"
        );
        assert_eq!(
            reason(r#"{"uuid":"u","published":null,"eventType":"e"}"#),
            "the event has no `published`"
        );
        assert_eq!(
            reason(r#"{"uuid":"u","published":"2026-11-01T10:00:00Z"}"#),
            "the event has no `eventType`"
        );
        assert_eq!(
            reason(r#"{"uuid":"u","published":"yesterday","eventType":"e"}"#),
            "`published` is not an RFC 3339 time: yesterday"
        );
        assert!(reason("{").starts_with("not JSON"));
    }

    #[test]
    fn what_only_a_lenient_reader_reads_is_not_sound() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for odd in [r#""\ud83d""#, "1e999", &deep] {
            let event = format!(r#"{{"uuid":"u","published":"2026-11-01T10:00:00Z","eventType":"e","x":{odd}}}"#);
            assert!(Head::parse(&event).is_ok() && check_sound(&event).is_err(), "{odd}");
        }
        assert!(check_sound(EVENT).is_ok());
    }

    #[test]
    fn an_envelope_of_eventbridge_is_kept_byte_by_byte() {
        let head = Head::parse(EVENT).unwrap();
        let envelope = wrap(EVENT, &head, "aws.partner/okta.com/a/b", "000000000000", "us-east-2");
        assert_eq!(segment_line(&envelope).unwrap(), envelope);
        assert_eq!(detail(&envelope), Some(EVENT));
    }

    #[test]
    fn other_envelopes_are_rewritten_around_the_same_event() {
        for envelope in [
            format!(r#"{{"detail":{EVENT},"source":"s"}}"#),
            format!("{{\n \"source\":\"s\",\r\n\"resources\":[{{\"detail\":1}}],\"detail\":{EVENT}\n}}\n"),
            format!(r#"{{"detail": {EVENT} }}"#),
        ] {
            let line = segment_line(&envelope).unwrap();
            assert_eq!(detail(&line), Some(EVENT), "{line}");
            assert!(!line.contains('\n') && serde_json::from_str::<serde_json::Value>(&line).is_ok());
        }
    }

    #[test]
    fn a_message_without_an_event_is_unusable() {
        assert_eq!(segment_line("{}").unwrap_err(), Unusable::NoDetail);
        assert_eq!(segment_line(r#"{"detail":"x"}"#).unwrap_err(), Unusable::NoDetail);
        assert!(matches!(
            segment_line("{\"detail\":").unwrap_err(),
            Unusable::NotJson(_)
        ));
    }

    proptest! {
        #[test]
        fn any_object_survives_the_way_through_a_segment_line(source in ".*", key in ".*", value in ".*", pretty: bool) {
            let event = serde_json::json!({key: value, "detail": {"detail": [value]}});
            let envelope = serde_json::json!({"source": source, "z": {"detail": source}, "detail": event});
            let body = if pretty { serde_json::to_string_pretty(&envelope) } else { serde_json::to_string(&envelope) }.unwrap();
            let line = segment_line(&body).unwrap();
            prop_assert!(!line.contains(['\n', '\r']));
            let found: serde_json::Value = serde_json::from_str(detail(&line).unwrap()).unwrap();
            prop_assert_eq!(found, event);
        }
    }
}
