//! A rule against the events that stand beside it: those that it is written for, and those that it must leave alone. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{OktaEvent, RuleFile, RuleProblems, RuleSet};
use crate::model::event::Head;

/// Of each kind so many events make a rule's meaning clear.
const LEAST: usize = 2;

/// The content of `<rule>.events.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples<'a> {
    #[serde(borrow, rename = "match")]
    matching: Vec<&'a RawValue>,
    #[serde(borrow, rename = "no_match")]
    others: Vec<&'a RawValue>,
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
        for (number, event) in events.iter().enumerate() {
            proof.judge(&rules, event.get(), expected, &format!("{kind}[{number}]"));
        }
    }
    Ok(proof)
}

impl Proof {
    fn judge(&mut self, rules: &RuleSet, event: &str, expected: bool, place: &str) {
        if let Err(unusable) = Head::parse(event) {
            self.failures.push(format!("{place} would never be judged: {unusable}"));
            return;
        }
        let fires = !rules.evaluate(&OktaEvent::new(event.as_bytes())).is_empty();
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
