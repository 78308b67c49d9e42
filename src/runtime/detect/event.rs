//! One `LogEvent` as rules see it: field names in any case, dotted paths through lists and through text that holds a map.
//!
//! The bytes are parsed at the first look and never if no rule looks. Nothing here knows a field of Okta by name: what
//! Okta sends now as a map, now as a list, now as text reads the same way wherever it stands.

use std::borrow::Cow;
use std::cell::OnceCell;

use rsigma_eval::{Event, EventValue};
use rsigma_parser::fieldpath::unescape_brackets;
use serde_json::{Map, Value};

/// One System Log event, made from the JSON bytes of a `LogEvent` without its envelope.
///
/// Any bytes make an event. What is no JSON object (or nests deeper than 128 levels) has no field and matches no rule.
pub struct OktaEvent<'a> {
    raw: &'a [u8],
    parsed: OnceCell<Value>,
}

impl<'a> OktaEvent<'a> {
    pub fn new(raw: &'a [u8]) -> Self {
        Self {
            raw,
            parsed: OnceCell::new(),
        }
    }

    /// The bytes it was made from.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The event as JSON; `Null` when the bytes are no JSON object.
    pub fn value(&self) -> &Value {
        self.parsed.get_or_init(|| match serde_json::from_slice(self.raw) {
            Ok(Value::Object(map)) => Value::Object(map),
            _ => Value::Null,
        })
    }
}

impl Event for OktaEvent<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let mut found = Vec::new();
        walk(self.value(), &unescape_brackets(path), &mut found);
        let mut values: Vec<EventValue<'_>> = found.into_iter().map(as_matched).collect();
        if values.len() > 1 {
            return Some(EventValue::Array(values));
        }
        values.pop()
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        any_text(self.value(), pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut texts = Vec::new();
        collect_texts(self.value(), &mut texts);
        texts
    }

    fn to_json(&self) -> Value {
        self.value().clone()
    }
}

/// Follows `path` from `node` and adds what is at its end. A list on the way stands for each of its members.
fn walk<'v>(node: &'v Value, path: &str, found: &mut Vec<Cow<'v, Value>>) {
    match node {
        Value::Object(map) => walk_map(map, path, found),
        Value::Array(members) => members.iter().for_each(|member| walk(member, path, found)),
        Value::String(text) => {
            if let Some(inner) = map_in_text(text) {
                let mut below = Vec::new();
                walk(&inner, path, &mut below);
                found.extend(below.into_iter().map(|value| Cow::Owned(value.into_owned())));
            }
        }
        _ => {}
    }
}

fn walk_map<'v>(map: &'v Map<String, Value>, path: &str, found: &mut Vec<Cow<'v, Value>>) {
    if let Some(value) = member(map, path) {
        found.push(Cow::Borrowed(value));
    } else if let Some((first, rest)) = path.split_once('.')
        && let Some(value) = member(map, first)
    {
        walk(value, rest, found);
    }
}

