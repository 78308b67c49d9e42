//! `oort apply`: carries out a plan.

use std::io::{IsTerminal as _, stdin};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::cloud::{Connected, WaitArgs, connect};
use crate::cli::context::profile_of;
use crate::cli::plan;
use crate::cli::rollout_view::View;
use crate::cli::tenant::ask::Dialogue;
use crate::cli::watch_sources;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::apply::report::{Report, junit, markdown, text};
use crate::deploy::apply::{Apply, NotApplied};
use crate::deploy::plan::Plan;
use crate::deploy::profile::Profile;
use crate::local::clock::SystemClock;
use crate::local::journal::FileJournal;

/// Carry out a plan, and nothing else. After Ctrl-C, a kill or a lost network the same command goes on where it was.
#[derive(Debug, Args)]
pub struct ApplyVerb {
    /// The plan that `oort plan` wrote.
    #[arg(default_value = "plan.json")]
    plan: PathBuf,
    /// Instead of a plan: create the stack of each tenant as soon as Okta has made its partner event source. Goes on until
    /// Ctrl-C.
    #[arg(long, requires = "environment", conflicts_with = "plan")]
    watch_sources: bool,
    /// With --watch-sources: look once, for a schedule.
    #[arg(long, requires = "watch_sources")]
    once: bool,
    /// With --watch-sources: the seconds between two looks.
    #[arg(long, requires = "watch_sources", value_name = "SECONDS", default_value_t = 60)]
    every: u64,
    /// With --watch-sources: the environment.
    #[arg(long, short, requires = "watch_sources")]
    environment: Option<String>,
    #[command(flatten)]
    how: How,
}

/// Whether a verb that makes a plan carries it out itself.
#[derive(Debug, Clone, Args)]
pub struct Or {
    /// Only write the plan to this file, for oort apply; exits with 2.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

impl Or {
    pub fn interval(&self) -> Duration {
        self.how.wait.interval()
    }

    /// Writes a plan, or carries it out.
    pub async fn go_on(&self, global: &Global, connected: &Connected, profile: &Profile, plan: &Plan) -> Outcome {
        let Some(path) = &self.output else {
            return self.how.carry_out(global, connected, profile, plan).await;
        };
        plan::write(path, plan)?;
        output::line(format!(
            "Plan {}, digest {:.16}: oort apply {}",
            plan.id,
            plan.digest(),
            path.display()
        ));
        Ok(Exit::Changes)
    }
}

/// How a plan is carried out and reported.
#[derive(Debug, Clone, Args)]
pub struct How {
    /// The digest of the plan, or at least its first 16 digits, as a person's word that it may be carried out.
    #[arg(long, value_name = "DIGEST")]
    approve: Option<String>,
    /// How the outcome is shown.
    #[arg(long, value_enum, default_value = "text")]
    report: ReportFormat,
    /// Write the outcome to this file too or, other than as text, instead of standard output.
    #[arg(long, value_name = "FILE")]
    report_to: Option<PathBuf>,
    #[command(flatten)]
    wait: WaitArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For a terminal; colours unless `NO_COLOR` is set.
    Text,
    /// For machines.
    Json,
    /// For test reports: a suite a wave, a case a stack.
    Junit,
    /// For a pull request or a job's summary.
    Markdown,
}

impl ApplyVerb {
    pub async fn run(self, global: &Global) -> Outcome {
        if let (true, Some(environment)) = (self.watch_sources, &self.environment) {
            let every = (!self.once).then(|| Duration::from_secs(self.every.max(1)));
            return watch_sources::watch(global, environment, &self.how, every).await;
        }
        let plan = plan::read(&self.plan)?;
        let profile = profile_of(global, &plan.environment)?;
        if (profile.account_id.as_str(), profile.region.as_str()) != (&*plan.account, &*plan.region) {
            let why = format!(
                "the plan is for account {} in {}, and environment `{}` is account {} in {}",
                plan.account, plan.region, plan.environment, profile.account_id, profile.region
            );
            return Err(Failure::refused(why).hint("make a new plan"));
        }
        let connected = connect(&profile).await?;
        self.how.carry_out(global, &connected, &profile, &plan).await
    }
}

impl How {
    pub fn interval(&self) -> Duration {
        self.wait.interval()
    }

