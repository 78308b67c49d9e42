//! Which rules an event can match at all, told from its bytes in one pass and without parsing it.
//!
//! From a rule's detection follow texts that every matching event must hold: `eventType: zone.delete` cannot match bytes
//! in which `zone.delete` stands nowhere. [`Needs`] are such texts, [`Prefilter`] looks for those of all rules at once.
//!
//! Why no match is lost: a needle is a run of ASCII letters, digits, `.`, `_`, `-`, `@` and `:` with a letter in it. JSON
//! writes those characters as themselves or as `\u....`; an event that holds `\u` is a candidate for every rule, and so is
//! one with a character whose lower case is an ASCII letter. Numbers, which JSON can write in several ways, have no letters.
//! A map that [`super::event`] turns into text is joined by `=`, `,`, space and brackets, which no needle holds.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};
use rsigma_parser::value::StringPart;
use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SigmaRule, SigmaValue};

/// All must hold; each holds when one of its texts is in the bytes, in any case. No element means: any event may match.
pub type Needs = Vec<Vec<String>>;

/// In bytes with one of these, a needle may stand in a form that a search for it misses.
const OPAQUE: [&str; 4] = ["\\u", "\u{212A}", "\u{130}", "\u{17F}"];

/// A DFA is the fastest and takes some 200 bytes for each byte of the texts.
const MOST_OF_A_DFA: usize = 128 << 10;

/// What every event that `rule` matches holds.
pub fn needs(rule: &SigmaRule) -> Needs {
    let named = &rule.detection.named;
    either(
        rule.detection
            .conditions
            .iter()
            .map(|condition| of_condition(condition, named)),
    )
}

fn of_condition(condition: &ConditionExpr, named: &HashMap<String, Detection>) -> Needs {
    match condition {
        ConditionExpr::And(parts) => parts.iter().flat_map(|part| of_condition(part, named)).collect(),
        ConditionExpr::Or(parts) => either(parts.iter().map(|part| of_condition(part, named))),
        ConditionExpr::Identifier(name) => named.get(name).map(of_detection).unwrap_or_default(),
        ConditionExpr::Selector { quantifier, pattern } => {
            let chosen = named
                .iter()
                .filter(|(name, _)| pattern.matches_detection_name(name))
                .map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => chosen.flatten().collect(),
                Quantifier::Any => either(chosen),
                Quantifier::Count(_) => Needs::new(),
            }
        }
        ConditionExpr::Not(_) => Needs::new(),
    }
}

fn of_detection(detection: &Detection) -> Needs {
    match detection {
        Detection::AllOf(items) => items.iter().flat_map(of_item).collect(),
        Detection::And(parts) => parts.iter().flat_map(of_detection).collect(),
        Detection::AnyOf(parts) => either(parts.iter().map(of_detection)),
        Detection::Keywords(values) => one_of(values),
        Detection::ArrayMatch { .. } | Detection::Conditional { .. } => Needs::new(),
    }
}

fn of_item(item: &DetectionItem) -> Needs {
    let plain = [
        Modifier::Contains,
        Modifier::StartsWith,
        Modifier::EndsWith,
        Modifier::Cased,
        Modifier::All,
    ];
    if item.field.modifiers.iter().any(|modifier| !plain.contains(modifier)) {
        return Needs::new();
    }
    if item.field.has_modifier(Modifier::All) {
        return item.values.iter().filter_map(needle).map(|text| vec![text]).collect();
    }
    one_of(&item.values)
}

fn one_of(values: &[SigmaValue]) -> Needs {
    let needles: Option<Vec<String>> = values.iter().map(needle).collect();
    needles.filter(|texts| !texts.is_empty()).into_iter().collect()
}

/// What holds when one of several needs does: the most telling need of each, joined.
fn either(branches: impl Iterator<Item = Needs>) -> Needs {
    let mut branches: Vec<Needs> = branches.collect();
    if branches.len() == 1 {
        return branches.remove(0);
    }
    let best = |needs: Needs| {
        needs
            .into_iter()
            .max_by_key(|texts| texts.iter().map(String::len).min())
    };
    let joined: Option<Vec<Vec<String>>> = branches.into_iter().map(best).collect();
    let texts: Vec<String> = joined.unwrap_or_default().into_iter().flatten().collect();
    if texts.is_empty() { Needs::new() } else { vec![texts] }
}

/// The longest run of a value's text that stands in a matching event byte for byte but for its case.
fn needle(value: &SigmaValue) -> Option<String> {
    let SigmaValue::String(text) = value else {
        return None;
    };
    text.parts
        .iter()
        .filter_map(|part| match part {
            StringPart::Plain(plain) => Some(plain),
            StringPart::Special(_) => None,
        })
        .flat_map(|plain| plain.split(|c: char| !c.is_ascii_alphanumeric() && !"._-@:".contains(c)))
        .filter(|run| run.bytes().any(|byte| byte.is_ascii_alphabetic()))
        .max_by_key(|run| run.len())
        .map(str::to_ascii_lowercase)
}

