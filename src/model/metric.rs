//! The metrics that tell of a tenant: those of AWS that `status` and the health gate read, and the names of our own.

/// The namespace of SQS's metrics, whose dimension is [`QUEUE`].
pub const SQS: &str = "AWS/SQS";
pub const QUEUE: &str = "QueueName";
/// Messages that can be received now.
pub const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";
/// In seconds.
pub const OLDEST: &str = "ApproximateAgeOfOldestMessage";
/// Messages that were put into a queue.
pub const SENT: &str = "NumberOfMessagesSent";

/// The namespace of the runtime's own metrics, with the dimensions [`ENVIRONMENT`] and [`TENANT`]. The tasks of a stack write
/// them to their log; one that never ran has none.
pub const OWN: &str = "Oort/LogStreams";
pub const ENVIRONMENT: &str = "Environment";
pub const TENANT: &str = "Tenant";
/// Runs of the detector that came to their end.
pub const DETECTOR_RUNS: &str = "DetectorRuns";
/// Runs of the compactor that came to their end.
pub const COMPACTOR_RUNS: &str = "CompactorRuns";
