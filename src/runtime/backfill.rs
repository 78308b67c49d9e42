//! No gap: hour by hour, what came in is compared with the tenant's System Log, and what is missing is fetched into the log of
//! segments, from which rules and compaction take it as anything else. A new tenant's history comes the same way.
//!
//! Memory holds one hour's event IDs and one segment, however much there is to fetch.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::lake::segment;
use crate::lake::set_aside::{self, SetAside};
use crate::model::event::{Arrival, Head, check_sound, wrap_as};
use crate::model::ledger::{EventId, Hour, Outage, Received, due};
use crate::model::okta::Org;
use crate::ports::okta::{Ask, LogQuery, Okta, Page};
use crate::ports::stop::Stop;
use crate::ports::{Clock, Error, Kind, Objects, Result};
use crate::runtime::ledger::Ledger;
use crate::runtime::stream;

/// A segment is closed at this many bytes or events.
pub(super) const SEGMENT_BYTES: usize = 16 << 20;
const SEGMENT_EVENTS: u64 = 20_000;
/// What was compared is written down after so many hours, also where nothing was missing.
const HOURS_IN_HAND: usize = 48;
/// Hours that one query asks for at most.
const MOST_HOURS_AT_ONCE: usize = 24;
/// A query that took more pages asked for too many hours.
const PAGES_AT_ONCE: u32 = 8;

/// What one run needs. The caller holds the tenant's lease for it.
pub struct Backfill<'a> {
    pub okta: &'a dyn Okta,
    pub objects: &'a dyn Objects,
    pub org: &'a Org,
    /// When the stream did not send, as far as anybody knows.
    pub outages: &'a [Outage],
    pub clock: &'a dyn Clock,
    pub stop: &'a Stop,
    /// No hour is begun after it.
    pub until: Option<Timestamp>,
}

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Hours that were compared.
    pub hours: u64,
    /// Events that the System Log has of them.
    pub expected: u64,
    /// Those that were not here, and are now.
    pub filled: u64,
    /// Those that cannot be kept, and were set aside.
    pub set_aside: u64,
    /// Requests to Okta.
    pub requests: u64,
    /// Hours that a later run compares.
    pub left: u64,
}

impl Backfill<'_> {
    /// Compares hours until none is due, somebody asks to stop, or time is over. What was fetched before a failure stays; the
    /// failure is given beside the report.
    pub async fn run(&self) -> Result<(Report, Option<Error>)> {
        let mut ledger = Ledger::open(self.objects).await?;
        // What becomes due while this runs is not in the ledger whole: the next run compares it.
        let now = self.clock.now();
        ledger.follow().await?;
        let mut filling = Filling::new(self, ledger).await?;
        let mut failures = Failures::default();
        let mut most = 1;
        loop {
            let mut hours = self.due(&filling, now);
            filling.report.left = hours.len() as u64;
            hours.retain(|hour| !failures.passed_over.contains(hour));
            let Some(span) = Span::of_first(&hours, most).filter(|_| !self.is_over()) else {
                break;
            };
            match filling.compare(span).await {
                Ok(Some(pages)) => {
                    failures.unanswered = 0;
                    // A quiet org has many hours on one page, and of a busy one an hour is enough to hold.
                    most = match pages {
                        0..=1 => (most * 2).min(MOST_HOURS_AT_ONCE),
                        2..=PAGES_AT_ONCE => most,
                        _ => (most / 2).max(1),
                    };
                }
                Ok(None) => break,
                // What is fetched cannot be kept: to fetch it again would end the same way.
                Err(error) if filling.is_lost => {
                    failures.first.get_or_insert(error);
                    break;
                }
                Err(error) => {
                    most = 1;
                    if !failures.go_on(error, span) {
                        break;
                    }
                    filling.flush().await?;
                }
            }
        }
        let failure = failures.first;
        // What has not reached the log is only lost work; the failure that came first is told.
        match filling.flush().await {
            Err(error) if failure.is_none() => return Err(error),
            _ => {}
        }
        filling.report.requests = self.okta.requests();
        Ok((filling.report, failure))
    }

    fn due(&self, filling: &Filling<'_>, now: Timestamp) -> Vec<Hour> {
        let mut hours = due(now, self.org.history_days, &filling.ledger.state.hours, self.outages);
        hours.retain(|hour| filling.compared.iter().all(|one| one.hour != *hour));
        hours
    }

    fn is_over(&self) -> bool {
        self.stop.is_asked() || self.until.is_some_and(|until| self.clock.now() >= until)
    }
}

