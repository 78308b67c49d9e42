//! `oort redrive`: the dead letters of a tenant's event queue.

use clap::Args;

use crate::cli::target::Target;
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Global, Outcome, output};
use crate::runtime::redrive;

/// Show why each dead letter died, and with --move put them back into the event queue.
#[derive(Debug, Args)]
pub struct Redrive {
    #[command(flatten)]
    tenant: TenantArgs,
    /// How many to take.
    #[arg(long, default_value_t = 100, value_name = "LETTERS")]
    limit: usize,
    /// Put them back: the next analysis takes them.
    #[arg(long = "move")]
    moves: bool,
}

impl Redrive {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let report = redrive::run(target.dead_letters()?, self.limit, self.moves).await?;
        output::json(&report);
        Ok(Exit::Done)
    }
}
