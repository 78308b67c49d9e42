//! Hostile files: configuration, templates, rules.

use super::{MEGABYTE, Shape, filled, many, numbered, whole};

pub fn configuration() -> Vec<Shape> {
    const PROFILE: &str = "environment: staging\ntarget: aws\naccount_id: \"909617834444\"\nregion: us-east-2\nimage: 909617834444.dkr.ecr.us-east-2.amazonaws.com/oort-streams:0.1.0\nnetwork:\n  subnets: [subnet-0a1b2c3d4e5f60001]\n  security_groups: [sg-0a1b2c3d4e5f60001]\n";
    const WITH_TAGS: &str =
        "tenant: acme\nokta:\n  subdomain: acme-preview\n  integration_id: 3f6c1d90-acme-staging\ntags:\n";
    const WITH_ROUTES: &str =
        "tenant: acme\nokta:\n  subdomain: acme-preview\n  integration_id: 3f6c1d90-acme-staging\nnotifications:\n";
    let profile = |more: &str| -> &'static str { Box::leak(format!("{PROFILE}{more}").into_boxed_str()) };
    vec![
        numbered("many tags", WITH_TAGS, |n| format!("  k{n}: v\n"), ""),
        filled("a long tag", WITH_TAGS, "k", ": v\n"),
        numbered(
            "many routes",
            WITH_ROUTES,
            |n| format!("- {{name: r{n}, protocol: email, endpoint: soc@acme.example, minimum_severity: high}}\n"),
            "",
        ),
        numbered(
            "many settings of rules",
            profile("detections:\n  rules:\n"),
            |n| format!("  - rule: r{n}\n"),
            "",
        ),
        filled(
            "one rule again",
            profile("detections:\n  rules:\n"),
            "  - rule: r\n",
            "",
        ),
        filled(
            "many exceptions",
            profile("detections:\n  exceptions:\n"),
            "  - {rule: r, field: f, values: [v], until: \"2027-01-31\", reason: r}\n",
            "",
        ),
        filled(
            "many suppressions",
            profile("suppressions:\n"),
            "- {tool: oort, rule: r, reason: r}\n",
            "",
        ),
        filled("many networks", profile("private_webhooks:\n"), "- 10.0.0.0/8\n", ""),
        filled(
            "many subnets",
            "network:\n  subnets:\n",
            "  - subnet-0a1b2c3d4e5f60001\n",
            "",
        ),
        filled(
            "a long schedule",
            "detector:\n  schedule: cron(0",
            ",0",
            " * * * ? *)\n",
        ),
        filled("a name with a million letters", "tenant: ", "a", "\n"),
        numbered(
            "prices",
            "as_of: 2026-01-01\nregion: us-east-2\nprices:\n",
            |n| format!("  p{n}: 1.0\n"),
            "",
        ),
    ]
}

pub fn cloudformation() -> Vec<Shape> {
    const ONE: &str = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n";
    vec![
        numbered("many resources", "Resources:\n", |n| format!("  R{n}: {{}}\n"), ""),
        numbered(
            "many resources with types",
            "Resources:\n",
            |n| format!("  R{n}: {{Type: AWS::SQS::Queue}}\n"),
            "",
        ),
        numbered("many sections", "", |n| format!("S{n}: 1\n"), "Resources: {}\n"),
        numbered(
            "many outputs",
            "Outputs:\n",
            |n| format!("  O{n}: {{Value: 1, Export: {{Name: e{n}}}}}\n"),
            "",
        ),
        numbered("many properties", ONE, |n| format!("      P{n}: v\n"), ""),
        whole("a long key above many", || {
            let key = "k".repeat(MEGABYTE / 2);
            let inner = many(MEGABYTE / 30, |n| format!("k{n}: v, "));
            format!("{ONE}      {key}: {{{inner}}}\n")
        }),
        whole("a long key in the same place", || {
            let key = "k".repeat(MEGABYTE / 2);
            let inner = many(MEGABYTE / 30, |n| format!("k{n}: v, "));
            format!("Resources:\n  DetectorTask:\n    Properties:\n      {key}: {{{inner}}}\n")
        }),
        numbered(
            "many tags",
            ONE,
            |n| {
                if n == 0 {
                    "      Tags:\n".to_owned()
                } else {
                    format!("      - {{Key: k{n}, Value: v}}\n")
                }
            },
            "",
        ),
        numbered(
            "many actions",
            ONE,
            |n| {
                if n == 0 {
                    "      Action:\n".to_owned()
                } else {
                    format!("      - a:b{n}\n")
                }
            },
            "",
        ),
        numbered(
            "many statements",
            ONE,
            |n| {
                if n == 0 {
                    "      Statement:\n".to_owned()
                } else {
                    "      - {Effect: Allow, Action: '*', Resource: '*'}\n".to_owned()
                }
            },
            "",
        ),
        filled(
            "many holes",
            "Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {QueueName: {'Fn::Sub': '",
            "${A}",
            "'}}}\n",
        ),
        filled(
            "open holes",
            "Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {QueueName: {'Fn::Sub': '",
            "${",
            "'}}}\n",
        ),
        filled(
            "open holes and braces",
            "Resources:\n  A: {Type: AWS::SQS::Queue, Properties: {QueueName: {'Fn::Sub': '",
            "${{",
            "'}}}\n",
        ),
    ]
}

