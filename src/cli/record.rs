//! Keeps what a run of a task did, for who asks later.

use std::future::Future;

use serde::Serialize;

use crate::cli::Failure;
use crate::cli::target::{Run, Target, WallClock};
use crate::model::run::{self, Ended};
use crate::ports::Clock as _;
use crate::runtime::runs;

/// Does the work of a run, a pinned box of it, and keeps what became of it. That it cannot be kept is no failure of the run.
pub async fn kept<T: Serialize>(
    target: &Target,
    run: &Run,
    ended: impl FnOnce(&T) -> Ended,
    work: impl Future<Output = Result<T, Failure>> + Unpin,
) -> Result<T, Failure> {
    let began = WallClock.now();
    let done = work.await;
    let (state, counts, error) = match &done {
        Ok(report) => {
            let counted = serde_json::to_value(report).unwrap_or_default();
            (ended(report), run::counts(&counted), None)
        }
        Err(failure) => (
            Ended::Failed,
            run::counts(&serde_json::Value::Null),
            Some(failure.whole()),
        ),
    };
    let record = run::Run {
        id: run.name.clone(),
        role: run.role.to_owned(),
        began,
        ended: WallClock.now(),
        state,
        counts,
        error,
    };
    if let Err(error) = runs::keep(&*target.objects, &record).await {
        run.span
            .in_scope(|| tracing::warn!("what this run did could not be kept: {error}"));
    }
    done
}

/// Of work that has done all of it whenever it comes to an end.
pub fn done<T>(_: &T) -> Ended {
    Ended::Done
}
