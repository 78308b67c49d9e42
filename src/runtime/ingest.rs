//! Landing: receive, persist, acknowledge, in that order and no other. What a message says is not judged here, only
//! whether it holds an event that can be kept.

use std::time::Duration;

use tokio::time::Instant;

use crate::lake::segment;
use crate::lake::set_aside::{self, SetAside};
use crate::model::event::{Head, Unusable, check_sound, detail, segment_line};
use crate::model::planted::{Mistake, is_planted};
use crate::ports::stop::Stop;
use crate::ports::{Error, Kind, Objects, Queue, Receipt, Result};

/// Messages asked for at once.
pub const RECEIVE_MESSAGES: usize = 1_000;
/// A segment is closed at this many bytes or messages, what is set aside included, which bounds the memory of a run.
pub const SEGMENT_BYTES: usize = 16 << 20;
pub const SEGMENT_MESSAGES: usize = 20_000;
/// When a batch in hand has grown so old since it was last hidden, it is hidden again, for so long.
const HIDE_AGAIN_AFTER: Duration = Duration::from_mins(1);
const HIDDEN: Duration = Duration::from_mins(5);

/// One landed segment.
pub struct Landed {
    pub number: u64,
    /// The segment's lines, each followed by a line break.
    pub lines: String,
    pub events: u64,
    pub set_aside: u64,
    /// Whether the run should end with it: the queue had nothing more to give, or gave more than it had when the run began,
    /// or the run was asked to stop.
    pub is_last: bool,
}

/// Drains one tenant's queue into segments.
pub struct Ingest<'a> {
    queue: &'a dyn Queue,
    objects: &'a dyn Objects,
    stop: &'a Stop,
    next: u64,
    /// Messages that this run may still take. A queue that is filled as fast as it is drained would keep it busy for ever.
    left: u64,
}

impl<'a> Ingest<'a> {
    /// `from` is any segment number that is not after the end of the log; the nearer, the fewer keys are listed.
    pub async fn open(queue: &'a dyn Queue, objects: &'a dyn Objects, stop: &'a Stop, from: u64) -> Result<Self> {
        let next = segment::end(objects, from).await?;
        // Queues count roughly, and what arrives meanwhile is welcome too.
        let left = queue.depth().await?.visible.saturating_mul(2) + SEGMENT_MESSAGES as u64;
        Ok(Self {
            queue,
            objects,
            stop,
            next,
            left,
        })
    }

    /// The number that the next segment will have.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Lands the next segment; `None` when the queue has nothing to give.
    pub async fn land(&mut self) -> Result<Option<Landed>> {
        let mut batch = Batch::new()?;
        let mut hidden = Instant::now();
        let mut is_last = false;
        while !is_last && !batch.is_full() {
            if self.stop.is_asked() {
                is_last = true;
                break;
            }
            let messages = self.queue.receive(RECEIVE_MESSAGES).await?;
            self.left = self.left.saturating_sub(messages.len() as u64);
            // A queue may give less than it has, but not nothing.
            is_last = messages.is_empty() || self.left == 0;
            for message in messages {
                batch.take(message.body, message.receipt)?;
            }
            if hidden.elapsed() >= HIDE_AGAIN_AFTER {
                for receipts in batch.receipts.chunks(RECEIVE_MESSAGES) {
                    self.queue.extend(receipts, HIDDEN).await?;
                }
                hidden = Instant::now();
            }
        }
        if batch.receipts.is_empty() {
            return Ok(None);
        }
        if is_planted(Mistake::AcknowledgeEarly) {
            self.queue.acknowledge(&batch.receipts).await?;
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
            is_last,
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
    set_aside_bytes: usize,
    receipts: Vec<Receipt>,
}

impl Batch {
    fn new() -> Result<Self> {
        Ok(Self {
            segment: segment::Builder::new()?,
            lines: String::new(),
            set_aside: Vec::new(),
            set_aside_bytes: 0,
            receipts: Vec::new(),
        })
    }

    fn is_full(&self) -> bool {
        self.segment.raw_bytes() + self.set_aside_bytes >= SEGMENT_BYTES || self.receipts.len() >= SEGMENT_MESSAGES
    }

    fn take(&mut self, body: String, receipt: Receipt) -> Result<()> {
        match usable_line(&body) {
            Ok(line) => {
                self.segment.push(&line)?;
                self.lines.push_str(&line);
                self.lines.push('\n');
            }
            Err(reason) => {
                self.set_aside_bytes += body.len();
                self.set_aside.push(SetAside {
                    reason: reason.to_string(),
                    body,
                });
            }
        }
        self.receipts.push(receipt);
        Ok(())
    }
}

/// The line of a segment that a message becomes; why it cannot be one.
pub fn usable_line(body: &str) -> std::result::Result<std::borrow::Cow<'_, str>, Unusable> {
    let line = segment_line(body)?;
    let event = detail(&line).ok_or(Unusable::NoDetail)?;
    Head::parse(event)?;
    check_sound(event)?;
    Ok(line)
}
