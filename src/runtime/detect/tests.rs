use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const HEAD: &str =
    "title: T\nid: 11111111-1111-4111-8111-111111111111\nlogsource: {product: okta, service: okta}\nlevel: low\n";

fn file(path: &str, text: impl Into<String>) -> RuleFile {
    RuleFile {
        path: path.to_owned(),
        text: text.into(),
    }
}

fn rule(detection: &str) -> RuleSet {
    RuleSet::load(&[file("r.yml", format!("{HEAD}detection:\n{detection}"))]).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    let loaded = RuleSet::load(&[file("r.yml", text)]);
    loaded.err().unwrap().0.iter().map(ToString::to_string).collect()
}

fn matches(rules: &RuleSet, event: &Value) -> Vec<RuleMatch> {
    rules.evaluate(&OktaEvent::new(event.to_string().as_bytes()))
}

#[test]
fn a_match_carries_the_rule_and_its_evidence_in_one_order() {
    let rules = rule(
        "  b: {eventtype: x.y, outcome.result: [SUCCESS, ALLOW]}\n  a: {target.type|contains: user}\n  condition: all of them",
    );
    let event =
        json!({"eventType": "X.Y", "outcome": {"result": "ALLOW"}, "target": [{"type": "User"}, {"type": "AppUser"}]});
    let found = matches(&rules, &event);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].title.as_str(), found[0].severity), ("T", Severity::Low));
    let fields: Vec<(&str, &Value)> = found[0]
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    assert_eq!(
        fields,
        [
            ("eventtype", &json!("X.Y")),
            ("outcome.result", &json!("ALLOW")),
            ("target.type", &json!(["User", "AppUser"]))
        ]
    );
}

#[test]
fn a_boolean_and_its_text_are_equal_both_ways() {
    for written in ["'true'", "true", "'True'"] {
        let rules = rule(&format!("  s: {{securityContext.isProxy: {written}}}\n  condition: s"));
        for (value, hit) in [
            (json!(true), 1),
            (json!("true"), 1),
            (json!(false), 0),
            (json!("false"), 0),
            (json!(null), 0),
        ] {
            let event = json!({"securityContext": {"isProxy": value}});
            assert_eq!(matches(&rules, &event).len(), hit, "{written} against {event}");
        }
        assert!(matches(&rules, &json!({"securityContext": null})).is_empty());
    }
}

#[test]
fn contains_sees_into_text_lists_and_maps_alike() {
    let rules = rule("  s: {debugContext.debugData.behaviors|contains: 'New Device=POSITIVE'}\n  condition: s");
    for behaviors in [
        json!("{New IP=NEGATIVE, New Device=POSITIVE}"),
        json!(["New IP=NEGATIVE", "New Device=POSITIVE"]),
        json!({"New Device": "POSITIVE", "New IP": "NEGATIVE"}),
    ] {
        let event = json!({"debugContext": {"debugData": {"behaviors": behaviors}}});
        assert_eq!(matches(&rules, &event).len(), 1, "{event}");
        let text = json!({"debugContext": {"debugData": format!("{{requestId=a, behaviors={}}}", "{New IP=NEGATIVE, New Device=POSITIVE}")}});
        assert_eq!(matches(&rules, &text).len(), 1, "{text}");
    }
    assert!(
        matches(
            &rules,
            &json!({"debugContext": {"debugData": {"behaviors": {"New Device": "NEGATIVE", "New IP": "POSITIVE"}}}})
        )
        .is_empty()
    );
}

#[test]
fn null_and_exists_tell_a_missing_target_apart_from_a_present_one() {
    let null = rule("  s: {eventType: e.e, target: null}\n  condition: s");
    let exists = rule("  s: {eventType: e.e, target|exists: true}\n  condition: s");
    for (event, is_null, is_there) in [
        (json!({"eventType": "e.e"}), 1, 0),
        (json!({"eventType": "e.e", "target": null}), 1, 0),
        (json!({"eventType": "e.e", "target": [{"id": "1"}]}), 0, 1),
    ] {
        assert_eq!(matches(&null, &event).len(), is_null, "{event}");
        assert_eq!(matches(&exists, &event).len(), is_there, "{event}");
    }
}

