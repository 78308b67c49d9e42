use proptest::prelude::*;
use serde_json::json;

use super::*;

fn matches(pattern: &Value, document: &Value) -> bool {
    Pattern::new(pattern)
        .unwrap_or_else(|error| panic!("{pattern}: {error}"))
        .matches(&document.to_string())
        .unwrap()
}

#[test]
fn the_operators_of_eventbridge() {
    // A field's pattern, values that match, values that do not.
    let table = [
        (
            json!(["x"]),
            vec![json!("x"), json!(["y", "x"])],
            vec![json!("X"), json!("xx"), json!([]), json!({"b": "x"})],
        ),
        (json!([""]), vec![json!("")], vec![json!(" "), json!(null)]),
        (
            json!(["a\"b\\c/d\n\u{e9}\u{1f600}"]),
            vec![json!("a\"b\\c/d\n\u{e9}\u{1f600}")],
            vec![json!("a\"b")],
        ),
        (json!([null]), vec![json!(null)], vec![json!("null"), json!("")]),
        (
            json!([true, "5"]),
            vec![json!(true), json!("5")],
            vec![json!("true"), json!(5)],
        ),
        (
            json!([{"prefix": "aws."}]),
            vec![json!("aws."), json!("aws.x")],
            vec![json!("Aws.x"), json!("x.aws."), json!(7)],
        ),
        (
            json!([{"suffix": ".png"}]),
            vec![json!("a.png")],
            vec![json!("a.PNG"), json!(".png2"), json!(null)],
        ),
        (
            json!([{"anything-but": "x"}]),
            vec![json!("y"), json!("xx"), json!(5), json!(null), json!(["x", "y"])],
            vec![json!("x"), json!(["x"]), json!([]), json!({"b": "y"})],
        ),
        (
            json!([{"anything-but": ["x", "y"]}]),
            vec![json!("z"), json!("")],
            vec![json!("x"), json!("y")],
        ),
        (
            json!([{"equals-ignore-case": "aLiCe"}]),
            vec![json!("alice"), json!("ALICE")],
            vec![json!("alic"), json!("alices")],
        ),
        (
            json!([{"wildcard": "*/dir/*.png"}]),
            vec![json!("/dir/.png"), json!("a/dir/b/c.png")],
            vec![json!("dir/a.png")],
        ),
        (
            json!([{"wildcard": "a\\*\\\\*"}]),
            vec![json!("a*\\"), json!("a*\\b")],
            vec![json!("ab\\")],
        ),
        (
            json!([{"exists": true}]),
            vec![json!(1), json!(null), json!([1])],
            vec![json!({"b": 1}), json!([])],
        ),
        (
            json!([{"exists": false}]),
            vec![json!({"b": 1})],
            vec![json!(1), json!(null)],
        ),
        (
            json!([{"cidr": "10.0.0.64/26"}]),
            vec![json!("10.0.0.64"), json!("10.0.0.127")],
            vec![
                json!("10.0.0.63"),
                json!("10.0.0.128"),
                json!("10.0.0.64x"),
                json!("::1"),
            ],
        ),
        (
            json!(["x", {"prefix": "y"}, null]),
            vec![json!("x"), json!("yy"), json!(null)],
            vec![json!("xx"), json!(2)],
        ),
    ];
    for (field, matching, others) in table {
        let pattern = json!({"detail": {"f": field}});
        for value in matching {
            assert!(
                matches(&pattern, &json!({"detail": {"f": value, "g": 1}})),
                "{pattern} should match {value}"
            );
        }
        for value in others {
            assert!(
                !matches(&pattern, &json!({"detail": {"f": value, "g": 1}})),
                "{pattern} should not match {value}"
            );
        }
    }
}

