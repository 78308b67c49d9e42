//! What SQS answers in part.

use serde_json::json;

use crate::aws::tests::script::{Answer, session};
use crate::ports::{Kind, Receipt};

fn answer(body: &serde_json::Value) -> Answer {
    Answer::Http(200, "r-1", "application/x-amz-json-1.0", body.to_string().into_bytes())
}

fn failed(id: &str, is_ours: bool, code: &str) -> serde_json::Value {
    json!({"Id": id, "SenderFault": is_ours, "Code": code, "Message": "because"})
}

fn receipts(count: usize) -> Vec<Receipt> {
    (0..count).map(|number| Receipt(format!("receipt-{number}"))).collect()
}

const URL: &str = "https://sqs.us-east-2.amazonaws.com/909617834444/oort-staging-acme-events";

#[tokio::test(start_paused = true)]
async fn what_sqs_fails_at_in_a_batch_is_tried_again_alone() {
    let (session, script) = session([
        answer(&json!({
            "Successful": [{"Id": "0"}],
            "Failed": [failed("1", false, "InternalError"), failed("2", true, "ReceiptHandleIsInvalid")],
        })),
        answer(&json!({"Successful": [{"Id": "1"}], "Failed": []})),
    ]);
    session.queue(URL).acknowledge(&receipts(3)).await.unwrap();
    let requests = script.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests[0].contains("receipt-0") && requests[0].contains("receipt-2"));
    assert!(requests[1].contains("receipt-1") && !requests[1].contains("receipt-0"));
    assert!(!requests[1].contains("receipt-2"), "its delivery is over");
}

#[tokio::test(start_paused = true)]
async fn what_sqs_goes_on_failing_at_is_told() {
    let broken = || answer(&json!({"Successful": [], "Failed": [failed("0", false, "InternalError")]}));
    let (session, script) = session([broken(), broken(), broken(), broken(), broken()]);
    let error = session.queue(URL).acknowledge(&receipts(1)).await.unwrap_err();
    assert_eq!((error.kind, script.requests().len()), (Kind::Unavailable, 5));
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("InternalError: because")
    );
}

#[tokio::test]
async fn a_fault_of_ours_is_told_at_once() {
    let refused = json!({"Successful": [], "Failed": [failed("0", true, "AccessDenied")]});
    let (session, _) = session([answer(&refused)]);
    let error = session
        .queue(URL)
        .extend(&receipts(1), std::time::Duration::from_secs(9))
        .await
        .unwrap_err();
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("AccessDenied")
    );
}

#[test]
fn the_dead_letter_queue_is_found_beside_its_queue() {
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-2:909617834444:oort-staging-acme-dead-letters","maxReceiveCount":5}"#;
    assert_eq!(
        crate::aws::queue::dead_letter_url(URL, policy).unwrap(),
        "https://sqs.us-east-2.amazonaws.com/909617834444/oort-staging-acme-dead-letters"
    );
    assert_eq!(crate::aws::queue::dead_letter_url(URL, "{}"), None);
}
