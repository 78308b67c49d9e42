//! `oort plan`: what would be done to which stack, with change sets that CloudFormation has looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::cloud::{Connected, WaitArgs, connect};
use crate::cli::context::{Loaded, profile_of};
use crate::cli::diff::{Format, written};
use crate::cli::progress::Progress;
use crate::cli::task::run_name;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::plan::intent::{WaysOut, intent};
use crate::deploy::plan::{Plan, Purpose};
use crate::deploy::profile::{Profile, Tenant};
use crate::deploy::propose::{self, Clients, Draft, Made, NoPlan, Request};
use crate::deploy::render::Rendered;
use crate::deploy::world::{self, World};
use crate::deploy::{change_sets, quota, wording};
use crate::local::clock::SystemClock;
use crate::ports::Clock as _;

/// Make a plan of all that has to be done on AWS, and the change sets for it. Changes no resource. Exits with 2 when there
/// is something to apply.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct PlanVerb {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    make: Make,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Discard(Discard),
}

#[derive(Debug, Args)]
pub struct Make {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT", required = true)]
    environment: Option<String>,
    /// Only these tenants, without the foundation.
    #[arg(long, short)]
    tenant: Vec<String>,
    /// Where the plan is written, for `oort apply`.
    #[arg(long, short, value_name = "FILE", default_value = "plan.json")]
    output: PathBuf,
    #[command(flatten)]
    pub leave: Leave,
    /// How the changes are shown.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    wait: WaitArgs,
}

/// What a person allows.
#[derive(Debug, Clone, Default, Args)]
pub struct Leave {
    /// A queue, bus, bucket or key (`EventQueue`, or `acme/EventQueue`) that may be replaced or deleted.
    #[arg(long, value_name = "RESOURCE")]
    allow_replace: Vec<String>,
    /// A tenant (or `foundation`) whose creation failed: its stack is deleted and created again.
    #[arg(long, value_name = "TENANT")]
    recreate: Vec<String>,
    /// A tenant (or `foundation`) whose rollback failed: it is continued; resources after `=` are taken for rolled back.
    #[arg(long, value_name = "TENANT[=RESOURCE,...]")]
    continue_rollback: Vec<String>,
    /// New stacks take in what former stacks left behind, by name: queues, buses, archives.
    #[arg(long)]
    adopt: bool,
}

impl Leave {
    /// What a plan is made for.
    pub fn request(&self, id: String, purpose: Purpose, pause: Duration) -> Request {
        Request {
            id,
            purpose,
            now: SystemClock.now(),
            allowed: self.allow_replace.iter().cloned().collect(),
            adopts: self.adopt,
            pause,
        }
    }

    fn ways_out(&self) -> WaysOut {
        let continued = self.continue_rollback.iter().map(|text| {
            let (stack, resources) = text.split_once('=').unwrap_or((text, ""));
            let resources = resources.split(',').filter(|name| !name.is_empty());
            (stack.to_owned(), resources.map(str::to_owned).collect())
        });
        WaysOut {
            recreate: self.recreate.iter().cloned().collect(),
            continue_rollback: continued.collect(),
        }
    }
}

/// Drop a plan's change sets, and give free the names of the stacks that they alone hold.
#[derive(Debug, Args)]
struct Discard {
    /// The plan.
    #[arg(default_value = "plan.json")]
    plan: PathBuf,
}

impl PlanVerb {
    pub async fn run(self, global: &Global) -> Outcome {
        match self.verb {
            Some(Verb::Discard(verb)) => verb.run(global).await,
            None => self.make.run(global).await,
        }
    }
}

impl Make {
    async fn run(self, global: &Global) -> Outcome {
        let name = self.environment.clone().unwrap_or_default();
        let loaded = load(global, &name, &self.tenant)?;
        let profile = &loaded.environment.profile;
        let connected = connect(profile).await?;
        let world = world::sweep(&*connected.cloud, &connected.pacer).await?;
        let drafts = drafts(&loaded, &self.tenant, &world, &self.leave.ways_out())?;
        let request = self.leave.request(run_name(), Purpose::Deploy, self.wait.interval());
        let plan = make(&connected, &world, drafts, &request, profile).await?;
        write(&self.output, &plan)?;
        let text = written(&plan.fleet(), self.format);
        if self.format == Format::Text {
            output::coloured(&text);
            output::coloured(&summary(&plan, &self.output));
        } else {
            output::text(&text);
        }
        Ok(if !plan.blocked.is_empty() {
            Exit::PartlyFailed
        } else if plan.steps.is_empty() {
            Exit::Done
        } else {
            Exit::Changes
        })
    }
}

/// The files of an environment, or of one tenant when only that is meant.
pub fn load(global: &Global, name: &str, tenants: &[String]) -> Result<Loaded, Failure> {
    let loaded = match tenants {
        [one] => Loaded::read(global, name, Some(one))?,
        _ => Loaded::read(global, name, None)?,
    };
    for tenant in tenants {
        if !loaded
            .environment
            .tenants
            .iter()
            .any(|known| known.id.as_str() == tenant)
        {
            return Err(Failure::input(format!("environment `{name}` has no tenant `{tenant}`"))
                .hint("oort tenant list shows the tenants"));
        }
    }
    Ok(loaded)
}

