//! `oort tenant remove`: the end of a tenant's files, and never of its data.

use std::path::Path;

use clap::Args;

use crate::cli::tenant::{One, only};
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::profile::Target;
use crate::deploy::render::Renderer;
use crate::deploy::resources::resources;
use crate::local::retained::retained;

/// Remove a tenant's file and its golden file. Refused while its stack is deployed or its data is retained; says what would
/// be lost.
#[derive(Debug, Args)]
pub struct Remove {
    #[command(flatten)]
    one: One,
    /// On AWS, which cannot be looked into from here: the stack's name, as the word of a person who has seen that the stack
    /// and all that it retained are gone.
    #[arg(long, value_name = "STACK")]
    confirm: Option<String>,
}

impl Remove {
    pub fn run(self, global: &Global) -> Outcome {
        let loaded = self.one.load(global)?;
        let tenant = only(&loaded)?;
        let renderer = Renderer::new(&loaded.environment.profile, &loaded.sources)?;
        let stack = renderer.tenant(tenant)?;
        let name = stack.spec.name.as_str();
        match loaded.environment.profile.target {
            Target::Embedded => refuse_while_data_is_there(global, &self.one)?,
            Target::Aws if self.confirm.as_deref() == Some(name) => {}
            Target::Aws => {
                let held: Vec<String> = resources(&stack.tree())
                    .into_iter()
                    .filter(|resource| resource.is_retained)
                    .map(|resource| format!("  {} {}", resource.resource_type, resource.name.unwrap_or(resource.id)))
                    .collect();
                let table = format!("{}_activity", tenant.id.as_str().replace('-', "_"));
                let why = format!(
                    "whether stack {name} is deployed cannot be seen from here. With it would be lost, or left without an owner:\n{}\n  \
                     all objects under tenants/{}/ and the Activity table {table}",
                    held.join("\n"),
                    tenant.id
                );
                let hint =
                    format!("delete the stack and what it retains, look that both are gone, then add --confirm {name}");
                return Err(refused(why, hint));
            }
        }
        let environment = &self.one.environment;
        for path in [
            format!("environments/{environment}/tenants/{}.yaml", tenant.id),
            format!("snapshots/{environment}/{}", stack.spec.file_name()),
        ] {
            remove(&global.root.join(&path), &path)?;
        }
        Ok(Exit::Done)
    }
}

fn refused(why: String, hint: String) -> Failure {
    Failure {
        exit: Exit::Refused,
        error: why.into(),
        hint: Some(hint),
    }
}

fn refuse_while_data_is_there(global: &Global, one: &One) -> Result<(), Failure> {
    let data = global.data.join(&one.environment);
    let kept = retained(&data, &one.tenant).map_err(|error| {
        Failure::unavailable(error).hint(format!("{} must be readable; nothing was removed", data.display()))
    })?;
    if kept.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = kept
        .iter()
        .map(|kept| {
            let plural = if kept.files == 1 { "" } else { "s" };
            format!(
                "  {}: {} file{plural}, {} bytes, {}",
                kept.what,
                kept.files,
                kept.bytes,
                kept.place.display()
            )
        })
        .collect();
    let why = format!(
        "tenant `{}` is deployed or has data, which would be lost:\n{}",
        one.tenant,
        lines.join("\n")
    );
    Err(refused(
        why,
        "move away or delete what is listed, then remove the tenant".to_owned(),
    ))
}

fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Ok(()) => output::line(format!("removed {name}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::unavailable(error).hint(format!("{name} could not be removed"))),
    }
    Ok(())
}
