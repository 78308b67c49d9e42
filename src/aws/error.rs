//! What AWS answers when it does not do what it was asked, as the one error that ports know.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::RequestId as _;

use crate::ports::{Error, Kind, Result};

/// AWS's own words: its code, its message and the request's ID, and never what was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// The error of a call. `op` names the API and what it was about, as in `cloudformation:CreateChangeSet oort-staging-acme`.
pub fn from_sdk<E>(op: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let (kind, said) = match error {
        // The SDK takes an answer that it cannot read for a refusal.
        SdkError::ServiceError(context) if context.raw().status().is_success() => (
            Kind::Unavailable,
            format!("the answer cannot be read: {}", causes(context.err())),
        ),
        SdkError::ServiceError(context) => refused_with(context.err().meta(), context.raw().status().as_u16()),
        SdkError::ResponseError(_) => (
            Kind::Unavailable,
            format!("the answer cannot be read: {}", causes(error)),
        ),
        SdkError::TimeoutError(_) => (Kind::Unavailable, format!("no answer in time: {}", causes(error))),
        _ => not_sent(error),
    };
    // AWS and credential processes break lines; a cause is one.
    let mut said = one_line(&said);
    if let Some(request) = error.request_id() {
        said = format!("{said} (request {request})");
    }
    Error::caused(kind, op, Said(said))
}

/// What an answer has to have: without it nobody knows what came of the call.
pub fn required(op: impl Into<String>, what: &str, value: Option<&str>) -> Result<String> {
    match value {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(unusable(op, format!("the answer names no {what}"))),
    }
}

/// An answer that says less than it has to.
pub fn unusable(op: impl Into<String>, why: impl Into<String>) -> Error {
    Error::caused(Kind::Unavailable, op, Said(why.into()))
}

/// An answer that says for a part of what was asked that it is not allowed.
pub fn denied(op: impl Into<String>, why: impl Into<String>) -> Error {
    Error::caused(Kind::Denied, op, Said(why.into()))
}

/// What a service said without the SDK. `usual` is the kind for what is not known by its code.
pub fn answered(op: impl Into<String>, usual: Kind, code: &str, message: &str, request: &str) -> Error {
    let (known, said) = refused(code, message, 0);
    let kind = if known == Kind::Invalid { usual } else { known };
    let said = one_line(&said);
    let said = if request.is_empty() {
        said
    } else {
        format!("{said} (request {request})")
    };
    Error::caused(kind, op, Said(said))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refused(code: &str, message: &str, status: u16) -> (Kind, String) {
    // Where a signature does not match, AWS goes on with the request as it read it: with the session's token in it.
    let message = match message.find("The Canonical String") {
        Some(at) => message[..at].trim_end(),
        None => message,
    };
    let said = match (code, message) {
        ("", "") => format!("HTTP status {status} without a reason"),
        ("", message) => message.to_owned(),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let way_out = if is_expired(code) {
        "; sign in again"
    } else if message.starts_with("Signature expired") || message.starts_with("Signature not yet current") {
        "; set this machine's clock"
    } else {
        ""
    };
    (kind(code, message, status), format!("{said}{way_out}"))
}

fn refused_with(meta: &ErrorMetadata, status: u16) -> (Kind, String) {
    refused(
        meta.code().unwrap_or_default(),
        meta.message().unwrap_or_default(),
        status,
    )
}

/// Nothing was sent, or nobody knows whether it arrived.
fn not_sent<E: StdError + 'static>(error: &SdkError<E, HttpResponse>) -> (Kind, String) {
    match (credentials_error(error), error) {
        (Some(CredentialsError::CredentialsNotLoaded(_)), _) => (
            Kind::Denied,
            "no credentials are found; sign in, or choose a profile with AWS_PROFILE".to_owned(),
        ),
        // The service that gives them is as unavailable as any other: what was signed in stays signed in.
        (Some(error @ CredentialsError::ProviderTimedOut(_)), _) => (Kind::Unavailable, error.to_string()),
        (Some(error), _) => {
            let causes = causes(error);
            let is_unreachable = ["dispatch failure", "timeout", "timed out"]
                .iter()
                .any(|sign| causes.contains(sign));
            let (kind, way_out) = match error {
                _ if is_unreachable => (Kind::Unavailable, ""),
                CredentialsError::InvalidConfiguration(_) => (Kind::Denied, "; see AWS_PROFILE and its profile"),
                _ => (Kind::Denied, "; sign in again"),
            };
            (kind, format!("credentials cannot be had: {causes}{way_out}"))
        }
        (None, SdkError::ConstructionFailure(_)) => {
            (Kind::Invalid, format!("the request cannot be made: {}", causes(error)))
        }
        (None, _) => (Kind::Unavailable, format!("no answer: {}", causes(error))),
    }
}

fn credentials_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// The causes of an error in one line, each once, without the error itself; the error where it has none.
pub fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string().trim_end().to_owned();
        if text.is_empty() {
            text = more;
        } else if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

fn is_expired(code: &str) -> bool {
    code.starts_with("ExpiredToken") || code == "RequestExpired"
}

/// Source: the common errors of the AWS APIs, and what CloudFormation says in a `ValidationError`.
fn kind(code: &str, message: &str, status: u16) -> Kind {
    // The protocols disagree on whether a code ends so.
    match code.strip_suffix("Exception").unwrap_or(code) {
        "Throttling" | "Throttled" | "RequestLimitExceeded" | "TooManyRequests" | "RequestThrottled" | "SlowDown" => {
            Kind::Throttled
        }
        _ if status == 429 || message.contains("Rate exceeded") => Kind::Throttled,
        "UnauthorizedOperation"
        | "InvalidClientTokenId"
        | "SignatureDoesNotMatch"
        | "InvalidSignature"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "UnrecognizedClient"
        | "OptInRequired" => Kind::Denied,
        code if code.starts_with("AccessDenied") || is_expired(code) => Kind::Denied,
        "ChangeSetNotFound" | "StackNotFound" | "ResourceNotFound" | "EntityNotFound" => Kind::NotFound,
        "InvalidChangeSetStatus"
        | "AlreadyExists"
        | "TokenAlreadyExists"
        | "OperationInProgress"
        | "ConcurrentModification" => Kind::Conflict,
        "ValidationError" if is_missing_stack(message) => Kind::NotFound,
        "ValidationError" if is_in_the_way(message) => Kind::Conflict,
        "" if matches!(status, 401 | 403) => Kind::Denied,
        _ if status >= 500 || status == 408 => Kind::Unavailable,
        _ => Kind::Invalid,
    }
}

/// Other things do not exist either, such as the object that a template's URL names: those have to be mended.
fn is_missing_stack(message: &str) -> bool {
    (message.starts_with("Stack") || message.starts_with("ChangeSet")) && message.contains("does not exist")
}

/// The stack is not as whoever asked took it to be.
fn is_in_the_way(message: &str) -> bool {
    [
        "state and can not be",
        "_IN_PROGRESS state",
        "cannot be deleted while in status",
        "already exists and cannot be created again",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}
