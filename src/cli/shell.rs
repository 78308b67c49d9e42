//! `oort completions` and `oort man`: what a shell and `man` want of the command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::{Cli, Exit, Failure, Outcome, output};

/// Print the completions of a shell.
#[derive(Debug, Args)]
pub struct Completions {
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> Exit {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "oort", &mut script);
        output::text(&String::from_utf8_lossy(&script));
        Exit::Done
    }
}

/// Print the manual page, or write one a verb to a folder.
#[derive(Debug, Args)]
pub struct Man {
    /// Write `oort.1`, `oort-render.1` and so on to this folder.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Man {
    pub fn run(self) -> Outcome {
        let failed = |error: std::io::Error| Failure::unavailable(error).hint("check that the folder can be written");
        match self.output {
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(Cli::command())
                    .render(&mut page)
                    .map_err(failed)?;
                output::text(&String::from_utf8_lossy(&page));
            }
            Some(folder) => {
                std::fs::create_dir_all(&folder).map_err(failed)?;
                clap_mangen::generate_to(Cli::command(), &folder).map_err(failed)?;
                output::line(format!("wrote {}", folder.display()));
            }
        }
        Ok(Exit::Done)
    }
}
