//! What the journal of an apply holds, and what is known from it after a kill. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::deploy::plan::ChangeSetRef;
use crate::model::stack::FailedEvent;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum What {
    /// An apply began, or went on.
    Started {
        digest: String,
    },
    /// With the health of its stacks before, where the wave is watched.
    WaveStarted {
        wave: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Health>,
    },
    /// A change set is about to be carried out. Written before the call.
    Executing {
        stack: String,
        change_set: ChangeSetRef,
    },
    /// A stack's other operation is about to begin: its deletion, or the rest of a rollback.
    Beginning {
        stack: String,
        stack_id: String,
    },
    /// CloudFormation has taken it.
    Taken {
        stack: String,
    },
    Done {
        stack: String,
    },
    Failed {
        stack: String,
        cause: Cause,
    },
    /// The wave was watched, and nothing speaks against the next.
    WaveDone {
        wave: String,
    },
    /// No more stacks are started.
    Stopped {
        why: String,
    },
    Finished,
}

/// What tells whether stacks are well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Alarms that are off, with their reasons.
    pub alarms: BTreeMap<String, String>,
    /// Messages in dead-letter queues, by stack.
    pub dead_letters: BTreeMap<String, u64>,
}

/// Why a stack is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The stack's status afterwards, such as `ROLLBACK_COMPLETE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The first resource that failed by itself, and not because another had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<FailedEvent>,
    /// In one line.
    pub why: String,
}

impl Cause {
    pub fn of(why: impl Into<String>) -> Self {
        Self {
            status: None,
            resource: None,
            why: why.into(),
        }
    }
}

/// How far a stack was when the journal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The call may have reached CloudFormation or not.
    Executing(ChangeSetRef),
    Beginning(String),
    /// CloudFormation has taken it; the stack's ID.
    Taken(String),
    Done,
    Failed(Cause),
}

/// All that a journal tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    stages: BTreeMap<String, Stage>,
    waves_done: BTreeSet<String>,
    health: BTreeMap<String, Health>,
    /// The plan that the journal is of.
    pub digest: Option<String>,
    pub is_finished: bool,
}

impl Recovered {
    /// Lines that are no entries are left out: a later version may write others.
    pub fn read(lines: &[String]) -> Self {
        let mut recovered = Self::default();
        for line in lines {
            if let Ok(entry) = serde_json::from_str::<Entry>(line) {
                recovered.add(entry.what);
            }
        }
        recovered
    }

    fn add(&mut self, what: What) {
        match what {
            What::Started { digest } => {
                self.digest.get_or_insert(digest);
                self.is_finished = false;
            }
            What::Executing { stack, change_set } => {
                self.stages.insert(stack, Stage::Executing(change_set));
            }
            What::Beginning { stack, stack_id } => {
                self.stages.insert(stack, Stage::Beginning(stack_id));
            }
            What::Taken { stack } => {
                let id = match self.stages.get(&stack) {
                    Some(Stage::Executing(change_set)) => change_set.stack_id.clone(),
                    Some(Stage::Beginning(id) | Stage::Taken(id)) => id.clone(),
                    Some(Stage::Done | Stage::Failed(_)) | None => return,
                };
                self.stages.insert(stack, Stage::Taken(id));
            }
            What::Done { stack } => {
                self.stages.insert(stack, Stage::Done);
            }
            What::Failed { stack, cause } => {
                self.stages.insert(stack, Stage::Failed(cause));
            }
            What::WaveDone { wave } => {
                self.waves_done.insert(wave);
            }
            What::Finished => self.is_finished = true,
            // What a later run finds is not what was before the wave.
            What::WaveStarted {
                wave,
                before: Some(health),
            } => {
                self.health.entry(wave).or_insert(health);
            }
            What::WaveStarted { before: None, .. } | What::Stopped { .. } => {}
        }
    }

    pub fn stage(&self, stack: &str) -> Option<&Stage> {
        self.stages.get(stack)
    }

    pub fn is_wave_done(&self, wave: &str) -> bool {
        self.waves_done.contains(wave)
    }

    /// The health of a wave's stacks before anything was done to them.
    pub fn health_before(&self, wave: &str) -> Option<&Health> {
        self.health.get(wave)
    }

    /// Whether an earlier run has begun anything.
    pub fn has_begun(&self) -> bool {
        !self.stages.is_empty()
    }
}
