//! Sigma's correlation rules: which of their files' words are understood, and what they count. What is found in time is the
//! business of `windows`.

use rsigma_eval::Event;
use rsigma_parser::{
    ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, FieldAlias, WindowMode,
};

use super::OktaEvent;
use super::about::About;
use super::windows::{Condition, Hit, MOST_HITS};

/// Between the parts of a key or value that consists of several.
pub const SEPARATOR: &str = "\u{1f}";

/// In seconds: what is counted together is remembered for as long.
const LONGEST_SPAN: i64 = 366 * 86_400;

/// A correlation that is ready to run.
#[derive(Debug, Clone)]
pub struct Correlation {
    pub about: About,
    /// By which other correlations may refer to it, beside its id.
    pub name: Option<String>,
    /// The rules that it refers to, by id or name, in order.
    pub rules: Vec<String>,
    group_by: Vec<String>,
    aliases: Vec<FieldAlias>,
    /// Milliseconds.
    pub span: i64,
    pub condition: Condition,
    /// The fields of which the values are counted.
    fields: Vec<String>,
    /// Whether its rules are told of by themselves too.
    pub generates: bool,
}

impl Correlation {
    /// What a file says; why it cannot be run, each reason with the word that it is about.
    pub fn read(rule: &CorrelationRule, about: About) -> Result<Self, (&'static str, String)> {
        if rule.window != WindowMode::Sliding {
            return Err(("window:", "only sliding windows are supported".to_owned()));
        }
        let rules = u8::try_from(rule.rules.len()).map_err(|_| ("rules:", "more than 255 rules".to_owned()))?;
        let (condition, fields) = match rule.correlation_type {
            CorrelationType::EventCount => (Condition::Count(least(&rule.condition)?), Vec::new()),
            CorrelationType::ValueCount => (Condition::Different(least(&rule.condition)?), counted(&rule.condition)?),
            CorrelationType::Temporal => (Condition::Each(rules), Vec::new()),
            CorrelationType::TemporalOrdered => (Condition::InOrder(rules), Vec::new()),
            other => {
                let why = format!("correlations of type {} are not supported", other.as_str());
                return Err(("type:", why));
            }
        };
        let is_temporal = matches!(condition, Condition::Each(_) | Condition::InOrder(_));
        if is_temporal && matches!(rule.condition, CorrelationCondition::Extended(_)) {
            let why = "a condition over the rules' names is not supported: every rule must match";
            return Err(("condition:", why.to_owned()));
        }
        let span = i64::try_from(rule.timespan.seconds).unwrap_or(i64::MAX);
        if span > LONGEST_SPAN {
            return Err(("timespan:", "a span of more than 366 days is not supported".to_owned()));
        }
        Ok(Self {
            about,
            name: rule.name.clone(),
            rules: rule.rules.clone(),
            group_by: rule.group_by.clone(),
            aliases: rule.aliases.clone(),
            span: span * 1_000,
            condition,
            fields,
            generates: rule.generate,
        })
    }

    /// The group that an event of the rule at `place` belongs to; `None` when it lacks one of the fields.
    pub fn group(&self, event: &OktaEvent<'_>, place: usize) -> Option<String> {
        let rule = &self.rules[place];
        let field = |name: &'_ String| {
            let alias = self.aliases.iter().find(|alias| alias.alias == *name);
            let own = alias.and_then(|alias| alias.mapping.get(rule));
            text(event, own.unwrap_or(name))
        };
        let parts: Option<Vec<String>> = self.group_by.iter().map(field).collect();
        parts.map(|parts| parts.join(SEPARATOR))
    }

    /// What the group is made of, for people.
    pub fn group_names(&self) -> String {
        self.group_by.join(" ")
    }

    /// An event of the rule at `place`; `None` when it lacks what is counted.
    pub fn hit(&self, event: &OktaEvent<'_>, uuid: &str, at: i64, place: usize) -> Option<Hit> {
        let value = match self.condition {
            Condition::Different(_) => Some(joined(event, &self.fields)?.into_boxed_str()),
            _ => None,
        };
        Some(Hit {
            at,
            event: uuid.into(),
            rule: u8::try_from(place).ok()?,
            value,
        })
    }
}

/// The least number that a condition wants.
fn least(condition: &CorrelationCondition) -> Result<usize, (&'static str, String)> {
    let why = |why: &str| ("condition:", why.to_owned());
    let CorrelationCondition::Threshold { predicates, .. } = condition else {
        return Err(why("a number is wanted, as in `gte: 5`"));
    };
    let number = match predicates.as_slice() {
        [(ConditionOperator::Gte, number)] => *number,
        [(ConditionOperator::Gt, number)] => number.saturating_add(1),
        _ => {
            return Err(why(
                "only one `gte` or `gt` is supported: whether there are few events is not known before all have come",
            ));
        }
    };
    match usize::try_from(number) {
        Ok(number) if (1..=MOST_HITS).contains(&number) => Ok(number),
        _ => Err(why(&format!("the number must be from 1 to {MOST_HITS}"))),
    }
}

fn counted(condition: &CorrelationCondition) -> Result<Vec<String>, (&'static str, String)> {
    match condition {
        CorrelationCondition::Threshold {
            field: Some(fields), ..
        } if !fields.is_empty() => Ok(fields.clone()),
        _ => Err(("condition:", "`field:` must name what is counted".to_owned())),
    }
}

/// The values of fields, as one text; `None` when one is missing.
pub fn joined(event: &OktaEvent<'_>, fields: &[String]) -> Option<String> {
    let parts: Option<Vec<String>> = fields.iter().map(|field| text(event, field)).collect();
    parts.map(|parts| parts.join(SEPARATOR))
}

/// A field as text; the first of several values. Empty texts and `null` are no values.
pub fn text(event: &OktaEvent<'_>, field: &str) -> Option<String> {
    let value = event.get_field(field)?.to_json();
    let value = match value {
        serde_json::Value::Array(mut all) => all.drain(..).next()?,
        one => one,
    };
    let text = match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => return None,
        other => other.to_string(),
    };
    (!text.is_empty() && text != "null").then_some(text)
}