    /// Carries out a plan that a person approved.
    pub async fn carry_out(&self, global: &Global, connected: &Connected, profile: &Profile, plan: &Plan) -> Outcome {
        self.approve(profile, plan)?;
        self.carry_out_approved(global, connected, plan).await
    }

    /// Carries out a plan that needs no more approval.
    pub async fn carry_out_approved(&self, global: &Global, connected: &Connected, plan: &Plan) -> Outcome {
        let folder = global.data.join("applies").join(&plan.environment);
        let journal = FileJournal::open(&folder.join(format!("{}.jsonl", plan.id)))?;
        // A rollback needs what was before, and asks for it here.
        let kept = folder.join(format!("{}.json", plan.id));
        plan::write(&kept, plan)?;
        let view = View::new(plan);
        let apply = Apply {
            cloud: &*connected.cloud,
            pacer: &connected.pacer,
            plan,
            journal: &journal,
            clock: &SystemClock,
            interval: self.wait.interval(),
            observe: &|progress| view.show(progress),
        };
        let report = tokio::select! {
            report = apply.run() => report.map_err(not_applied)?,
            _ = tokio::signal::ctrl_c() => {
                view.close();
                return Err(Failure::unavailable("interrupted; CloudFormation goes on with the stacks that it has taken")
                    .hint(format!("oort apply {} goes on from here, and nothing is done twice", kept.display())));
            }
        };
        view.close();
        self.tell(&report)?;
        Ok(if report.is_complete() {
            Exit::Done
        } else {
            Exit::PartlyFailed
        })
    }

    /// Holds a plan back until a person has approved it.
    pub fn approve(&self, profile: &Profile, plan: &Plan) -> Result<(), Failure> {
        let digest = plan.digest();
        if let Some(word) = &self.approve {
            if word.len() >= 16 && digest.starts_with(word.as_str()) {
                return Ok(());
            }
            return Err(
                Failure::refused(format!("the plan's digest is {digest}, and {word} was approved")).hint(
                    "look at the plan once more; --approve takes its digest, or at least the first 16 digits of it",
                ),
            );
        }
        if !(plan.needs_approval() || profile.rollout.needs_approval) {
            return Ok(());
        }
        let environment = &plan.environment;
        if !stdin().is_terminal() {
            return Err(Failure::refused(format!("a plan for `{environment}` needs a person's approval"))
                .hint(format!(
                    "look at the plan (--output writes one where none is kept), then run oort apply on it with --approve {digest:.16}"
                )));
        }
        let question = format!(
            "{} to carry out in `{environment}`. Type the environment's name to go on",
            crate::deploy::wording::plural(plan.steps.len(), "stack")
        );
        let (mut input, mut output) = (stdin().lock(), std::io::stderr().lock());
        let mut dialogue = Dialogue {
            input: &mut input,
            output: &mut output,
        };
        let answer = dialogue
            .ask(&question, |answer| Ok(answer.to_owned()))
            .map_err(Failure::unavailable)?;
        if answer.as_deref() == Some(environment.as_str()) {
            return Ok(());
        }
        Err(Failure::refused("not approved; nothing was changed"))
    }

    fn tell(&self, report: &Report) -> Result<(), Failure> {
        let shown = match self.report {
            ReportFormat::Text => text(report),
            ReportFormat::Json => format!("{:#}\n", serde_json::json!(report)),
            ReportFormat::Junit => junit(report),
            ReportFormat::Markdown => markdown(report),
        };
        let failed =
            |error: std::io::Error| Failure::unavailable(error).hint("check that the report's file can be written");
        match (&self.report_to, self.report) {
            (None, ReportFormat::Text) => output::coloured(&shown),
            (Some(path), ReportFormat::Text) => {
                let plain = anstream::adapter::strip_str(&shown).to_string();
                output::to_file_or_stdout(Some(path), &plain).map_err(failed)?;
                output::coloured(&shown);
            }
            (path, _) => {
                output::to_file_or_stdout(path.as_deref(), &shown).map_err(failed)?;
                if path.is_some() {
                    output::coloured(&text(report));
                }
            }
        }
        Ok(())
    }
}

fn not_applied(why: NotApplied) -> Failure {
    match why {
        NotApplied::Port(error) => error.into(),
        NotApplied::Stale(_) => Failure::refused(why).hint("make a new plan; oort plan discard drops this one"),
        NotApplied::OtherPlan(_) => Failure::refused(why).hint("make a new plan; a plan is never edited"),
    }
}