/// Hours that could not be compared.
#[derive(Default)]
struct Failures {
    first: Option<Error>,
    passed_over: BTreeSet<Hour>,
    /// Hours in a row of which nothing came.
    unanswered: u32,
}

impl Failures {
    /// Whether other hours may go better than this one: an answer that cannot be read is one hour's, and no answer is everybody's
    /// when it happens twice.
    fn go_on(&mut self, error: Error, span: Span) -> bool {
        let kind = error.kind;
        // Several hours are tried again one by one.
        let is_one = span.first == span.last;
        if is_one {
            self.passed_over.insert(span.first);
        }
        let is_everybodys = !matches!(kind, Kind::Invalid | Kind::Unavailable);
        if is_one || is_everybodys {
            self.first.get_or_insert(error);
        }
        match kind {
            Kind::Invalid => true,
            Kind::Unavailable => {
                self.unanswered += u32::from(is_one);
                self.unanswered < 2
            }
            _ => false,
        }
    }
}

/// Hours that follow each other, both included.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: Hour,
    last: Hour,
}

impl Span {
    /// Of hours in the order in which they are due, the first and those that come right before it.
    fn of_first(hours: &[Hour], most: usize) -> Option<Self> {
        let last = *hours.first()?;
        let adjoining = hours
            .windows(2)
            .take(most - 1)
            .take_while(|pair| pair[1].next() == pair[0]);
        Some(Self {
            first: adjoining.last().map_or(last, |pair| pair[1]),
            last,
        })
    }
}

/// An hour that is being compared.
struct Open {
    hour: Hour,
    received: Received,
    seen: HashSet<EventId>,
    /// When Okta was asked, or shortly before.
    at: Timestamp,
}

/// An hour that was compared and is written down when its events are kept.
struct Compared {
    hour: Hour,
    expected: u64,
    at: Timestamp,
}

/// A segment in the making.
struct Filling<'a> {
    run: &'a Backfill<'a>,
    ledger: Ledger<'a>,
    segment: segment::Builder,
    /// The segment's events.
    fetched: Vec<(Hour, EventId)>,
    compared: Vec<Compared>,
    /// By hour; written when the hour is whole.
    set_aside: BTreeMap<Hour, Vec<SetAside>>,
    /// When somebody began to listen: what Okta has from before is history.
    began: Option<Timestamp>,
    /// Whether something that was fetched could not be kept.
    is_lost: bool,
    report: Report,
}

impl<'a> Filling<'a> {
    async fn new(run: &'a Backfill<'a>, ledger: Ledger<'a>) -> Result<Self> {
        let active = stream::began(run.objects).await?;
        Ok(Self {
            began: ledger.state.began.into_iter().chain(active).min(),
            run,
            ledger,
            segment: segment::Builder::new()?,
            fetched: Vec::new(),
            compared: Vec::new(),
            set_aside: BTreeMap::new(),
            is_lost: false,
            report: Report::default(),
        })
    }

    /// Hours that follow each other, in one query; how many pages it took, or `None` when somebody asked to stop before its end.
    /// Events come in the order of time, so that an hour is whole when the first of a later one comes.
    async fn compare(&mut self, span: Span) -> Result<Option<u32>> {
        let ask = Ask::Events(LogQuery {
            from: span.first.start(),
            to: span.last.end(),
            filter: None,
        });
        let mut hour = self.open(span.first).await?;
        // Of an attempt that broke off.
        self.set_aside.retain(|of, _| !(span.first..=span.last).contains(of));
        let (mut next, mut pages) = (None, 0);
        loop {
            let page: Page = self.run.okta.ask(&ask, next.as_ref()).await?;
            pages += 1;
            for item in &page.items {
                let event = item.get();
                let head = match usable(event) {
                    Ok(head) => head,
                    Err(reason) => {
                        self.set_aside.entry(hour.hour).or_default().push(SetAside {
                            reason: reason.to_string(),
                            body: event.to_owned(),
                        });
                        continue;
                    }
                };
                let of = Hour::of(head.published);
                if !(hour.hour..=span.last).contains(&of) {
                    continue;
                }
                while hour.hour < of {
                    let after = self.open(hour.hour.next()).await?;
                    self.close(&std::mem::replace(&mut hour, after));
                }
                let id = EventId::of(&head.uuid);
                // Pages of one query may overlap.
                if hour.seen.insert(id) && !hour.received.contains(id) {
                    self.take(of, id, event, &head)?;
                }
            }
            if self.segment.raw_bytes() >= SEGMENT_BYTES || self.segment.lines() >= SEGMENT_EVENTS {
                self.flush().await?;
            }
            next = page.next;
            if next.is_none() {
                break;
            }
            if self.run.stop.is_asked() {
                return Ok(None);
            }
        }
        while hour.hour < span.last {
            let after = self.open(hour.hour.next()).await?;
            self.close(&std::mem::replace(&mut hour, after));
        }
        self.close(&hour);
        if self.compared.len() >= HOURS_IN_HAND {
            self.flush().await?;
        }
        Ok(Some(pages))
    }

