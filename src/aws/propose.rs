//! Makes and drops change sets.

use async_trait::async_trait;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType, Tag};

use crate::aws::Account;
use crate::aws::convert::owned;
use crate::aws::error::from_sdk;
use crate::model::stack::{ChangeSetKind, NewChangeSet, TemplateBody};
use crate::ports::cloud::{ProposeStacks, Proposed};
use crate::ports::{Kind, Result};

#[async_trait]
impl ProposeStacks for Account {
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
        let op = || format!("cloudformation:CreateChangeSet {}", change_set.stack);
        match answer.map_err(|error| from_sdk(op(), error)) {
            Ok(answer) => Ok(Proposed {
                change_set: owned(answer.id()),
                stack_id: owned(answer.stack_id()),
            }),
            // Made by a call whose answer was lost.
            Err(error) if error.kind == Kind::Conflict => match self.known(change_set).await? {
                Some(proposed) => Ok(proposed),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn drop_change_set(&self, id: &str) -> Result<()> {
        let answer = self.cloudformation.delete_change_set().change_set_name(id).send().await;
        match answer.map_err(|error| from_sdk(format!("cloudformation:DeleteChangeSet {id}"), error)) {
            Err(error) if error.kind != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn drop_reviewed(&self, stack_id: &str) -> Result<()> {
        let answer = self.cloudformation.delete_stack().stack_name(stack_id).send().await;
        answer.map_err(|error| from_sdk(format!("cloudformation:DeleteStack {stack_id}"), error))?;
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
        match answer.map_err(|error| from_sdk(format!("cloudformation:DescribeChangeSet {stack}"), error)) {
            Ok(answer) => Ok(Some(Proposed {
                change_set: owned(answer.change_set_id()),
                stack_id: owned(answer.stack_id()),
            })),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
