//! The daily compaction: every segment since the watermark becomes rows of the Activity table, each row once, in one
//! commit that also moves the watermark.

use std::path::Path;

use serde::Serialize;

use crate::lake::set_aside::{self, SetAside};
use crate::lake::{Lake, Rows, commit, segment};
use crate::model::activity::{Activity, Watermark};
use crate::model::event::{Arrival, Unusable, detail};
use crate::model::planted::{Mistake, is_planted};
use crate::ports::{Objects, Result};

/// Counts of one run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub segments: u64,
    pub events: u64,
    pub set_aside: u64,
    /// Rows that the events make: one for the actor and one for each target that is a user.
    pub rows: u64,
    /// Rows that the table did not have; the others were repeats or had come by a refresh.
    pub added: u64,
    pub watermark: Watermark,
}

/// One run, named `run` among all runs. `scratch` is an empty folder; its use is about a third of the events' size.
pub async fn run(objects: &dyn Objects, lake: &Lake, scratch: &Path, run: &str) -> Result<Report> {
    let from = match lake.load().await? {
        Some(table) => commit::watermark(&table)?,
        None => Watermark::default(),
    };
    let end = segment::end(objects, from.0).await?;
    let mut report = Report {
        watermark: from,
        ..Report::default()
    };
    if end == from.0 {
        return Ok(report);
    }
    let mut rows = Rows::new(scratch, run);
    for number in from.0..end {
        report.segments += 1;
        collect(objects, number, &mut rows, &mut report).await?;
    }
    if is_planted(Mistake::WatermarkOutsideTheCommit) {
        let nothing = Rows::new(scratch, &format!("{run}-mark"));
        nothing.commit(lake, |watermark| watermark.max(Watermark(end))).await?;
    }
    let written = rows.commit(lake, |watermark| watermark.max(Watermark(end))).await?;
    report.rows = written.offered;
    report.added = written.added;
    report.watermark = Watermark(end);
    Ok(report)
}

async fn collect(objects: &dyn Objects, number: u64, rows: &mut Rows, report: &mut Report) -> Result<()> {
    let mut unreadable = Vec::new();
    let mut lines = segment::Lines::open(objects, number).await?;
    while let Some(line) = lines.next_line()? {
        match parse(line) {
            Ok((activity, event)) => {
                report.events += 1;
                for subject in activity.subjects() {
                    rows.push(&activity, &subject, event)?;
                }
            }
            Err(reason) => unreadable.push(SetAside {
                reason: reason.to_string(),
                body: line.to_owned(),
            }),
        }
    }
    if !unreadable.is_empty() {
        report.set_aside += unreadable.len() as u64;
        set_aside::put(objects, &format!("{number:012}-compaction"), &unreadable).await?;
    }
    Ok(())
}

/// The event of a segment's line, and the event's own text.
pub(super) fn parse(line: &str) -> std::result::Result<(Activity<'_>, &str), Unusable> {
    let event = detail(line).ok_or(Unusable::NoDetail)?;
    Ok((Activity::parse(event)?.arrived(Arrival::of(line)), event))
}