/// The needs of many rules, searched together.
pub struct Prefilter {
    automaton: AhoCorasick,
    texts: usize,
    /// For each rule its needs, as the numbers of texts in the automaton.
    rules: Vec<Vec<Vec<usize>>>,
}

impl Prefilter {
    pub fn new<'n>(rules: &'n [Needs]) -> Result<Self, BuildError> {
        let mut texts: Vec<&str> = OPAQUE.into();
        let mut numbers: HashMap<&str, usize> = OPAQUE.into_iter().zip(0..).collect();
        let mut number = |text: &'n String| {
            *numbers.entry(text).or_insert_with(|| {
                texts.push(text);
                texts.len() - 1
            })
        };
        let rules = rules
            .iter()
            .map(|needs| needs.iter().map(|any| any.iter().map(&mut number).collect()).collect())
            .collect();
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let kind = if bytes > MOST_OF_A_DFA {
            AhoCorasickKind::ContiguousNFA
        } else {
            AhoCorasickKind::DFA
        };
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(kind))
            .build(&texts)?;
        Ok(Self {
            automaton,
            texts: texts.len(),
            rules,
        })
    }

    /// The numbers of the rules that may match an event of these bytes; no other rule does.
    pub fn candidates(&self, raw: &[u8]) -> Vec<usize> {
        let mut held = vec![false; self.texts];
        for found in self.automaton.find_overlapping_iter(raw) {
            held[found.pattern().as_usize()] = true;
        }
        let opaque = held[..OPAQUE.len()].contains(&true);
        let met = |needs: &Vec<Vec<usize>>| needs.iter().all(|any| any.iter().any(|&text| held[text]));
        (0..self.rules.len())
            .filter(|&rule| opaque || met(&self.rules[rule]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::{OktaEvent, RuleFile, RuleSet, shipped::shipped};
    use crate::model::finding::RuleMatch;

    fn rule(detection: &str) -> RuleSet {
        let text = format!("title: T\nid: t\nlogsource: {{product: okta}}\ndetection:\n{detection}");
        RuleSet::load(&[RuleFile {
            path: "r.yml".to_owned(),
            text,
        }])
        .unwrap()
    }

    #[test]
    fn what_a_rule_looks_for_is_told_from_its_detections() {
        let sets = [
            (
                "  s: {eventType: zone.delete}\n  condition: s",
                json!([["zone.delete"]]),
            ),
            (
                "  s: {eventType: [zone.delete, zone.update]}\n  f: {x: abc}\n  condition: s and not f",
                json!([["zone.delete", "zone.update"]]),
            ),
            (
                "  s: {a|contains|all: ['Okta Admin Console', 12, 'x-y/z']}\n  condition: s",
                json!([["console"], ["x-y"]]),
            ),
            (
                "  s: [{a: abc, b: longer.text}, {c: other}]\n  condition: s",
                json!([["longer.text", "other"]]),
            ),
            (
                "  s: {a: 1, b|re: abc, c|cidr: 192.0.2.0/24, d: null, e|exists: true, f: true}\n  condition: s",
                json!([]),
            ),
            ("  s: {a: abc}\n  t: {b: 7}\n  condition: s or t", json!([])),
            (
                "  s1: {a: abc}\n  s2: {b: def}\n  condition: all of s*",
                json!([["abc"], ["def"]]),
            ),
            (
                "  s1: {a: abc}\n  s2: {b: def}\n  condition: 1 of s*",
                json!([["abc", "def"]]),
            ),
            (
                "  s: [some.word, other]\n  condition: s",
                json!([["some.word", "other"]]),
            ),
        ];
        for (detection, expected) in sets {
            let rules = rule(detection);
            let mut needs: Vec<Vec<String>> = rules.rules[0].needs.clone();
            for any in &mut needs {
                any.sort();
            }
            needs.sort();
            let mut expected: Vec<Vec<String>> = serde_json::from_value(expected).unwrap();
            for any in &mut expected {
                any.sort();
            }
            expected.sort();
            assert_eq!(needs, expected, "{detection}");
        }
    }

    #[test]
    fn bytes_in_which_a_needle_may_hide_are_looked_at_by_every_rule() {
        let rules = rule("  s: {eventType: kiosk.istanbul}\n  condition: s");
        for raw in [
            r#"{"eventType":"\u006biosk.istanbul"}"#,
            "{\"eventType\":\"\u{212A}iosk.istanbul\"}",
        ] {
            assert_eq!(rules.evaluate(&OktaEvent::new(raw.as_bytes())).len(), 1, "{raw}");
        }
    }

    /// Every rule tried on the event, without the prefilter.
    fn judged_by_all(rules: &RuleSet, event: &OktaEvent<'_>) -> Vec<RuleMatch> {
        rules.rules.iter().filter_map(|rule| rule.judge(event)).collect()
    }

    /// Texts of which rules speak, in forms that a search of bytes could miss.
    fn text() -> impl Strategy<Value = String> {
        let words = prop::sample::select(vec![
            "user.session.start",
            "policy.evaluate_sign_on",
            "system.log_stream.lifecycle.deactivate",
            "zone.update",
            "SUCCESS",
            "FAILURE",
            "ALLOW",
            "true",
            "Okta Admin Console",
            "{New Device=POSITIVE, New Country=POSITIVE}",
            "{reasons=Anomalous Location, Anomalous Device, level=HIGH}",
            "{\"risk\":{\"level\":\"HIGH\"}}",
            "Super administrator",
            "okta.users.manage",
            "User rejected Okta push verify",
            "Winter#2026",
            "[{\"anonymous\":true}]",
        ]);
        (words, 0..6_u8, any::<char>()).prop_map(|(word, form, extra)| match form {
            0 => word.to_uppercase(),
            1 => word.replace(['k', 'K'], "\u{212A}"),
            2 => word.replace(['s', 'S'], "\u{17F}"),
            3 => format!("{extra}{word}"),
            _ => word.to_owned(),
        })
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![4 => text().prop_map(Value::from), 1 => any::<bool>().prop_map(Value::from), 1 => any::<f64>().prop_map(|n| json!(n)), 1 => Just(Value::Null)];
        leaf.prop_recursive(2, 6, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::hash_map(
                    prop::sample::select(vec![
                        "New Device",
                        "New Country",
                        "level",
                        "displayName",
                        "risk",
                        "anonymous"
                    ]),
                    inner,
                    0..3
                )
                .prop_map(|map| map
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
            ]
        })
    }

    /// JSON text in which some characters are written as escapes, as any writer of JSON may.
    fn escaped(event: &Value, every: usize) -> String {
        let mut inside = false;
        let mut previous = ' ';
        let mut out = String::new();
        for (index, c) in event.to_string().chars().enumerate() {
            if c == '"' && previous != '\\' {
                inside = !inside;
            }
            if every > 0 && inside && index % every == 0 && c.is_ascii_alphanumeric() && previous != '\\' {
                let _ = write!(out, "\\u{:04x}", c as u32);
            } else {
                out.push(c);
            }
            previous = if previous == '\\' { ' ' } else { c };
        }
        out
    }

    /// Detections that a single field can fulfil, so that arbitrary events do.
    const SMALL: [&str; 9] = [
        "  s: {debugContext.debugData.behaviors|contains: 'New Device=POSITIVE'}
  condition: s",
        "  s: {debugContext.debugData.behaviors|contains: '=POSITIVE, New'}
  condition: s",
        "  s: {debugContext.debugData.risk|contains: 'level=HIGH}'}
  condition: s",
        "  s: {eventType: zone.update}
  condition: not s",
        "  s: {eventType: zone.update}
  f: {outcome.result: SUCCESS}
  condition: s and not f",
        "  s: {target.displayName: 'okta*console'}
  condition: s",
        "  s: {securityContext.isProxy: 'true'}
  condition: s",
        "  s: [zone.update, 'Console']
  condition: s",
        "  s: {eventType|cased: SUCCESS}
  t: {target|contains: New Country}
  condition: 1 of them",
    ];

    static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
        let mut files = shipped();
        files.extend(SMALL.iter().enumerate().map(|(index, detection)| RuleFile {
            path: index.to_string(),
            text: format!(
                "title: S
id: small-{index}
logsource: {{product: okta}}
detection:
{detection}"
            ),
        }));
        RuleSet::load(&files).unwrap()
    });

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_prefilter_loses_no_match(
            fields in prop::collection::vec((prop::sample::select(vec![
                "eventType", "EVENTTYPE", "outcome.result", "outcome.reason", "target", "target.displayName", "securityContext.isProxy", "actor.alternateId",
                "debugContext.debugData", "debugContext.debugData.behaviors", "debugContext.debugData.risk", "debugContext.debugData.logOnlySecurityData",
                "debugContext.debugData.privilegeGranted", "debugContext.debugData.tunnels",
            ]), value()), 0..8),
            every in 0..20_usize,
        ) {
            let rules = &*RULES;
            let mut event = json!({});
            for (path, value) in fields {
                let mut node = &mut event;
                for key in path.split('.') {
                    if !node.is_object() {
                        *node = json!({});
                    }
                    node = &mut node[key];
                }
                *node = value;
            }
            let plain = event.to_string();
            let escaped = escaped(&event, every);
            for raw in [plain, escaped] {
                let event = OktaEvent::new(raw.as_bytes());
                prop_assert_eq!(rules.evaluate(&event), judged_by_all(rules, &event), "{}", raw);
            }
        }
    }
}
