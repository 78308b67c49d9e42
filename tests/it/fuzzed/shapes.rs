//! Hostile inputs of a megabyte, by the entry that they are made for. Here is what several entries have; what only one has is in
//! `files` and `services`.

mod files;
mod services;

use super::MEGABYTE;

/// What an input is called, and how it is made.
pub type Shape = (&'static str, Box<dyn Fn() -> Vec<u8>>);

/// `unit` again and again between two texts, a megabyte in all.
fn filled(name: &'static str, before: &'static str, unit: &'static str, after: &'static str) -> Shape {
    numbered(name, before, move |_| unit.to_owned(), after)
}

/// The same of units that differ.
fn numbered(
    name: &'static str,
    before: &'static str,
    unit: impl Fn(usize) -> String + 'static,
    after: &'static str,
) -> Shape {
    let make = move || {
        let mut text = before.to_owned();
        for number in 0.. {
            let unit = unit(number);
            if text.len() + unit.len() + after.len() > MEGABYTE {
                break;
            }
            text += &unit;
        }
        (text + after).into_bytes()
    };
    (name, Box::new(make))
}

/// So many units that differ.
fn many(count: usize, unit: impl Fn(usize) -> String) -> String {
    (0..count).map(unit).collect::<Vec<_>>().concat()
}

/// `open` so deep, then as many times `close`.
fn nested(
    name: &'static str,
    before: &'static str,
    open: &'static str,
    close: &'static str,
    after: &'static str,
) -> Shape {
    let make = move || {
        let depth = (MEGABYTE - before.len() - after.len()) / (open.len() + close.len());
        format!("{before}{}{}{after}", open.repeat(depth), close.repeat(depth)).into_bytes()
    };
    (name, Box::new(make))
}

/// Itself.
fn whole<T: Into<Vec<u8>>>(name: &'static str, make: impl Fn() -> T + 'static) -> Shape {
    (name, Box::new(move || make().into()))
}

pub fn of(entry: &str) -> Vec<Shape> {
    let mut shapes = bytes();
    shapes.extend(match entry {
        "configuration" => yaml().into_iter().chain(files::configuration()).collect(),
        "cloudformation" => yaml()
            .into_iter()
            .chain(json(""))
            .chain(files::cloudformation())
            .chain(files::buses())
            .collect(),
        "envelope" => json(ENVELOPE).into_iter().chain(events(ENVELOPE)).collect(),
        "log_event" => json(EVENT).into_iter().chain(events(EVENT)).collect(),
        "event_pattern" => json("").into_iter().chain(services::patterns()).collect(),
        "sigma" => yaml().into_iter().chain(files::sigma()).collect(),
        "schedule" => services::schedules(),
        "receiver_answer" | "okta_answer" => json("\n\n").into_iter().chain(services::answers()).collect(),
        "segment" => services::segments(),
        "stored" => json("").into_iter().chain(services::stored()).collect(),
        _ => Vec::new(),
    });
    shapes
}

fn bytes() -> Vec<Shape> {
    vec![
        whole("nothing", Vec::<u8>::new),
        whole("no UTF-8", || vec![0xff; MEGABYTE]),
        filled("NUL", "", "\0", ""),
        filled("letters", "", "a", ""),
        filled("digits", "", "9", ""),
        filled("lines", "", "\n", ""),
        filled("spaces", "", " ", ""),
        filled("dots", "1.1.9.", ".", ""),
        filled("combining marks", "a", "\u{301}", ""),
    ]
}

const EVENT: &str = r#"{"uuid":"u","published":"2026-11-01T10:00:00Z","eventType":"user.session.start","actor":{"id":"a","type":"User"},"debugContext":{"debugData":"#;
const ENVELOPE: &str = r#"{"source":"s","detail":{"uuid":"u","published":"2026-11-01T10:00:00Z","eventType":"user.session.start","actor":{"id":"a","type":"User"},"debugContext":{"debugData":"#;

/// Behind `before`, which may be the beginning of an event.
fn json(before: &'static str) -> Vec<Shape> {
    let after = match before {
        EVENT => "}}",
        ENVELOPE => "}}}",
        _ => "",
    };
    let joined = |more: &str| -> &'static str { Box::leak(format!("{before}{more}").into_boxed_str()) };
    let ended = |more: &str| -> &'static str { Box::leak(format!("{more}{after}").into_boxed_str()) };
    vec![
        filled("open lists", before, "[", ""),
        filled("open objects", before, "{\"a\":", ""),
        nested("nested lists", before, "[", "]", after),
        nested("nested objects", joined("{\"a\":"), "{\"a\":", "}", ended("0}")),
        numbered(
            "many keys",
            joined("{\"k\":0"),
            |n| format!(",\"k{n}\":{n}"),
            ended("}"),
        ),
        filled("one key again", joined("{\"k\":0"), ",\"k\":0", ended("}")),
        filled("empty keys", joined("{\"\":0"), ",\"\":{}", ended("}")),
        filled("many items", joined("[0"), ",0", ended("]")),
        filled("many objects", joined("[{}"), ",{}", ended("]")),
        filled("escapes", joined("\""), "\\u0041", ended("\"")),
        filled("escaped quotes", joined("\""), "\\\"", ended("\"")),
        filled("lone surrogates", joined("\""), "\\ud83d", ended("\"")),
        filled("a long number", joined("1"), "0", after),
        filled("a long fraction", joined("0."), "0", ended("1")),
        filled("a long exponent", joined("1e"), "9", after),
        filled("infinite numbers", joined("[0"), ",1e9", ended("]")),
        filled("white space", joined("["), " \n", ended("]")),
        filled("a text like a list", joined("\""), "[", ended("\"")),
        filled("a text like a map", joined("\"{"), "a=[{b, c=d}], ", ended("}\"")),
    ]
}

fn events(before: &'static str) -> Vec<Shape> {
    let (head, _) = before.split_once("\"actor\"").unwrap();
    let after = if before == ENVELOPE { "}}" } else { "}" };
    let joined = |more: &str| -> &'static str { Box::leak(format!("{head}{more}").into_boxed_str()) };
    let ended = |more: &str| -> &'static str { Box::leak(format!("{more}{after}").into_boxed_str()) };
    vec![
        numbered(
            "many targets",
            joined("\"target\":[{}"),
            |n| format!(",{{\"id\":\"u{n}\",\"type\":\"User\",\"alternateId\":\"A{n}\"}}"),
            ended("]"),
        ),
        numbered(
            "many fields in a text",
            joined("\"debugContext\":{\"debugData\":{\"risk\":\"{"),
            |n| format!("k{n}=[v, {n}], "),
            ended("level=HIGH}\"}}"),
        ),
        filled(
            "texts in lists of texts",
            joined("\"target\":[0"),
            ",\"{a=b}\"",
            ended("]"),
        ),
        filled(
            "a long login",
            joined("\"actor\":{\"type\":\"User\",\"alternateId\":\""),
            "\u{130}",
            ended("\"}"),
        ),
        whole("a time before all", {
            let event = format!("{head}\"x\":0{after}").replace("2026-11-01T10", "-009999-01-02T10");
            move || event.clone().into_bytes()
        }),
        whole("a time after all", {
            let event = format!("{head}\"x\":0{after}").replace("2026-11-01T10", "9999-12-30T10");
            move || event.clone().into_bytes()
        }),
    ]
}

fn yaml() -> Vec<Shape> {
    vec![
        filled("open flow lists", "a: ", "[", ""),
        filled("open flow maps", "a: ", "{", ""),
        nested("nested flow lists", "a: ", "[", "]", ""),
        nested("nested flow maps", "a: ", "{a: ", "}", ""),
        filled("nested block lists", "", "- ", "a"),
        filled("nested explicit keys", "", "? ", "a"),
        whole("deep indentation", || {
            many(1_400, |depth| format!("{}a:\n", " ".repeat(depth)))
        }),
        whole("a billion laughs", || {
            let mut text = "a0: &a0 [laugh, laugh]\n".to_owned();
            for n in 1..60 {
                let before = n - 1;
                text.extend([
                    format!("a{n}: &a{n} ["),
                    format!("*a{before}, ").repeat(8),
                    "]\n".to_owned(),
                ]);
            }
            text
        }),
        whole("a billion merges", || {
            let mut text = "a0: &a0 {k: 1}\n".to_owned();
            for n in 1..2_000 {
                text.extend([format!(
                    "a{n}: &a{n}\n  <<: [*a{0}, *a{0}, *a{0}, *a{0}]\n  k{n}: 1\n",
                    n - 1
                )]);
            }
            text
        }),
        numbered("anchors", "", |n| format!("k{n}: &a{n} x\n"), ""),
        whole("a long text by its name", || {
            let (long, again) = ("x".repeat(MEGABYTE / 2), "- *a\n".repeat(MEGABYTE / 12));
            format!("- &a {long}\n{again}")
        }),
        numbered("many keys", "", |n| format!("k{n}: v\n"), ""),
        filled("one key again", "", "k: v\n", ""),
        numbered("many keys in a line", "{", |n| format!("k{n}: v, "), "}"),
        filled("many keys without values in a line", "{", "a, ", "}"),
        filled("many items", "a:\n", "- b\n", ""),
        filled("many maps", "a:\n", "- {}\n", ""),
        filled("a long key", "", "k", ": v\n"),
        filled("a long text in quotes", "k: \"", "\\u0041", "\"\n"),
        filled("a long folded text", "k: >\n", "  a\n", ""),
        filled("documents", "", "---\na\n", ""),
        filled("documents of rules", "", "---\ntitle: a\n", ""),
        filled("comments", "", "# a\n", "a: b\n"),
        filled("a long comment", "a: b #", " a", "\n"),
        filled("tabs", "a:\n", "\t", ""),
        filled("tags", "a: ", "!Ref ", "b\n"),
        filled("long tags", "a: !", "a", " b\n"),
        filled("tagged items", "a:\n", "- !Sub '${a}'\n", ""),
        filled("directives", "", "%TAG !a! tag:a,2026:\n", "--- a\n"),
        filled("a long number", "a: ", "1_", "1\n"),
        filled("a number in sixties", "a: 1", ":59", "\n"),
        filled("colons", "a: b", ":c", "\n"),
        filled("questions", "", "? a\n", ""),
    ]
}