/// Event buses, whose names are told from references.
pub fn buses() -> Vec<Shape> {
    const BUS: &str =
        "Resources:\n  Bus:\n    Type: AWS::Events::EventBus\n    Properties:\n      EventSourceName: a\n      Name: ";
    vec![
        whole("a name that doubles", || doubling(BUS, 60)),
        whole("a name that doubles nothing", || doubling(BUS, 60).replace("hello", "")),
        whole("a bus named after itself", || format!("{BUS}{{Ref: Bus}}\n")),
        whole("buses named after each other", || {
            let bus = |id: &str, other: &str| {
                format!(
                    "  {id}: {{Type: 'AWS::Events::EventBus', Properties: {{Name: {{'Fn::Sub': '${{{other}}}${{{other}}}'}}}}}}\n"
                )
            };
            format!("Resources:\n{}{}", bus("A", "B"), bus("B", "A"))
        }),
        numbered(
            "a bus that many name",
            "Resources:\n",
            |n| {
                format!(
                    "  R{n}: {{Type: 'AWS::Events::Rule', Properties: {{EventBusName: {{Ref: R{}}}}}}}\n",
                    n + 1
                )
            },
            "  Bus: {Type: 'AWS::Events::EventBus', Properties: {Name: a, EventSourceName: a}}\n",
        ),
        filled(
            "the same lines as the golden file",
            "",
            "    Type: AWS::SQS::Queue\n    Properties:\n",
            "",
        ),
    ]
}

/// A text whose variables each stand in it twice.
fn doubling(before: &str, depth: usize) -> String {
    let open = "{'Fn::Sub': ['${a}${a}', {a: ".repeat(depth);
    format!("{before}{open}hello{}\n", "}]}".repeat(depth))
}

const HEAD: &str = "logsource: {product: okta}\nlevel: low\n";

/// A rule with a detection `s`.
fn rule(detection: &str) -> String {
    format!("title: T\nid: t\n{HEAD}detection:\n  condition: s\n  s:\n{detection}")
}

/// A rule with a condition.
fn condition(text: &str) -> String {
    format!("title: T\nid: t\n{HEAD}detection:\n  s: {{a: b}}\n  condition: {text}\n")
}

/// A list of one value under a key of a detection, a megabyte in all.
fn values(key: &str, value: &str) -> String {
    let item = format!("    - {value}\n");
    rule(&format!("    {key}:\n{}", item.repeat((MEGABYTE - 200) / item.len())))
}

/// The same of values that differ.
fn different(key: &str, value: impl Fn(usize) -> String) -> String {
    let items = many(40_000, |n| format!("    - {}\n", value(n)));
    rule(&format!("    {key}:\n{items}"))
}

