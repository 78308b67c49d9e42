//! What `CloudWatch` tells.

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_smithy_cbor::Encoder;

use crate::aws::tests::script::{Answer, account, cbor};
use crate::ports::Kind;
use crate::ports::cloud::{Datum, Watch as _};

/// Results of a query each: an ID, a status and its values, one a minute backwards from 08:00.
pub fn results(results: &[(&str, &str, &[f64])], next: Option<&str>) -> Answer {
    let mut encoder = Encoder::new(Vec::new());
    encoder.begin_map().str("MetricDataResults").array(results.len());
    for (id, status, values) in results {
        encoder.map(5).str("Id").str(id).str("StatusCode").str(status);
        encoder.str("Timestamps").array(values.len());
        for minute in 0..values.len() {
            encoder.timestamp(&DateTime::from_secs(
                1_795_420_800 - 60 * i64::try_from(minute).unwrap(),
            ));
        }
        encoder.str("Values").array(values.len());
        for value in *values {
            encoder.double(*value);
        }
        encoder
            .str("Messages")
            .array(1)
            .map(1)
            .str("Value")
            .str("not allowed here");
    }
    if let Some(next) = next {
        encoder.str("NextToken").str(next);
    }
    encoder.end();
    cbor(encoder.into_writer())
}

async fn data(answer: Answer) -> crate::ports::Result<Vec<Datum>> {
    let (account, _) = account([answer]);
    let at = "2026-11-23T08:00:00Z".parse().unwrap();
    account.metrics(&[], at, at, None).await.map(|page| page.items)
}

#[tokio::test]
async fn values_are_told_with_the_query_that_they_answer() {
    let answer = results(&[("q0", "Complete", &[2.0, 1.0]), ("q12", "PartialData", &[7.5])], None);
    let data = data(answer).await.unwrap();
    let told: Vec<String> = data
        .iter()
        .map(|datum| format!("{} {} {}", datum.query, datum.at, datum.value))
        .collect();
    assert_eq!(
        told,
        [
            "0 2026-11-23T08:00:00Z 2",
            "0 2026-11-23T07:59:00Z 1",
            "12 2026-11-23T08:00:00Z 7.5"
        ]
    );
}

#[tokio::test]
async fn a_query_that_was_not_answered_is_an_error_and_no_silence() {
    for (status, kind) in [("Forbidden", Kind::Denied), ("InternalError", Kind::Unavailable)] {
        let answer = results(&[("q0", "Complete", &[2.0]), ("q1", status, &[])], None);
        assert_eq!(data(answer).await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn a_result_of_no_query_is_passed_over() {
    let answer = results(&[("other", "Complete", &[2.0]), ("qx", "Complete", &[2.0])], None);
    assert_eq!(data(answer).await.unwrap(), []);
}
