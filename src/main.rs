//! The `oort` binary: parse, run, map the outcome to an exit code.

use std::process::ExitCode;

use clap::Parser;
use oort_streams::cli::{Cli, Exit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(help) if !help.use_stderr() => {
            help.exit();
        }
        Err(usage) => {
            // clap's own exit code for a wrong command line is 2, which here says that there are changes.
            let _ = usage.print();
            Exit::BadInput.into()
        }
    }
}
