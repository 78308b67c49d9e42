//! `oort status`: why is a tenant silent?

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::cloud::{Connected, connect};
use crate::cli::context::Loaded;
use crate::cli::plan::load;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::profile::Tenant;
use crate::deploy::render::Rendered;
use crate::deploy::status::look::look as signs_of;
use crate::deploy::status::{Row, Wanted, is_alarming, rows, summary, table};
use crate::deploy::world;
use crate::local::clock::SystemClock;
use crate::model::stack::CONTENT_HASH_TAG;
use crate::ports::Clock as _;

/// Show a line a tenant: Okta's event source, stack, drift, queue, last runs, last event; what needs a look comes first.
#[derive(Debug, Args)]
pub struct Status {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT")]
    environment: String,
    /// Only these tenants.
    #[arg(long, short)]
    tenant: Vec<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Look again every so many seconds, until Ctrl-C. In a pipe, only what changed is told.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    watch: Option<u64>,
    /// Exit with 5 when events of a tenant are lost, or may be.
    #[arg(long)]
    check: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for people.
    Table,
    /// A JSON array of rows for machines.
    Json,
}

impl Status {
    pub async fn run(self, global: &Global) -> Outcome {
        let loaded = load(global, &self.environment, &self.tenant)?;
        let connected = connect(&loaded.environment.profile).await?;
        let wanted = wanted(&loaded, &self.tenant)?;
        let mut before = None;
        loop {
            let rows = self::look(&loaded, &connected, &wanted).await?;
            if before.as_ref() != Some(&rows) {
                self.show(&rows);
            }
            let exit = if self.check && is_alarming(&rows) {
                Exit::PartlyFailed
            } else {
                Exit::Done
            };
            before = Some(rows);
            let Some(seconds) = self.watch else { return Ok(exit) };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(seconds.max(1))) => {}
                _ = tokio::signal::ctrl_c() => return Ok(exit),
            }
        }
    }

    fn show(&self, rows: &[Row]) {
        if self.format == Format::Json {
            return output::json(&rows);
        }
        let text = format!("{}{}\n", table(rows, SystemClock.now()), summary(rows));
        if self.watch.is_some() && std::io::stdout().is_terminal() {
            output::clear();
        }
        output::coloured(&text);
    }
}

/// How everything stands that is meant.
pub async fn look(loaded: &Loaded, connected: &Connected, wanted: &[Wanted]) -> Result<Vec<Row>, Failure> {
    let Connected { cloud, pacer } = connected;
    let environment = &loaded.environment.profile.environment;
    let now = SystemClock.now();
    let stacks: Vec<(String, Option<String>)> = wanted
        .iter()
        .map(|one| (one.stack.clone(), one.source.is_some().then(|| one.name.clone())))
        .collect();
    let signs = signs_of(&**cloud, pacer, environment.as_str(), &stacks, now);
    let (world, signs) = futures::try_join!(world::sweep(&**cloud, pacer), signs)?;
    Ok(rows(wanted, &world, &signs, &loaded.environment.profile, now))
}

/// Every stack that is meant, as the files want it: of these tenants, or of all.
pub fn wanted(loaded: &Loaded, only: &[String]) -> Result<Vec<Wanted>, Failure> {
    let tenants: BTreeMap<&str, &Tenant> = loaded
        .environment
        .tenants
        .iter()
        .map(|tenant| (tenant.id.as_str(), tenant))
        .collect();
    let of = |stack: Rendered| -> Result<Option<Wanted>, Failure> {
        let tenant = stack.spec.tenant.as_ref().and_then(|id| tenants.get(id.as_str()));
        let name = tenant.map_or_else(|| "foundation".to_owned(), |tenant| tenant.id.to_string());
        let is_meant = only.is_empty() || only.contains(&name);
        Ok(is_meant.then(|| Wanted {
            name,
            stack: stack.spec.name.to_string(),
            source: tenant.map(|tenant| tenant.event_source.to_string()),
            content_hash: stack.spec.tags.get(CONTENT_HASH_TAG).cloned().unwrap_or_default(),
        }))
    };
    let mut wanted = Vec::new();
    loaded.for_each(of, |one| {
        wanted.extend(one);
        Ok(())
    })?;
    Ok(wanted)
}