fn member<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.get(name).or_else(|| {
        map.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// A value in the form that matchers compare: maps as the text that Okta writes for them.
fn as_matched(value: Cow<'_, Value>) -> EventValue<'_> {
    match value {
        Cow::Borrowed(Value::Array(members)) => {
            EventValue::Array(members.iter().map(|member| as_matched(Cow::Borrowed(member))).collect())
        }
        Cow::Owned(Value::Array(members)) => EventValue::Array(
            members
                .into_iter()
                .map(|member| as_matched(Cow::Owned(member)))
                .collect(),
        ),
        Cow::Borrowed(Value::Object(_)) | Cow::Owned(Value::Object(_)) => {
            EventValue::Str(Cow::Owned(okta_text(&value)))
        }
        Cow::Borrowed(scalar) => EventValue::from(scalar),
        Cow::Owned(Value::String(text)) => EventValue::Str(Cow::Owned(text)),
        Cow::Owned(Value::Bool(value)) => EventValue::Bool(value),
        Cow::Owned(Value::Number(number)) => match number.as_i64() {
            Some(whole) => EventValue::Int(whole),
            None => EventValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Cow::Owned(Value::Null) => EventValue::Null,
    }
}

/// `{New Device=POSITIVE, New IP=NEGATIVE}`: the text in which Okta's `debugData` often holds a map.
fn okta_text(value: &Value) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Object(map) => format!(
            "{{{}}}",
            join(
                map.iter()
                    .map(|(key, value)| format!("{key}={}", okta_text(value)))
                    .collect()
            )
        ),
        Value::Array(members) => format!("[{}]", join(members.iter().map(okta_text).collect())),
        Value::String(text) => text.clone(),
        scalar => scalar.to_string(),
    }
}

/// The map or list that a text holds, as JSON or in [`okta_text`]'s form.
fn map_in_text(text: &str) -> Option<Value> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        return Some(value);
    }
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let map: Map<String, Value> = entries(inner)
        .into_iter()
        .filter_map(|entry| entry.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), Value::from(value.trim())))
        .collect();
    Some(Value::Object(map))
}

/// Splits `reasons=Anomalous Location, Anomalous Device, level=HIGH` into its two entries: a comma ends an entry only
/// outside of brackets and only when what follows has a `=` of its own.
fn entries(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for comma in outer_commas(text) {
        if text[comma + 1..]
            .split(',')
            .next()
            .is_some_and(|piece| piece.contains('='))
        {
            found.push(&text[start..comma]);
            start = comma + 1;
        }
    }
    found.push(&text[start..]);
    found
}

fn outer_commas(text: &str) -> Vec<usize> {
    let mut depth = 0_i32;
    let mut commas = Vec::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => commas.push(at),
            _ => {}
        }
    }
    commas
}

fn any_text(value: &Value, pred: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => pred(text),
        Value::Array(members) => members.iter().any(|member| any_text(member, pred)),
        Value::Object(map) => map.values().any(|member| any_text(member, pred)),
        _ => false,
    }
}

