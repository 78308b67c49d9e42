//! Stack policies.

use serde_json::{Value, json};

use super::*;

fn statement(effect: &str, action: &str, resource: &str) -> Value {
    json!({"Effect": effect, "Action": action, "Principal": "*", "Resource": resource})
}

/// The status after an update under a policy.
async fn under(statements: &[Value], before: &str, after: Option<&str>) -> String {
    let account = account();
    created(&account, STACK, &template(&[("Anchor", &queue(30)), ("Queue", before)])).await;
    account
        .set_policy(STACK, &json!({"Statement": statements}).to_string())
        .await
        .unwrap();
    let mut resources = vec![("Anchor", queue(30))];
    resources.extend(after.map(|after| ("Queue", after.to_owned())));
    let text = template(
        &resources
            .iter()
            .map(|(id, body)| (*id, body.as_str()))
            .collect::<Vec<_>>(),
    );
    let stack = updated(&account, STACK, "update", &text).await;
    if stack.status.as_str() == "UPDATE_ROLLBACK_COMPLETE" {
        let failure = account.failures(STACK, None).await.unwrap().items.pop().unwrap();
        assert_eq!(failure.resource, "Queue");
        assert!(
            failure.reason.starts_with("Action denied by stack policy"),
            "{}",
            failure.reason
        );
        assert_eq!(
            account.resources(STACK, None).await.unwrap().items.len(),
            2,
            "nothing was touched"
        );
    }
    stack.status.0
}

#[tokio::test(start_paused = true)]
async fn an_update_that_the_policy_denies_fails() {
    let all = || statement("Allow", "Update:*", "*");
    let own = |action| statement("Deny", action, "LogicalResourceId/Queue");
    let by_type = |resource_type: &str| {
        let mut statement = statement("Deny", "Update:Replace", "*");
        statement["Action"] = json!(["Update:Replace", "Update:Delete"]);
        statement["Condition"] = json!({"StringEquals": {"ResourceType": [resource_type]}});
        statement
    };
    let (named, renamed, changed) = (named_queue("a"), named_queue("b"), queue(60));
    let (done, undone) = ("UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE");
    let cases = [
        (vec![all()], Some(&renamed), done),
        (vec![all(), own("Update:Replace")], Some(&renamed), undone),
        (vec![all(), own("Update:Delete")], Some(&renamed), done),
        (vec![all(), own("Update:Delete")], None, undone),
        (vec![all(), by_type("AWS::SQS::Queue")], None, undone),
        (vec![all(), by_type("AWS::SQS::Queue")], Some(&renamed), undone),
        (vec![all(), by_type("AWS::SNS::Topic")], Some(&renamed), done),
        (
            vec![statement("Allow", "Update:*", "LogicalResourceId/Other*")],
            Some(&renamed),
            undone,
        ),
        (
            vec![statement("Allow", "Update:*", "LogicalResourceId/Q*e")],
            Some(&renamed),
            done,
        ),
    ];
    for (statements, after, expected) in cases {
        let found = under(&statements, &named, after.map(String::as_str)).await;
        assert_eq!(found, expected, "{statements:?}");
    }
    let found = under(&[all(), own("Update:Modify")], &queue(30), Some(&changed)).await;
    assert_eq!(found, undone);
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_kept_as_it_was_set_and_a_bad_one_refused() {
    let account = account();
    created(&account, STACK, &template(&[("Queue", &queue(30))])).await;
    assert_eq!(account.policy(STACK), None);
    for bad in [
        "",
        "{}",
        r#"{"Statement": [{"Effect": "Allow"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}"#,
    ] {
        assert_eq!(kind(account.set_policy(STACK, bad).await), Kind::Invalid, "{bad}");
    }
    let good = json!({"Statement": [statement("Allow", "Update:*", "*")]}).to_string();
    account.set_policy(STACK, &good).await.unwrap();
    assert_eq!(account.policy(STACK), Some(good));
    assert_eq!(kind(account.set_policy("other", "{}").await), Kind::NotFound);
}
