//! Whether a wave may be followed by the next: no alarm of its stacks went off since it began, and no message went to one
//! of their dead-letter queues.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep};

use crate::deploy::apply::record::Health;
use crate::deploy::pace::Pacer;
use crate::deploy::plan::Step;
use crate::ports::cloud::{METRICS_A_CALL, MetricQuery, Statistic, Watch};
use crate::ports::{Clock, Result};

/// How often a wave is looked at while it is watched.
const PERIOD: Duration = Duration::from_mins(1);
/// What counts as now: metrics of SQS come late.
const RECENT: SignedDuration = SignedDuration::from_mins(15);

/// The state of a wave's stacks before it began.
pub struct Gate<'a, C: ?Sized> {
    cloud: &'a C,
    pacer: &'a Pacer,
    clock: &'a dyn Clock,
    prefix: String,
    /// Stacks of the wave.
    stacks: Vec<String>,
    /// Those of them that are new: no event has reached them yet, and that is no fault.
    new: BTreeSet<String>,
    before: Health,
}

impl<'a, C: Watch + ?Sized> Gate<'a, C> {
    /// Looks at the stacks of a wave before it begins, unless an earlier run has.
    pub async fn open(
        cloud: &'a C,
        pacer: &'a Pacer,
        clock: &'a dyn Clock,
        environment: &str,
        steps: &[&Step],
        known: Option<&Health>,
    ) -> Result<Self> {
        let mut gate = Self {
            cloud,
            pacer,
            clock,
            prefix: format!("oort-{environment}-"),
            stacks: steps.iter().map(|step| step.stack.clone()).collect(),
            new: steps
                .iter()
                .filter(|step| step.live.is_none())
                .map(|step| step.stack.clone())
                .collect(),
            before: Health::default(),
        };
        gate.before = match known {
            Some(health) => health.clone(),
            None => gate.look().await?,
        };
        Ok(gate)
    }

    /// How the stacks were before the wave.
    pub fn before(&self) -> &Health {
        &self.before
    }

    /// Watches for so long, and gives the reason why nothing may follow.
    pub async fn hold(&self, soak: Duration) -> Result<Option<String>> {
        let end = Instant::now() + soak;
        loop {
            let worse = worse(&self.before, &self.look().await?);
            let now = Instant::now();
            if worse.is_some() || now >= end {
                return Ok(worse);
            }
            sleep(PERIOD.min(end - now)).await;
        }
    }

    fn is_newly_silent(&self, stack: &str, alarm: &str) -> bool {
        let of_absence = ["-silence", "-compaction-late"];
        self.new.contains(stack) && alarm.strip_prefix(stack).is_some_and(|rest| of_absence.contains(&rest))
    }

    async fn look(&self) -> Result<Health> {
        let alarms = self
            .pacer
            .all("DescribeAlarms", |next| self.cloud.alarms(&self.prefix, next))
            .await?;
        let own: BTreeSet<&str> = self.stacks.iter().map(String::as_str).collect();
        let alarms = alarms
            .into_iter()
            .filter(|alarm| stack_of(&alarm.name, &own).is_some_and(|stack| !self.is_newly_silent(stack, &alarm.name)))
            .map(|alarm| (alarm.name, alarm.reason))
            .collect();
        let now = self.clock.now();
        let from = now.checked_sub(RECENT).unwrap_or(now);
        // The running minute counts.
        let to = now.checked_add(SignedDuration::from_mins(1)).unwrap_or(now);
        let mut dead_letters: BTreeMap<String, u64> = BTreeMap::new();
        for stacks in self.stacks.chunks(METRICS_A_CALL) {
            let queries: Vec<MetricQuery> = stacks.iter().map(|stack| dead_letters_of(stack)).collect();
            let page = |next| self.cloud.metrics(&queries, from, to, next);
            let data = self.pacer.all("GetMetricData", page).await?;
            // The newest comes first.
            for datum in data {
                if let Some(stack) = stacks.get(datum.query) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a count of messages"
                    )]
                    dead_letters.entry(stack.clone()).or_insert(datum.value.max(0.0) as u64);
                }
            }
        }
        Ok(Health { alarms, dead_letters })
    }
}

fn dead_letters_of(stack: &str) -> MetricQuery {
    MetricQuery {
        namespace: "AWS/SQS".to_owned(),
        name: "ApproximateNumberOfMessagesVisible".to_owned(),
        dimensions: vec![("QueueName".to_owned(), format!("{stack}-dead-letters"))],
        statistic: Statistic::Maximum,
        period_seconds: 60,
    }
}

/// The stack whose alarm it is: the longest that the name begins with, so that `acme-eu` takes none of `acme`'s.
fn stack_of<'s>(alarm: &str, stacks: &BTreeSet<&'s str>) -> Option<&'s str> {
    stacks
        .iter()
        .filter(|stack| alarm.strip_prefix(**stack).is_some_and(|rest| rest.starts_with('-')))
        .max_by_key(|stack| stack.len())
        .copied()
}

/// What got worse, in one line.
fn worse(before: &Health, after: &Health) -> Option<String> {
    let mut told: Vec<String> = after
        .alarms
        .iter()
        .filter(|(name, _)| !before.alarms.contains_key(*name))
        .map(|(name, reason)| format!("alarm {name} went off ({reason})"))
        .collect();
    for (stack, count) in &after.dead_letters {
        if *count > before.dead_letters.get(stack).copied().unwrap_or(0) {
            told.push(format!("{count} messages in {stack}-dead-letters"));
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}