#[test]
fn a_placeholder_without_values_matches_nothing_and_is_told() {
    let filter =
        "  s: {eventType: e.e}\n  f: {actor.alternateId|contains|expand: '%trusted%'}\n  condition: s and not f";
    let rules = rule(filter);
    assert_eq!(rules.warnings().len(), 1);
    assert!(
        rules.warnings()[0]
            .to_string()
            .starts_with("r.yml:7: the placeholder %trusted% has no value"),
        "{}",
        rules.warnings()[0]
    );
    for actor in ["", "someone", "%trusted%"] {
        assert_eq!(
            matches(
                &rules,
                &json!({"eventType": "e.e", "actor": {"alternateId": actor}, "trusted": actor})
            )
            .len(),
            1,
            "{actor}"
        );
    }
    let never = rule("  s: {eventType|expand: '%any%'}\n  condition: s");
    assert!(matches(&never, &json!({"eventType": ""})).is_empty());
    let all = rule("  s: {x|contains|all|expand: ['%a%', 'b']}\n  condition: s");
    assert!(matches(&all, &json!({"x": "b"})).is_empty());
    let some = rule("  s: {x|expand: ['%a%', 'b']}\n  condition: s");
    assert_eq!(
        (
            matches(&some, &json!({"x": "b"})).len(),
            matches(&some, &json!({"x": ""})).len()
        ),
        (1, 0)
    );
}

#[test]
fn a_comparison_with_another_field_reaches_every_target() {
    let rules =
        rule("  s: {eventType: e.e}\n  own: {target.id|fieldref|contains: actor.id}\n  condition: s and not own");
    let event = |targets: Value| json!({"eventType": "e.e", "actor": {"id": "u1"}, "target": targets});
    assert!(matches(&rules, &event(json!([{"id": "f1"}, {"id": "u1"}]))).is_empty());
    assert_eq!(matches(&rules, &event(json!([{"id": "f1"}, {"id": "u2"}]))).len(), 1);
    assert_eq!(matches(&rules, &event(json!(null))).len(), 1);
}

#[test]
fn bytes_that_are_no_object_match_no_rule() {
    let rules = rule("  s: {eventType: e.e}\n  condition: not s");
    for raw in ["", "{", "[]", "1", "{\"eventType\":\"x\"} trailing"] {
        assert!(rules.evaluate(&OktaEvent::new(raw.as_bytes())).is_empty(), "{raw}");
    }
    assert_eq!(rules.evaluate(&OktaEvent::new(b"{}")).len(), 1);
}

#[test]
fn other_products_are_passed_over_with_a_warning_even_when_they_cannot_be_read() {
    let windows = "title: W\nid: w\nlogsource: {product: windows}\ndetection: {s: {a: b}, condition: s}\n";
    let odd = "title: O\nlogsource:\n    product: linux\ndetection:\n    s: {a|unheard: b}\n    condition: s\n";
    let generic = "title: G\nlogsource: {category: authentication}\ndetection: {s: {a: b}, condition: s}\n";
    let okta = format!("{HEAD}detection: {{s: {{eventType: e.e}}, condition: s}}\n");
    let rules = RuleSet::load(&[file(
        "all.yml",
        format!("{windows}---\n{odd}---\n# note\n{okta}---\n{generic}"),
    )])
    .unwrap();
    assert_eq!(
        rules.ids().collect::<Vec<_>>(),
        ["11111111-1111-4111-8111-111111111111"]
    );
    let said: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].starts_with("all.yml:3: the rule is for the log source `windows`"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("all.yml:8: the rule is for the log source `linux`"),
        "{said:?}"
    );
}

#[test]
fn an_item_that_yaml_takes_for_a_map_is_told_with_its_line() {
    let lists =
        "falsepositives:\n    - \"Quoted: fine\"\n    - Plain: lost\nresponse:\n    - Ask them: now\n    - No colon\n";
    let text = format!("{HEAD}{lists}detection:\n  a:\n    - eventType: x\n  condition: a\n");
    let rules = RuleSet::load(&[file("r.yml", text)]).unwrap();
    let said: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
    let why = |line, list| {
        format!(
            "r.yml:{line}: this item of `{list}:` is a map for YAML: nobody would be told of it (put it into quotes)"
        )
    };
    assert_eq!(said, [why(7, "falsepositives"), why(9, "response")]);
}

