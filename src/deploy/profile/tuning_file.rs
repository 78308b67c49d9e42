//! What a layer of files says of rules: which of them somebody is told of, how grave they are, their numbers, and exceptions.

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::{rules, shape};
use crate::model::tuning::{Exception, RuleTuning, Thresholds, Tuning};

/// The tuning of a file, over that of the layer below: of a rule key by key, and exceptions beside those that are there.
pub fn tuning(reader: &mut Reader<'_>, fields: &Fields<'_>, below: &Tuning) -> Tuning {
    let mut tuning = below.clone();
    let Some(fields) = fields.fields("detections", reader) else {
        return tuning;
    };
    let mut here: Vec<String> = Vec::new();
    for item in fields.list("rules", reader) {
        let fields = reader.fields(item, "a rule's settings", shape::RULE);
        let Some((node, name)) = fields.text("rule", reader) else {
            continue;
        };
        if here.iter().any(|other| other == name) {
            reader.report(node.at, format!("the rule `{name}` stands here twice"));
        }
        here.push(name.to_owned());
        let rule = rule(reader, &fields, name);
        match tuning.rules.iter_mut().find(|known| known.rule == name) {
            Some(known) => *known = rule.over(known),
            None => tuning.rules.push(rule),
        }
    }
    for item in fields.list("exceptions", reader) {
        let fields = reader.fields(item, "an exception", shape::EXCEPTION);
        tuning.exceptions.extend(exception(reader, &fields));
    }
    tuning
}

fn rule(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str) -> RuleTuning {
    let enabled = fields.text("told", reader).map(|(_, text)| text == "always");
    let severity = fields.text("severity", reader);
    let mut number = |name| fields.number(name, reader).and_then(Result::ok);
    RuleTuning {
        rule: name.to_owned(),
        enabled,
        severity: severity.and_then(|(_, text)| rules::severities_from(text).first().copied()),
        thresholds: Thresholds {
            count: number("count"),
            minutes: number("minutes"),
            learning_days: number("learning_days"),
            memory_days: number("memory_days"),
            away_days: number("away_days"),
            kmh: number("kmh"),
            least_km: number("least_km"),
        },
    }
}

fn exception(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Exception> {
    let mut text = |name| fields.text(name, reader).map(|(_, text)| text.to_owned());
    let (rule, field, reason) = (text("rule"), text("field"), text("reason"));
    let until = fields.text("until", reader).and_then(|(node, text)| {
        let day = text.parse().ok();
        if day.is_none() {
            reader.report(node.at, "`until` is a day such as \"2027-01-31\"");
        }
        day
    });
    let items = fields.list("values", reader);
    let values: Vec<String> = items
        .iter()
        .filter_map(|item| reader.text(item, "values"))
        .map(str::to_owned)
        .collect();
    if values.is_empty()
        && let Some(node) = fields.get("values", reader)
    {
        reader.report(node.at, "`values` names at least one");
    }
    Some(Exception {
        rule: rule?,
        field: field?,
        values,
        until: until?,
        reason: reason?,
    })
}
