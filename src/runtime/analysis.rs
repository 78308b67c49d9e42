//! The hourly analysis: land what waits in the queue, run the rules over what is new, store findings, notify.
//!
//! Detection follows the segments, not the queue: a run that died after acknowledging is caught up by the next one.

use jiff::Timestamp;
use serde::Serialize;

use crate::lake::segment;
use crate::model::event::{Arrival, Head, Unusable, detail};
use crate::model::finding::{Change, Episode, Finding, Status, finding_id};
use crate::model::okta::Org;
use crate::ports::okta::Okta;
use crate::ports::stop::Stop;
use crate::ports::{Clock, Error, Kind, Objects, Queue, QueueDepth, Result, chain};
use crate::runtime::course::Course;
use crate::runtime::detect::{Judged, Memory, OktaEvent, RuleSet};
use crate::runtime::findings::Told;
use crate::runtime::ingest::Ingest;
use crate::runtime::notify::{Delivery, Outlet, Patience};
use crate::runtime::silence;
use crate::runtime::stream::{self, Condition, Look};

/// What one run needs.
pub struct Analysis<'a> {
    pub tenant: &'a str,
    pub queue: &'a dyn Queue,
    pub objects: &'a dyn Objects,
    pub outlets: &'a [Outlet],
    pub rules: &'a RuleSet,
    pub clock: &'a dyn Clock,
    pub patience: Patience,
    pub stop: &'a Stop,
    /// The tenant's org; `None` where nobody may ask it.
    pub okta: Option<(&'a dyn Okta, &'a Org)>,
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
    /// Findings that were known and tell of more events now.
    pub grown_findings: u64,
    /// Findings that were known with all their events.
    pub known_findings: u64,
    /// Findings that every route was told of that wanted to hear of them.
    pub notified: u64,
    pub routed: u64,
    /// Findings that wait because a route failed; it is tried again by a later run.
    pub waiting_notifications: u64,
    /// Findings that wait because a route is to be left alone now.
    pub held_notifications: u64,
    /// Findings that a route was given up for.
    pub given_up_notifications: u64,
    /// What the log stream does, by its org; `None` where that was not to be learned.
    pub stream: Option<Condition>,
    /// The queue as the run left it.
    pub queue: QueueDepth,
    /// Whether the run was asked to stop before the queue had nothing more to give. The next run goes on.
    pub was_stopped: bool,
}

impl Analysis<'_> {
    /// One run. The caller holds the tenant's ingest lease.
    pub async fn run(&self) -> Result<Report> {
        let mut report = Report::default();
        // First, so that a stream that Okta stopped is silent no longer than it must be.
        let look = self.look().await;
        report.stream = look.as_ref().map(|look| look.condition);
        let mut course = Course::open(self.objects, self.rules).await?;
        let mut ingest = Ingest::open(self.queue, self.objects, self.stop, course.next_segment()).await?;
        while course.next_segment() < ingest.next_number() && !self.stop.is_asked() {
            self.judge(&mut course, &mut report).await?;
        }
        while let Some(landed) = ingest.land().await? {
            report.segments += 1;
            report.landed += landed.events;
            report.set_aside += landed.set_aside;
            // A number that somebody else claimed meanwhile is that run's segment, and the log is followed without gaps.
            while course.next_segment() < landed.number {
                self.judge(&mut course, &mut report).await?;
            }
            for line in landed.lines.lines() {
                self.evaluate(&mut course, line, &mut report).await?;
            }
            course.end_segment().await?;
            if landed.is_last {
                break;
            }
        }
        let began = look.as_ref().and_then(|look| look.began);
        let heard = course.hear(report.landed > 0, began, self.clock.now());
        let untold = look.map(|look| look.untold).unwrap_or_default();
        for outage in &untold {
            let event = stream::event(outage);
            let found = found_in(
                self.tenant,
                self.rules,
                course.memory(),
                &OktaEvent::new(event.as_bytes()),
                &event,
            );
            for finding in found.unwrap_or_default() {
                course.tell(finding).await?;
            }
        }
        if !self.stop.is_asked() {
            for finding in silence::findings(self.tenant, self.rules, course.memory(), heard, self.clock.now()) {
                course.tell(finding).await?;
            }
        }
        course.save().await?;
        stream::told(self.objects, &untold).await?;
        let Told { new, grown, known } = course.told();
        (report.new_findings, report.grown_findings, report.known_findings) = (new, grown, known);
        let delivery = Delivery {
            objects: self.objects,
            outlets: self.outlets,
            rules: self.rules,
            clock: self.clock,
            patience: self.patience,
            stop: self.stop,
        };
        let deliveries = delivery.run().await?;
        report.notified = deliveries.delivered;
        report.routed = deliveries.routed;
        report.waiting_notifications = deliveries.waiting;
        report.held_notifications = deliveries.held;
        report.given_up_notifications = deliveries.given_up;
        report.queue = self.queue.depth().await?;
        report.was_stopped = self.stop.is_asked();
        Ok(report)
    }

    /// What the org says of the log stream. Events are analysed although it says nothing.
    async fn look(&self) -> Option<Look> {
        let (okta, org) = self.okta?;
        match stream::look(okta, self.objects, org, self.clock.now()).await {
            Ok(look) => Some(look),
            Err(error) => {
                tracing::warn!("cannot see whether the log stream is active: {}", chain(&error));
                None
            }
        }
    }

    /// Runs the rules over the next segment of the log.
    async fn judge(&self, course: &mut Course<'_>, report: &mut Report) -> Result<()> {
        let mut lines = segment::Lines::open(self.objects, course.next_segment()).await?;
        while let Some(line) = lines.next_line()? {
            self.evaluate(course, line, report).await?;
        }
        course.end_segment().await
    }

    async fn evaluate(&self, course: &mut Course<'_>, line: &str, report: &mut Report) -> Result<()> {
        report.evaluated += 1;
        let number = course.next_segment();
        let found = find(self.tenant, self.rules, course.memory(), line).map_err(|reason| {
            Error::caused(
                Kind::Invalid,
                format!("read a line of {}", segment::key(number)),
                reason,
            )
        })?;
        for finding in found {
            course.tell(finding).await?;
        }
        Ok(())
    }
}

