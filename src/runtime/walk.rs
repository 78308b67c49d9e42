//! The landed events of a period, in the order of the log.

use jiff::Timestamp;

use crate::lake::segment::{self, Lines};
use crate::model::event::{Head, detail};
use crate::ports::{Objects, Result};

/// The period whose events are looked at, by their own time: `[from, to)`.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    pub from: Timestamp,
    pub to: Timestamp,
}

/// A walk through the log.
pub struct Walk<'a> {
    objects: &'a dyn Objects,
    period: Period,
    next: u64,
    end: u64,
    lines: Option<Lines>,
    /// Segments that were opened.
    pub segments: u64,
}

/// A line of a segment.
pub struct Landed {
    pub segment: u64,
    pub line: String,
}

impl<'a> Walk<'a> {
    pub async fn open(objects: &'a dyn Objects, period: Period) -> Result<Self> {
        let first = segment::start(objects).await?;
        Ok(Self {
            objects,
            period,
            next: first,
            end: segment::end(objects, first).await?,
            lines: None,
            segments: 0,
        })
    }

    /// The next event of the period; `None` at the log's end. A line that cannot be read was told of when it was analysed.
    pub async fn next(&mut self) -> Result<Option<Landed>> {
        loop {
            let Some(lines) = &mut self.lines else {
                if self.next == self.end {
                    return Ok(None);
                }
                self.lines = Some(Lines::open(self.objects, self.next).await?);
                self.next += 1;
                self.segments += 1;
                continue;
            };
            let Some(line) = lines.next_line()? else {
                self.lines = None;
                continue;
            };
            if let Some(Ok(head)) = detail(line).map(Head::parse)
                && (self.period.from..self.period.to).contains(&head.published)
            {
                return Ok(Some(Landed {
                    segment: self.next - 1,
                    line: line.to_owned(),
                }));
            }
        }
    }
}
