//! Replay: rules over events that were landed before, as they are now. What was found then is found again under the same
//! identity and changes nothing; what a new rule finds is new. Rules that ask what is usual are left out: what was usual at
//! the time of those events is no longer known.

use serde::Serialize;

use crate::lake::segment;
use crate::ports::{Error, Kind, Objects, Result};
use crate::runtime::analysis::find;
use crate::runtime::detect::{Memory, RuleSet};
use crate::runtime::findings::Gathered;
use crate::runtime::walk::{Period, Walk};

/// Counts of one replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub segments: u64,
    /// Events of the period.
    pub evaluated: u64,
    /// Their notifications are queued, and delivered by the next analysis.
    pub new_findings: u64,
    pub known_findings: u64,
}

/// Runs the rules over the events of a period.
pub async fn run(objects: &dyn Objects, tenant: &str, rules: &RuleSet, period: Period) -> Result<Report> {
    let mut report = Report::default();
    let mut gathered = Gathered::new(objects);
    let mut memory = Memory::of_replay();
    let mut walk = Walk::open(objects, period).await?;
    while let Some(landed) = walk.next().await? {
        report.evaluated += 1;
        let found = find(tenant, rules, &mut memory, &landed.line).map_err(|reason| {
            let key = segment::key(landed.segment);
            Error::caused(Kind::Invalid, format!("read a line of {key}"), reason)
        })?;
        for finding in found {
            gathered.add(finding).await?;
        }
    }
    gathered.store().await?;
    let told = gathered.told();
    report.new_findings = told.new;
    report.known_findings = told.known + told.grown;
    report.segments = walk.segments;
    Ok(report)
}