/// What the rules find in one line of a segment: findings that may be known, and that have grown then.
pub fn find(
    tenant: &str,
    rules: &RuleSet,
    memory: &mut Memory,
    line: &str,
) -> std::result::Result<Vec<Finding>, Unusable> {
    let text = detail(line).ok_or(Unusable::NoDetail)?;
    let mut found = found_in(tenant, rules, memory, &OktaEvent::new(text.as_bytes()), text)?;
    if !found.is_empty() && Arrival::of(line) == Arrival::History {
        found.iter_mut().for_each(close_as_history);
    }
    Ok(found)
}

/// What happened before anybody listened is kept and not told of; what goes on afterwards opens it again.
fn close_as_history(finding: &mut Finding) {
    if finding.status == Status::New {
        finding.change(Change {
            at: finding
                .episode
                .as_ref()
                .map_or(finding.published, |episode| episode.last_seen),
            to: Status::Closed,
            by: "oort".to_owned(),
            why: "it happened before the log stream began, and was loaded as history".to_owned(),
            until: None,
        });
    }
}

/// What the rules find in an event, given as JSON text too.
pub(super) fn found_in(
    tenant: &str,
    rules: &RuleSet,
    memory: &mut Memory,
    event: &OktaEvent<'_>,
    text: &str,
) -> std::result::Result<Vec<Finding>, Unusable> {
    let Some((head, judged)) = rules.judge(event, text, memory)? else {
        return Ok(Vec::new());
    };
    // A rule that matched has parsed the event already.
    let event = event.value();
    Ok(judged
        .into_iter()
        .map(|judged| found(tenant, judged, event, &head))
        .collect())
}

fn found(tenant: &str, judged: Judged, event: &serde_json::Value, head: &Head<'_>) -> Finding {
    let time = |at: i64| Timestamp::from_millisecond(at).unwrap_or(head.published);
    let Judged {
        matched,
        identity,
        entity,
        episode,
        exception,
        ..
    } = judged;
    let muted = exception.map(|why| Change {
        at: head.published,
        to: Status::Muted,
        by: "oort".to_owned(),
        why,
        until: None,
    });
    let actor = actor(event);
    Finding {
        id: finding_id(tenant, &matched.rule_id, &identity),
        tenant: tenant.to_owned(),
        matched,
        published: time(episode.at),
        event_uuid: head.uuid.to_string(),
        event_type: head.event_type.to_string(),
        episode: Some(Episode {
            entity: if entity.is_empty() { actor.clone() } else { entity },
            first_seen: time(episode.first),
            last_seen: time(episode.last),
            count: episode.count,
            events: episode.events.iter().map(ToString::to_string).collect(),
        }),
        actor,
        event: event.clone(),
        status: muted.as_ref().map_or(Status::New, |change| change.to),
        history: muted.into_iter().collect(),
        who: Vec::new(),
    }
}

fn actor(event: &serde_json::Value) -> String {
    ["/actor/alternateId", "/actor/id"]
        .into_iter()
        .filter_map(|path| event.pointer(path)?.as_str())
        .find(|text| !text.is_empty())
        .unwrap_or_default()
        .to_owned()
}