fn collect_texts<'v>(value: &'v Value, texts: &mut Vec<Cow<'v, str>>) {
    match value {
        Value::String(text) => texts.push(Cow::Borrowed(text)),
        Value::Array(members) => members.iter().for_each(|member| collect_texts(member, texts)),
        Value::Object(map) => map.values().for_each(|member| collect_texts(member, texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn field(event: &Value, path: &str) -> Option<Value> {
        let raw = event.to_string();
        OktaEvent::new(raw.as_bytes())
            .get_field(path)
            .map(|value| value.to_json())
    }

    #[test]
    fn names_match_in_any_case_and_the_exact_case_wins() {
        let event = json!({"eventType": "a", "EVENTTYPE": "b", "Client": {"IpAddress": "192.0.2.1"}});
        assert_eq!(field(&event, "eventType"), Some(json!("a")));
        assert_eq!(field(&event, "EVENTTYPE"), Some(json!("b")));
        assert_eq!(field(&event, "client.ipaddress"), Some(json!("192.0.2.1")));
        assert_eq!(field(&event, "client.zone"), None);
    }

    #[test]
    fn a_path_through_a_list_finds_every_member() {
        let event =
            json!({"target": [{"displayName": "A"}, {"type": "User"}, {"displayName": "B"}], "one": [{"x": 1}]});
        assert_eq!(field(&event, "target.displayName"), Some(json!(["A", "B"])));
        assert_eq!(field(&event, "target.type"), Some(json!("User")));
        assert_eq!(field(&event, "one.x"), Some(json!(1)));
        assert_eq!(field(&json!({"target": null}), "target.displayName"), None);
        assert_eq!(field(&json!({"target": null}), "target"), Some(Value::Null));
        assert_eq!(field(&json!({"target": []}), "target.displayName"), None);
    }

    #[test]
    fn a_key_that_holds_dots_is_found_at_any_depth() {
        let event = json!({"debugContext": {"debugData": {"a.b": 1, "c.d": {"e": 2}}}});
        assert_eq!(field(&event, "debugContext.debugData.a.b"), Some(json!(1)));
        assert_eq!(field(&event, "debugContext.debugData.c.d"), Some(json!("{e=2}")));
    }

    #[test]
    fn debug_data_reads_alike_as_map_text_or_json_in_text() {
        for data in [
            json!({"requestUri": "/admin/x", "risk": {"level": "HIGH"}}),
            json!("{requestUri=/admin/x, risk={level=HIGH}}"),
            json!(r#"{"requestUri": "/admin/x", "risk": "{level=HIGH}"}"#),
        ] {
            let event = json!({"debugContext": {"debugData": data}});
            assert_eq!(
                field(&event, "debugContext.debugData.requestUri"),
                Some(json!("/admin/x")),
                "{event}"
            );
            assert_eq!(
                field(&event, "debugContext.debugData.risk.level"),
                Some(json!("HIGH")),
                "{event}"
            );
            assert_eq!(
                field(&event, "debugContext.debugData.risk"),
                Some(json!("{level=HIGH}")),
                "{event}"
            );
        }
    }

    #[test]
    fn commas_inside_a_risk_reason_stay_with_the_reason() {
        let event = json!({"risk": "{reasons=Anomalous Location, Anomalous Device, level=HIGH}"});
        assert_eq!(
            field(&event, "risk.reasons"),
            Some(json!("Anomalous Location, Anomalous Device"))
        );
        assert_eq!(field(&event, "risk.level"), Some(json!("HIGH")));
        assert_eq!(field(&event, "risk.score"), None);
    }

    #[test]
    fn lists_of_text_and_of_maps_are_matched_member_by_member() {
        let event = json!({"a": ["New Device=POSITIVE", "x"], "b": [{"name": "New Device", "result": "POSITIVE"}]});
        assert_eq!(field(&event, "a"), Some(json!(["New Device=POSITIVE", "x"])));
        assert_eq!(field(&event, "b"), Some(json!(["{name=New Device, result=POSITIVE}"])));
        assert_eq!(field(&event, "b.result"), Some(json!("POSITIVE")));
        let tunnels = json!({"tunnels": r#"[{"anonymous":true,"operator":"X"},{"operator":"Y"}]"#});
        assert_eq!(field(&tunnels, "tunnels.anonymous"), Some(json!(true)));
        assert_eq!(field(&tunnels, "tunnels.operator"), Some(json!(["X", "Y"])));
    }

    #[test]
    fn text_that_is_no_map_ends_a_path() {
        let event = json!({"a": "plain", "b": "{broken", "c": "[also broken", "d": "{}"});
        for path in ["a.x", "b.x", "c.x", "d.x", "", ".", "a.", "..a"] {
            assert_eq!(field(&event, path), None, "{path}");
        }
    }

    #[test]
    fn bytes_that_are_no_object_are_an_event_without_fields() {
        for raw in ["", "{", "[1]", "\"x\"", "null", "{\"a\":\u{0}}"] {
            let event = OktaEvent::new(raw.as_bytes());
            assert!(
                event.get_field("a").is_none() && event.all_string_values().is_empty(),
                "{raw}"
            );
        }
        assert!(OktaEvent::new(b"\xff\xfe").get_field("a").is_none());
    }

    proptest! {
        #[test]
        fn any_text_and_any_path_are_read_without_a_panic(text in ".*", inner in r"[{}\[\]=, a-cé]{0,40}", path in r"[a-c.\[\]\\]{0,12}") {
            let event = json!({"a": text, "b": inner, "c": [inner, {"a": text}]});
            field(&event, &path);
            field(&event, "b.a");
            OktaEvent::new(text.as_bytes()).get_field(&path);
        }

        #[test]
        fn entries_lose_nothing(text in r"[{}\[\]=, a-c]{0,40}") {
            prop_assert_eq!(entries(&text).join(","), text);
        }
    }
}