#[test]
fn all_problems_of_all_files_come_at_once_with_their_lines() {
    let detection = "detection:\n  s: {eventType: e.e}\n  condition: s\n";
    let files = [
        file("a.yml", format!("{HEAD}{detection}---\n{HEAD}{detection}")),
        file("b.yml", format!("title: B\nlogsource: {{product: okta}}\n{detection}")),
        file("c.yml", "a: [1\nb: 2\n"),
        file("d.yml", "# nothing\n"),
        file(
            "e.yml",
            format!("{HEAD}detection:\n  s: {{a|shout: b}}\n  condition: s\n"),
        ),
        file(
            "f.yml",
            "title: F\nid: f\nlogsource: {product: okta}\ndetection:\n  s: {a: b}\n  condition: s and t\n",
        ),
        file(
            "g.yml",
            "title: G\nid: g\nlogsource: {product: okta}\ndetection:\n  s: {a: b}\n  condition: s and not all of filter_*\n",
        ),
        file(
            "h.yml",
            "title: H\nid: h\ncorrelation:\n  type: event_count\n  rules: [a]\n  group-by: [b]\n  timespan: 1h\n  condition: {lte: 3}\n",
        ),
        file("i.yml", "action: global\ntitle: I\n"),
        file(
            "j.yml",
            "title: J\nid: j\nlogsource: {product: okta}\ndetection:\n  s: {a|re: '['}\n  condition: s\n",
        ),
        file(
            "k.yml",
            "title: K\nid: k\nlogsource: {product: okta}\ndetection:\n  s: {a: b}\n  timeframe: 5m\n  condition: s\n",
        ),
        file(
            "l.yml",
            "title: L\nid: l\nsigma-version: 3\nlogsource: {product: okta}\ndetection:\n  s: {a: b}\n  condition: s\n",
        ),
        file(
            "m.yml",
            "title: M\nid: m\nlevel: loud\nlogsource: {product: okta}\ndetection:\n  s: {a: b}\n  condition: s\n",
        ),
        file(
            "n.yml",
            "title: N\nid: n\nlogsource: {product: okta}\ndetection:\n  s: {a: b}\n  condition: s and (\n",
        ),
    ];
    let all = RuleSet::load(&files).err().unwrap();
    let said: Vec<String> = all
        .0
        .iter()
        .map(|problem| {
            format!(
                "{}:{}: {}",
                problem.path,
                problem.line,
                problem.why.lines().next().unwrap_or("")
            )
        })
        .collect();
    let expected = [
        "a.yml:10: the id 11111111-1111-4111-8111-111111111111 is taken by a.yml:2",
        "b.yml:1: the rule has no `id`",
        "c.yml:2:",
        "d.yml:1: the file holds no rule",
        "e.yml:6: Unknown modifier 'shout'",
        "f.yml:6: unknown detection identifier: t",
        "g.yml:6: `of filter_*` in the condition names no detection",
        "h.yml:8: only one `gte` or `gt` is supported",
        "i.yml:1: collection actions are not supported",
        "j.yml:",
        "k.yml:6: `timeframe` is not supported",
        "l.yml:3: the rule is written for Sigma 3 or later",
        "m.yml:3:",
        "n.yml:6: Condition parse error",
    ];
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.starts_with(expected), "{said} instead of {expected}");
    }
    assert!(
        all.to_string()
            .starts_with("14 problem(s) in the Sigma rules\n  a.yml:10: ")
    );
}

#[test]
fn a_rule_that_cannot_be_read_and_names_no_product_is_a_problem() {
    assert_eq!(problems("title: X\nproductt: okta\n").len(), 1);
    assert!(problems("just text\n")[0].starts_with("r.yml:1: Document is not a YAML mapping"));
}

proptest! {
    #[test]
    fn any_text_is_loaded_or_refused_without_a_panic(text in "([a-z]{1,6}: ?[a-z*|%\\[{'\"-]{0,8}\n|---\n|  - x\n|  s:\n| {0,3}condition: [a-z ()*0-9]{0,12}\n){0,8}") {
        let _ = RuleSet::load(&[file("r.yml", text)]);
    }
}
