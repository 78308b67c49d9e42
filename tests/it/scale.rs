//! The page on scale is what its inputs give: rendered anew and compared, with no number that somebody typed.

mod fleet;
mod inputs;
mod tenant;

use std::process::Command;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use oort_streams::deploy::profile::EVENT_BUSES;
use serde_json::{Value, json};

use crate::emulator::setting;
use inputs::{Inputs, Settings, Stack, path, text};

const PAGE: &str = "docs/scale.md";
const TEMPLATE: &str = "docs/scale/scale.md.j2";

/// What `oort cost` says of production's first tenant, by volume.
fn cost(volumes: &[f64]) -> Value {
    let volumes: Vec<String> = volumes.iter().map(|volume| format!("{volume:.0}")).collect();
    let volumes = volumes.join(",");
    let root = env!("CARGO_MANIFEST_DIR");
    let asked = [
        "--root",
        root,
        "cost",
        "-e",
        "production",
        "--format",
        "json",
        "--events-per-day",
        &volumes,
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_oort")).args(asked).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let months = report["months"].as_array().unwrap().iter().map(|month| {
        let of = |service: &str| -> f64 {
            let lines = month["lines"].as_array().unwrap().iter();
            lines
                .filter(|line| line["service"] == service)
                .map(|line| line["usd"].as_f64().unwrap())
                .sum()
        };
        json!({
            "total": month["total"],
            "eventbridge": of("EventBridge"),
            "sqs": of("SQS"),
            "fargate": of("Fargate"),
            "s3": of("S3"),
            "sns": of("SNS"),
            "alarms": of("CloudWatch alarms"),
        })
    });
    json!({"months": months.collect::<Vec<_>>(), "as_of": report["prices"]["files"][0]["as_of"]})
}

fn context(inputs: &Inputs) -> Value {
    let usual = Stack::read("production", "acme");
    let largest = Stack::read("production", "initech");
    let foundation = Stack::read("production", "foundation");
    let tenants = inputs.assumed("tenants");
    let cost = cost(&[
        0.0,
        inputs.assumed("tenant_events_a_day"),
        inputs.assumed("events_a_day"),
    ]);
    let month = |index: usize, of: &str| cost["months"][index][of].as_f64().unwrap();
    json!({
        "inputs": inputs,
        "tenant": tenant::figures(inputs, &usual),
        "fleet": fleet::figures(inputs, &Settings::read(), &largest, &usual, &foundation),
        "cost": cost,
        "fleet_cost": {
            "total": tenants * month(1, "total"),
            "idle": tenants * month(0, "total"),
            "alarms": tenants * month(1, "alarms"),
            "eventbridge": tenants * month(1, "eventbridge"),
        },
    })
}

/// Thousands apart, so many digits after the point.
fn grouped(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let (whole, rest) = text.find('.').map_or((text.as_str(), ""), |point| text.split_at(point));
    let mut told = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told + rest
}

/// A number as a person reads it: three digits that count, and no fraction of what is large.
fn told(number: f64) -> String {
    let size = number.abs();
    let digits = match size {
        _ if size >= 100.0 || (number - number.round()).abs() < 1e-9 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ => 3,
    };
    let text = grouped(number, digits);
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[test]
fn numbers_are_told_as_a_person_reads_them() {
    for (number, wanted) in [
        (0.25, "0.25"),
        (57.04, "57"),
        (6.3, "6.3"),
        (1_234.5, "1,234"),
        (1e8, "100,000,000"),
        (0.0, "0"),
    ] {
        assert_eq!(told(number), wanted);
    }
}

fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    engine.set_syntax(syntax.build().unwrap());
    engine.add_filter("n", told);
    engine
}

fn rendered(inputs: &Inputs) -> String {
    engine()
        .render_str(&text(TEMPLATE), Serde(context(inputs)))
        .unwrap_or_else(|error| panic!("{error:#}"))
}

#[test]
fn the_page_has_the_numbers_that_its_inputs_give() {
    let page = rendered(&Inputs::read());
    if setting("OORT_TEST_WRITE").is_some() {
        std::fs::write(path(PAGE), &page).unwrap();
    }
    let there = text(PAGE);
    for (number, (wanted, there)) in page.lines().zip(there.lines()).enumerate() {
        assert_eq!(wanted, there, "{PAGE}:{}; OORT_TEST_WRITE=1 writes it anew", number + 1);
    }
    assert_eq!(page.lines().count(), there.lines().count());
}

/// Otherwise a figure could stand on the page that nothing derives.
#[test]
fn no_number_of_the_page_is_typed() {
    // Names that have a digit.
    const NAMES: [&str; 2] = ["S3", ".j2"];
    let mut template = text(TEMPLATE);
    for name in NAMES {
        template = template.replace(name, "");
    }
    for (open, close) in [("{{", "}}"), ("{%", "%}"), ("{#", "#}")] {
        while let Some((before, rest)) = template.split_once(open) {
            let (_, after) = rest.split_once(close).unwrap();
            template = format!("{before}{after}");
        }
    }
    for line in template.lines() {
        assert!(
            !line.contains(|letter: char| letter.is_ascii_digit()),
            "a number was typed: {line}"
        );
    }
}

#[test]
fn every_input_says_where_it_comes_from() {
    let (inputs, readme) = (Inputs::read(), text("README.md"));
    for (name, measured) in &inputs.measured {
        assert!(!measured.command.is_empty(), "{name}");
        let Some(line) = &measured.readme else { continue };
        assert!(readme.contains(line), "{name}: the README has no {line:?}");
        assert!(
            line.contains(&told_as_read(measured.value)),
            "{name}: {line:?} has no {}",
            measured.value
        );
    }
    for (name, limit) in &inputs.limits {
        let is_public = ["https://docs.aws.amazon.com/", "https://developer.okta.com/"]
            .iter()
            .any(|site| limit.source.starts_with(site));
        assert!(is_public && !limit.raised.is_empty(), "{name}");
    }
    assert_eq!(
        told(inputs.limit("event_buses")),
        EVENT_BUSES.to_string(),
        "the profile's own"
    );
}

/// As the README has it: every digit.
fn told_as_read(number: f64) -> String {
    let digits = format!("{number}")
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    grouped(number, digits)
}

/// The page would otherwise be as true of any other inputs.
#[test]
fn another_input_makes_another_page() {
    let inputs = Inputs::read();
    let page = rendered(&inputs);
    let changed = |change: &dyn Fn(&mut Inputs)| {
        let mut other = inputs.clone();
        change(&mut other);
        rendered(&other)
    };
    for name in inputs.assumed.keys() {
        let other = changed(&|inputs| inputs.assumed.get_mut(name).unwrap().value *= 1.5);
        assert!(derived(&other) != derived(&page), "nothing follows from {name}");
    }
    for name in inputs.measured.keys() {
        let other = changed(&|inputs| inputs.measured.get_mut(name).unwrap().value *= 1.5);
        assert!(derived(&other) != derived(&page), "nothing follows from {name}");
    }
    for name in inputs.limits.keys() {
        let other = changed(&|inputs| inputs.limits.get_mut(name).unwrap().value *= 1.5);
        assert!(derived(&other) != derived(&page), "nothing follows from {name}");
    }
}

/// What stands before the tables of inputs.
fn derived(page: &str) -> &str {
    page.split_once("\n## Inputs\n").unwrap().0
}
