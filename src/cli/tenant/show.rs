//! `oort tenant show`.

use clap::Args;
use serde::Serialize;

use crate::cli::output::Format;
use crate::cli::tenant::{One, only};
use crate::cli::{Exit, Global, Outcome, output};
use crate::deploy::profile;
use crate::deploy::profile::origin::{Origin, origins};
use crate::deploy::render::Renderer;
use crate::deploy::resources::{Resource, resources};

/// Show all about a tenant: its event source, its stack's resources by name, and its settings.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    one: One,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    tenant: &'a profile::Tenant,
    stack: String,
    file: &'a str,
    resources: Vec<Resource>,
    settings: Vec<Origin>,
}

impl Show {
    pub fn run(self, global: &Global) -> Outcome {
        let loaded = self.one.load(global)?;
        let tenant = only(&loaded)?;
        let renderer = Renderer::new(&loaded.environment.profile, &loaded.sources)?;
        let stack = renderer.tenant(tenant)?;
        let file = loaded.sources.tenants.first();
        let shown = Shown {
            tenant,
            stack: stack.spec.name.to_string(),
            file: file.map_or("", |source| source.path.as_str()),
            resources: resources(&stack.tree()),
            settings: origins(&loaded.sources, file),
        };
        match self.format {
            Format::Json => output::json(&shown),
            Format::Table => print(&shown),
        }
        Ok(Exit::Done)
    }
}

fn print(shown: &Shown<'_>) {
    let tenant = shown.tenant;
    for (name, value) in [
        ("tenant", tenant.id.as_str()),
        ("event source", tenant.event_source.as_str()),
        ("stack", &shown.stack),
        ("file", shown.file),
    ] {
        output::line(format!("{name:13} {value}"));
    }
    output::line("");
    let resource = |resource: &Resource| {
        vec![
            resource.id.clone(),
            resource.resource_type.clone(),
            resource.name.clone().unwrap_or_default(),
            if resource.is_retained { "retained" } else { "" }.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = shown.resources.iter().map(resource).collect();
    output::table_in_full(&["RESOURCE", "TYPE", "NAME", "WITHOUT THE STACK"], &rows);
    output::line("");
    let setting = |origin: &Origin| vec![origin.key.clone(), origin.value.clone()];
    let rows: Vec<Vec<String>> = shown.settings.iter().map(setting).collect();
    output::table_in_full(&["SETTING", "VALUE"], &rows);
}
