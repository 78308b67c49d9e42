//! Where each question goes. No input or output.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::ports::okta::{Act, Ask, EVENTS_A_PAGE, LogQuery};

/// One request: a path of the org, its query, and a body where there is one.
pub struct Target {
    pub method: Method,
    pub path: Vec<String>,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    /// Which of the org's rate limits it counts against. Source: Okta's list of rate limits by endpoint.
    pub bucket: &'static str,
    /// Whether it is answered to everybody: no token is shown.
    pub is_public: bool,
}

impl Target {
    fn get(bucket: &'static str, path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.split('/').map(str::to_owned).collect(),
            query: Vec::new(),
            body: None,
            bucket,
            is_public: false,
        }
    }

    /// Adds what comes from outside as one segment of the path.
    fn of(mut self, segment: &str) -> Self {
        self.path.push(segment.to_owned());
        self
    }

    fn then(mut self, path: &str) -> Self {
        self.path.extend(path.split('/').map(str::to_owned));
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    fn post(mut self) -> Self {
        self.method = Method::POST;
        self
    }

    /// Its address in an org; `None` for a segment that a server would read as another path.
    pub fn url(&self, base: &Url) -> Option<Url> {
        let is_plain =
            |segment: &String| !matches!(segment.as_str(), "" | "." | "..") && !segment.contains(['/', '\\']);
        if !self.path.iter().all(is_plain) {
            return None;
        }
        let mut url = base.clone();
        url.path_segments_mut().ok()?.clear().extend(&self.path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Some(url)
    }

    /// As in `GET /api/v1/users/00u1/factors`.
    pub fn name(&self) -> String {
        let mut name = self.method.to_string();
        name.push(' ');
        for segment in &self.path {
            let _ = write!(name, "/{segment}");
        }
        name
    }
}

pub fn ask(ask: &Ask) -> Target {
    match ask {
        Ask::Events(query) => events(query),
        Ask::LogStreams => Target::get("logStreams", "api/v1/logStreams").with("limit", "200"),
        Ask::Me => Target::get("users", "api/v1/users/me"),
        Ask::User(user) => Target::get("user", "api/v1/users").of(user),
        Ask::UsersByEmail(email) => Target::get("users", "api/v1/users")
            .with("filter", format!("profile.email eq {}", quoted(email)))
            .with("limit", "200"),
        // Without a filter, the deprovisioned are left out; a search would leave out what changed a moment ago.
        Ask::Users { changed_since } => Target::get("users", "api/v1/users")
            .with("filter", changed("ge", *changed_since))
            .with("limit", "200"),
        Ask::Factors(user) => Target::get("users", "api/v1/users").of(user).then("factors"),
        Ask::UserDevices(user) => Target::get("users", "api/v1/users").of(user).then("devices"),
        Ask::Roles(user) => Target::get("users", "api/v1/users").of(user).then("roles"),
        Ask::Devices { changed_since } => {
            let devices = Target::get("devices", "api/v1/devices")
                .with("limit", "200")
                .with("expand", "userSummary");
            match changed_since {
                Some(_) => devices.with("search", changed("gt", *changed_since)),
                None => devices,
            }
        }
        Ask::Groups => Target::get("groups", "api/v1/groups").with("limit", "1000"),
        Ask::Org => Target {
            is_public: true,
            ..Target::get("org", ".well-known/okta-organization")
        },
    }
}

pub fn act(act: &Act) -> Target {
    let stream = |id: &str| Target::get("logStreams", "api/v1/logStreams").of(id);
    match act {
        Act::Create(new) => Target {
            body: serde_json::to_value(new).ok(),
            ..Target::get("logStreams", "api/v1/logStreams").post()
        },
        Act::Activate(id) => stream(id).then("lifecycle/activate").post(),
        Act::Deactivate(id) => stream(id).then("lifecycle/deactivate").post(),
        Act::Delete(id) => Target {
            method: Method::DELETE,
            ..stream(id)
        },
        Act::Touch(as_it_is) => Target {
            method: Method::PUT,
            body: Some(json!({"type": as_it_is.kind, "name": as_it_is.name, "settings": as_it_is.settings})),
            ..stream(&as_it_is.id)
        },
    }
}

/// The lower bound of a time is not in what Okta gives, so it is asked for a millisecond before.
fn events(query: &LogQuery) -> Target {
    let before = query
        .from
        .saturating_sub(SignedDuration::from_millis(1))
        .unwrap_or(query.from);
    let target = Target::get("logs", "api/v1/logs")
        .with("since", milliseconds(before))
        .with("until", milliseconds(query.to))
        .with("limit", EVENTS_A_PAGE.to_string())
        .with("sortOrder", "ASCENDING");
    match &query.filter {
        Some(filter) => target.with("filter", filter.clone()),
        None => target,
    }
}

fn changed(operator: &str, since: Option<Timestamp>) -> String {
    format!(
        r#"lastUpdated {operator} "{}""#,
        milliseconds(since.unwrap_or(Timestamp::UNIX_EPOCH))
    )
}

/// A text as Okta's filters have it, which is as JSON has it.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn milliseconds(at: Timestamp) -> String {
    format!("{at:.3}")
}
