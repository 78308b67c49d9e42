//! `oort tenant import`: tenants for event sources that Okta has made and no file names.

use std::collections::BTreeSet;

use clap::Args;

use crate::cli::cloud::connect;
use crate::cli::context::{environment_names, not_found, profile_of};
use crate::cli::tenant::add::{add, command};
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::onboard::clash::Claims;
use crate::deploy::onboard::import::{Proposal, proposals};
use crate::deploy::problem::Problems;
use crate::deploy::source::{Source, read_tenants};
use crate::deploy::wording::printable;
use crate::deploy::world;
use crate::model::source::{EventSource, SourceState};

/// Propose a tenant for each of Okta's event sources that no file of any environment names. Exits with 2 when there are some.
#[derive(Debug, Args)]
pub struct Import {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT")]
    environment: String,
    /// Write their files, as oort tenant add does.
    #[arg(long)]
    write: bool,
}

impl Import {
    pub async fn run(self, global: &Global) -> Outcome {
        let profile = profile_of(global, &self.environment)?;
        let connected = connect(&profile).await?;
        let sources = world::sources(&*connected.cloud, &connected.pacer).await?;
        let mut all: Vec<Source> = Vec::new();
        let mut taken = BTreeSet::new();
        for name in environment_names(global)? {
            let tenants = read_tenants(&global.root, &name).map_err(not_found)?;
            if name == self.environment {
                taken.extend(tenants.iter().map(|source| source.stem().to_owned()));
            }
            all.extend(tenants);
        }
        let mut claims = Claims::default();
        // Whoever validates the files says what is wrong with them.
        claims.add(&all, &mut Problems::default());
        let proposals = proposals(sources.values(), &claims, taken);
        if proposals.is_empty() {
            output::line("Every event source has its tenant.");
            return Ok(Exit::Done);
        }
        for proposal in &proposals {
            self.tell(global, proposal)?;
        }
        let is_left = !self.write || proposals.iter().any(|one| matches!(one, Proposal::Unusable { .. }));
        Ok(if is_left { Exit::Changes } else { Exit::Done })
    }

    fn tell(&self, global: &Global, proposal: &Proposal) -> Result<(), Failure> {
        match proposal {
            Proposal::Unusable { source, why } => {
                output::line(format!("{} ({}): {why}", printable(&source.name), state(source)));
            }
            Proposal::Tenant { tenant, source } => {
                output::line(format!("{} ({})", source.name, state(source)));
                if self.write {
                    let path = add(global, &self.environment, tenant)?;
                    output::line(format!("  wrote {path}"));
                } else {
                    output::line(format!("  {}", command(&self.environment, tenant)));
                }
            }
        }
        Ok(())
    }
}

fn state(source: &EventSource) -> String {
    match (source.state, source.expires) {
        (SourceState::Pending, Some(at)) => format!("pending until {at}"),
        (SourceState::Pending, None) => "pending".to_owned(),
        (SourceState::Active, _) => "active: an event bus accepts it".to_owned(),
        (SourceState::Deleted, _) => "deleted".to_owned(),
    }
}
