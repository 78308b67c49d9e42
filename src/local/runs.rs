//! The delivery state of messages: runs of neighbours in a chunk that share it, and the deliveries that receipts name.
//! Pure.
//!
//! A queue of a million messages that nobody has touched is a few thousand runs. Receiving takes runs from the front,
//! and only messages that are treated differently from their neighbours get a run of their own.

use crate::ports::Receipt;

/// Neighbouring messages of one chunk that were received equally often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub chunk: i64,
    /// The slots of the first and of the last message.
    pub first: u32,
    pub last: u32,
    /// How often they were received; in a receipt, the delivery that it names.
    pub attempt: u32,
}

impl Run {
    /// The first `most` messages; `most` is above 0.
    pub fn front(self, most: usize) -> Self {
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        Self {
            last: self.last.min(self.first.saturating_add(most - 1)),
            ..self
        }
    }

    /// The receipt of the message in `slot`, for its newest delivery.
    pub fn receipt(&self, slot: u32) -> Receipt {
        Receipt(format!("{}.{slot}.{}", self.chunk, self.attempt))
    }
}

/// The deliveries that receipts name, neighbours together; otherwise the first receipt that is none of a queue like this.
pub fn named(receipts: &[Receipt]) -> Result<Vec<Run>, &Receipt> {
    let mut named = receipts
        .iter()
        .map(|receipt| parse(&receipt.0).ok_or(receipt))
        .collect::<Result<Vec<_>, _>>()?;
    named.sort_unstable_by_key(|run| (run.chunk, run.attempt, run.first));
    named.dedup_by(|next, run| {
        let is_neighbour =
            (next.chunk, next.attempt) == (run.chunk, run.attempt) && next.first <= run.last.saturating_add(1);
        if is_neighbour {
            run.last = run.last.max(next.last);
        }
        is_neighbour
    });
    Ok(named)
}

fn parse(receipt: &str) -> Option<Run> {
    let mut parts = receipt.split('.');
    let chunk = parts.next()?.parse().ok()?;
    let slot = parts.next()?.parse().ok()?;
    let attempt = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(Run {
        chunk,
        first: slot,
        last: slot,
        attempt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u32, last: u32, attempt: u32) -> Run {
        Run {
            chunk: 7,
            first,
            last,
            attempt,
        }
    }

    #[test]
    fn receipts_of_neighbours_become_one_run() {
        let mut receipts: Vec<_> = [3, 1, 2, 9, 2].iter().map(|slot| run(0, 9, 2).receipt(*slot)).collect();
        receipts.push(run(0, 9, 1).receipt(4));
        assert_eq!(named(&receipts), Ok(vec![run(4, 4, 1), run(1, 3, 2), run(9, 9, 2)]));
        for foreign in ["", "7", "7.1", "7.1.2.3", "x.1.2", "7.-1.2"] {
            assert_eq!(named(&[Receipt(foreign.to_owned())]), Err(&Receipt(foreign.to_owned())));
        }
    }

    #[test]
    fn a_front_is_no_longer_than_its_run() {
        assert_eq!(run(3, 9, 0).front(1), run(3, 3, 0));
        assert_eq!(run(3, 9, 0).front(7), run(3, 9, 0));
        assert_eq!(run(3, 9, 0).front(usize::MAX), run(3, 9, 0));
    }
}
