//! What is wrong with a template before any value is known: texts joined outside the braces, and names that no value has.
//! Pure.

use minijinja::Environment as Engine;
use serde_json::{Value, json};

use crate::deploy::fields::closest;
use crate::deploy::problem::{Problem, Problems};
use crate::deploy::profile;
use crate::deploy::render::{RenderError, Renderer};
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::yaml::At;

/// Names that the engine itself brings.
const OF_THE_ENGINE: [&str; 4] = ["range", "dict", "namespace", "debug"];

/// Stands for any profile: every key has a value.
const PROFILE: &str = r#"
environment: example
target: aws
account_id: "000000000000"
region: us-east-2
image: oort-streams:example
permissions_boundary: arn:aws:iam::000000000000:policy/example
network: {subnets: [subnet-0], security_groups: [sg-0]}
detector: {schedule: rate(1 hour), jitter_minutes: 30, cpu: 256, memory_mib: 512}
compactor: {schedule: cron(15 3 * * ? *), jitter_minutes: 0, cpu: 256, memory_mib: 512}
maintainer: {schedule: cron(45 5 ? * SUN *), jitter_minutes: 0, cpu: 256, memory_mib: 512}
reconciler: {schedule: rate(6 hours), jitter_minutes: 0, cpu: 256, memory_mib: 512}
queue: {visibility_timeout_seconds: 900, receive_limit: 5, retention_days: 14}
archive_retention_days: 14
data_retention_days: 400
log_retention_days: 30
tags: {stage: example}
"#;

/// Stands for any tenant: one of everything.
const TENANT: &str = r"
tenant: example
okta: {subdomain: example, integration_id: example}
notifications: [{name: soc, protocol: email, endpoint: soc@example.com, minimum_severity: high}]
tags: {owner: example}
";

/// All problems of both templates, in the order of their lines.
pub fn lint(foundation: &Source, tenant: &Source) -> Problems {
    let mut problems = Problems::default();
    let sources = SourceSet {
        environment: "example".to_owned(),
        defaults: None,
        profile: source("profile.yaml", PROFILE),
        groups: Vec::new(),
        tenants: vec![source("example.yaml", TENANT)],
        foundation_template: foundation.clone(),
        tenant_template: tenant.clone(),
    };
    let environment = match profile::validate(&sources) {
        Ok(environment) => environment,
        Err(error) => return error,
    };
    let mut known = json!({"prefix": "", "profile": environment.profile});
    check(foundation, &known, &mut problems);
    if let Value::Object(names) = &mut known {
        names.insert("tenant".to_owned(), json!(environment.tenants.first()));
        for table in ["table", "users_table", "devices_table"] {
            names.insert(table.to_owned(), "".into());
        }
    }
    check(tenant, &known, &mut problems);
    // What neither finds, such as a wrong name of a loop's item, shows when everything is rendered once.
    if problems.0.is_empty() {
        let rendered = Renderer::new(&environment.profile, &sources).and_then(|renderer| {
            renderer.foundation()?;
            environment
                .tenants
                .iter()
                .try_for_each(|tenant| renderer.tenant(tenant).map(|_| ()))
        });
        problems.0.extend(rendered.err().map(as_problem));
    }
    problems
}

fn as_problem(error: RenderError) -> Problem {
    let (path, line, what, text) = match error {
        RenderError::Template { path, line, why, text } => (path, line, why, text),
        RenderError::Limit { stack, why } => (stack, 1, why, String::new()),
    };
    Problem {
        path,
        at: At { line, column: 1 },
        what,
        line: text,
    }
}

fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn check(template: &Source, known: &Value, problems: &mut Problems) {
    let mut found = joined(template);
    found.extend(undefined(template, known));
    found.sort_by_key(|problem| problem.at);
    problems.0.append(&mut found);
}

fn problem(template: &Source, offset: usize, what: String) -> Problem {
    let before = &template.text[..offset];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    Problem {
        path: template.path.clone(),
        at: At {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        },
        what,
        line: template.text[start..].lines().next().unwrap_or_default().to_owned(),
    }
}

/// Values that are a part of a text only. A value is written as JSON, with its quotes, so that such a text would have them
/// in its middle.
fn joined(template: &Source) -> Vec<Problem> {
    let text = &template.text;
    let mut problems = Vec::new();
    let mut from = 0;
    while let Some((start, end, is_value)) = next_tag(text, from) {
        if is_value && !(may_precede(line_before(text, start)) && may_follow(line_after(text, end))) {
            let what = r#"this value is joined to a text outside the braces; join inside, as in {{ "a-" ~ b }}"#;
            problems.push(problem(template, start, what.to_owned()));
        }
        from = end;
    }
    problems
}

/// The next tag from a byte on: where it starts, where it ends, and whether it writes a value.
fn next_tag(text: &str, from: usize) -> Option<(usize, usize, bool)> {
    let (start, end, is_value) = [("{{", "}}", true), ("{%", "%}", false), ("{#", "#}", false)]
        .iter()
        .filter_map(|(start, end, is_value)| Some((from + text[from..].find(start)?, *end, *is_value)))
        .min()?;
    // A map that closes right behind a value, as in {"a": {{ b }}}, leaves the first two braces to the tag.
    let close = text[start + 2..].find(end)? + start + 2 + end.len();
    Some((start, close, is_value))
}

fn line_before(text: &str, at: usize) -> &str {
    text[..at].rsplit('\n').next().unwrap_or_default()
}

