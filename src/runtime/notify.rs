//! Delivery: takes from the outbox who is to be told of what, and tells them. A route that fails keeps no other from being
//! told, and is tried again by later runs until it is given up.
//!
//! What left is noted at once. A run that dies between a delivery and its note delivers again under the same key: twice only
//! where the receiver cannot tell.

mod pace;
mod waiting;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::finding::{Change, OORT, Status};
use crate::model::notification::{Alert, Notification};
use crate::model::route::{Filter, Pace};
use crate::ports::stop::Stop;
use crate::ports::{Clock, Kind, Notifier, Objects, Result, Undelivered};
use crate::runtime::detect::RuleSet;
use crate::runtime::findings;
use crate::runtime::notify::waiting::{Fate, Message, Waiting, bundle};
use crate::runtime::outbox::{self, GivenUp, Progress, Remembered};

/// How long an entry waits for its finding: whoever queued it is about to store that.
const ORPHAN: SignedDuration = SignedDuration::from_hours(24);

/// A way out: a route, or the tenant's topic with all of its routes.
pub struct Outlet {
    pub name: String,
    pub filter: Filter,
    pub pace: Pace,
    pub notifier: Arc<dyn Notifier>,
}

impl Outlet {
    /// Whether it matters to it which findings share a message, and when messages left.
    fn has_state(&self) -> bool {
        self.pace.per_hour > 0 || self.pace.digest_minutes > 0
    }
}

/// How often a message is tried within a run, and how long is waited in between.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub attempts: u32,
    /// Before the second attempt; twice as long before each further one.
    pub wait: Duration,
    /// The longest wait that a receiver may ask for within a run.
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 3,
            wait: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

/// What became of the outbox in one run. Findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Deliveries {
    /// That every route was told of.
    pub delivered: u64,
    /// Routes that took a message, added up: a finding below every route's severity reaches none.
    pub routed: u64,
    /// That wait because a route failed.
    pub waiting: u64,
    /// That wait because a route is to be left alone now.
    pub held: u64,
    /// That a route was given up for.
    pub given_up: u64,
}

/// An outlet with what it remembers, if it does.
type Way<'a> = (&'a Outlet, Option<&'a mut Remembered>);

/// What a delivery needs.
pub struct Delivery<'a> {
    pub objects: &'a dyn Objects,
    pub outlets: &'a [Outlet],
    pub rules: &'a RuleSet,
    pub clock: &'a dyn Clock,
    pub patience: Patience,
    pub stop: &'a Stop,
}

