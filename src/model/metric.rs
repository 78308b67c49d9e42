//! The metrics that tell of a tenant: those of AWS that `status` and the health gate read, and the names of our own.

use serde_json::{Value, json};

/// The namespace of SQS's metrics, whose dimension is [`QUEUE`].
pub const SQS: &str = "AWS/SQS";
pub const QUEUE: &str = "QueueName";
/// Messages that can be received now.
pub const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";
/// In seconds.
pub const OLDEST: &str = "ApproximateAgeOfOldestMessage";
/// Messages that were put into a queue.
pub const SENT: &str = "NumberOfMessagesSent";
/// Receives that gave nothing. Each run of the detector ends with one.
pub const EMPTY_RECEIVES: &str = "NumberOfEmptyReceives";

/// The namespace of the runtime's own metrics, with the dimensions [`ENVIRONMENT`] and [`TENANT`]. The tasks of a stack write
/// them to their log; one that never ran has none.
pub const OWN: &str = "Oort/LogStreams";
pub const ENVIRONMENT: &str = "Environment";
pub const TENANT: &str = "Tenant";
/// Runs of the compactor that came to their end. The detector needs no metric of its own, which would cost more than all
/// its runs: it is seen by its [`EMPTY_RECEIVES`].
pub const COMPACTOR_RUNS: &str = "CompactorRuns";
/// Findings that a route was not told of, although it was tried for as long as it says. Written when there are any.
pub const NOTIFICATIONS_GIVEN_UP: &str = "NotificationsGivenUp";

/// One value as a log line that CloudWatch makes a metric of, with the dimensions [`ENVIRONMENT`] and [`TENANT`].
/// `at` is in milliseconds since 1970. Source: the embedded metric format's specification.
pub fn log_line(environment: &str, tenant: &str, name: &str, value: u64, at: i64) -> Value {
    json!({
        "_aws": {
            "Timestamp": at,
            "CloudWatchMetrics": [{
                "Namespace": OWN,
                "Dimensions": [[ENVIRONMENT, TENANT]],
                "Metrics": [{"Name": name, "Unit": "Count"}],
            }],
        },
        ENVIRONMENT: environment,
        TENANT: tenant,
        name: value,
    })
}
