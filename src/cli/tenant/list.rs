//! `oort tenant list`.

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Loaded, environment_names};
use crate::cli::output::Format;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::source::golden_names;

/// List the tenants of all environments.
#[derive(Debug, Args)]
pub struct List {
    /// Only those of this environment.
    #[arg(long, short)]
    environment: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Row {
    environment: String,
    tenant: String,
    group: Option<String>,
    okta_subdomain: String,
    integration_id: String,
    event_source: String,
    /// Whether its stack was rendered for review.
    has_golden_file: bool,
}

impl List {
    pub fn run(self, global: &Global) -> Outcome {
        let environments = match self.environment {
            Some(name) => vec![name],
            None => environment_names(global)?,
        };
        let mut rows = Vec::new();
        for name in environments {
            let loaded = Loaded::read(global, &name, None)?;
            let golden = golden_names(&global.root, &name).map_err(Failure::input)?;
            let golden: BTreeSet<String> = golden.into_iter().collect();
            rows.extend(loaded.environment.tenants.into_iter().map(|tenant| Row {
                environment: name.clone(),
                has_golden_file: golden.contains(&format!("{}.yaml", tenant.id)),
                tenant: tenant.id.to_string(),
                group: tenant.group,
                okta_subdomain: tenant.subdomain.to_string(),
                integration_id: tenant.integration_id.to_string(),
                event_source: tenant.event_source.to_string(),
            }));
        }
        match self.format {
            Format::Json => output::json(&rows),
            Format::Table => table(rows),
        }
        Ok(Exit::Done)
    }
}

fn table(rows: Vec<Row>) {
    let cells = |row: Row| {
        vec![
            row.environment,
            row.tenant,
            row.group.unwrap_or_else(|| "-".to_owned()),
            row.okta_subdomain,
            row.integration_id,
            if row.has_golden_file {
                "rendered"
            } else {
                "not rendered yet"
            }
            .to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = rows.into_iter().map(cells).collect();
    output::table_in_full(
        &[
            "ENVIRONMENT",
            "TENANT",
            "GROUP",
            "OKTA SUBDOMAIN",
            "INTEGRATION ID",
            "STACK",
        ],
        &rows,
    );
}
