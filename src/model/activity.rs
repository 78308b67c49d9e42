//! A user's activity: which rows one System Log event adds to which users, and what a row holds.

use std::borrow::Cow;
use std::collections::HashSet;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::event::{Arrival, Head, Unusable};
use crate::model::loose::{Object, Objects, Text};

/// The identity of a row. Its order is the table's sort order: a day's rows by user, then by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowKey<'a> {
    /// Days since 1970-01-01 (UTC) of `published`: the table's partition.
    pub day: i32,
    /// The Okta ID of the user; empty when the event names no actor.
    pub user_id: Cow<'a, str>,
    /// Microseconds since 1970-01-01 (UTC).
    pub published: i64,
    pub event_uuid: Cow<'a, str>,
}

/// The text columns beside the key, in the table's column order. Every one may be absent.
pub const COLUMNS: [&str; 17] = [
    "user_login",
    "user_role",
    "event_type",
    "display_message",
    "severity",
    "outcome_result",
    "outcome_reason",
    "actor_id",
    "actor_login",
    "client_ip",
    "client_country",
    "client_city",
    "user_agent",
    "session_id",
    "application",
    "transaction_id",
    "arrival",
];

/// One event as the columns of its rows; the rows differ only in their user.
#[derive(Debug)]
pub struct Activity<'a> {
    day: i32,
    published: i64,
    event_uuid: Cow<'a, str>,
    arrival: Arrival,
    fields: Fields<'a>,
}

/// A user whom an event concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject<'e> {
    pub id: &'e str,
    /// In lower case: Okta takes logins in any letter case, and one user must read as one.
    pub login: Option<Cow<'e, str>>,
    /// `actor` or `target`.
    pub role: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    event_type: Text<'a>,
    #[serde(borrow)]
    display_message: Text<'a>,
    #[serde(borrow)]
    severity: Text<'a>,
    #[serde(borrow)]
    uuid: Text<'a>,
    #[serde(borrow)]
    published: Text<'a>,
    #[serde(borrow)]
    actor: Object<Party<'a>>,
    #[serde(borrow)]
    target: Objects<Party<'a>>,
    #[serde(borrow)]
    outcome: Object<Outcome<'a>>,
    #[serde(borrow)]
    client: Object<Client<'a>>,
    #[serde(borrow)]
    authentication_context: Object<Authentication<'a>>,
    #[serde(borrow)]
    transaction: Object<Transaction<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Party<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    alternate_id: Text<'a>,
    #[serde(borrow)]
    display_name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Outcome<'a> {
    #[serde(borrow)]
    result: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Client<'a> {
    #[serde(borrow)]
    ip_address: Text<'a>,
    #[serde(borrow)]
    user_agent: Object<UserAgent<'a>>,
    #[serde(borrow)]
    geographical_context: Object<Place<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct UserAgent<'a> {
    #[serde(borrow)]
    raw_user_agent: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place<'a> {
    #[serde(borrow)]
    country: Text<'a>,
    #[serde(borrow)]
    city: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Authentication<'a> {
    #[serde(borrow)]
    external_session_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Transaction<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

const EPOCH: Date = date(1970, 1, 1);

/// Days since 1970-01-01 (UTC) of a time in microseconds.
pub fn day_of(microseconds: i64) -> i32 {
    const MICROSECONDS_A_DAY: i64 = 86_400_000_000;
    // jiff's range is ±10,000 years, so the day always fits.
    i32::try_from(microseconds.div_euclid(MICROSECONDS_A_DAY)).unwrap_or(i32::MAX)
}

/// The date (UTC) of a day that is counted from 1970-01-01.
pub fn date_of(day: i32) -> Date {
    EPOCH.saturating_add(SignedDuration::from_hours(i64::from(day) * 24))
}

/// Days from 1970-01-01 to a date.
pub fn day_of_date(date: Date) -> i32 {
    // Both are within jiff's range, of which any two dates are an `i32` of days apart.
    i32::try_from(date.duration_since(EPOCH).as_hours() / 24).unwrap_or(i32::MAX)
}

