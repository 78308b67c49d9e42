//! `oort profile`: what holds for an environment or a tenant, and which file says so.

use clap::{Args, Subcommand};

use crate::cli::context::Loaded;
use crate::cli::output::Format;
use crate::cli::{Exit, Global, Outcome, output};
use crate::deploy::profile::origin::{Origin, origins};

/// Look at the profile of an environment.
#[derive(Debug, Subcommand)]
pub enum Profile {
    Show(Show),
}

/// Show every value that holds: defaults, then the environment, the tenant's group and the tenant, the later with the last
/// word.
#[derive(Debug, Args)]
pub struct Show {
    #[arg(long, short, env = "OORT_ENVIRONMENT", default_value = "local")]
    environment: String,
    /// With the tenant's own values; without it those of the environment.
    #[arg(long, short, env = "OORT_TENANT")]
    tenant: Option<String>,
    /// Say for each value which file and line it comes from.
    #[arg(long)]
    origin: bool,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Profile {
    pub fn run(self, global: &Global) -> Outcome {
        match self {
            Self::Show(show) => show.run(global),
        }
    }
}

impl Show {
    fn run(self, global: &Global) -> Outcome {
        let loaded = Loaded::read(global, &self.environment, self.tenant.as_deref())?;
        let tenant = self.tenant.as_ref().and_then(|_| loaded.sources.tenants.first());
        let origins = origins(&loaded.sources, tenant);
        match self.format {
            Format::Json => output::json(&origins),
            Format::Table if self.origin => {
                let row = |origin: &Origin| {
                    let place = format!("{}:{}", origin.path, origin.line);
                    vec![origin.key.clone(), origin.value.clone(), place]
                };
                let rows: Vec<Vec<String>> = origins.iter().map(row).collect();
                output::table_in_full(&["KEY", "VALUE", "FROM"], &rows);
            }
            Format::Table => {
                let rows: Vec<Vec<String>> = origins
                    .into_iter()
                    .map(|origin| vec![origin.key, origin.value])
                    .collect();
                output::table_in_full(&["KEY", "VALUE"], &rows);
            }
        }
        Ok(Exit::Done)
    }
}
