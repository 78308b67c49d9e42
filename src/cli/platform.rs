//! The verbs of the platform team, reviewers and CI. A build for tasks has none of them.

use clap::Subcommand;

use crate::cli::{
    Global, Outcome, apply, check, console, cost, demo, diff, drift, local, plan, profile, render, retire, rollback,
    rules, sample, schema, shell, status, template, tenant,
};

#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    Render(render::Render),
    Diff(diff::Diff),
    Check(check::Check),
    Cost(cost::Cost),
    Plan(Box<plan::PlanVerb>),
    Apply(Box<apply::ApplyVerb>),
    Status(Box<status::Status>),
    Drift(Box<drift::Drift>),
    Rollback(Box<rollback::Rollback>),
    Prune(Box<retire::Prune>),
    Destroy(Box<retire::Destroy>),
    #[command(subcommand)]
    Profile(profile::Profile),
    #[command(subcommand)]
    Template(template::Template),
    Schema(schema::Schema),
    #[command(subcommand)]
    Rules(rules::Rules),
    #[command(subcommand)]
    Local(local::Local),
    Sample(sample::Sample),
    Demo(demo::Demo),
    Console(Box<console::ConsoleVerb>),
    Completions(shell::Completions),
    Man(shell::Man),
}

impl Verb {
    pub async fn run(self, global: &Global) -> Outcome {
        match self {
            Self::Tenant(verb) => verb.run(global).await,
            Self::Render(verb) => verb.run(global),
            Self::Diff(verb) => verb.run(global),
            Self::Check(verb) => verb.run(global),
            Self::Cost(verb) => verb.run(global),
            Self::Plan(verb) => Box::pin(verb.run(global)).await,
            Self::Apply(verb) => Box::pin(verb.run(global)).await,
            Self::Status(verb) => Box::pin(verb.run(global)).await,
            Self::Drift(verb) => Box::pin(verb.run(global)).await,
            Self::Rollback(verb) => Box::pin(verb.run(global)).await,
            Self::Prune(verb) => Box::pin(verb.run(global)).await,
            Self::Destroy(verb) => Box::pin(verb.run(global)).await,
            Self::Profile(verb) => verb.run(global),
            Self::Template(verb) => verb.run(global),
            Self::Schema(verb) => Ok(verb.run()),
            Self::Completions(verb) => Ok(verb.run()),
            Self::Man(verb) => verb.run(),
            Self::Rules(verb) => verb.run(global).await,
            Self::Local(verb) => verb.run(global).await,
            Self::Sample(verb) => verb.run(),
            Self::Demo(verb) => Box::pin(verb.run(global)).await,
            Self::Console(verb) => Box::pin(verb.run(global)).await,
        }
    }
}
