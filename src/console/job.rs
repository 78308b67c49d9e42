//! Refreshes under way: a reader starts one, and asks how far it is.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use crate::runtime::refresh::{Report, Stage};

/// Refreshes that are remembered, done or not.
const MOST: usize = 100;

/// How far a refresh is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Running,
    Done,
    Failed,
}

/// One refresh of a user's data.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Job {
    pub id: String,
    pub user: String,
    pub state: State,
    /// What is being done.
    pub stage: String,
    pub percent: u8,
    /// What it has done, at its end.
    pub report: Option<Report>,
    pub problems: Vec<String>,
    /// The events that are new to the table.
    #[serde(skip)]
    pub new: HashSet<String>,
}

/// Why none was begun.
#[derive(Debug, PartialEq, Eq)]
pub enum NotBegun {
    /// One of this user runs, under this name.
    Runs(String),
    TooMany,
}

/// One that runs. When it is dropped without an end, it has failed.
pub struct Running {
    jobs: Jobs,
    id: String,
}

impl Running {
    pub fn at(&self, stage: Stage) {
        self.jobs.at(&self.id, stage);
    }

    pub fn end(self, ended: Result<Report, String>) {
        self.jobs.end(&self.id, ended);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.jobs.get(&self.id).is_some_and(|job| job.state == State::Running) {
            self.jobs
                .end(&self.id, Err("it broke off: the console's log says why".to_owned()));
        }
    }
}

/// The refreshes of one tenant.
#[derive(Clone, Default)]
pub struct Jobs(Arc<Mutex<VecDeque<Job>>>);

impl Jobs {
    /// Begins one of a user, under a fresh name.
    pub fn begin(&self, id: &str, user: &str) -> Result<Running, NotBegun> {
        let mut jobs = self.lock();
        if let Some(running) = jobs.iter().find(|job| job.user == user && job.state == State::Running) {
            return Err(NotBegun::Runs(running.id.clone()));
        }
        if jobs.len() >= MOST {
            let ended = jobs.iter().position(|job| job.state != State::Running);
            let ended = ended.ok_or(NotBegun::TooMany)?;
            jobs.remove(ended);
        }
        jobs.push_back(Job {
            id: id.to_owned(),
            user: user.to_owned(),
            state: State::Running,
            stage: "Waiting for other refreshes of this tenant".to_owned(),
            percent: 0,
            report: None,
            problems: Vec::new(),
            new: HashSet::new(),
        });
        Ok(Running {
            jobs: self.clone(),
            id: id.to_owned(),
        })
    }

    pub fn get(&self, id: &str) -> Option<Job> {
        self.lock().iter().find(|job| job.id == id).cloned()
    }

    fn at(&self, id: &str, stage: Stage) {
        let (words, percent) = match stage {
            Stage::Asking => ("Asking the org who this is", 10),
            Stage::Landing => ("Taking what waits in the queue", 25),
            Stage::Reading => ("Reading what is not compacted yet", 45),
            Stage::Fetching => ("Asking the System Log for what has not come", 65),
            Stage::Adding => ("Adding rows to the Activity table", 85),
        };
        self.change(id, |job| {
            words.clone_into(&mut job.stage);
            job.percent = percent;
        });
    }

    fn end(&self, id: &str, ended: Result<Report, String>) {
        self.change(id, |job| {
            job.percent = 100;
            match ended {
                Ok(report) => {
                    job.state = State::Done;
                    "Done".clone_into(&mut job.stage);
                    job.problems.clone_from(&report.problems);
                    job.new = report.new_events.iter().cloned().collect();
                    job.report = Some(report);
                }
                Err(why) => {
                    job.state = State::Failed;
                    "It failed".clone_into(&mut job.stage);
                    job.problems = vec![why];
                }
            }
        });
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.lock().iter_mut().find(|job| job.id == id) {
            change(job);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_user_runs_at_a_time_and_none_runs_for_ever() {
        let jobs = Jobs::default();
        let running = jobs.begin("a", "00u1").ok().unwrap();
        assert_eq!(jobs.begin("b", "00u1").err(), Some(NotBegun::Runs("a".to_owned())));
        running.at(Stage::Fetching);
        assert_eq!(jobs.get("a").unwrap().percent, 65);
        // It breaks off.
        drop(running);
        assert_eq!(jobs.get("a").unwrap().state, State::Failed);
        let all: Vec<Running> = (0..MOST)
            .map(|number| jobs.begin(&format!("{number}"), &format!("{number}")).ok().unwrap())
            .collect();
        assert_eq!(jobs.begin("more", "more").err(), Some(NotBegun::TooMany));
        assert!(
            jobs.get("a").is_none() && jobs.get("0").is_some(),
            "what has ended makes room"
        );
        for one in all {
            one.end(Ok(Report::default()));
        }
        assert!(jobs.begin("more", "more").is_ok());
    }
}