#[test]
fn fields_are_joined_by_and_and_or_branches_by_or() {
    let pattern = json!({
        "source": [{"prefix": "aws.partner/okta.com/"}],
        "detail": {"$or": [{"a": ["1"], "b": ["2"]}, {"c": [{"exists": false}]}], "d": ["4"]},
    });
    let document = |detail: Value| json!({"source": "aws.partner/okta.com/acme/one", "detail": detail});
    assert!(matches(
        &pattern,
        &document(json!({"a": "1", "b": "2", "c": "3", "d": "4"}))
    ));
    assert!(matches(&pattern, &document(json!({"d": "4"}))));
    assert!(!matches(&pattern, &document(json!({"a": "1", "c": "3", "d": "4"}))));
    assert!(!matches(&pattern, &document(json!({"a": "1", "b": "2", "c": "3"}))));
    assert!(!matches(&pattern, &json!({"source": "aws.ec2", "detail": {"d": "4"}})));
    // Both fields must come from one element of the array.
    let pair = json!({"target": {"id": ["x"], "type": ["User"]}});
    assert!(matches(
        &pair,
        &json!({"target": [{"id": "y", "type": "App"}, {"id": "x", "type": "User"}]})
    ));
    assert!(!matches(
        &pair,
        &json!({"target": [{"id": "x", "type": "App"}, {"id": "y", "type": "User"}]})
    ));
}

#[test]
fn what_is_not_decided_as_aws_does_is_refused() {
    let table = [
        (json!([]), "at ``: a pattern is an object of fields"),
        (json!({}), "at ``: an empty object matches nothing; name a field"),
        (
            json!({"a": {}}),
            "at `a`: an empty object matches nothing; name a field",
        ),
        (json!({"a": []}), "at `a`: an empty array matches nothing; name a value"),
        (
            json!({"a": "x"}),
            "at `a`: a field takes an array of values or an object of fields",
        ),
        (json!({"a": [["x"]]}), "at `a`: an array in an array matches nothing"),
        (
            json!({"a.b": ["x"]}),
            "at `a.b`: a field's name with a dot is not told from nested fields; nest the fields",
        ),
        (
            json!({"a": {"b": [404]}}),
            "at `a.b`: numbers in patterns are not supported by the embedded target",
        ),
        (
            json!({"a": [{"numeric": [">", 5]}]}),
            "at `a`: numbers in patterns are not supported by the embedded target",
        ),
        (
            json!({"a": [{}]}),
            "at `a`: a comparison is an object with exactly one operator",
        ),
        (
            json!({"a": [{"prefix": "x", "suffix": "y"}]}),
            "at `a`: a comparison is an object with exactly one operator",
        ),
        (
            json!({"a": [{"regexp": "x"}]}),
            "at `a`: `regexp` is not an operator of EventBridge",
        ),
        (
            json!({"a": [{"shellstyle": "x*"}]}),
            "at `a`: `shellstyle` is not an operator of EventBridge",
        ),
        (
            json!({"a": [{"suffix": "x\""}]}),
            "at `a`: a quote in `suffix` is not supported by the embedded target",
        ),
        (json!({"a": [{"prefix": 7}]}), "at `a`: `prefix` does not take 7"),
        (
            json!({"a": [{"prefix": {"equals-ignore-case": "x"}}]}),
            "at `a`: `prefix` without regard to case is not supported by the embedded target",
        ),
        (
            json!({"a": [{"anything-but": {"prefix": "x"}}]}),
            "at `a`: `anything-but` with an operator inside is not supported by the embedded target; list the values",
        ),
        (
            json!({"a": [{"anything-but": 7}]}),
            "at `a`: `anything-but` takes a text or a list of texts in the embedded target",
        ),
        (
            json!({"a": [{"anything-but": []}]}),
            "at `a`: `anything-but` takes a text or a list of texts in the embedded target",
        ),
        (
            json!({"a": [{"exists": false}, "x"]}),
            "at `a`: `exists` beside other values is not supported by the embedded target; use `$or`",
        ),
        (
            json!({"a": [{"equals-ignore-case": "é"}]}),
            "at `a`: `equals-ignore-case` takes ASCII only in the embedded target; list the spellings",
        ),
        (
            json!({"a": [{"cidr": "10.0.0.0"}]}),
            "at `a`: `10.0.0.0` is not an address range like 10.0.0.0/24",
        ),
        (
            json!({"a": [{"cidr": "10.0.0.0/33"}]}),
            "at `a`: `10.0.0.0/33` is not an address range like 10.0.0.0/24",
        ),
        (
            json!({"a": [{"cidr": "2001:db8::/32"}]}),
            "at `a`: `cidr` takes IPv4 ranges only in the embedded target",
        ),
        (
            json!({"$or": [{"a": ["x"]}]}),
            "at `$or`: `$or` takes two or more objects",
        ),
        (json!({"$or": ["a", "b"]}), "at `$or`: `$or` takes two or more objects"),
        (
            json!({"$or": [{"a": ["y"]}, {"b": ["z"]}], "a": ["x"]}),
            "at `a`: `a` is named beside `$or` and in it; name it once",
        ),
    ];
    for (pattern, message) in table {
        let error = Pattern::new(&pattern)
            .err()
            .unwrap_or_else(|| panic!("{pattern} was taken"));
        assert_eq!(error.to_string(), message);
    }
    assert!(Pattern::new(&json!({"a": [{"wildcard": "a**b"}]})).is_err());
}

