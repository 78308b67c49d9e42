//! Pages: templates that are part of the program, and what every page has.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, State, UndefinedBehavior};
use serde::Serialize;
use serde_json::json;

use crate::console::Console;
use crate::console::problem::Problem;
use crate::console::visit::{Answer, Outcome, Visit};
use crate::console::visitor::Visitor;

macro_rules! page {
    ($name:literal) => {
        ($name, include_str!(concat!("pages/", $name)))
    };
}

const PAGES: [(&str, &str); 21] = [
    page!("_parts.html"),
    page!("layout.html"),
    page!("overview.html"),
    page!("integration.html"),
    page!("_checks.html"),
    page!("users.html"),
    page!("_people.html"),
    page!("user.html"),
    page!("_account.html"),
    page!("_activity.html"),
    page!("event.html"),
    page!("_event.html"),
    page!("refresh.html"),
    page!("_refresh.html"),
    page!("findings.html"),
    page!("_findings.html"),
    page!("finding.html"),
    page!("rules.html"),
    page!("rule.html"),
    page!("runs.html"),
    page!("error.html"),
];
const SIGN_IN: (&str, &str) = page!("signin.html");

static TEMPLATES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(templates);

fn templates() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true);
    environment.set_syntax(syntax.build()?);
    environment.add_filter("time", time);
    environment.add_filter("ago", ago);
    environment.add_filter("number", number);
    for (name, text) in PAGES.into_iter().chain([SIGN_IN]) {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// What every page has.
#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    section: &'a str,
    tenant: Option<&'a str>,
    tenants: Vec<Neighbour>,
    integration_href: Option<String>,
    who: Option<Who<'a>>,
    csrf: &'a str,
    environment: &'a str,
    version: &'static str,
    notice: Option<Notice>,
    now: Timestamp,
}

#[derive(Serialize)]
struct Neighbour {
    id: String,
    href: String,
}

#[derive(Serialize)]
struct Who<'a> {
    name: &'a str,
    role: &'static str,
}

#[derive(Serialize)]
struct Notice {
    tone: &'static str,
    text: String,
}

/// A page of a section, or one of its parts.
pub fn page(visit: &Visit, (section, title): (&str, &str), template: &str, content: &impl Serialize) -> Outcome {
    let console = &visit.console;
    let of_tenant = if section == "overview" { "findings" } else { section };
    let neighbour = |id: &str| Neighbour {
        id: id.to_owned(),
        href: match (of_tenant, console.desks.get(id)) {
            ("integration", Some(desk)) => integration_href(&desk.integration.id),
            ("users" | "rules" | "runs", _) => href(id, of_tenant),
            _ => href(id, "findings"),
        },
    };
    let desk = visit.desk.as_ref();
    let role = visit.role().or(visit.visitor.grants.highest());
    let page = Page {
        title,
        section,
        tenant: desk.map(|desk| desk.tenant.as_str()),
        tenants: console
            .seen_by(&visit.visitor)
            .map(|desk| neighbour(desk.tenant.as_str()))
            .collect(),
        integration_href: desk.map(|desk| integration_href(&desk.integration.id)),
        who: visit.visitor.is_signed_in.then(|| Who {
            name: &visit.visitor.name,
            role: role.map_or("", |role| role.as_str()),
        }),
        csrf: &visit.visitor.csrf,
        environment: &console.environment,
        version: env!("CARGO_PKG_VERSION"),
        notice: notice(visit.asked("done")),
        now: console.now(),
    };
    render(template, &page, content).map(Answer::Html)
}

/// What a reader is told who comes back from an action; any other word is none of ours.
fn notice(done: &str) -> Option<Notice> {
    let text = match done {
        "mute" => "The finding is muted.",
        "close" => "The finding is closed.",
        "reopen" => "The finding is open again.",
        "signed-out" => "You are signed out.",
        _ => return None,
    };
    Some(Notice {
        tone: "good",
        text: text.to_owned(),
    })
}

fn render(template: &str, page: &Page<'_>, content: &impl Serialize) -> Result<String, Problem> {
    let failed = |error: &minijinja::Error| {
        tracing::error!("the template {template} failed: {error}");
        Problem::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "The page could not be made.",
        )
    };
    let environment = TEMPLATES.as_ref().map_err(failed)?;
    let template = environment.get_template(template).map_err(|error| failed(&error))?;
    let mut content = json!(content);
    content["page"] = json!(page);
    template
        .render(Value::from(Serde(&content)))
        .map_err(|error| failed(&error))
}

/// A problem as a page.
pub fn problem(console: &Console, visitor: Option<&Visitor>, problem: &Problem) -> Response {
    let nobody = Visitor::nobody();
    let visitor = visitor.unwrap_or(&nobody);
    let page = Page {
        title: &problem.title,
        section: "",
        tenant: None,
        tenants: Vec::new(),
        integration_href: None,
        who: visitor.is_signed_in.then(|| Who {
            name: &visitor.name,
            role: "",
        }),
        csrf: &visitor.csrf,
        environment: &console.environment,
        version: env!("CARGO_PKG_VERSION"),
        notice: None,
        now: console.now(),
    };
    let content = json!({ "problem": json!({
        "status": problem.status, "title": problem.title, "detail": problem.detail, "to_do": problem.to_do, "id": "",
    }), });
    let text = render("error.html", &page, &content).unwrap_or_else(|_| problem.detail.clone());
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (problem.code(), kind, text).into_response()
}

/// A page of a tenant.
pub fn href(tenant: &str, page: &str) -> String {
    format!("/tenants/{}/{page}", encoded(tenant))
}

pub fn integration_href(id: &str) -> String {
    format!("/integrations/{}", encoded(id))
}

/// A text as one segment of a path or one value of a query.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// An address with a query of these, without those that are empty.
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let filled = pairs.iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = filled
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", query.join("&"))
    }
}

fn element(at: Timestamp, text: &str) -> Value {
    let utc = at.strftime("%Y-%m-%d %H:%M:%S UTC");
    Value::from_safe_string(format!(
        "<time datetime=\"{}\" title=\"{utc}\">{text}</time>",
        at.strftime("%Y-%m-%dT%H:%M:%SZ")
    ))
}

fn moment(text: &str) -> Result<Timestamp, minijinja::Error> {
    text.parse()
        .map_err(|_| minijinja::Error::new(ErrorKind::InvalidOperation, "no time stamp"))
}

fn time(text: &str) -> Result<Value, minijinja::Error> {
    let at = moment(text)?;
    Ok(element(at, &at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()))
}

fn ago(state: &State<'_, '_>, text: &str) -> Result<Value, minijinja::Error> {
    let at = moment(text)?;
    let now = state.lookup("page").and_then(|page| page.get_attr("now").ok());
    let now = now.and_then(|now| moment(now.as_str()?).ok()).unwrap_or(at);
    let seconds = now.duration_since(at).as_secs();
    let text = match seconds {
        ..60 => "less than a min ago".to_owned(),
        60..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    };
    Ok(element(at, &text))
}

fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read() {
        if let Err(error) = templates() {
            panic!("{error:#}");
        }
    }

    #[test]
    fn addresses_and_numbers_are_written_for_their_readers() {
        assert_eq!(encoded("a b/../é&<"), "a%20b%2F..%2F%C3%A9%26%3C");
        assert_eq!(with_query("/x", &[("a", ""), ("b", "1 2")]), "/x?b=1%202");
        assert_eq!(with_query("/x", &[("a", "")]), "/x");
        for (plain, grouped) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(plain), grouped);
        }
    }
}
