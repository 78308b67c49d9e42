//! `oort sample`: realistic System Log events.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use crate::cli::{Exit, Failure, Outcome, output};
use crate::sample::{Generator, Settings};

/// Write realistic System Log events, one JSON object a line, with a few attack stories among them.
#[derive(Debug, Args)]
pub struct Sample {
    /// How many people work in the org.
    #[arg(long, default_value_t = 50)]
    users: u32,
    /// How many days the events cover.
    #[arg(long, default_value_t = 3)]
    days: u32,
    /// How many different events there are; a few are repeated, as Okta does.
    #[arg(long, default_value_t = 2_000)]
    events: u64,
    /// The same seed gives the same events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The end of the period.
    #[arg(long, default_value = "2026-11-01T00:00:00Z", value_name = "TIME")]
    end: Timestamp,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Sample {
    pub fn run(self) -> Outcome {
        let events = Generator::new(self.settings());
        match &self.output {
            None => output::stream(events),
            Some(path) => File::create(path)
                .and_then(|file| output::lines(events, &mut BufWriter::new(file)))
                .map_err(|error| {
                    Failure::unavailable(error).hint(format!("check that {} can be written", path.display()))
                })?,
        }
        Ok(Exit::Done)
    }

    fn settings(&self) -> Settings {
        Settings {
            users: self.users,
            days: self.days,
            events: self.events,
            seed: self.seed,
            end: self.end,
        }
    }
}