/// What each stack needs. Of stacks that need nothing no more is kept than that.
pub fn drafts(loaded: &Loaded, only: &[String], world: &World, ways_out: &WaysOut) -> Result<Vec<Draft>, Failure> {
    let tenants: BTreeMap<&str, &Tenant> = loaded
        .environment
        .tenants
        .iter()
        .map(|tenant| (tenant.id.as_str(), tenant))
        .collect();
    let progress = Progress::new("rendering", loaded.stacks());
    let mut drafts = Vec::new();
    let draft = |stack: Rendered| -> Result<Option<Draft>, Failure> {
        let tenant = stack.spec.tenant.as_ref().and_then(|id| tenants.get(id.as_str()));
        let is_meant = only.is_empty() || tenant.is_some_and(|tenant| only.iter().any(|id| id == tenant.id.as_str()));
        if !is_meant {
            return Ok(None);
        }
        let source = tenant.map(|tenant| &tenant.event_source);
        Ok(Some(Draft {
            intent: intent(&stack.spec, source, world, ways_out),
            tree: stack.tree(),
            spec: stack.spec,
        }))
    };
    loaded.for_each(draft, |draft| {
        progress.step();
        drafts.extend(draft);
        Ok(())
    })?;
    Ok(drafts)
}

/// Makes the plan; what was made for it is dropped again when none comes of it.
pub async fn make(
    connected: &Connected,
    world: &World,
    drafts: Vec<Draft>,
    request: &Request,
    profile: &Profile,
) -> Result<Plan, Failure> {
    let Connected { cloud, pacer } = connected;
    let shortage = quota::shortage(&**cloud, pacer, world, &drafts, profile).await?;
    if !shortage.is_empty() {
        return Err(Failure {
            exit: Exit::Refused,
            error: shortage.join("\n").into(),
            hint: Some("have AWS raise the quota first; nothing was changed".to_owned()),
        });
    }
    let made = Made::default();
    let clients = Clients { cloud: &**cloud, pacer };
    let progress = Progress::new("proposing", drafts.len());
    let step = || progress.step();
    let planning = propose::plan(&clients, profile, world, drafts, request, &made, &step);
    let outcome = tokio::select! {
        outcome = planning => outcome,
        _ = tokio::signal::ctrl_c() => Err(NoPlan::Interrupted),
    };
    drop(progress);
    match outcome {
        Ok(plan) => Ok(plan),
        Err(why) => {
            change_sets::discard(&**cloud, pacer, made.take()).await?;
            Err(no_plan(why))
        }
    }
}

fn no_plan(why: NoPlan) -> Failure {
    match why {
        NoPlan::Guarded(resources) => Failure {
            exit: Exit::Refused,
            error: NoPlan::Guarded(resources).into(),
            hint: Some(
                "allow each one with --allow-replace RESOURCE, or change the file so that it stays; the plan's change sets were dropped"
                    .to_owned(),
            ),
        },
        NoPlan::Port(error) => error.into(),
        NoPlan::Interrupted => Failure::unavailable(NoPlan::Interrupted),
    }
}

/// Writes a plan so that it is there whole or not at all.
pub fn write(path: &Path, plan: &Plan) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::unavailable(error).hint(format!(
            "{} must be writable; run the same command again",
            path.display()
        ))
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    serde_json::to_writer_pretty(&mut file, plan).map_err(|error| failed(error.into()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Reads a plan back.
pub fn read(path: &Path) -> Result<Plan, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::input(format!("cannot read {}: {error}", path.display())).hint("oort plan writes it")
    })?;
    let hint = "make a new one with oort plan; a plan is never edited";
    let plan: Plan = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::input(format!("{}: {error}", path.display())).hint(hint))?;
    if plan.format != crate::deploy::plan::FORMAT {
        let why = format!(
            "{} is a plan of form {}, written by another version",
            path.display(),
            plan.format
        );
        return Err(Failure::input(why).hint(hint));
    }
    Ok(plan)
}

/// What is waited for, what is in the way, and what to do next.
fn summary(plan: &Plan, path: &Path) -> String {
    let mut lines = Vec::new();
    for waiting in &plan.waiting {
        let why = if waiting.is_deleted {
            "Okta deleted it"
        } else {
            "Okta has not made it yet"
        };
        lines.push(format!(
            "Waiting for Okta: {} ({}: {why})",
            waiting.tenant, waiting.source
        ));
    }
    for blocked in &plan.blocked {
        lines.push(format!(
            "Blocked: {}: {}",
            blocked.stack,
            wording::printable(&blocked.why)
        ));
        lines.push(format!("  hint: {}", blocked.way_out));
    }
    let waves: Vec<String> = plan
        .waves
        .iter()
        .map(|wave| format!("{} ({})", wave.name, wording::number(wave.stacks.len())))
        .collect();
    if waves.is_empty() {
        lines.push(format!(
            "Nothing to apply; {} unchanged.",
            wording::plural(plan.unchanged.len(), "stack")
        ));
    } else {
        lines.push(format!("Waves: {}", waves.join(", ")));
        lines.push(format!(
            "Plan {}, digest {:.16}: oort apply {}",
            plan.id,
            plan.digest(),
            path.display()
        ));
    }
    lines.join("\n") + "\n"
}

impl Discard {
    async fn run(self, global: &Global) -> Outcome {
        let plan = read(&self.plan)?;
        let connected = connect(&profile_of(global, &plan.environment)?).await?;
        let change_sets = plan.steps.into_iter().filter_map(|step| step.change_set).collect();
        change_sets::discard(&*connected.cloud, &connected.pacer, change_sets).await?;
        std::fs::remove_file(&self.plan).map_err(Failure::unavailable)?;
        Ok(Exit::Done)
    }
}
