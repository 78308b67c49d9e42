//! A bucket, reached through `OpenDAL` with the credentials that the SDK found. Must not live here: what is kept in it.

use std::error::Error as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use opendal::layers::TimeoutLayer;
use opendal::services::S3;
use opendal::{ErrorKind, Operator};
use reqsign_aws_v4::Credential;
use reqsign_core::time::Timestamp;
use reqsign_core::{Context, ProvideCredential, ProvideCredentialChain};

use crate::aws::error::{answered, causes};
use crate::ports::{Error, Kind, Result};

/// How long an answer is waited for.
const CALL: Duration = Duration::from_secs(30);

/// The objects of one bucket. Nothing is repeated here: whoever calls paces and repeats.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub operator: Operator,
    /// Where the bucket is, as in `https://s3.us-east-2.amazonaws.com/oort-staging-data`.
    pub url: String,
}

impl Bucket {
    /// Makes no call. `config` has a region; an endpoint that it names is taken instead of the region's.
    pub fn new(config: &SdkConfig, name: &str) -> Result<Self> {
        let op = || format!("s3: open the bucket {name}");
        let region = config.region().map(AsRef::as_ref).unwrap_or_default();
        let endpoint = match config.endpoint_url() {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://s3.{region}.amazonaws.com"),
        };
        let mut builder = S3::default()
            .bucket(name)
            .region(region)
            .endpoint(&endpoint)
            // What the environment says has been read by the SDK; a second reader might read it otherwise.
            .disable_config_load()
            .disable_ec2_metadata();
        if let Some(provider) = config.credentials_provider() {
            builder = builder.credential_provider_chain(ProvideCredentialChain::new().push(Credentials(provider)));
        }
        let operator = Operator::new(builder).map_err(|error| failed(op(), &error))?.finish();
        let operator = operator.layer(TimeoutLayer::new().with_timeout(CALL).with_io_timeout(CALL));
        Ok(Self {
            operator,
            url: format!("{endpoint}/{name}"),
        })
    }
}

/// The SDK's credentials for `OpenDAL`.
#[derive(Debug)]
pub struct Credentials(pub SharedCredentialsProvider);

impl ProvideCredential for Credentials {
    type Credential = Credential;

    async fn provide_credential(&self, _: &Context) -> reqsign_core::Result<Option<Credential>> {
        let found = self.0.provide_credentials().await;
        let found = found.map_err(|error| {
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            reqsign_core::Error::credential_invalid(format!("credentials cannot be had: {why}; sign in again"))
        })?;
        Ok(Some(Credential {
            access_key_id: found.access_key_id().to_owned(),
            secret_access_key: found.secret_access_key().to_owned(),
            session_token: found.session_token().map(ToOwned::to_owned),
            expires_in: found.expiry().and_then(timestamp),
        }))
    }
}

fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let seconds = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Timestamp::from_second(seconds.try_into().ok()?).ok()
}

/// The error of a call. `op` names what it was about, as in `s3:PutObject templates/x.yaml`.
pub fn failed(op: impl Into<String>, error: &opendal::Error) -> Error {
    let usual = match error.kind() {
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::ConditionNotMatch | ErrorKind::AlreadyExists => Kind::Conflict,
        ErrorKind::RateLimited => Kind::Throttled,
        ErrorKind::PermissionDenied => Kind::Denied,
        ErrorKind::Unexpected if error.is_temporary() => Kind::Unavailable,
        _ => Kind::Invalid,
    };
    match said(error.message()) {
        Some((code, message, request)) => answered(op, usual, code, message, request),
        None if error.source().is_some() => answered(op, usual, "", &causes(error), ""),
        None => answered(op, usual, "", error.message(), ""),
    }
}

/// S3's code, message and request ID in `OpenDAL`'s text of them.
fn said(text: &str) -> Option<(&str, &str, &str)> {
    let (code, rest) = text
        .strip_prefix(r#"S3Error { code: ""#)?
        .split_once(r#"", message: ""#)?;
    let (message, rest) = rest.rsplit_once(r#"", resource: ""#)?;
    let (_, request) = rest.rsplit_once(r#"", request_id: ""#)?;
    Some((code, message, request.trim_end_matches(r#"" }"#)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_says_is_taken_apart() {
        let text = r#"S3Error { code: "AccessDenied", message: "not \"yours\"", resource: "/a", request_id: "4442" }"#;
        assert_eq!(said(text), Some(("AccessDenied", r#"not \"yours\""#, "4442")));
        assert_eq!(said("<html>no</html>"), None);
    }
}
