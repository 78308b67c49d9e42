//! `oort tenant disconnect`: the log stream goes, and with it its partner event source. No data does.

use clap::Args;

use crate::cli::tenant::Online;
use crate::cli::tenant::stream::Subject;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::ports::Kind;
use crate::ports::okta::Act;

/// Deactivate and delete a tenant's log stream in its Okta org. What has come stays; the tenant's stack too.
#[derive(Debug, Args)]
pub struct Disconnect {
    #[command(flatten)]
    online: Online,
    /// The tenant's ID once more: what Okta does not send is lost.
    #[arg(long, value_name = "TENANT")]
    confirm: Option<String>,
    /// Only deactivate it; oort tenant reactivate sets it going again.
    #[arg(long)]
    keep: bool,
}

impl Disconnect {
    pub async fn run(self, global: &Global) -> Outcome {
        if self.confirm.as_deref() != Some(self.online.one.tenant.as_str()) {
            let why = format!(
                "what tenant `{}` does from then on is never sent",
                self.online.one.tenant
            );
            return Err(Failure::refused(why).hint(format!("add --confirm {}", self.online.one.tenant)));
        }
        let subject = Subject::open(global, &self.online).await?;
        let (okta, org) = subject.okta()?;
        let Some(stream) = subject.log_stream(&*okta, org).await? else {
            output::line("there is no log stream to this tenant; nothing to do");
            return Ok(Exit::Done);
        };
        let deactivate = stream.is_active().then(|| Act::Deactivate(stream.id.clone()));
        let delete = (!self.keep).then(|| Act::Delete(stream.id.clone()));
        for act in deactivate.into_iter().chain(delete) {
            match okta.act(&act).await {
                Ok(_) => {}
                // Somebody else was faster.
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) if error.kind == Kind::Denied => {
                    return Err(Failure::refused(error)
                        .hint("have the org's admin do it: Reports > Log Streaming; then run the same command again"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        output::line(format!(
            "the log stream {} is {}; oort retire and oort tenant remove end the rest",
            stream.name,
            if self.keep { "inactive" } else { "deleted" }
        ));
        Ok(Exit::Done)
    }
}
