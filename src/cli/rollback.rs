//! `oort rollback`: stacks become again what they were before an apply.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::apply::Or;
use crate::cli::cloud::connect;
use crate::cli::context::profile_of;
use crate::cli::diff::{Format, written};
use crate::cli::task::run_name;
use crate::cli::{Exit, Failure, Global, Outcome, output, plan};
use crate::deploy::apply::record::Recovered;
use crate::deploy::plan::intent::{WaysOut, intent};
use crate::deploy::plan::{Plan, Purpose, StepAction};
use crate::deploy::propose::Draft;
use crate::deploy::template;
use crate::deploy::world;
use crate::local::journal::FileJournal;
use crate::model::name::{StackName, TenantId};
use crate::model::stack::StackSpec;
use crate::ports::Journal as _;

/// Give the stacks that an apply changed the templates and tags that they had before. Stacks that it created stay.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT")]
    environment: String,
    /// The plan that was applied; by default the last one that was applied from this data folder.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    leave: plan::Leave,
    #[command(flatten)]
    or: Or,
}

impl Rollback {
    pub async fn run(self, global: &Global) -> Outcome {
        let profile = profile_of(global, &self.environment)?;
        let path = match &self.plan {
            Some(path) => path.clone(),
            None => last_applied(&global.data.join("applies").join(&self.environment))?,
        };
        let applied = plan::read(&path)?;
        if applied.environment != self.environment {
            return Err(Failure::input(format!(
                "{} is of environment `{}`",
                path.display(),
                applied.environment
            )));
        }
        let connected = connect(&profile).await?;
        let world = world::sweep(&*connected.cloud, &connected.pacer).await?;
        let mut drafts = Vec::new();
        let recovered = Recovered::read(&journal_of(&path)?.lines()?);
        for (spec, tree) in before(&applied, &recovered)? {
            // A stack that is there needs no source.
            if world.stacks.contains_key(spec.name.as_str()) {
                let intent = intent(&spec, None, &world, &WaysOut::default());
                drafts.push(Draft { spec, tree, intent });
            }
        }
        let request = self.leave.request(run_name(), Purpose::Rollback, self.or.interval());
        let plan = plan::make(&connected, &world, drafts, &request, &profile).await?;
        output::coloured(&written(&plan.fleet(), Format::Text));
        for step in applied.steps.iter().filter(|step| step.action == StepAction::Create) {
            output::line(format!(
                "{} was created by that apply and stays; oort destroy deletes it",
                step.stack
            ));
        }
        if plan.steps.is_empty() {
            output::line("Nothing to roll back.");
            return Ok(if plan.blocked.is_empty() {
                Exit::Done
            } else {
                Exit::PartlyFailed
            });
        }
        self.or.go_on(global, &connected, &profile, &plan).await
    }
}

/// The journal beside a plan that was applied.
fn journal_of(plan: &Path) -> Result<FileJournal, Failure> {
    let path = plan.with_extension("jsonl");
    if path.is_file() {
        return Ok(FileJournal::open(&path)?);
    }
    Err(Failure::input(format!(
        "{} is not there: whether {} was applied is not known",
        path.display(),
        plan.display()
    ))
    .hint("name the plan in the folder applies/ of the data folder, beside its journal"))
}

/// What the stacks were that a plan's apply has touched.
fn before(applied: &Plan, recovered: &Recovered) -> Result<Vec<(StackSpec, crate::deploy::tree::Tree)>, Failure> {
    let mut specs = Vec::new();
    for step in &applied.steps {
        let Some(before) = &step.before else { continue };
        if recovered.stage(&step.stack).is_none() {
            continue;
        }
        let tree = template::read(&before.template).map_err(|error| {
            Failure::input(format!(
                "the former template of {} cannot be read: {}",
                step.stack, error.why
            ))
        })?;
        let tenant = step
            .tenant
            .as_deref()
            .map(TenantId::parse)
            .transpose()
            .map_err(Failure::input)?;
        let spec = StackSpec {
            name: StackName::parse(&step.stack).map_err(Failure::input)?,
            tenant,
            body: before.template.clone(),
            tags: before.tags.clone(),
        };
        specs.push((spec, tree));
    }
    Ok(specs)
}

/// The plan of the last apply that deployed something.
fn last_applied(folder: &Path) -> Result<PathBuf, Failure> {
    let none = || {
        Failure::input(format!("no apply is recorded in {}", folder.display()))
            .hint("name the plan that was applied with --plan; CI keeps it with its other files")
    };
    let mut plans: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|_| none())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    // Plans are named by when they were made.
    plans.sort();
    for path in plans.into_iter().rev() {
        // One that was refused, as stale for example, has begun nothing.
        if plan::read(&path)?.purpose == Purpose::Deploy && Recovered::read(&journal_of(&path)?.lines()?).has_begun() {
            return Ok(path);
        }
    }
    Err(none())
}
