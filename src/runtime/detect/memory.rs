//! What detections that look at more than one event remember from run to run. Habits are bounded by users and values, and tracks by
//! the events of some days that correlations count; every part is known by the event's own time. Pure: who keeps it says the analysis.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::habits::{Habits, OldHabit};
use super::windows::Track;

/// So much later than the newest event one may come and still be counted with what was there at its time.
const LATENESS: i64 = 3 * 86_400_000;

/// How long what belongs to a rule is kept when the rule is gone.
const OF_AN_ABSENT_RULE: i64 = 90 * 86_400_000;

type Old = BTreeMap<String, BTreeMap<String, OldHabit>>;

/// Tracks by correlation and group, and habits by rule and group.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// The newest event, in milliseconds since 1970.
    #[serde(default)]
    newest: i64,
    #[serde(default)]
    tracks: BTreeMap<String, BTreeMap<String, Track>>,
    /// Kept beside this, in fewer bytes.
    #[serde(skip)]
    habits: Habits,
    /// Where builds before format 2 have them.
    #[serde(default, rename = "habits", skip_serializing)]
    old_habits: Old,
    /// Whether habits are left alone: what was usual at the time of a replay's events is no longer known.
    #[serde(skip)]
    is_of_replay: bool,
}

impl Memory {
    /// For events that were judged before.
    pub fn of_replay() -> Self {
        Self {
            is_of_replay: true,
            ..Self::default()
        }
    }

    pub fn see(&mut self, at: i64) {
        self.newest = self.newest.max(at);
    }

    /// The track of a group; `None` for an event that comes so late that its companions may be forgotten already.
    pub fn track(&mut self, rule: &str, group: String, at: i64, span: i64) -> Option<&mut Track> {
        if at < self.newest - span - LATENESS {
            return None;
        }
        Some(
            self.tracks
                .entry(rule.to_owned())
                .or_default()
                .entry(group)
                .or_default(),
        )
    }

    /// `None` where habits are left alone.
    pub fn habits(&mut self) -> Option<&mut Habits> {
        (!self.is_of_replay).then_some(&mut self.habits)
    }

    /// The habits, for where they are kept.
    pub fn stored_habits(&self) -> &Habits {
        &self.habits
    }

    /// Takes in what was kept beside the rest; `None` for what an older build kept within it.
    #[must_use]
    pub fn with_habits(mut self, habits: Option<Habits>) -> Self {
        let old = std::mem::take(&mut self.old_habits);
        self.habits = habits.unwrap_or_else(|| Habits::from(old));
        self
    }

    /// Drops what no event can need any more. What is handed in tells for a rule how long its habits, and for a correlation how
    /// long its tracks are of use, in milliseconds; `None` for one that is not there, and may be again with the next run.
    pub fn forget(&mut self, of_habits: impl Fn(&str) -> Option<i64>, of_tracks: impl Fn(&str) -> Option<i64>) {
        let newest = self.newest;
        let before = |kept: Option<i64>| newest - kept.unwrap_or(OF_AN_ABSENT_RULE) - LATENESS;
        self.tracks.retain(|rule, groups| {
            groups.retain(|_, track| track.forget(before(of_tracks(rule))));
            !groups.is_empty()
        });
        self.habits.forget(|rule| before(of_habits(rule)));
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.tracks.is_empty() && self.habits.is_empty()
    }
}
