//! One request that was let in, and what it is answered with. What stands here, a page can rely on: the tenant is one that the
//! reader may see, and an action is one that the reader may do and meant to.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use crate::console::Console;
use crate::console::desk::Desk;
use crate::console::problem::Problem;
use crate::console::visitor::{Role, Visitor};

/// What a handler gives.
pub type Outcome = Result<Answer, Problem>;

/// A request.
pub struct Visit {
    pub console: Arc<Console>,
    pub visitor: Visitor,
    /// The tenant that the address names.
    pub desk: Option<Arc<Desk>>,
    /// Of the address's path.
    pub params: HashMap<String, String>,
    /// In order; a name may come again.
    pub query: Vec<(String, String)>,
    /// The fields of a form, or of a JSON object.
    pub form: Vec<(String, String)>,
    pub cookies: String,
    /// Of the table of routes.
    pub route: &'static str,
}

impl Visit {
    /// Whether a program asks, which is answered in JSON.
    pub fn is_api(&self) -> bool {
        self.route.starts_with("/api/")
    }

    pub fn desk(&self) -> Result<&Arc<Desk>, Problem> {
        self.desk.as_ref().ok_or_else(|| Problem::not_found("tenant"))
    }

    /// What the reader may do on the tenant.
    pub fn role(&self) -> Option<Role> {
        self.visitor.grants.on(self.desk.as_ref()?.tenant.as_str())
    }

    pub fn may(&self, role: Role) -> bool {
        self.role() >= Some(role)
    }

    /// Okta's and AWS's limits are the tenant's, too: who looks there is held to a pace as who acts.
    pub fn asks_okta(&self) -> Result<(), Problem> {
        let who = format!("{} asks", self.visitor.name);
        self.console.pace.take(&who, self.console.now())
    }

    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// The first value of a name in the query; empty when there is none.
    pub fn asked(&self, name: &str) -> &str {
        first(&self.query, name)
    }

    pub fn all_asked<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = self.query.iter().filter(move |(own, _)| own == name);
        of_name
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A field of the form; empty when there is none.
    pub fn told(&self, name: &str) -> &str {
        first(&self.form, name)
    }

    /// Whether only a part of the page is wanted, which a script puts in place.
    pub fn wants_part(&self) -> bool {
        self.asked("part") == "1"
    }

    /// A number of the query within bounds.
    pub fn number(&self, name: &str, usual: usize, most: usize) -> Result<usize, Problem> {
        match self.asked(name) {
            "" => Ok(usual),
            text => text
                .parse()
                .ok()
                .filter(|number| (1..=most).contains(number))
                .ok_or_else(|| Problem::bad_request(format!("`{name}` is a number from 1 to {most}."))),
        }
    }
}

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found = pairs.iter().find(|(own, _)| own == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// What a request is answered with.
pub enum Answer {
    Html(String),
    Json(Vec<u8>),
    /// To an address of this console, by GET.
    See(String),
    /// To another site, which is the provider that readers sign in with.
    SignIn {
        to: String,
        cookie: String,
    },
    /// The same, and cookies.
    SeeWith {
        to: String,
        cookies: Vec<String>,
    },
    /// A file that is part of the program.
    Asset {
        kind: &'static str,
        bytes: &'static [u8],
    },
    /// A table as a file to keep, as it is made.
    Download {
        kind: &'static str,
        name: String,
        body: Body,
    },
}

impl Answer {
    pub fn json<T: Serialize>(value: &T) -> Outcome {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        Ok(Self::Json(bytes))
    }

    /// The response, without the headers that every response has.
    pub fn into_response(self) -> Response {
        match self {
            Self::Html(text) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
            Self::Json(bytes) => ([(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
            Self::See(to) => see(&to, &[]),
            Self::SignIn { to, cookie } => see(&to, &[cookie]),
            Self::SeeWith { to, cookies } => see(&to, &cookies),
            Self::Asset { kind, bytes } => ([(header::CONTENT_TYPE, kind)], bytes).into_response(),
            Self::Download { kind, name, body } => {
                let disposition = format!("attachment; filename=\"{name}\"");
                let headers = [
                    (header::CONTENT_TYPE, kind),
                    (header::CONTENT_DISPOSITION, &disposition),
                ];
                (headers, body).into_response()
            }
        }
    }
}

fn see(to: &str, cookies: &[String]) -> Response {
    let Ok(location) = HeaderValue::from_str(to) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response();
    for cookie in cookies {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}
