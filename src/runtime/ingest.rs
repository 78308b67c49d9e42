//! Landing: receive, persist, acknowledge, in that order and no other. What a message says is not judged here, only
//! whether it holds an event that can be kept.

use crate::lake::segment;
use crate::lake::set_aside::{self, SetAside};
use crate::model::event::{Head, Unusable, detail, segment_line};
use crate::ports::{Error, Kind, Objects, Queue, Receipt, Result};

/// Messages asked for at once.
const RECEIVE_MESSAGES: usize = 1_000;
/// A segment is closed at this many bytes before compression, which bounds the memory of a run.
const SEGMENT_BYTES: usize = 16 << 20;

/// One landed segment.
pub struct Landed {
    pub number: u64,
    /// The segment's lines, each followed by a line break.
    pub lines: String,
    pub events: u64,
    pub set_aside: u64,
}

/// Drains one tenant's queue into segments.
pub struct Ingest<'a> {
    queue: &'a dyn Queue,
    objects: &'a dyn Objects,
    next: u64,
}

impl<'a> Ingest<'a> {
    /// `from` is any segment number that is not after the end of the log; the nearer, the fewer keys are listed.
    pub async fn open(queue: &'a dyn Queue, objects: &'a dyn Objects, from: u64) -> Result<Self> {
        let next = segment::end(objects, from).await?;
        Ok(Self { queue, objects, next })
    }

    /// The number that the next segment will have.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Lands the next segment; `None` when the queue has nothing to give.
    pub async fn land(&mut self) -> Result<Option<Landed>> {
        let mut batch = Batch::new()?;
        while batch.segment.raw_bytes() < SEGMENT_BYTES {
            let messages = self.queue.receive(RECEIVE_MESSAGES).await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                batch.take(message.body, message.receipt)?;
            }
        }
        if batch.receipts.is_empty() {
            return Ok(None);
        }
        let (events, set_aside) = (batch.segment.lines(), batch.set_aside.len() as u64);
        let bytes = batch.segment.finish()?;
        let number = self.persist(&bytes, &batch.set_aside).await?;
        for receipts in batch.receipts.chunks(RECEIVE_MESSAGES) {
            self.queue.acknowledge(receipts).await?;
        }
        Ok(Some(Landed {
            number,
            lines: batch.lines,
            events,
            set_aside,
        }))
    }

    /// Claims the next free number for the segment, and with it the name under which its batch's rest is set aside.
    async fn persist(&mut self, segment: &[u8], records: &[SetAside]) -> Result<u64> {
        loop {
            let number = self.next;
            match segment::put(self.objects, number, segment.to_vec()).await {
                Ok(()) => {
                    self.next = number + 1;
                    if !records.is_empty() {
                        set_aside::put(self.objects, &format!("{number:012}"), records).await?;
                    }
                    return Ok(number);
                }
                Err(Error {
                    kind: Kind::Conflict, ..
                }) => {
                    self.next = segment::end(self.objects, number).await?.max(number + 1);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

struct Batch {
    segment: segment::Builder,
    lines: String,
    set_aside: Vec<SetAside>,
    receipts: Vec<Receipt>,
}

impl Batch {
    fn new() -> Result<Self> {
        Ok(Self {
            segment: segment::Builder::new()?,
            lines: String::new(),
            set_aside: Vec::new(),
            receipts: Vec::new(),
        })
    }

    fn take(&mut self, body: String, receipt: Receipt) -> Result<()> {
        match usable_line(&body) {
            Ok(line) => {
                self.segment.push(&line)?;
                self.lines.push_str(&line);
                self.lines.push('\n');
            }
            Err(reason) => self.set_aside.push(SetAside {
                reason: reason.to_string(),
                body,
            }),
        }
        self.receipts.push(receipt);
        Ok(())
    }
}

fn usable_line(body: &str) -> std::result::Result<std::borrow::Cow<'_, str>, Unusable> {
    let line = segment_line(body)?;
    Head::parse(detail(&line).ok_or(Unusable::NoDetail)?)?;
    Ok(line)
}
