//! Makes and drops change sets, changes stacks, and keeps templates that are too large for a call.

use async_trait::async_trait;

use super::answer::Refusal;
use super::policy::Policy;
use super::state::State;
use super::{Account, Api};
use crate::model::stack::NewChangeSet;
use crate::ports::cloud::{ProposeStacks, Proposed, WriteStacks};
use crate::ports::{Kind, Result};

#[async_trait]
impl ProposeStacks for Account {
    async fn put_template(&self, bucket: &str, key: &str, body: &str) -> Result<String> {
        let url = format!("https://s3.{}.amazonaws.com/{bucket}/{key}", self.region);
        let work = |state: &mut State, _| {
            state.objects.insert(url.clone(), body.into());
            Ok(url.clone())
        };
        self.call(Api::PutObject, key, work).await
    }

    async fn propose(&self, change_set: &NewChangeSet) -> Result<Proposed> {
        let work = |state: &mut State, now| state.propose(change_set, now);
        self.call(Api::CreateChangeSet, &change_set.stack, work).await
    }

    async fn drop_change_set(&self, id: &str) -> Result<()> {
        self.call(Api::DeleteChangeSet, id, |state, _| state.drop_change_set(id))
            .await
    }

    async fn drop_reviewed(&self, stack_id: &str) -> Result<()> {
        // CloudFormation has no call of its own for this: were the stack deployed by now, it would be deleted.
        self.call(Api::DeleteStack, stack_id, |state, now| {
            state.delete(stack_id, None, &[], now)
        })
        .await
    }
}

#[async_trait]
impl WriteStacks for Account {
    async fn execute(&self, change_set: &str, token: &str) -> Result<()> {
        let work = |state: &mut State, now| state.execute(change_set, token, now);
        self.call(Api::ExecuteChangeSet, change_set, work).await
    }

    async fn set_protection(&self, stack: &str, is_protected: bool) -> Result<()> {
        let work = |state: &mut State, _| {
            state.living(stack)?.is_protected = is_protected;
            Ok(())
        };
        self.call(Api::UpdateTerminationProtection, stack, work).await
    }

    async fn set_policy(&self, stack: &str, policy: &str) -> Result<()> {
        let work = |state: &mut State, _| {
            let stack = state.living(stack)?;
            let policy = Policy::read(policy).map_err(|said| Refusal::new(Kind::Invalid, said))?;
            stack.policy = Some(policy);
            Ok(())
        };
        self.call(Api::SetStackPolicy, stack, work).await
    }

    async fn delete(&self, stack_id: &str, token: &str, retained: &[String]) -> Result<()> {
        let work = |state: &mut State, now| state.delete(stack_id, Some(token), retained, now);
        self.call(Api::DeleteStack, stack_id, work).await
    }

    async fn continue_rollback(&self, stack_id: &str, token: &str, skipped: &[String]) -> Result<()> {
        let work = |state: &mut State, now| state.continue_rollback(stack_id, token, skipped, now);
        self.call(Api::ContinueUpdateRollback, stack_id, work).await
    }
}
