//! `oort tenant remove`: the end of a tenant's files, and never of its data.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::cli::tenant::{One, only};
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::profile::{self, Target};
use crate::deploy::render::{Rendered, Renderer};
use crate::deploy::resources::{Resource, resources};
use crate::lake::{Lake, set_aside};
use crate::local::catalog;
use crate::local::clock::SystemClock;
use crate::local::objects::LocalObjects;
use crate::local::queue::LocalQueue;
use crate::local::retained::{Kind, Retained, retained};
use crate::local::twin::QueueSettings;
use crate::ports::{self, Queue};

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
    pub async fn run(self, global: &Global) -> Outcome {
        let loaded = self.one.load(global)?;
        let tenant = only(&loaded)?;
        let stack = Renderer::new(&loaded.environment.profile, &loaded.sources)?.tenant(tenant)?;
        match (loaded.environment.profile.target, &self.confirm) {
            (Target::Embedded, Some(_)) => {
                let why = format!(
                    "environment `{}` runs on this machine, where nobody's word is needed",
                    self.one.environment
                );
                return Err(Failure::input(why).hint("leave --confirm out"));
            }
            (Target::Embedded, None) => {
                let data = global.data.join(&self.one.environment);
                refuse_while_data_is_there(&data, tenant).await?;
                forget(&data, tenant).await?;
            }
            (Target::Aws, Some(word)) if word == stack.spec.name.as_str() => {}
            (Target::Aws, _) => return Err(refuse_unseen(&stack, tenant)),
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

/// AWS cannot be looked into: names all that a person has to look at.
fn refuse_unseen(stack: &Rendered, tenant: &profile::Tenant) -> Failure {
    let name = &stack.spec.name;
    let held = resources(&stack.tree());
    let held = held.iter().filter(|resource| resource.is_retained).map(|resource| {
        let known = resource.name.as_ref().unwrap_or(&resource.id);
        format!("  {} {known}: {}", resource.resource_type, question(resource))
    });
    let table = format!("{}_activity", tenant.id.as_str().replace('-', "_"));
    let objects = format!(
        "  the objects under tenants/{}/ in the environment's data bucket, and the Activity table {table}: who still needs them?",
        tenant.id
    );
    let held: Vec<String> = held.chain([objects]).collect();
    refused(
        format!(
            "whether stack {name} is deployed cannot be seen from here. Without the tenant would be lost, or left without an owner:\n{}",
            held.join("\n")
        ),
        format!(
            "have Okta's admin delete the log stream, delete the stack and then what it retains; when all is gone, add --confirm {name}"
        ),
    )
}

/// What to look at before the resource goes.
fn question(resource: &Resource) -> &'static str {
    match resource.resource_type.as_str() {
        "AWS::Events::EventBus" => "does Okta still send to it? Without the bus its events are dropped for good",
        "AWS::Events::Archive" => "does anybody still need its events? Okta sends none again",
        "AWS::SQS::Queue" => "is it empty?",
        _ => "who still needs what it holds?",
    }
}

async fn refuse_while_data_is_there(data: &Path, tenant: &profile::Tenant) -> Result<(), Failure> {
    let kept = retained(data, tenant.id.as_str()).map_err(|error| {
        Failure::unavailable(error).hint(format!("{} must be readable; nothing was removed", data.display()))
    })?;
    if kept.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::new();
    for kept in &kept {
        let what = describe(kept, data, tenant)
            .await
            .unwrap_or_else(|error| format!("what cannot be read ({error})"));
        // Closing the queue takes in what lay beside its file.
        if kept.place.exists() {
            lines.push(format!("  {what}: {}", kept.place.display()));
        }
    }
    Err(refused(
        format!(
            "tenant `{}` is deployed or has data, which would be lost:\n{}",
            tenant.id,
            lines.join("\n")
        ),
        "move away or delete all that is listed, then remove the tenant".to_owned(),
    ))
}

/// How much of it there is, in the words of who has to decide.
async fn describe(kept: &Retained, data: &Path, tenant: &profile::Tenant) -> ports::Result<String> {
    let id = tenant.id.as_str();
    let files = kept.files;
    Ok(match kept.kind {
        Kind::Stack => "the deployed stack".to_owned(),
        Kind::Queue if kept.place.extension().is_none_or(|ending| ending != "sqlite") => {
            "what the queue wrote last".to_owned()
        }
        Kind::Queue => {
            let settings = QueueSettings {
                visibility_timeout: Duration::from_secs(tenant.settings.queue.visibility_timeout_seconds.into()),
                receive_limit: Some(tenant.settings.queue.receive_limit),
            };
            let queue = LocalQueue::open(data, id, settings, Arc::new(SystemClock)).await?;
            let depth = queue.depth().await?;
            queue.close().await;
            let waiting = counted(depth.visible + depth.in_flight, "message");
            format!("the queue with {waiting}, and {} in its dead-letter queue", depth.dead)
        }
        Kind::Segments => format!("{} of events", counted(files, "segment")),
        Kind::Findings => counted(files, "finding"),
        Kind::SetAside => {
            let objects = LocalObjects::open(data, id)?;
            let records = set_aside::all(&objects).await?.len() as u64;
            format!("{} of what was set aside", counted(records, "record"))
        }
        Kind::Outbox => format!("{} not yet sent", counted(files, "notification")),
        Kind::State => "how far its runs are".to_owned(),
        Kind::ActivityTable => format!(
            "the Activity table with {}",
            counted(lake(data, id).await?.rows().await?, "row")
        ),
    })
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

async fn lake(data: &Path, tenant: &str) -> ports::Result<Lake> {
    Ok(Lake::new(catalog::open(data).await?, &tenant.replace('-', "_")))
}

/// The catalog would lead a later tenant of the same ID to a table whose files are gone.
async fn forget(data: &Path, tenant: &profile::Tenant) -> ports::Result<()> {
    if data.is_dir() {
        lake(data, tenant.id.as_str()).await?.forget().await?;
    }
    Ok(())
}

fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Ok(()) => output::line(format!("removed {name}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::unavailable(error).hint(format!("{name} could not be removed"))),
    }
    Ok(())
}
