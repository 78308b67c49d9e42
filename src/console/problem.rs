//! What went wrong, for the reader: a page or, for programs, a problem as RFC 9457 has it.

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ports::{Error, Kind, chain};

/// A refusal or a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    pub title: String,
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_do: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            detail: detail.into(),
            to_do: None,
        }
    }

    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "it is what a reader has to do")]
    pub fn to_do(mut self, what: impl Into<String>) -> Self {
        self.to_do = Some(what.into());
        self
    }

    /// There is nothing, or nothing that this reader may know of.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no such {what}."))
    }

    pub fn bad_request(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    pub fn forbidden(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, why)
    }

    pub fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The cause goes to the log, where it is of use; a reader is told what they can do.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        tracing::warn!("a page failed: {}", chain(&error));
        match error.kind {
            Kind::NotFound => Self::not_found("thing"),
            Kind::Conflict => Self::new(StatusCode::CONFLICT, "Somebody else was faster.").to_do("Try again."),
            Kind::Throttled | Kind::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The tenant's data cannot be read at the moment.",
            )
            .to_do("Try again in a minute. The console's log says what did not answer."),
            Kind::Denied => Self::new(
                StatusCode::BAD_GATEWAY,
                "The console's own role may not read this tenant's data.",
            )
            .to_do("Give the console's role what its log names."),
            Kind::Invalid => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The tenant's data is not what it must be.",
            )
            .to_do("The console's log names the object."),
        }
    }
}
