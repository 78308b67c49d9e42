//! How often rules would have told of something, before they are switched on. Changes nothing.
//!
//! Rules that ask what is usual begin with nothing learned, as they would on their first day: the first days of the period
//! teach them.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::lake::segment;
use crate::model::finding::{Finding, Severity, Status};
use crate::ports::{Error, Kind, Objects, Result};
use crate::runtime::analysis::find;
use crate::runtime::detect::{Memory, RuleSet};
use crate::runtime::walk::{Period, Walk};

/// Entities that a rule is told with.
const MOST_ENTITIES: usize = 5;

/// What would have happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Events of the period that are still there.
    pub events: u64,
    pub days: f64,
    /// Those that would have told of something first, the most frequent before the others.
    pub rules: Vec<OfRule>,
}

/// What one rule would have told of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfRule {
    pub rule_id: String,
    pub title: String,
    pub severity: Severity,
    pub findings: u64,
    pub a_day: f64,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Of whom most, with how often.
    pub entities: Vec<(String, u64)>,
}

#[derive(Default)]
struct Tally {
    findings: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    entities: BTreeMap<String, u64>,
}

/// Runs the rules over the events of a period.
pub async fn run(objects: &dyn Objects, tenant: &str, rules: &RuleSet, period: Period) -> Result<Report> {
    let mut memory = Memory::default();
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut walk = Walk::open(objects, period).await?;
    let mut told = HashSet::new();
    let mut events = 0;
    while let Some(landed) = walk.next().await? {
        events += 1;
        let found = find(tenant, rules, &mut memory, &landed.line).map_err(|reason| {
            let key = segment::key(landed.segment);
            Error::caused(Kind::Invalid, format!("read a line of {key}"), reason)
        })?;
        for finding in found {
            if finding.status == Status::New && told.insert(finding.id.clone()) {
                let tally = tallies.entry(finding.matched.rule_id.clone()).or_default();
                tally.add(&finding);
            }
        }
    }
    let days = period.to.duration_since(period.from).as_secs_f64() / 86_400.0;
    let mut of_rules: Vec<OfRule> = rules
        .about()
        .map(|about| {
            let tally = tallies.remove(&about.id).unwrap_or_default();
            tally.report(&about.id, &about.title, about.severity, days)
        })
        .collect();
    of_rules.sort_by(|a, b| b.findings.cmp(&a.findings).then_with(|| a.title.cmp(&b.title)));
    Ok(Report {
        events,
        days,
        rules: of_rules,
    })
}

impl Tally {
    fn add(&mut self, finding: &Finding) {
        self.findings += 1;
        self.first = Some(
            self.first
                .map_or(finding.published, |first| first.min(finding.published)),
        );
        self.last = self.last.max(Some(finding.published));
        let episode = finding.episode.as_ref();
        let entity = episode.map_or(&finding.actor, |episode| &episode.entity);
        *self.entities.entry(entity.clone()).or_default() += 1;
    }

    fn report(self, id: &str, title: &str, severity: Severity, days: f64) -> OfRule {
        let mut entities: Vec<(String, u64)> = self.entities.into_iter().collect();
        entities.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        entities.truncate(MOST_ENTITIES);
        OfRule {
            rule_id: id.to_owned(),
            title: title.to_owned(),
            severity,
            findings: self.findings,
            a_day: u32::try_from(self.findings).map_or(f64::INFINITY, f64::from) / days,
            first: self.first,
            last: self.last,
            entities,
        }
    }
}
