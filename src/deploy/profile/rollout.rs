//! How an environment's stacks are deployed, as its files say: in which waves, how many at once, and when to stop.

use serde::{Deserialize, Serialize};

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::shape;
use crate::model::name::TenantId;

/// How stacks are deployed. What no file says is as in [`Rollout::default`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Whether a person has to approve each plan.
    pub needs_approval: bool,
    /// Tenants that come before all others.
    pub canaries: Vec<String>,
    /// Up to which share of the tenants each wave goes, in percent; the last wave takes the rest.
    pub wave_percents: Vec<u32>,
    /// Stacks that CloudFormation works on at once.
    pub concurrency: u32,
    /// How many stacks of a wave may fail before no more are started.
    pub tolerated: Tolerance,
    /// How long a wave is watched before the next begins.
    pub soak_minutes: u32,
    /// The rate at which each API of an account and region is called.
    pub calls_per_second: u32,
    /// A tenant whose last event is older than this stands out.
    pub silent_after_hours: u32,
}

/// A number of stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tolerance {
    Count(u32),
    Percent(u32),
}

impl Tolerance {
    /// As in `3` or `10%`.
    fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|&n| n <= 100).map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        }
    }

    /// Whether `failed` of `all` stacks are too many.
    pub fn is_exceeded(self, failed: usize, all: usize) -> bool {
        match self {
            Self::Count(most) => failed > most as usize,
            Self::Percent(most) => failed * 100 > most as usize * all,
        }
    }
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            needs_approval: true,
            canaries: Vec::new(),
            wave_percents: Vec::new(),
            concurrency: 20,
            tolerated: Tolerance::Count(0),
            soak_minutes: 0,
            calls_per_second: 5,
            silent_after_hours: 24,
        }
    }
}

/// The rollout of a file, over that of the layer below.
pub fn rollout(reader: &mut Reader<'_>, fields: &Fields<'_>, below: &Rollout) -> Rollout {
    let Some(fields) = fields.fields("rollout", reader) else {
        return below.clone();
    };
    let mut rollout = below.clone();
    if let Some((_, word)) = fields.text("approval", reader) {
        rollout.needs_approval = word == "required";
    }
    let mut set = |name: &str, value: &mut u32| {
        if let Some(Ok(number)) = fields.number(name, reader) {
            *value = number;
        }
    };
    set("concurrency", &mut rollout.concurrency);
    set("soak_minutes", &mut rollout.soak_minutes);
    set("calls_per_second", &mut rollout.calls_per_second);
    set("silent_after_hours", &mut rollout.silent_after_hours);
    if let Some((node, text)) = fields.text("tolerated_failures", reader) {
        match Tolerance::parse(text) {
            Some(tolerance) => rollout.tolerated = tolerance,
            None => reader.report(
                node.at,
                format!("`tolerated_failures`: {text:?} is neither a number in quotes nor a share as in 10%"),
            ),
        }
    }
    if let Some(node) = fields.get("canaries", reader) {
        rollout.canaries = reader
            .list(node, "canaries")
            .iter()
            .filter_map(|item| reader.parsed(item, "canaries", TenantId::parse))
            .map(|tenant| tenant.to_string())
            .collect();
    }
    if let Some(node) = fields.get("wave_percents", reader) {
        let (least, most) = shape::WAVE_PERCENT;
        let items = reader.list(node, "wave_percents");
        let percents: Vec<u32> = items
            .iter()
            .filter_map(|item| reader.number(item, "wave_percents", least, most))
            .collect();
        if percents.windows(2).any(|pair| pair[0] >= pair[1]) {
            reader.report(node.at, "each of `wave_percents` is larger than the one before it");
        }
        rollout.wave_percents = percents;
    }
    rollout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_tolerated_by_number_or_share() {
        assert_eq!(Tolerance::parse("3"), Some(Tolerance::Count(3)));
        assert_eq!(Tolerance::parse("10%"), Some(Tolerance::Percent(10)));
        assert!(
            ["", "%", "-1", "101%", "a"]
                .iter()
                .all(|text| Tolerance::parse(text).is_none())
        );
        assert!(Tolerance::Count(0).is_exceeded(1, 100) && !Tolerance::Count(1).is_exceeded(1, 1));
        assert!(Tolerance::Percent(10).is_exceeded(11, 100) && !Tolerance::Percent(10).is_exceeded(10, 100));
    }
}
