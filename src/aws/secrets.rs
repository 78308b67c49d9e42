//! A tenant's secrets in Secrets Manager, each under the name `oort/<environment>/<tenant>/<name>`.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use secrecy::SecretString;

use crate::aws::error::from_sdk;
use crate::model::name::is_secret_name;
use crate::ports::{Error, Kind, Result, Secrets};

/// The secrets under one prefix.
#[derive(Debug, Clone)]
pub struct ManagedSecrets {
    client: Client,
    /// With a slash at its end.
    prefix: String,
}

impl ManagedSecrets {
    /// Makes no call.
    pub fn open(config: &SdkConfig, environment: &str, tenant: &str) -> Self {
        Self {
            client: Client::new(config),
            prefix: format!("oort/{environment}/{tenant}/"),
        }
    }
}

#[async_trait]
impl Secrets for ManagedSecrets {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        let id = format!("{}{name}", self.prefix);
        let op = format!("secretsmanager:GetSecretValue {id}");
        if !is_secret_name(name) {
            return Err(Error::new(Kind::Invalid, op));
        }
        let answer = match self.client.get_secret_value().secret_id(id).send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(from_sdk(op, &error)),
        };
        match answer.secret_string {
            Some(text) => Ok(Some(SecretString::from(text))),
            None => Err(Error::caused(
                Kind::Invalid,
                op,
                std::io::Error::other("the secret is bytes; store it as text"),
            )),
        }
    }
}