pub fn sigma() -> Vec<Shape> {
    const COUNTED: &str = "title: T\nid: i\nname: n\nlogsource: {product: okta}\ndetection: {s: {eventType: user.session.start}, condition: s}\n";
    const REFERRING: &str = "title: T\nid: c\ncorrelation:\n  type: temporal\n  timespan: 1h\n  rules:\n";
    const NOTED: &str =
        "title: T\nid: t\nlogsource: {product: okta}\ndetection: {s: {a: b}, condition: s}\nfalsepositives:\n";
    vec![
        whole("many values", || different("eventType", |n| format!("value.{n}"))),
        whole("many fields", || rule(&many(60_000, |n| format!("    f{n}: v\n")))),
        whole("a long wildcard", || {
            rule(&format!("    eventType: '{}b'\n", "*a".repeat(MEGABYTE / 3)))
        }),
        whole("wildcards of some length", || {
            rule(&format!("    eventType: '{}b'\n", "*a".repeat(10_000)))
        }),
        whole("many wildcards", || values("eventType", "'*a*a*a*a*a*b'")),
        whole("single wildcards", || {
            values("eventType", &format!("'{}'", "?".repeat(3_000)))
        }),
        whole("large expressions", || values("eventType|re", "'(?i)\\w{300}\\w{300}'")),
        whole("different expressions", || {
            different("eventType|re", |n| format!("'\\w{{40}}{n}'"))
        }),
        whole("nested expressions", || {
            values("eventType|re", "'(((((a{9}){9}){9}){9}){9})+$'")
        }),
        whole("an expression of brackets", || {
            rule(&format!("    a|re: '{}'\n", "(".repeat(MEGABYTE / 2)))
        }),
        whole("dashes of all kinds", || {
            rule(&format!("    a|windash: '--------{}'\n", "a".repeat(MEGABYTE / 2)))
        }),
        whole("some dashes of all kinds", || {
            rule(&format!("    a|windash: '--------{}'\n", "a".repeat(30_000)))
        }),
        whole("many dashes of all kinds", || values("a|windash", "'--------'")),
        whole("encoded values", || values("a|wide|base64offset|contains", "abcdefgh")),
        whole("placeholders", || different("a|expand", |n| format!("'%p{n}%'"))),
        whole("brackets in a condition", || condition(&"(".repeat(MEGABYTE - 200))),
        whole("brackets in a shorter condition", || {
            condition(&format!("{}s{}", "(".repeat(30_000), ")".repeat(30_000)))
        }),
        whole("escaped brackets in a condition", || {
            condition(&format!("\"{}s\"", "\\x28".repeat(15_000)))
        }),
        whole("brackets in one of several conditions", || {
            condition(&format!("[s, '{}s']", "(".repeat(15_000)))
        }),
        whole("a condition that says not", || {
            condition(&format!("{}s", "not ".repeat(15_000)))
        }),
        whole("a condition that says or", || {
            condition(&format!("s{}", " or s".repeat(12_000)))
        }),
        whole("many conditions", || {
            condition(&"\n    - 1 of s*".repeat(MEGABYTE / 20))
        }),
        numbered(
            "many rules",
            "",
            |n| format!("---\ntitle: T\nid: i{n}\n{HEAD}detection: {{s: {{a: value{n}}}, condition: s}}\n"),
            "",
        ),
        filled(
            "one rule again",
            "",
            "---\ntitle: T\nid: i\nlogsource: {product: okta}\ndetection: {s: {a: b}, condition: s}\n",
            "",
        ),
        numbered(
            "many correlations",
            COUNTED,
            |n| {
                format!(
                    "---\ntitle: T\nid: c{n}\ncorrelation: {{type: event_count, rules: [n], group-by: [actor.id], timespan: 9999999999999d, condition: {{gte: 1}}}}\n"
                )
            },
            "",
        ),
        filled("a long list of rules", REFERRING, "  - a\n", ""),
        filled("items that are maps", NOTED, "- a: b\n", ""),
        whole("nested detections", || {
            rule(&format!("{}x{}\n", "[".repeat(400_000), "]".repeat(400_000)))
        }),
        whole("detections that are nested somewhat", || {
            rule(&format!("    {}x{}\n", "[".repeat(100), "]".repeat(100)))
        }),
    ]
}
