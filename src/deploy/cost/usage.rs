//! What a run of a task asks of AWS, as it was counted on the wire; a test counts again and fails when a run asks for more.
//!
//! Assumed, because no emulator shows it: [`START_SECONDS`], [`KMS_REQUESTS_A_RUN`], [`PART_BYTES`], and that a part of a
//! Fargate core does that part of what a core did in the benchmark.

use std::ops::{AddAssign, Mul};

/// An event as EventBridge wraps it: the 2,339 bytes of the samples' mean event, and its envelope.
pub const ENVELOPE_BYTES: f64 = 2_700.0;
/// What an event takes in a segment and in the Activity table, compressed: 40,000 events of `oort sample` took 10,299,051
/// bytes in segments and 11,876,614 in Parquet.
pub const SEGMENT_BYTES: f64 = 258.0;
pub const ROW_BYTES: f64 = 297.0;
/// A run that has nothing to do writes a line or two.
pub const LOG_BYTES_A_RUN: f64 = 1_000.0;
/// Data keys are asked for by S3 and SNS in the name of the task; with a bucket key, few times in its life.
pub const KMS_REQUESTS_A_RUN: f64 = 4.0;

/// From when Fargate charges until the program works.
pub const START_SECONDS: f64 = 20.0;
/// Fargate charges for a minute at least.
pub const LEAST_SECONDS: f64 = 60.0;
/// Events that one core analyses and compacts in a second. See the README's figures.
pub const DETECTED_A_SECOND: f64 = 17_300.0;
pub const COMPACTED_A_SECOND: f64 = 31_400.0;
/// Events of a segment, which is full at 16 MiB.
pub const SEGMENT_EVENTS: f64 = 5_000.0;
/// S3 takes large files in parts, of which none but the last is smaller.
const PART_BYTES: f64 = 5_242_880.0;
/// A lease is written again so often while its run is at work.
const RENEWAL_SECONDS: f64 = 15.0;

/// Requests by what they are billed as.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wire {
    pub sqs: f64,
    pub s3_writes: f64,
    pub s3_reads: f64,
    pub glue: f64,
    pub sns: f64,
    /// Of Secrets Manager.
    pub secrets: f64,
}

/// A run of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Detect,
    Compact,
    Maintain,
    Reconcile,
}

impl Run {
    /// How long Fargate charges for a run on a number of cores, in seconds. `events` are those since the last run.
    pub fn seconds(self, events: f64, cores: f64) -> f64 {
        (START_SECONDS + self.work(events) / cores).max(LEAST_SECONDS)
    }

    /// Seconds of one core.
    fn work(self, events: f64) -> f64 {
        match self {
            // A comparison reads what came and writes none of it, which is no more than judging it.
            Self::Detect | Self::Reconcile => events / DETECTED_A_SECOND,
            Self::Compact | Self::Maintain => events / COMPACTED_A_SECOND,
        }
    }

    /// What a run asks for that finds so many events and findings. Each keeps what it did.
    pub fn wire(self, events: f64, findings: f64) -> Wire {
        let segments = (events / SEGMENT_EVENTS).ceil();
        let renewals = (self.work(events) * 4.0 / RENEWAL_SECONDS).floor();
        let parts = (events * ROW_BYTES / PART_BYTES).floor();
        let is_busy = if events > 0.0 { 1.0 } else { 0.0 };
        match self {
            Self::Detect => Wire {
                // Ten messages a receive and a deletion; and receives that find nothing.
                sqs: 5.0 + is_busy * 5.0 + events / 5.0,
                // A finding, its place in the outbox, that somebody was told, and what it has grown to.
                s3_writes: 6.0 + 2.0 * segments + 4.0 * findings + renewals,
                s3_reads: 6.0 + is_busy + 8.0 * findings,
                glue: 0.0,
                sns: findings,
                secrets: 1.0,
            },
            Self::Compact => Wire {
                glue: 1.0 + is_busy * 4.0,
                s3_writes: 4.0 + is_busy * 6.0 + parts + renewals,
                s3_reads: 3.0 + is_busy * 12.0 + 2.0 * segments,
                ..Wire::default()
            },
            Self::Maintain => Wire {
                glue: 16.0,
                s3_writes: 31.0 + parts + renewals,
                s3_reads: 100.0 + parts,
                ..Wire::default()
            },
            Self::Reconcile => Wire {
                glue: 8.0,
                // Each hour of six hours' events is read twice and written once.
                s3_writes: 12.0 + is_busy * 10.0 + renewals,
                s3_reads: 24.0 + is_busy * 14.0 + segments,
                secrets: 1.0,
                ..Wire::default()
            },
        }
    }
}

impl AddAssign for Wire {
    fn add_assign(&mut self, other: Self) {
        self.sqs += other.sqs;
        self.s3_writes += other.s3_writes;
        self.s3_reads += other.s3_reads;
        self.glue += other.glue;
        self.sns += other.sns;
        self.secrets += other.secrets;
    }
}

impl Mul<f64> for Wire {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        Self {
            sqs: self.sqs * times,
            s3_writes: self.s3_writes * times,
            s3_reads: self.s3_reads * times,
            glue: self.glue * times,
            sns: self.sns * times,
            secrets: self.secrets * times,
        }
    }
}
