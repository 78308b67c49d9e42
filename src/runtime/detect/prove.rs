//! A rule against the events that stand beside it: those that it is written for, and those that it must leave alone. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Memory, OktaEvent, RuleFile, RuleProblems, RuleSet};
use crate::model::event::Head;

/// Of each kind so many events make a rule's meaning clear.
const LEAST: usize = 2;

/// The content of `<rule>.events.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples<'a> {
    #[serde(borrow, rename = "match")]
    matching: Vec<Example<'a>>,
    #[serde(borrow, rename = "no_match")]
    others: Vec<Example<'a>>,
}

/// An event or, for rules that look at several, a list of events as they came.
#[derive(Deserialize)]
#[serde(transparent)]
struct Example<'a>(#[serde(borrow)] &'a RawValue);

/// In a list, an event that comes again and again, each time with a uuid of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeated {
    repeat: u32,
    every_seconds: f64,
    event: serde_json::Map<String, Value>,
}

impl Example<'_> {
    /// The events as JSON texts, in order.
    fn events(&self) -> serde_json::Result<Vec<String>> {
        let text = self.0.get();
        if !text.starts_with('[') {
            return Ok(vec![text.to_owned()]);
        }
        let mut events = Vec::new();
        for item in serde_json::from_str::<Vec<&RawValue>>(text)? {
            match serde_json::from_str::<Repeated>(item.get()) {
                Ok(repeated) => events.extend((0..repeated.repeat).map(|number| repeated.event(number))),
                Err(error) if item.get().contains("\"repeat\"") => return Err(error),
                Err(_) => events.push(item.get().to_owned()),
            }
        }
        Ok(events)
    }
}

impl Repeated {
    fn event(&self, number: u32) -> String {
        let mut event = self.event.clone();
        let text = |event: &serde_json::Map<String, Value>, key: &str| {
            let value = event.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let uuid = format!("{}-{number}", text(&event, "uuid"));
        event.insert("uuid".to_owned(), uuid.into());
        // A time that cannot be read is told of when the event is judged.
        if let Ok(first) = text(&event, "published").parse::<Timestamp>()
            && let Ok(after) = SignedDuration::try_from_secs_f64(self.every_seconds * f64::from(number))
            && let Ok(at) = first.checked_add(after)
        {
            event.insert("published".to_owned(), at.to_string().into());
        }
        Value::Object(event).to_string()
    }
}

/// What came of a rule's examples.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Proof {
    /// The rule file.
    pub path: String,
    /// Events on which the rule fired as it should, and those that it left alone as it should.
    pub fired: usize,
    pub silent: usize,
    /// What is wrong, each with what to do.
    pub failures: Vec<String>,
}

/// Runs the rules of one file over its examples; `None` for a file that has none.
pub fn prove(file: &RuleFile, examples: Option<&str>) -> Result<Proof, RuleProblems> {
    let rules = RuleSet::load(std::slice::from_ref(file))?;
    let mut proof = Proof {
        path: file.path.clone(),
        fired: 0,
        silent: 0,
        failures: Vec::new(),
    };
    let Some(text) = examples else {
        proof.failures.push(format!(
            "no examples stand beside it: write {}",
            examples_of(&file.path)
        ));
        return Ok(proof);
    };
    let examples: Examples<'_> = match serde_json::from_str(text) {
        Ok(examples) => examples,
        Err(error) => {
            let why = format!("{}: {error}", examples_of(&file.path));
            proof.failures.push(why);
            return Ok(proof);
        }
    };
    for (kind, events, expected) in [
        ("match", &examples.matching, true),
        ("no_match", &examples.others, false),
    ] {
        if events.len() < LEAST {
            let why = format!("{} events of `{kind}`: write {LEAST} at least", events.len());
            proof.failures.push(why);
        }
        for (number, example) in events.iter().enumerate() {
            proof.judge(&rules, example, expected, &format!("{kind}[{number}]"));
        }
    }
    Ok(proof)
}

impl Proof {
    fn judge(&mut self, rules: &RuleSet, example: &Example<'_>, expected: bool, place: &str) {
        let mut fires = false;
        let mut memory = Memory::default();
        let events = match example.events() {
            Ok(events) => events,
            Err(error) => return self.failures.push(format!("{place}: {error}")),
        };
        for event in events.iter().map(String::as_str) {
            let judged =
                Head::parse(event).and_then(|_| rules.judge(&OktaEvent::new(event.as_bytes()), event, &mut memory));
            match judged {
                Ok(judged) => fires |= judged.is_some_and(|(_, judged)| !judged.is_empty()),
                Err(unusable) => return self.failures.push(format!("{place} would never be judged: {unusable}")),
            }
        }
        match (fires, expected) {
            (true, true) => self.fired += 1,
            (false, false) => self.silent += 1,
            (false, true) => self
                .failures
                .push(format!("{place} is not found: correct the rule, or the event")),
            (true, false) => self
                .failures
                .push(format!("{place} is found and should not be: narrow the rule")),
        }
    }
}

/// Where the examples of a rule file stand.
pub fn examples_of(path: &str) -> String {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    format!("{stem}.events.json")
}
