//! The part of Okta's filter language that the product speaks: comparisons of a field with a text, joined by `or`.

use serde_json::Value;

use crate::ports::{Error, Kind, Result};

/// A filter that was understood.
pub struct Filter(Vec<(String, String)>);

impl Filter {
    /// As in `actor.id eq "00u1" or target.id eq "00u1"`. [`Kind::Invalid`] for what is not understood.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = || Error::caused(Kind::Invalid, "read a filter", format!("{text} is not understood"));
        let mut terms = Vec::new();
        let mut rest = text;
        loop {
            let (field, after) = rest.split_once(" eq ").ok_or_else(refused)?;
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let value = values.next().and_then(std::result::Result::ok).ok_or_else(refused)?;
            terms.push((field.trim().to_owned(), value));
            let after = after.get(values.byte_offset()..).unwrap_or_default();
            if after.is_empty() {
                return Ok(Self(terms));
            }
            rest = after.strip_prefix(" or ").ok_or_else(refused)?;
        }
    }

    pub fn takes(&self, thing: &Value) -> bool {
        self.0.iter().any(|(field, value)| {
            let path: Vec<&str> = field.split('.').collect();
            has(thing, &path, value)
        })
    }
}

/// A list has what one of its parts has.
fn has(value: &Value, path: &[&str], text: &str) -> bool {
    match (value, path) {
        (Value::Array(list), _) => list.iter().any(|part| has(part, path, text)),
        (Value::String(own), []) => own.eq_ignore_ascii_case(text),
        (Value::Object(map), [first, rest @ ..]) => map.get(*first).is_some_and(|part| has(part, rest, text)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_takes_what_okta_would() {
        let event =
            json!({"eventType": "user.session.start", "actor": {"id": "00u1"}, "target": [{"id": "00u2"}, null]});
        for (filter, takes) in [
            (r#"eventType eq "user.session.start""#, true),
            (r#"actor.id eq "00u2" or target.id eq "00u2""#, true),
            (r#"actor.id eq "00u3" or target.id eq "00u3""#, false),
            (r#"actor.id eq " or target.id eq ""#, false),
        ] {
            assert_eq!(Filter::parse(filter).unwrap().takes(&event), takes, "{filter}");
        }
        for bad in [
            "",
            "actor.id",
            r#"actor.id sw "x""#,
            r#"actor.id eq "x" and a eq "y""#,
            "a eq 7",
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
    }
}