fn line_after(text: &str, at: usize) -> &str {
    text[at..].split('\n').next().unwrap_or_default()
}

/// Whether a value may begin after this part of a line.
fn may_precede(before: &str) -> bool {
    let bare = before.trim_end();
    let has_blank = bare.len() < before.len();
    match bare.chars().next_back() {
        None | Some('[' | '{' | ',') => true,
        Some(':') => has_blank,
        Some('-') => has_blank && bare.trim_start().chars().all(|c| matches!(c, '-' | ' ')),
        _ => bare.ends_with("%}") || bare.ends_with("#}"),
    }
}

/// Whether a value may end before this part of a line.
fn may_follow(after: &str) -> bool {
    let bare = after.trim_start();
    match bare.chars().next() {
        None | Some(',' | ']' | '}') => true,
        Some(':') => bare[1..].is_empty() || bare[1..].starts_with(' '),
        Some('#') => bare.len() < after.len(),
        _ => bare.starts_with("{%") || bare.starts_with("{#"),
    }
}

/// Names that no value has, also in branches that nobody takes.
fn undefined(template: &Source, known: &Value) -> Vec<Problem> {
    let engine = Engine::empty();
    let names = match engine.template_from_named_str(&template.path, &template.text) {
        Ok(parsed) => parsed.undeclared_variables(true),
        Err(error) => {
            let line = error.line().unwrap_or(1);
            let offset = template.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
            let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            return vec![problem(template, offset, why)];
        }
    };
    let unknown = names.into_iter().filter(|name| {
        let first = name.split('.').next().unwrap_or_default();
        !OF_THE_ENGINE.contains(&first)
    });
    unknown
        .filter_map(|name| {
            let why = why_unknown(&name, known)?;
            Some(problem(template, place_of(&template.text, &name), why))
        })
        .collect()
}

/// Why a dotted name is none of the values; `None` when it is one, or goes on where anything may stand.
fn why_unknown(name: &str, known: &Value) -> Option<String> {
    let mut value = known;
    for step in name.split('.') {
        let Value::Object(names) = value else { return None };
        let Some(next) = names.get(step) else {
            let names: Vec<&str> = names.keys().map(String::as_str).collect();
            let hint = match closest(step, &names) {
                Some(other) => format!("is `{other}` meant?"),
                None => format!("there is {}", names.join(", ")),
            };
            return Some(format!("`{name}` is no value: nothing is named `{step}`; {hint}"));
        };
        value = next;
    }
    None
}

/// Where a name stands in a tag.
fn place_of(text: &str, name: &str) -> usize {
    let mut from = 0;
    while let Some((start, end, _)) = next_tag(text, from) {
        if let Some(at) = text[start..end].find(name) {
            return start + at;
        }
        from = end;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linted(tenant: &str) -> String {
        let foundation = source("foundation.j2", "Resources: {A: {Type: {{ prefix }}}}\n");
        let tenant = source("tenant.j2", tenant);
        let told: Vec<String> = lint(&foundation, &tenant).0.iter().map(ToString::to_string).collect();
        told.join("\n")
    }

    #[test]
    fn a_value_joined_outside_the_braces_is_found() {
        for bad in [
            "oort-{{ prefix }}",
            "\"oort-{{ prefix }}\"",
            "{{ prefix }}-queue",
            "{{ prefix }}{{ table }}",
            "the {{ prefix }} queue",
            "arn:{{ prefix }}",
            "[a, b{{ prefix }}]",
        ] {
            let told = linted(&format!("Resources:\n  A:\n    Type: {bad}\n"));
            assert!(
                told.starts_with("tenant.j2:3:") && told.contains("outside the braces"),
                "{bad}: {told}"
            );
        }
        for good in [
            "{{ prefix }}",
            "{{ prefix }} # a comment",
            "[{{ prefix }}, {{ table }}]",
            "{\"a\": {{ prefix }}}",
            "{% if prefix %}{{ prefix }}{% endif %} # more",
        ] {
            let template = format!(
                "Resources:\n  {{{{ prefix }}}}:\n    Type: X\n    A: {good}\n    B:\n      - {{{{ table }}}}\n"
            );
            assert_eq!(linted(&template), "", "{good}");
        }
    }

    #[test]
    fn names_of_nothing_are_found_in_every_branch_and_loop() {
        let told = linted(
            "Resources:\n  A:\n{% if tenant.id == \"x\" %}\n    Type: {{ tenant.setings.queue.retention_days }}\n{% endif %}\n    B: {{ tenent.id }}\n",
        );
        insta::assert_snapshot!(told, @"
        tenant.j2:4:14: `tenant.setings.queue.retention_days` is no value: nothing is named `setings`; is `settings` meant?
             4 |     Type: {{ tenant.setings.queue.retention_days }}
               |              ^
        tenant.j2:6:11: `tenent.id` is no value: nothing is named `tenent`; is `tenant` meant?
             6 |     B: {{ tenent.id }}
               |           ^
        ");
        let told = linted(
            "Resources:\n{% for route in tenant.notifications %}\n  {{ route.name }}:\n    Type: {{ route.kind }}\n{% endfor %}\n",
        );
        insta::assert_snapshot!(told, @"
        tenant.j2:4:1: undefined value: `route.kind` is undefined
             4 |     Type: {{ route.kind }}
               | ^
        ");
        assert!(linted("Resources:\n  A: {{ prefix }\n").starts_with("tenant.j2:2:"));
    }
}
