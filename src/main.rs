//! The `oort` binary: parse, run, map the outcome to an exit code.

use std::process::ExitCode;

use clap::Parser;
use oort_streams::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(help) if !help.use_stderr() => {
            help.exit();
        }
        Err(usage) => Cli::refuse(&usage),
    }
}