impl Delivery<'_> {
    /// Delivers what is queued. The caller holds the tenant's ingest lease.
    pub async fn run(&self) -> Result<Deliveries> {
        let now = self.clock.now();
        let mut deliveries = Deliveries::default();
        if self.outlets.is_empty() {
            return Ok(deliveries);
        }
        if outbox::waiting(self.objects).await?.is_empty() {
            return Ok(deliveries);
        }
        // Before the entries: whoever tells of one of them meanwhile writes what the outlet remembers.
        let mut ways = Vec::new();
        for outlet in self.outlets {
            let remembered = if outlet.has_state() {
                Remembered::read(self.objects, &outlet.name).await.map(Some)
            } else {
                Ok(None)
            };
            match remembered {
                Ok(remembered) => ways.push((outlet, remembered)),
                Err(error) if error.kind == Kind::Invalid => {
                    tracing::error!(route = outlet.name, %error, "nobody is told on this route: what it remembers cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        let mut waiting = self.waiting(now).await?;
        for (outlet, remembered) in &mut ways {
            if self.stop.is_asked() {
                break;
            }
            self.tell((outlet, remembered.as_mut()), &mut waiting, now, &mut deliveries)
                .await?;
        }
        for one in waiting.iter_mut().filter(|one| !one.is_gone) {
            self.settle(one, now, &mut deliveries).await?;
            if one.is_gone {
                continue;
            }
            if one.is_changed {
                one.stored.save(self.objects).await?;
            }
            let has_failed = one
                .stored
                .entry
                .routes
                .values()
                .any(|tries| tries.progress == Progress::Waiting && tries.failures > 0);
            *(if has_failed {
                &mut deliveries.waiting
            } else {
                &mut deliveries.held
            }) += 1;
        }
        Ok(deliveries)
    }

    /// The entries of findings that somebody may want to hear of. Others leave the outbox.
    async fn waiting(&self, now: Timestamp) -> Result<Vec<Waiting>> {
        let mut waiting = Vec::new();
        for mut stored in outbox::entries(self.objects).await? {
            let is_changed = stored.entry.since.is_none();
            let since = *stored.entry.since.get_or_insert(now);
            let finding = findings::at(self.objects, &stored.entry.finding).await?;
            match finding.map(|finding| (Fate::of(&stored.entry, &finding, self.clock.now()), finding)) {
                None | Some((Fate::Awaited, _)) if is_changed => stored.save(self.objects).await?,
                None | Some((Fate::Awaited, _)) if now.duration_since(since) < ORPHAN => {}
                Some((Fate::Told, finding)) => {
                    let advice = self.rules.advice(&finding.matched.rule_id);
                    waiting.push(Waiting {
                        stored,
                        since,
                        notification: Notification::of(&finding, advice),
                        is_changed,
                        took: Vec::new(),
                        is_gone: false,
                    });
                }
                None | Some(_) => self.objects.delete(&stored.key).await?,
            }
        }
        let told: HashSet<String> = waiting
            .iter()
            .filter(|one| one.stored.entry.opening.is_some())
            .map(|one| one.notification.id.clone())
            .collect();
        // An older build's entry says not which opening it is of; the one that does tells of it.
        let is_repeated = |one: &Waiting| one.stored.entry.opening.is_none() && told.contains(&one.notification.id);
        for one in waiting.iter().filter(|one| is_repeated(one)) {
            self.objects.delete(&one.stored.key).await?;
        }
        waiting.retain(|one| !is_repeated(one));
        Ok(waiting)
    }

    /// Tells one outlet of what it wants to hear.
    async fn tell(
        &self,
        (outlet, mut remembered): Way<'_>,
        waiting: &mut [Waiting],
        now: Timestamp,
        deliveries: &mut Deliveries,
    ) -> Result<()> {
        for one in waiting.iter_mut().filter(|one| !one.is_gone) {
            one.consider(outlet, now);
        }
        if !waiting.iter().any(|one| one.waits_for(outlet)) {
            return Ok(());
        }
        if let Some(begun) = remembered.as_mut().and_then(|own| own.state.bundle.take()) {
            let members = begun.entries.iter();
            let members: Vec<usize> = members
                .filter_map(|key| {
                    waiting
                        .iter()
                        .position(|one| one.stored.key == *key && one.waits_for(outlet))
                })
                .collect();
            if !members.is_empty() {
                let message = Message {
                    members,
                    begun: Some(begun),
                };
                let way = (outlet, remembered.as_deref_mut());
                if !self.send(way, waiting, message, now, deliveries).await? {
                    return Ok(());
                }
            }
        }
        let candidates: Vec<pace::Candidate> = waiting
            .iter()
            .enumerate()
            .filter(|(_, one)| one.waits_for(outlet))
            .map(|(index, one)| one.candidate(index, outlet))
            .collect();
        let recent = remembered.as_ref().map_or(&[][..], |own| &own.state.recent);
        for members in pace::messages(&outlet.pace, recent, &candidates, now) {
            let message = Message { members, begun: None };
            let way = (outlet, remembered.as_deref_mut());
            if self.stop.is_asked() || !self.send(way, waiting, message, now, deliveries).await? {
                break;
            }
        }
        Ok(())
    }

    /// Sends one message and notes what became of it; `false` when the outlet is better left alone for this run.
    async fn send(
        &self,
        (outlet, mut remembered): Way<'_>,
        waiting: &mut [Waiting],
        Message { members, begun }: Message,
        now: Timestamp,
        deliveries: &mut Deliveries,
    ) -> Result<bool> {
        let alert = match (begun, members.as_slice()) {
            (None, [one]) if remembered.is_none() => Alert::single(waiting[*one].notification.clone()),
            (begun, members) => {
                let bundle = begun.unwrap_or_else(|| bundle(outlet, waiting, members));
                if let Some(own) = &mut remembered {
                    // What it tells of is settled before it leaves, so that a second attempt is the same message.
                    own.state.bundle = Some(bundle.clone());
                    own.save(self.objects).await?;
                }
                let notifications = members.iter().map(|index| waiting[*index].notification.clone());
                let Some(alert) = Alert::several(bundle.key, notifications.collect()) else {
                    return Ok(true);
                };
                alert
            }
        };
        match self.deliver(outlet, &alert).await {
            Ok(routes) => {
                for index in &members {
                    waiting[*index].delivered(outlet, &routes);
                }
                deliveries.routed += routes.len() as u64 * members.len() as u64;
                for index in &members {
                    self.settle(&mut waiting[*index], now, deliveries).await?;
                    let one = &mut waiting[*index];
                    if !one.is_gone {
                        one.stored.save(self.objects).await?;
                        one.is_changed = false;
                    }
                }
                if let Some(own) = remembered {
                    own.state.bundle = None;
                    own.state.recent = pace::within_the_hour(&own.state.recent, now).chain([now]).collect();
                    own.save(self.objects).await?;
                }
            }
            Err(failed) => {
                tracing::warn!(route = outlet.name, key = alert.key, error = %failed.whole(), "a message was not delivered");
                if failed.error.kind == Kind::Invalid {
                    // It was this message that was refused, and surely not taken.
                    if let Some(own) = remembered {
                        own.state.bundle = None;
                    }
                    for index in &members {
                        waiting[*index].failed(outlet, &failed, now);
                    }
                } else {
                    // Whoever else waits for this outlet would fare no better.
                    let others = waiting.iter_mut().filter(|one| one.waits_for(outlet));
                    others.for_each(|one| one.failed(outlet, &failed, now));
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// One message, tried again where that may help at once.
    async fn deliver(&self, outlet: &Outlet, alert: &Alert) -> std::result::Result<Vec<String>, Undelivered> {
        let mut wait = self.patience.wait;
        let mut attempt = 1;
        loop {
            let failed = match outlet.notifier.deliver(alert).await {
                Ok(routes) => return Ok(routes),
                Err(failed) => failed,
            };
            let pause = failed.retry_after.unwrap_or(wait);
            let may_help = matches!(failed.error.kind, Kind::Throttled | Kind::Unavailable);
            if !may_help || attempt >= self.patience.attempts || pause > self.patience.longest || self.stop.is_asked() {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            attempt += 1;
            wait *= 2;
        }
    }

    /// Takes an entry out of the outbox when nobody waits for it any more, and notes with the finding who was told.
    async fn settle(&self, one: &mut Waiting, now: Timestamp, deliveries: &mut Deliveries) -> Result<()> {
        if self.outlets.iter().any(|outlet| one.waits_for(outlet)) {
            return Ok(());
        }
        let mut told = one.took.clone();
        let delivered = one
            .stored
            .entry
            .routes
            .iter()
            .filter(|(_, tries)| tries.progress == Progress::Delivered);
        told.extend(
            delivered
                .map(|(route, _)| route.clone())
                .filter(|route| !one.took.contains(route)),
        );
        if one
            .stored
            .entry
            .routes
            .values()
            .any(|tries| tries.progress == Progress::Delivered)
        {
            let opening = one.stored.entry.opening;
            findings::change(self.objects, &one.stored.entry.finding, |finding| {
                // Of one that was opened again meanwhile, nobody was told yet.
                let is_of_this = opening.is_none_or(|opening| opening == finding.reopened());
                let is_new = finding.status == Status::New && is_of_this;
                if is_new {
                    finding.change(Change {
                        at: now,
                        to: Status::Notified,
                        by: OORT.to_owned(),
                        why: format!("told {}", told.join(", ")),
                        until: None,
                    });
                }
                is_new
            })
            .await?;
            deliveries.delivered += 1;
        }
        let lost = one
            .stored
            .entry
            .routes
            .iter()
            .filter(|(_, tries)| tries.progress == Progress::GivenUp);
        let routes: std::collections::BTreeMap<_, _> =
            lost.map(|(route, tries)| (route.clone(), tries.why.clone())).collect();
        if !routes.is_empty() {
            tracing::error!(
                finding = one.notification.finding_id,
                ?routes,
                "a notification was given up"
            );
            let given_up = GivenUp {
                finding: one.stored.entry.finding.clone(),
                opening: one.stored.entry.opening,
                at: now,
                routes,
            };
            outbox::give_up(self.objects, &one.stored.key, &given_up).await?;
            deliveries.given_up += 1;
        }
        self.objects.delete(&one.stored.key).await?;
        one.is_gone = true;
        Ok(())
    }
}
