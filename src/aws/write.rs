//! Changes stacks.

use async_trait::async_trait;

use crate::aws::Account;
use crate::aws::convert::about;
use crate::aws::error::from_sdk;
use crate::ports::Result;
use crate::ports::cloud::WriteStacks;

#[async_trait]
impl WriteStacks for Account {
    async fn execute(&self, change_set: &str, token: &str) -> Result<()> {
        let answer = self
            .cloudformation
            .execute_change_set()
            .change_set_name(change_set)
            .client_request_token(token)
            // A queue or bus that a failed creation left would be in the way of the next.
            .retain_except_on_create(true)
            .send()
            .await;
        answer.map_err(|error| from_sdk(about("ExecuteChangeSet", change_set), &error))?;
        Ok(())
    }

    async fn set_protection(&self, stack: &str, is_protected: bool) -> Result<()> {
        let answer = self
            .cloudformation
            .update_termination_protection()
            .stack_name(stack)
            .enable_termination_protection(is_protected)
            .send()
            .await;
        answer.map_err(|error| from_sdk(about("UpdateTerminationProtection", stack), &error))?;
        Ok(())
    }

    async fn set_policy(&self, stack: &str, policy: &str) -> Result<()> {
        let answer = self
            .cloudformation
            .set_stack_policy()
            .stack_name(stack)
            .stack_policy_body(policy)
            .send()
            .await;
        answer.map_err(|error| from_sdk(about("SetStackPolicy", stack), &error))?;
        Ok(())
    }

    async fn delete(&self, stack_id: &str, token: &str, retained: &[String]) -> Result<()> {
        let answer = self
            .cloudformation
            .delete_stack()
            .stack_name(stack_id)
            .client_request_token(token)
            .set_retain_resources((!retained.is_empty()).then(|| retained.to_vec()))
            .send()
            .await;
        answer.map_err(|error| from_sdk(about("DeleteStack", stack_id), &error))?;
        Ok(())
    }

    async fn continue_rollback(&self, stack_id: &str, token: &str, skipped: &[String]) -> Result<()> {
        let answer = self
            .cloudformation
            .continue_update_rollback()
            .stack_name(stack_id)
            .client_request_token(token)
            .set_resources_to_skip((!skipped.is_empty()).then(|| skipped.to_vec()))
            .send()
            .await;
        answer.map_err(|error| from_sdk(about("ContinueUpdateRollback", stack_id), &error))?;
        Ok(())
    }
}
