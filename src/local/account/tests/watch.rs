//! Metrics, alarms and drift.

use super::*;
use crate::ports::cloud::{
    Caller, Detection, DriftedProperty, DriftedResource, METRICS_A_CALL, MetricQuery, Quota, Statistic, Watch,
};

fn query(name: &str, statistic: Statistic) -> MetricQuery {
    MetricQuery {
        namespace: "AWS/SQS".to_owned(),
        name: name.to_owned(),
        dimensions: vec![("QueueName".to_owned(), "events".to_owned())],
        statistic,
        period_seconds: 60,
    }
}

fn at(seconds: u64) -> Timestamp {
    start().saturating_add(Duration::from_secs(seconds)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn metrics_are_summed_up_over_periods_the_newest_first() {
    let account = with(Behaviour {
        list_page: 2,
        ..Behaviour::default()
    });
    let dimensions = [("QueueName".to_owned(), "events".to_owned())];
    for (seconds, value) in [(0, 1.0), (30, 2.0), (60, 4.0), (120, 8.0)] {
        account.measure("AWS/SQS", "Sent", &dimensions, at(seconds), value);
    }
    let queries = [
        query("Sent", Statistic::Maximum),
        query("Other", Statistic::Sum),
        query("Sent", Statistic::Sum),
    ];
    let (mut data, mut next) = (Vec::new(), None);
    loop {
        let page = account.metrics(&queries, at(0), at(120), next).await.unwrap();
        data.extend(page.items.iter().map(|datum| (datum.query, datum.at, datum.value)));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(
        data,
        [(0, at(60), 4.0), (2, at(60), 4.0), (0, at(0), 2.0), (2, at(0), 3.0)]
    );
    let many = vec![query("Sent", Statistic::Sum); METRICS_A_CALL + 1];
    assert_eq!(kind(account.metrics(&many, at(0), at(60), None).await), Kind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn alarms_are_found_by_prefix() {
    let account = account();
    for name in ["oort-a-silence", "oort-b-age", "other"] {
        account.raise_alarm(name, "Threshold Crossed");
    }
    let alarms = account.alarms("oort-", None).await.unwrap().items;
    let names: Vec<_> = alarms.iter().map(|alarm| alarm.name.as_str()).collect();
    assert_eq!(names, ["oort-a-silence", "oort-b-age"]);
    assert_eq!(
        (alarms[0].reason.as_str(), alarms[0].since),
        ("Threshold Crossed", Some(start()))
    );
    account.clear_alarm("oort-a-silence");
    assert_eq!(account.alarms("oort-a", None).await.unwrap().items, []);
}

#[tokio::test(start_paused = true)]
async fn drift_shows_when_it_was_looked_for() {
    let account = account();
    assert_eq!(kind(account.detect_drift(STACK).await), Kind::NotFound);
    created(&account, STACK, &template(&[("Queue", &queue(30))])).await;
    let drifted = DriftedResource {
        id: "Queue".to_owned(),
        resource_type: "AWS::SQS::Queue".to_owned(),
        is_deleted: false,
        differences: vec![DriftedProperty {
            path: "/VisibilityTimeout".to_owned(),
            expected: "30".to_owned(),
            actual: "90".to_owned(),
        }],
    };
    account.drift(STACK, drifted.clone());
    assert_eq!(account.drifted(STACK, None).await.unwrap().items, []);
    let id = account.detect_drift(STACK).await.unwrap();
    assert_eq!(account.detection(&id).await.unwrap(), Detection::Running);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(account.detection(&id).await.unwrap(), Detection::Done);
    let live = account.stack(STACK).await.unwrap().unwrap();
    assert_eq!(live.drift.as_deref(), Some("DRIFTED"));
    assert_eq!(account.drifted(STACK, None).await.unwrap().items, [drifted]);
    account.fail_detection(STACK, "no permission");
    let id = account.detect_drift(STACK).await.unwrap();
    sleep(Duration::from_secs(4)).await;
    assert_eq!(
        account.detection(&id).await.unwrap(),
        Detection::Failed("no permission".to_owned())
    );
    assert_eq!(kind(account.detection("other").await), Kind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn it_is_told_whose_account_it_is() {
    let account = account();
    assert_eq!(account.identity().await.unwrap().account, "909617834444");
    assert_eq!(account.region().as_deref(), Some("us-east-2"));
    assert_eq!(account.quota(Quota::Stacks).await.unwrap(), 2_000);
}
