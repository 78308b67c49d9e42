//! `oort tenant guide`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::tenant::{One, only};
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::onboard::guide;

/// Write the steps and the exact values for the tenant's Okta admin.
#[derive(Debug, Args)]
pub struct Guide {
    #[command(flatten)]
    one: One,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For a terminal or an e-mail.
    Text,
    /// For a ticket or a wiki.
    Markdown,
    /// One page to send or to print.
    Html,
}

impl Guide {
    pub fn run(self, global: &Global) -> Outcome {
        let loaded = self.one.load(global)?;
        let guide = guide::guide(&loaded.environment.profile, only(&loaded)?);
        let text = match self.format {
            Format::Text => guide::text(&guide),
            Format::Markdown => guide::markdown(&guide),
            Format::Html => guide::html(&guide),
        };
        output::to_file_or_stdout(self.output.as_deref(), &text)
            .map_err(|error| Failure::unavailable(error).hint("check that the file can be written"))?;
        Ok(Exit::Done)
    }
}
