//! What AWS answers when it does not do what it was asked, as the one error that ports know.

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use crate::ports::{Error, Kind};

/// AWS's own words: its code, its message and the request's ID, and never what was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// The error of a call. `op` names the API and what it was about, as in `cloudformation:CreateChangeSet oort-staging-acme`.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` has it")]
pub fn from_sdk<E>(op: impl Into<String>, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let op = op.into();
    match &error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let meta = context.err().meta();
            let (code, message) = (meta.code().unwrap_or_default(), meta.message().unwrap_or_default());
            let mut said = match (code, message) {
                ("", "") => format!("HTTP status {status} without a reason"),
                ("", message) => message.to_owned(),
                (code, "") => code.to_owned(),
                (code, message) => format!("{code}: {message}"),
            };
            if is_expired(code) {
                said.push_str("; sign in again");
            }
            Error::caused(kind(code, message, status), op, Said(said))
        }
        SdkError::ConstructionFailure(_) => Error::caused(kind_of_construction(&error), op, Said(chain(&error))),
        // No answer, or none that can be read: nobody knows whether it was done.
        _ => {
            let told = chain(&error);
            let kind = if is_about_credentials(&told) {
                Kind::Denied
            } else {
                Kind::Unavailable
            };
            Error::caused(kind, op, Said(told))
        }
    }
}

fn kind_of_construction<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> Kind {
    if is_about_credentials(&chain(error)) {
        Kind::Denied
    } else {
        Kind::Invalid
    }
}

fn is_about_credentials(told: &str) -> bool {
    told.contains("credential")
}

fn is_expired(code: &str) -> bool {
    code.starts_with("ExpiredToken") || code == "RequestExpired"
}

/// Source: the common errors of the AWS APIs, and what CloudFormation says in a `ValidationError`.
fn kind(code: &str, message: &str, status: u16) -> Kind {
    const THROTTLED: [&str; 6] = [
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "RequestThrottled",
        "SlowDown",
    ];
    const DENIED: [&str; 7] = [
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "OptInRequired",
    ];
    const NOT_FOUND: [&str; 4] = [
        "ChangeSetNotFound",
        "ChangeSetNotFoundException",
        "StackNotFoundException",
        "ResourceNotFoundException",
    ];
    const CONFLICT: [&str; 6] = [
        "InvalidChangeSetStatus",
        "InvalidChangeSetStatusException",
        "AlreadyExistsException",
        "TokenAlreadyExistsException",
        "OperationInProgressException",
        "ConcurrentModificationException",
    ];
    if THROTTLED.contains(&code) || message.contains("Rate exceeded") || status == 429 {
        Kind::Throttled
    } else if DENIED.contains(&code) || is_expired(code) {
        Kind::Denied
    } else if NOT_FOUND.contains(&code) || message.contains("does not exist") {
        Kind::NotFound
    } else if CONFLICT.contains(&code)
        || message.contains("state and can not be")
        || message.contains("_IN_PROGRESS state")
    {
        Kind::Conflict
    } else if status >= 500 {
        Kind::Unavailable
    } else {
        Kind::Invalid
    }
}

/// An error with its causes in one line, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
