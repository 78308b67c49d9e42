//! Structured log lines, and the names of their fields. Decides nothing and measures nothing itself.
//!
//! Every line within a run carries `tenant`, `role` and `run`, from the span that [`run_span`] opens.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One short line, for people.
    Text,
}

/// Starts logging. `filter` is a level or a list of `module=level`; each record is written to a writer of its own.
pub fn start(format: LogFormat, filter: &str, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // A log that nobody reads any more is no reason to fail.
        .log_internal_errors(false)
        .with_target(false);
    // A second start, as in a test, keeps the first.
    let _ = match format {
        LogFormat::Json => subscriber
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => subscriber.without_time().compact().with_ansi(false).try_init(),
    };
}

/// The span of one run of one role for one tenant.
pub fn run_span(tenant: &str, role: &'static str, run: &str) -> tracing::Span {
    tracing::info_span!("run", tenant, role, run)
}
