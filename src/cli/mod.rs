//! The command line: one verb a file, its arguments and its function. Adapters are built in `context`, printing is done
//! in `output`, and every failure leaves by the same door with an exit code and a hint.

mod activity;
mod compact;
mod detect;
mod erase;
mod findings;
mod gaps;
mod maintain;
mod outlets;
mod output;
mod reconcile;
mod record;
mod redrive;
mod refresh;
mod replay;
mod routes;
mod stop;
mod target;
mod task;

#[cfg(feature = "deploy")]
mod apply;
#[cfg(feature = "deploy")]
mod backtest;
#[cfg(feature = "deploy")]
mod check;
#[cfg(feature = "deploy")]
mod cloud;
#[cfg(feature = "deploy")]
mod console;
#[cfg(feature = "deploy")]
mod context;
#[cfg(feature = "deploy")]
mod cost;
#[cfg(feature = "deploy")]
mod demo;
#[cfg(feature = "deploy")]
mod diff;
#[cfg(feature = "deploy")]
mod drift;
#[cfg(feature = "deploy")]
mod embedded;
#[cfg(feature = "deploy")]
mod local;
#[cfg(feature = "deploy")]
mod measure;
#[cfg(feature = "deploy")]
mod plan;
#[cfg(feature = "deploy")]
mod platform;
#[cfg(feature = "deploy")]
mod profile;
#[cfg(feature = "deploy")]
mod progress;
#[cfg(feature = "deploy")]
mod render;
#[cfg(feature = "deploy")]
mod retire;
#[cfg(feature = "deploy")]
mod rollback;
#[cfg(feature = "deploy")]
mod rollout_view;
#[cfg(feature = "deploy")]
mod rules;
#[cfg(feature = "deploy")]
mod sample;
#[cfg(feature = "deploy")]
mod schema;
#[cfg(feature = "deploy")]
mod shell;
#[cfg(feature = "deploy")]
mod status;
#[cfg(feature = "deploy")]
mod template;
#[cfg(feature = "deploy")]
mod tenant;
#[cfg(feature = "deploy")]
mod up;
#[cfg(feature = "deploy")]
mod watch_sources;

use std::error::Error as StdError;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[cfg(feature = "deploy")]
use crate::deploy::render::RenderError;
use crate::ports::{self, Kind};
use crate::telemetry::{self, LogFormat};

/// Okta log streams on AWS EventBridge: render a stack a tenant, and run what the stacks launch.
#[derive(Debug, Parser)]
#[command(name = "oort", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done or nothing to do, 1 failed, 2 there are changes, 3 bad input, 4 refused by a guard, 5 partly failed, 6 unavailable.";

#[derive(Debug, Clone, Args)]
struct Global {
    /// The folder that holds `environments/`, `templates/` and `snapshots/`.
    #[arg(long, global = true, env = "OORT_ROOT", default_value = ".", value_name = "DIR")]
    root: PathBuf,
    /// The folder in which the embedded target keeps everything.
    #[arg(long, global = true, env = "OORT_DATA", default_value = ".oort", value_name = "DIR")]
    data: PathBuf,
    /// The least level of log lines on standard error; info, or warn for a demo.
    #[arg(long, global = true, env = "OORT_LOG", value_name = "LEVEL")]
    log: Option<String>,
    /// How log lines are written; text on a terminal, JSON elsewhere.
    #[arg(long, global = true, env = "OORT_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "deploy")]
    #[command(flatten)]
    Platform(platform::Verb),
    Detect(detect::Detect),
    Compact(compact::Compact),
    Refresh(refresh::Refresh),
    Reconcile(reconcile::Reconcile),
    Gaps(gaps::Gaps),
    Activity(activity::Activity),
    Findings(Box<findings::Findings>),
    Routes(routes::Routes),
    Redrive(redrive::Redrive),
    Maintain(maintain::Maintain),
    Retention(maintain::Retention),
    Erase(erase::Erase),
    Replay(replay::Replay),
}

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Changes = 2,
    BadInput = 3,
    Refused = 4,
    PartlyFailed = 5,
    Unavailable = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure on its way to the person who reads it.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    error: Box<dyn StdError + Send + Sync>,
    hint: Option<String>,
}

