//! `oort tenant`: taking tenants on, looking at them, and letting them go.

mod add;
pub mod ask;
pub mod check;
mod connect;
mod disconnect;
mod guide;
mod import;
mod list;
mod remove;
mod show;
pub mod stream;

use clap::{Args, Subcommand};

use crate::cli::context::Loaded;
use crate::cli::{Failure, Global, Outcome};
use crate::deploy::profile;

/// Take tenants on, look at them, and let them go.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    Add(add::Add),
    Check(check::Check),
    Connect(connect::Connect),
    Disconnect(disconnect::Disconnect),
    Reactivate(connect::Reactivate),
    List(list::List),
    Show(show::Show),
    Guide(guide::Guide),
    Import(import::Import),
    Remove(remove::Remove),
}

impl Tenant {
    pub async fn run(self, global: &Global) -> Outcome {
        match self {
            Self::Add(verb) => verb.run(global),
            Self::Check(verb) => Box::pin(verb.run(global)).await,
            Self::Connect(verb) => Box::pin(verb.run(global)).await,
            Self::Disconnect(verb) => Box::pin(verb.run(global)).await,
            Self::Reactivate(verb) => Box::pin(verb.run(global)).await,
            Self::List(verb) => verb.run(global),
            Self::Show(verb) => verb.run(global),
            Self::Guide(verb) => verb.run(global),
            Self::Import(verb) => Box::pin(verb.run(global)).await,
            Self::Remove(verb) => verb.run(global).await,
        }
    }
}

/// One tenant of one environment.
#[derive(Debug, Clone, Args)]
pub struct One {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT")]
    environment: String,
    /// The tenant's ID.
    #[arg(long, short, env = "OORT_TENANT")]
    tenant: String,
}

/// One tenant whose org is asked.
#[derive(Debug, Clone, Args)]
pub struct Online {
    #[command(flatten)]
    one: One,
    /// The Okta org and how it is asked, as JSON, instead of what the tenant's file says.
    #[arg(long, env = "OORT_OKTA", value_name = "JSON", hide = true)]
    okta: Option<String>,
}

impl Online {
    /// A tenant whose file says how its org is asked.
    pub fn of(environment: &str, tenant: &str) -> Self {
        Self {
            one: One {
                environment: environment.to_owned(),
                tenant: tenant.to_owned(),
            },
            okta: None,
        }
    }
}

impl One {
    /// The files of the environment with this tenant alone.
    fn load(&self, global: &Global) -> Result<Loaded, Failure> {
        Loaded::read(global, &self.environment, Some(&self.tenant))
    }
}

/// The tenant that was loaded alone.
fn only(loaded: &Loaded) -> Result<&profile::Tenant, Failure> {
    let tenant = loaded.environment.tenants.first();
    tenant.ok_or_else(|| Failure::input("the tenant's file was removed while it was read"))
}