    async fn open(&self, hour: Hour) -> Result<Open> {
        Ok(Open {
            hour,
            received: self.ledger.received(hour).await?,
            seen: HashSet::new(),
            at: self.run.clock.now(),
        })
    }

    /// The hour is whole.
    fn close(&mut self, hour: &Open) {
        let expected = hour.seen.len() as u64;
        self.compared.push(Compared {
            hour: hour.hour,
            expected,
            at: hour.at,
        });
    }

    fn take(&mut self, hour: Hour, id: EventId, event: &str, head: &Head<'_>) -> Result<()> {
        let arrival = match self.began {
            Some(began) if hour.end() > began => Arrival::Backfilled,
            _ => Arrival::History,
        };
        let line = wrap_as(&on_one_line(event), head, self.run.org.envelope(), arrival);
        self.segment.push(&line)?;
        self.fetched.push((hour, id));
        Ok(())
    }

    /// Keeps what was fetched, and only then writes down what was compared.
    async fn flush(&mut self) -> Result<()> {
        let flushed = self.keep().await;
        self.is_lost |= flushed.is_err();
        flushed
    }

    async fn keep(&mut self) -> Result<()> {
        // Nothing stays in hand: what could not be kept is compared again, and no later flush takes it for kept.
        let compared = std::mem::take(&mut self.compared);
        let mut fetched = std::mem::take(&mut self.fetched);
        let segment = std::mem::replace(&mut self.segment, segment::Builder::new()?);
        for hour in compared.iter().map(|one| one.hour) {
            if let Some(records) = self.set_aside.remove(&hour) {
                let name = set_aside::name_of_hour(&hour.to_string());
                set_aside::put(self.run.objects, &name, &records).await?;
                self.report.set_aside += records.len() as u64;
            }
        }
        if segment.lines() > 0 {
            let lines = segment.lines();
            append(self.run.objects, self.ledger.state.next_segment, segment.finish()?).await?;
            self.report.filled += lines;
        }
        fetched.sort_unstable();
        for of_hour in fetched.chunk_by(|a, b| a.0 == b.0) {
            let ids: Vec<EventId> = of_hour.iter().map(|(_, id)| *id).collect();
            self.ledger.receive(of_hour[0].0, &[], &ids).await?;
        }
        if compared.is_empty() {
            return Ok(());
        }
        for one in compared {
            self.report.hours += 1;
            self.report.expected += one.expected;
            let state = self.ledger.state.hours.entry(one.hour).or_default();
            state.expected = Some(one.expected);
            state.checked = Some(one.at);
        }
        self.ledger.save().await
    }
}

/// Puts a segment at the end of the log; `from` is not after the end. Gives its number.
pub async fn append(objects: &dyn Objects, from: u64, bytes: Vec<u8>) -> Result<u64> {
    let mut number = segment::end(objects, from).await?;
    loop {
        match segment::put(objects, number, bytes.clone()).await {
            Ok(()) => return Ok(number),
            Err(Error {
                kind: Kind::Conflict, ..
            }) => number = segment::end(objects, number).await?.max(number + 1),
            Err(error) => return Err(error),
        }
    }
}

/// The head of an event that can be kept.
pub fn usable(event: &str) -> std::result::Result<Head<'_>, crate::model::event::Unusable> {
    let head = Head::parse(event)?;
    check_sound(event)?;
    Ok(head)
}

/// Inside a JSON string a line break is always escaped, so a raw one is white space.
pub fn on_one_line(event: &str) -> std::borrow::Cow<'_, str> {
    if event.contains(['\n', '\r']) {
        event.replace(['\n', '\r'], " ").into()
    } else {
        event.into()
    }
}
