//! Hears the signals by which a platform asks a task to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Failure;
use crate::ports::stop::Stop;

/// Listens for SIGTERM, which Fargate sends before it kills, and for Ctrl-C.
pub fn on_signals() -> Result<Stop, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::unavailable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::unavailable)?;
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        // Whoever reads the log may be gone already.
        asked.ask();
        tracing::info!("asked to stop");
    });
    Ok(stop)
}

/// Does work that is all or nothing: when the run is asked to stop, nothing came of it.
pub async fn unless_stopped<T>(stop: &Stop, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        () = stop.asked() => Err(
            Failure::unavailable("asked to stop before the end").hint("nothing was changed; run the same command again")
        ),
    }
}
