//! The hourly analysis: land what waits in the queue, run the rules over what is new, store findings, notify.
//!
//! Detection follows the segments, not the queue: a run that died after acknowledging is caught up by the next one.

use serde::{Deserialize, Serialize};

use crate::lake::objects::{decode, encode, read};
use crate::lake::segment;
use crate::model::event::{Head, Unusable, detail};
use crate::model::finding::{Finding, finding_id};
use crate::ports::stop::Stop;
use crate::ports::{Error, Kind, Notifier, Objects, Precondition, Queue, QueueDepth, Result, Version};
use crate::runtime::detect::{OktaEvent, RuleSet};
use crate::runtime::findings;
use crate::runtime::ingest::Ingest;
use crate::runtime::notify::{self, Deliveries};

const STATE_KEY: &str = "detector/state.json";

/// What one run needs.
pub struct Analysis<'a> {
    pub tenant: &'a str,
    pub queue: &'a dyn Queue,
    pub objects: &'a dyn Objects,
    pub notifier: &'a dyn Notifier,
    pub rules: &'a RuleSet,
    pub stop: &'a Stop,
}

/// Counts of one run. Received = landed + set aside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub segments: u64,
    pub landed: u64,
    pub set_aside: u64,
    /// Events that the rules looked at, those of an interrupted run's segments included.
    pub evaluated: u64,
    pub new_findings: u64,
    pub known_findings: u64,
    pub notified: u64,
    pub routed: u64,
    /// Notifications that no route took yet; they are tried again by the next run.
    pub waiting_notifications: u64,
    /// The queue as the run left it.
    pub queue: QueueDepth,
    /// Whether the run was asked to stop before the queue had nothing more to give. The next run goes on.
    pub was_stopped: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The first segment that the rules have not seen.
    next_segment: u64,
}

impl Analysis<'_> {
    /// One run. The caller holds the tenant's ingest lease.
    pub async fn run(&self) -> Result<Report> {
        let mut report = Report::default();
        let (state, mut version) = self.load_state().await?;
        let mut ingest = Ingest::open(self.queue, self.objects, self.stop, state.next_segment).await?;
        let mut next = state.next_segment;
        while next < ingest.next_number() && !self.stop.is_asked() {
            self.judge(next, &mut report).await?;
            next += 1;
            version = self.save_state(next, version).await?;
        }
        while let Some(landed) = ingest.land().await? {
            report.segments += 1;
            report.landed += landed.events;
            report.set_aside += landed.set_aside;
            // A number that somebody else claimed meanwhile is that run's segment, and the log is followed without gaps.
            for number in next..landed.number {
                self.judge(number, &mut report).await?;
            }
            for line in landed.lines.lines() {
                self.evaluate(landed.number, line, &mut report).await?;
            }
            next = landed.number + 1;
            version = self.save_state(next, version).await?;
            if landed.is_last {
                break;
            }
        }
        let Deliveries {
            delivered,
            routed,
            waiting,
        } = notify::deliver(self.objects, self.notifier).await?;
        report.notified = delivered;
        report.routed = routed;
        report.waiting_notifications = waiting;
        report.queue = self.queue.depth().await?;
        report.was_stopped = self.stop.is_asked();
        Ok(report)
    }

    /// Runs the rules over a segment of the log.
    async fn judge(&self, number: u64, report: &mut Report) -> Result<()> {
        let mut lines = segment::Lines::open(self.objects, number).await?;
        while let Some(line) = lines.next_line()? {
            self.evaluate(number, line, report).await?;
        }
        Ok(())
    }

    async fn evaluate(&self, number: u64, line: &str, report: &mut Report) -> Result<()> {
        report.evaluated += 1;
        let found = find(self.tenant, self.rules, line).map_err(|reason| {
            Error::caused(
                Kind::Invalid,
                format!("read a line of {}", segment::key(number)),
                reason,
            )
        })?;
        for finding in found {
            if findings::store(self.objects, &finding).await? {
                report.new_findings += 1;
            } else {
                report.known_findings += 1;
            }
        }
        Ok(())
    }

    async fn load_state(&self) -> Result<(State, Precondition)> {
        match self.objects.get(STATE_KEY).await? {
            None => Ok((State::default(), Precondition::Absent)),
            Some((bytes, version)) => Ok((decode(STATE_KEY, &bytes)?, Precondition::Is(version))),
        }
    }

    async fn save_state(&self, next_segment: u64, expected: Precondition) -> Result<Precondition> {
        let bytes = encode(&State { next_segment })?;
        let version: Version = self.objects.put(STATE_KEY, bytes, expected).await?;
        Ok(Precondition::Is(version))
    }
}

/// The first segment that the rules have not judged.
pub(super) async fn next_segment(objects: &dyn Objects) -> Result<u64> {
    let state: Option<State> = read(objects, STATE_KEY).await?;
    Ok(state.map_or(0, |state| state.next_segment))
}

/// What the rules find in one line of a segment.
pub(super) fn find(tenant: &str, rules: &RuleSet, line: &str) -> std::result::Result<Vec<Finding>, Unusable> {
    let text = detail(line).ok_or(Unusable::NoDetail)?;
    let event = OktaEvent::new(text.as_bytes());
    let matches = rules.evaluate(&event);
    if matches.is_empty() {
        return Ok(Vec::new());
    }
    let head = Head::parse(text)?;
    // A rule that matched has parsed the event already.
    let event = event.value();
    Ok(matches
        .into_iter()
        .map(|matched| Finding {
            id: finding_id(tenant, &matched.rule_id, &head.uuid),
            tenant: tenant.to_owned(),
            matched,
            published: head.published,
            event_uuid: head.uuid.to_string(),
            event_type: head.event_type.to_string(),
            actor: actor(event),
            event: event.clone(),
        })
        .collect())
}

fn actor(event: &serde_json::Value) -> String {
    ["/actor/alternateId", "/actor/id"]
        .into_iter()
        .filter_map(|path| event.pointer(path)?.as_str())
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}
