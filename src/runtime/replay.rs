//! Replay: rules over events that were landed before, as they are now. What was found then is found again under the same
//! identity and changes nothing; what a new rule finds is new. Rules that ask what is usual are left out: what was usual at
//! the time of those events is no longer known.

use jiff::Timestamp;
use serde::Serialize;

use crate::lake::segment;
use crate::model::event::{Head, detail};
use crate::ports::{Error, Kind, Objects, Result};
use crate::runtime::analysis::{Found, find};
use crate::runtime::detect::{Memory, RuleSet};
use crate::runtime::findings;

/// The period whose events are looked at, by their own time: `[from, to)`.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
}

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
    let mut memory = Memory::of_replay();
    let first = segment::start(objects).await?;
    for number in first..segment::end(objects, first).await? {
        let unreadable = |reason| {
            Error::caused(
                Kind::Invalid,
                format!("read a line of {}", segment::key(number)),
                reason,
            )
        };
        let mut lines = segment::Lines::open(objects, number).await?;
        report.segments += 1;
        while let Some(line) = lines.next_line()? {
            // A line that cannot be read was told of when it was analysed.
            let Some(Ok(head)) = detail(line).map(Head::parse) else {
                continue;
            };
            if head.published < period.from || head.published >= period.to {
                continue;
            }
            report.evaluated += 1;
            for found in find(tenant, rules, &mut memory, line).map_err(unreadable)? {
                // What has grown since was counted when it was new.
                let Found::New(finding) = found else { continue };
                if findings::store(objects, &finding).await? {
                    report.new_findings += 1;
                } else {
                    report.known_findings += 1;
                }
            }
        }
    }
    Ok(report)
}
