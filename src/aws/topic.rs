//! The tenant's notifications on its SNS topic; the subscriptions' filters decide which route takes which.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::aws::error::{from_sdk, unusable};
use crate::model::finding::Notification;
use crate::ports::{Error, Kind, Notifier, Result};

/// One topic.
#[derive(Debug, Clone)]
pub struct SnsTopic {
    client: Client,
    arn: String,
}

impl SnsTopic {
    /// Makes no call.
    pub fn open(config: &SdkConfig, arn: &str) -> Self {
        Self {
            client: Client::new(config),
            arn: arn.to_owned(),
        }
    }
}

fn attribute(op: &str, value: &str) -> Result<MessageAttributeValue> {
    let built = MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build();
    built.map_err(|error| unusable(op, error.to_string()))
}

#[async_trait]
impl Notifier for SnsTopic {
    async fn deliver(&self, notification: &Notification) -> Result<Vec<String>> {
        let op = format!("sns:Publish {}", notification.id);
        let body = serde_json::to_string(notification).map_err(|error| Error::caused(Kind::Invalid, &op, error))?;
        let answer = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .message(body)
            .message_attributes("tenant", attribute(&op, &notification.tenant)?)
            .message_attributes("severity", attribute(&op, notification.severity.as_str())?)
            .send()
            .await;
        answer.map_err(|error| from_sdk(op, &error))?;
        Ok(vec![self.arn.clone()])
    }
}
