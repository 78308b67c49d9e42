//! The tenant's notifications on its SNS topic; the subscriptions' filters decide which route takes which.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::aws::error::{from_sdk, unusable};
use crate::model::notification::{Alert, Notification};
use crate::ports::{Error, Kind, Notifier, Result, Undelivered};

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

fn text(op: &str, value: &str) -> Result<MessageAttributeValue> {
    attribute(op, "String", value)
}

fn attribute(op: &str, kind: &str, value: &str) -> Result<MessageAttributeValue> {
    let built = MessageAttributeValue::builder()
        .data_type(kind)
        .string_value(value)
        .build();
    built.map_err(|error| unusable(op, error.to_string()))
}

/// The longest subject. Source: SNS's reference of `Publish`.
const SUBJECT: usize = 99;

/// What SNS takes for a subject: printable ASCII, and a letter or digit first.
fn subject(headline: &str) -> String {
    let ascii = headline
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
    let text: String = ascii.skip_while(|c| !c.is_ascii_alphanumeric()).take(SUBJECT).collect();
    text.trim_end().to_owned()
}

#[async_trait]
impl Notifier for SnsTopic {
    async fn deliver(&self, alert: &Alert) -> std::result::Result<Vec<String>, Undelivered> {
        for notification in &alert.notifications {
            self.publish(notification).await?;
        }
        Ok(vec![self.arn.clone()])
    }
}

impl SnsTopic {
    /// People who read mail are told in words, and programs in JSON.
    async fn publish(&self, notification: &Notification) -> Result<()> {
        let op = format!("sns:Publish {}", notification.id);
        let invalid = |error: serde_json::Error| Error::caused(Kind::Invalid, &op, error);
        let body = serde_json::to_string(notification).map_err(invalid)?;
        let bodies = serde_json::json!({"default": body, "email": notification.text()});
        let mut call = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .subject(subject(&notification.headline()))
            .message_structure("json")
            .message(bodies.to_string())
            .message_attributes("tenant", text(&op, &notification.tenant)?)
            .message_attributes("severity", text(&op, notification.severity.as_str())?)
            .message_attributes("rule", text(&op, &notification.rule_id)?);
        if !notification.tags.is_empty() {
            let tags = serde_json::to_string(&notification.tags).map_err(invalid)?;
            call = call.message_attributes("tags", attribute(&op, "String.Array", &tags)?);
        }
        call.send().await.map_err(|error| from_sdk(op.clone(), &error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::subject;

    #[test]
    fn a_subject_is_what_sns_takes() {
        assert_eq!(
            subject("[high] Impossible travel: josé@example.com"),
            "high] Impossible travel: jos?@example.com"
        );
        assert_eq!(subject(&"x".repeat(300)).len(), 99);
    }
}
