//! Makes and drops change sets, and keeps the templates that are too large for a call.

use async_trait::async_trait;
use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_cloudformation::operation::create_change_set::CreateChangeSetError;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Tag};

use crate::aws::Account;
use crate::aws::bucket::{self, Bucket};
use crate::aws::convert::about;
use crate::aws::error::{from_sdk, required};
use crate::model::stack::{ChangeSetKind, NewChangeSet, TemplateBody};
use crate::ports::cloud::{ProposeStacks, Proposed};
use crate::ports::{Kind, Result};

#[async_trait]
impl ProposeStacks for Account {
    async fn put_template(&self, bucket: &str, key: &str, body: &str) -> Result<String> {
        let bucket = Bucket::new(&self.config, bucket)?;
        let written = bucket.operator.write(key, body.to_owned()).await;
        written.map_err(|error| bucket::failed(format!("s3:PutObject {}/{key}", bucket.url), &error))?;
        Ok(format!("{}/{key}", bucket.url))
    }

    async fn propose(&self, change_set: &NewChangeSet) -> Result<Proposed> {
        let (body, url) = match &change_set.template {
            TemplateBody::Inline(body) => (Some(body.clone()), None),
            TemplateBody::Url(url) => (None, Some(url.clone())),
        };
        let tags = change_set
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let answer = self
            .cloudformation
            .create_change_set()
            .stack_name(&change_set.stack)
            .change_set_name(&change_set.name)
            .client_token(&change_set.name)
            .change_set_type(match change_set.kind {
                ChangeSetKind::Create => ChangeSetType::Create,
                ChangeSetKind::Update => ChangeSetType::Update,
            })
            .set_template_body(body)
            .set_template_url(url)
            .set_tags(Some(tags.collect()))
            .capabilities(Capability::CapabilityNamedIam)
            .set_import_existing_resources(change_set.adopts.then_some(true))
            .send()
            .await;
        let op = about("CreateChangeSet", &change_set.stack);
        match answer {
            Ok(answer) => proposed(&op, answer.id(), answer.stack_id()),
            // Made by a call whose answer was lost.
            Err(error) if is_made_already(&error) => match self.known(change_set).await? {
                Some(proposed) => Ok(proposed),
                None => Err(from_sdk(op, &error)),
            },
            Err(error) => Err(from_sdk(op, &error)),
        }
    }

    async fn drop_change_set(&self, id: &str) -> Result<()> {
        let answer = self.cloudformation.delete_change_set().change_set_name(id).send().await;
        match answer.map_err(|error| from_sdk(about("DeleteChangeSet", id), &error)) {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn drop_reviewed(&self, stack_id: &str) -> Result<()> {
        let answer = self.cloudformation.delete_stack().stack_name(stack_id).send().await;
        answer.map_err(|error| from_sdk(about("DeleteStack", stack_id), &error))?;
        Ok(())
    }
}

impl Account {
    /// The change set of that name, if the stack has it.
    async fn known(&self, change_set: &NewChangeSet) -> Result<Option<Proposed>> {
        let (stack, name) = (&change_set.stack, &change_set.name);
        let answer = self
            .cloudformation
            .describe_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .send()
            .await;
        let op = about("DescribeChangeSet", stack);
        match answer.map_err(|error| from_sdk(&op, &error)) {
            Ok(answer) => proposed(&op, answer.change_set_id(), answer.stack_id()).map(Some),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn proposed(op: &str, id: Option<&str>, stack_id: Option<&str>) -> Result<Proposed> {
    Ok(Proposed {
        change_set: required(op, "change set", id)?,
        stack_id: required(op, "stack", stack_id)?,
    })
}

/// Whether the stack has this very change set. Of one with the same name and another template or tags, CloudFormation says
/// that it is a mismatch: carrying that one out would deploy what nobody asked for.
fn is_made_already(error: &SdkError<CreateChangeSetError, HttpResponse>) -> bool {
    let is_there = error
        .as_service_error()
        .is_some_and(CreateChangeSetError::is_already_exists_exception);
    is_there && !error.message().unwrap_or_default().contains("mismatch")
}
