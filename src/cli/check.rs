//! `oort check`: named rules over the rendered stacks.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::context::{Loaded, environment_names};
use crate::cli::progress::Progress;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::check::format::{self, Report};
use crate::deploy::check::{self, Judge, Subject, Violation, skips};
use crate::deploy::render::Rendered;

/// Check every rendered stack against named rules. Exits with 2 when an error is left that no profile accepts.
#[derive(Debug, Args)]
pub struct Check {
    /// Only this environment; by default all.
    #[arg(long, short)]
    environment: Option<String>,
    /// Only this tenant; no file of another is read.
    #[arg(long, short, requires = "environment")]
    tenant: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show every rule with its reason, and what it admits.
    #[arg(long, conflicts_with_all = ["environment", "tenant", "format"])]
    list: bool,
    /// Print what the profile accepts of another tool's findings, as that tool's configuration; check nothing.
    #[arg(long, value_name = "TOOL", requires = "environment", conflicts_with_all = ["tenant", "format", "list"])]
    skips: Option<Skips>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal; colours unless `NO_COLOR` is set.
    Text,
    /// For machines.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For test reports: `JUnit`'s XML.
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Skips {
    /// A baseline for `checkov --baseline`.
    Checkov,
    /// A file for `cfn-lint --config-file`.
    CfnLint,
}

impl Check {
    pub fn run(self, global: &Global) -> Outcome {
        if self.list {
            self.print(&format::text::list(), true)?;
            return Ok(Exit::Done);
        }
        let environments = match &self.environment {
            Some(name) => vec![name.clone()],
            None => environment_names(global)?,
        };
        if let (Some(tool), [environment]) = (self.skips, &environments[..]) {
            self.print(&skips_for(tool, global, environment)?, false)?;
            return Ok(Exit::Done);
        }
        let report = self.check(global, &environments)?;
        let text = match self.format {
            Format::Text => format::text::text(&report),
            Format::Json => format!("{:#}\n", format::json::json(&report)),
            Format::Sarif => format!("{:#}\n", format::sarif::sarif(&report)),
            Format::Junit => format::junit::junit(&report),
        };
        self.print(&text, self.format == Format::Text)?;
        Ok(if report.errors() == 0 {
            Exit::Done
        } else {
            Exit::Changes
        })
    }

    fn check(&self, global: &Global, environments: &[String]) -> Result<Report, Failure> {
        let mut report = Report::default();
        let mut judge = Judge::default();
        for environment in environments {
            let loaded = Loaded::read(global, environment, self.tenant.as_deref())?;
            let suppressions = &loaded.environment.profile.suppressions;
            judge.hear(environment, suppressions);
            let progress = Progress::new("checking", loaded.stacks());
            let find = |stack: Rendered| Ok((stack.spec.name.to_string(), violations(environment, &stack)));
            loaded.for_each(find, |(stack, mut found)| {
                progress.step();
                judge.judge(&mut found, suppressions);
                report.stacks.push(stack);
                report.violations.extend(found);
                Ok(())
            })?;
        }
        // What one tenant does not need, another may.
        if self.tenant.is_none() {
            report.violations.extend(judge.idle());
        }
        Ok(report)
    }

    fn print(&self, text: &str, has_colours: bool) -> Result<(), Failure> {
        if has_colours && self.output.is_none() {
            output::coloured(text);
            return Ok(());
        }
        let plain = if has_colours {
            anstream::adapter::strip_str(text).to_string()
        } else {
            text.to_owned()
        };
        output::to_file_or_stdout(self.output.as_deref(), &plain)
            .map_err(|error| Failure::unavailable(error).hint("check that the file can be written"))
    }
}

fn violations(environment: &str, stack: &Rendered) -> Vec<Violation> {
    let tree = stack.tree();
    check::check(&Subject {
        environment,
        stack: stack.spec.name.as_str(),
        tenant: stack.spec.tenant.as_ref(),
        template: &tree,
        file: &stack.template,
        line_of: &|path| stack.line_of(path),
    })
}

fn skips_for(tool: Skips, global: &Global, environment: &str) -> Result<String, Failure> {
    let loaded = Loaded::read(global, environment, None)?;
    let suppressions = &loaded.environment.profile.suppressions;
    match tool {
        Skips::CfnLint => skips::cfn_lint(suppressions).map_err(Failure::input),
        Skips::Checkov => {
            let mut resources = BTreeSet::new();
            loaded.for_each(
                |stack: Rendered| Ok(skips::resources(&stack.tree())),
                |own| {
                    resources.extend(own);
                    Ok(())
                },
            )?;
            Ok(format!("{:#}\n", skips::checkov(suppressions, &resources)))
        }
    }
}