#[test]
fn what_is_no_object_is_an_error() {
    let pattern = Pattern::new(&json!({"a": ["x"]})).unwrap();
    assert!(pattern.matches("{\"b\":").is_err());
    assert!(pattern.matches("[1]").is_err());
}

/// The documented meaning of one value of a field's pattern, written down a second time.
fn reference(rule: &Value, value: &Value) -> bool {
    let Value::Object(operator) = rule else {
        return rule == value;
    };
    let (name, operand) = operator.iter().next().unwrap();
    let (text, wanted) = (value.as_str(), operand.as_str());
    match name.as_str() {
        "prefix" => text.is_some_and(|text| text.starts_with(wanted.unwrap())),
        "suffix" => text.is_some_and(|text| text.ends_with(wanted.unwrap())),
        "equals-ignore-case" => text.is_some_and(|text| text.eq_ignore_ascii_case(wanted.unwrap())),
        "wildcard" => text.is_some_and(|text| wildcard(wanted.unwrap(), text)),
        "anything-but" => operand.as_array().unwrap().iter().all(|excluded| excluded != value),
        _ => unreachable!(),
    }
}

fn wildcard(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| wildcard(rest, &tail[at..]))
        }),
    }
}

fn word() -> impl Strategy<Value = String> {
    "[abAB\"é\\n/5]{0,4}"
}

fn part() -> impl Strategy<Value = String> {
    "[abABé\\n/5]{0,4}"
}

fn rule() -> impl Strategy<Value = Value> {
    prop_oneof![
        word().prop_map(Value::String),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        part().prop_map(|word| json!({"prefix": word})),
        part().prop_map(|word| json!({"suffix": word})),
        "[abAB5]{0,4}".prop_map(|word| json!({"equals-ignore-case": word})),
        "\\*?[ab]{0,2}(\\*[abé]{1,2}){0,2}\\*?"
            .prop_filter("one star at a time", |word| !word.contains("**"))
            .prop_map(|word| json!({"wildcard": word})),
        prop::collection::vec(word(), 1..4).prop_map(|words| json!({"anything-but": words})),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => word().prop_map(Value::String),
        2 => (-10_i32..10).prop_map(|number| json!(number)),
        1 => (-100_i32..100).prop_map(|tenths| json!(f64::from(tenths) / 8.0)),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_library_means_what_the_documentation_says(
        patterns in prop::collection::vec((prop::collection::vec(rule(), 1..4), prop::collection::vec(rule(), 0..3)), 2..4),
        first in value(),
        second in value(),
    ) {
        let branch = |(a, b): &(Vec<Value>, Vec<Value>)| if b.is_empty() { json!({"a": a}) } else { json!({"a": a, "n": {"b": b}}) };
        let pattern = json!({"$or": patterns.iter().map(branch).collect::<Vec<_>>()});
        let document = json!({"a": first, "n": {"b": second}});
        let holds = |rules: &[Value], value: &Value| rules.is_empty() || rules.iter().any(|rule| reference(rule, value));
        let expected = patterns.iter().any(|(a, b)| holds(a, &first) && holds(b, &second));
        prop_assert_eq!(matches(&pattern, &document), expected, "{} on {}", pattern, document);
    }
}
