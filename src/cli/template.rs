//! `oort template`: for those who write templates.

use clap::{Args, Subcommand};

use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::lint::lint;
use crate::deploy::source::read_templates;

/// Look at the templates.
#[derive(Debug, Subcommand)]
pub enum Template {
    Lint(Lint),
}

/// Find values that are joined to texts outside the braces, and names that no value has. Exits with 3 when there are some.
#[derive(Debug, Args)]
pub struct Lint {}

impl Template {
    pub fn run(self, global: &Global) -> Outcome {
        match self {
            Self::Lint(Lint {}) => {
                let (foundation, tenant) = read_templates(&global.root).map_err(Failure::input)?;
                let problems = lint(&foundation, &tenant);
                if !problems.0.is_empty() {
                    return Err(Failure::input(problems));
                }
                output::line("no problem in templates/");
                Ok(Exit::Done)
            }
        }
    }
}