impl<'a> Activity<'a> {
    /// Reads one `LogEvent` given as JSON text. A field of an unexpected type is absent; only a missing head is an error.
    pub fn parse(event: &'a str) -> Result<Self, Unusable> {
        let mut fields: Fields<'a> = match serde_json::from_str(event) {
            Ok(fields) => fields,
            // Of a key that stands in an object twice the last counts, as it does for the rules.
            Err(_) => serde_json::from_str::<Value>(event)
                .and_then(Fields::deserialize)
                .map_err(|error| Unusable::NotJson(error.to_string()))?,
        };
        let head = Head::from_parts(
            std::mem::take(&mut fields.uuid),
            std::mem::take(&mut fields.published),
            fields.event_type.clone(),
        )?;
        let published = head.published.as_microsecond();
        Ok(Self {
            day: day_of(published),
            published,
            event_uuid: head.uuid,
            arrival: Arrival::Streamed,
            fields,
        })
    }

    /// The same, of an event that came otherwise than by the stream.
    #[must_use]
    pub fn arrived(mut self, arrival: Arrival) -> Self {
        self.arrival = arrival;
        self
    }

    /// The users whom the event concerns, each once: its actor (also one without an ID, so that no event is without a
    /// row), then every target of type `User`.
    pub fn subjects(&self) -> Vec<Subject<'_>> {
        let actor = subject(&self.fields.actor.0, "actor");
        let mut known = HashSet::from([actor.id]);
        let mut subjects = vec![actor];
        for party in &self.fields.target.0 {
            let candidate = subject(party, "target");
            let is_user = party.kind.filled() == Some("User");
            if is_user && !candidate.id.is_empty() && known.insert(candidate.id) {
                subjects.push(candidate);
            }
        }
        subjects
    }

    pub fn key<'e>(&'e self, subject: &Subject<'e>) -> RowKey<'e> {
        RowKey {
            day: self.day,
            user_id: Cow::Borrowed(subject.id),
            published: self.published,
            event_uuid: Cow::Borrowed(&self.event_uuid),
        }
    }

    /// The values of [`COLUMNS`] in the row of `subject`.
    pub fn columns<'e>(&'e self, subject: &'e Subject<'_>) -> [Option<&'e str>; COLUMNS.len()] {
        let Fields {
            actor: Object(actor),
            client: Object(client),
            ..
        } = &self.fields;
        [
            subject.login.as_deref(),
            Some(subject.role),
            self.fields.event_type.filled(),
            self.fields.display_message.filled(),
            self.fields.severity.filled(),
            self.fields.outcome.0.result.filled(),
            self.fields.outcome.0.reason.filled(),
            actor.id.filled(),
            actor.alternate_id.filled(),
            client.ip_address.filled(),
            client.geographical_context.0.country.filled(),
            client.geographical_context.0.city.filled(),
            client.user_agent.0.raw_user_agent.filled(),
            self.fields.authentication_context.0.external_session_id.filled(),
            self.application(),
            self.fields.transaction.0.id.filled(),
            self.arrival.mark(),
        ]
    }

    fn application(&self) -> Option<&str> {
        let is_application = |party: &&Party<'_>| party.kind.filled() == Some("AppInstance");
        let application = self.fields.target.0.iter().find(is_application)?;
        application
            .display_name
            .filled()
            .or_else(|| application.alternate_id.filled())
    }
}

fn subject<'e>(party: &'e Party<'_>, role: &'static str) -> Subject<'e> {
    Subject {
        id: party.id.filled().unwrap_or_default(),
        login: party.alternate_id.filled().map(lower_case),
        role,
    }
}

/// A login as the Activity table keeps it and as it is compared.
pub fn lower_case(login: &str) -> Cow<'_, str> {
    if login.chars().any(char::is_uppercase) {
        Cow::Owned(login.to_lowercase())
    } else {
        Cow::Borrowed(login)
    }
}

impl Subject<'_> {
    /// Whether `user`, an Okta ID or a login in any letter case, is this user.
    pub fn is(&self, user: &str) -> bool {
        self.id == user || self.login.as_deref() == Some(&*lower_case(user))
    }
}

/// One row of a user's Activity table, as commands print it and machines read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
pub struct ActivityRow {
    pub user_id: String,
    pub published: Timestamp,
    pub event_uuid: String,
    #[serde(flatten)]
    pub columns: serde_json::Map<String, Value>,
    /// The event as it was received.
    pub event: Value,
}

impl ActivityRow {
    /// The text of one of [`COLUMNS`]; empty when it is absent.
    pub fn column(&self, name: &str) -> &str {
        self.columns.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Everything before it is compacted: the number of the first segment that is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Watermark(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn event(rest: &str) -> String {
        format!(r#"{{"uuid":"u1","published":"2026-11-01T23:59:59.999Z","eventType":"e"{rest}}}"#)
    }

    #[test]
    fn an_actor_and_each_target_that_is_a_user_get_a_row_each() {
        let text = event(
            r#","actor":{"id":"00u1","type":"User","alternateId":"a@x"},"target":[{"id":"00u2","type":"User","alternateId":"b@x"},
            {"id":"0oa1","type":"AppInstance","displayName":"Mail"},{"id":"00u1","type":"User"},{"id":"00u2","type":"User"},null,7]"#,
        );
        let activity = Activity::parse(&text).unwrap();
        let subjects = activity.subjects();
        let rows: Vec<_> = subjects.iter().map(|s| (s.id, s.role)).collect();
        assert_eq!(rows, [("00u1", "actor"), ("00u2", "target")]);
        assert_eq!(activity.columns(&subjects[1])[14], Some("Mail"));
        assert!(subjects[1].is("B@X") && subjects[0].is("00u1") && !subjects[0].is("B@X"));
        assert_eq!(activity.key(&subjects[0]).day, 20_758);
    }

    #[test]
    fn days_are_dates() {
        for (day, text) in [(0, "1970-01-01"), (20_758, "2026-11-01"), (-1, "1969-12-31")] {
            assert_eq!(date_of(day).to_string(), text);
            assert_eq!(day_of_date(text.parse().unwrap()), day);
        }
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_counts() {
        let text = event(r#","actor":{"id":"00u1","id":"00u2"},"outcome":{"result":"A"},"outcome":{"result":"B"}"#);
        let activity = Activity::parse(&text).unwrap();
        let subjects = activity.subjects();
        assert_eq!(subjects[0].id, "00u2");
        assert_eq!(activity.columns(&subjects[0])[5], Some("B"));
    }

    #[test]
    fn fields_of_unexpected_types_are_absent_and_lose_nothing_else() {
        for oddity in [
            r#","actor":null,"target":null"#,
            r#","actor":"system","target":{"id":"x","type":"User"}"#,
            r#","actor":[],"target":"none","client":{"ipAddress":7,"geographicalContext":"null","userAgent":[1]}"#,
            r#","outcome":true,"transaction":3.5,"authenticationContext":[[]],"version":0"#,
        ] {
            let text = event(oddity);
            let activity = Activity::parse(&text).unwrap();
            assert_eq!(activity.subjects()[0].role, "actor", "{oddity}");
        }
    }
}