type Outcome = std::result::Result<Exit, Failure>;

impl Failure {
    fn input(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            exit: Exit::BadInput,
            error: error.into(),
            hint: None,
        }
    }

    fn unavailable(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            exit: Exit::Unavailable,
            error: error.into(),
            hint: None,
        }
    }

    /// A guard says no.
    fn refused(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            exit: Exit::Refused,
            error: error.into(),
            hint: None,
        }
    }

    /// The error with its causes, in one line.
    fn whole(&self) -> String {
        ports::chain(&*self.error)
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[cfg(feature = "deploy")]
impl From<RenderError> for Failure {
    fn from(error: RenderError) -> Self {
        Self::input(error)
    }
}

impl From<ports::Error> for Failure {
    fn from(error: ports::Error) -> Self {
        let (exit, hint) = match error.kind {
            Kind::Invalid | Kind::NotFound => (
                Exit::Failed,
                Some("a repeat will not help: mend what the cause names first"),
            ),
            Kind::Denied => (
                Exit::Refused,
                Some("sign in again, or have the role allowed the call that is named"),
            ),
            Kind::Conflict => (
                Exit::Unavailable,
                Some("another run was faster; run the same command again"),
            ),
            Kind::Throttled | Kind::Unavailable => (
                Exit::Unavailable,
                Some("nothing is lost; run the same command again when the cause is gone"),
            ),
        };
        Self {
            exit,
            error: error.into(),
            hint: hint.map(str::to_owned),
        }
    }
}

impl Cli {
    /// Says what is wrong with a command line. clap's own exit code for that is 2, which here says that there are changes.
    pub fn refuse(usage: &clap::Error) -> ExitCode {
        output::usage(&usage.render().ansi().to_string());
        Exit::BadInput.into()
    }

    /// Runs the command to its end and reports its failure.
    pub fn run(self) -> ExitCode {
        let format = self.global.log_format.unwrap_or(if std::io::stderr().is_terminal() {
            LogFormat::Text
        } else {
            LogFormat::Json
        });
        let usual = self.command.usual_log();
        telemetry::start(format, self.global.log.as_deref().unwrap_or(usual), || output::LogLines);
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return report(&Failure::unavailable(error)),
        };
        match runtime.block_on(self.command.run(&self.global)) {
            Ok(_) if output::is_cut_short() => Exit::Failed.into(),
            Ok(exit) => exit.into(),
            Err(failure) => report(&failure),
        }
    }
}

fn report(failure: &Failure) -> ExitCode {
    output::failure(&*failure.error, failure.hint.as_deref());
    failure.exit.into()
}

impl Command {
    async fn run(self, global: &Global) -> Outcome {
        match self {
            #[cfg(feature = "deploy")]
            Self::Platform(verb) => verb.run(global).await,
            Self::Detect(verb) => verb.run(global).await,
            Self::Compact(verb) => verb.run(global).await,
            Self::Refresh(verb) => verb.run(global).await,
            Self::Reconcile(verb) => verb.run(global).await,
            Self::Gaps(verb) => verb.run(global).await,
            Self::Activity(verb) => verb.run(global).await,
            Self::Findings(verb) => Box::pin(verb.run(global)).await,
            Self::Routes(verb) => verb.run(global).await,
            Self::Redrive(verb) => verb.run(global).await,
            Self::Maintain(verb) => verb.run(global).await,
            Self::Retention(verb) => verb.run(global).await,
            Self::Erase(verb) => verb.run(global).await,
            Self::Replay(verb) => verb.run(global).await,
        }
    }

    /// The least level of log lines where nobody asks for another.
    fn usual_log(&self) -> &'static str {
        match self {
            #[cfg(feature = "deploy")]
            Self::Platform(platform::Verb::Demo(_)) => "warn",
            _ => "info",
        }
    }
}
