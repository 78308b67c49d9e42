//! What is beside the stacks.

use oort_streams::model::source::SourceState;
use oort_streams::ports::cloud::{Detection, MetricQuery, Quota, Statistic};

use super::*;

pub async fn the_caller_is_told_whose_account_it_is(rig: &dyn Rig) {
    let identity = rig.cloud().identity().await.unwrap();
    assert_eq!(identity.account, rig.account());
    assert!(identity.arn.contains(&identity.account), "{}", identity.arn);
    assert!(rig.cloud().quota(Quota::Stacks).await.unwrap() > 0);
}

pub async fn a_bus_accepts_its_source(rig: &dyn Rig) {
    rig.offer(SOURCE);
    let state = async || {
        let sources = all(async |next| rig.cloud().sources(next).await).await;
        sources
            .iter()
            .map(|source| (source.name.clone(), source.state))
            .collect::<Vec<_>>()
    };
    assert_eq!(state().await, [(SOURCE.to_owned(), SourceState::Pending)]);
    let stack = created(rig, &with_bus(30)).await;
    assert_eq!(state().await, [(SOURCE.to_owned(), SourceState::Active)]);
    assert!(
        all(async |next| rig.cloud().buses(next).await)
            .await
            .contains(&SOURCE.to_owned())
    );
    rig.cloud().delete(&stack.id, "delete", &[]).await.unwrap();
    at_rest(rig, &stack.id).await;
    assert_eq!(state().await, [(SOURCE.to_owned(), SourceState::Pending)]);
    assert!(
        !all(async |next| rig.cloud().buses(next).await)
            .await
            .contains(&SOURCE.to_owned())
    );
}

pub async fn drift_is_looked_for(rig: &dyn Rig) {
    created(rig, &queue(30)).await;
    let detection = rig.cloud().detect_drift(STACK).await.unwrap();
    for _ in 0..LOOKS {
        if rig.cloud().detection(&detection).await.unwrap() == Detection::Done {
            assert_eq!(all(async |next| rig.cloud().drifted(STACK, next).await).await, []);
            return;
        }
        rig.pause().await;
    }
    panic!("the detection does not end");
}

pub async fn what_is_not_measured_has_no_values(rig: &dyn Rig) {
    let query = MetricQuery {
        namespace: "AWS/SQS".to_owned(),
        name: "NumberOfMessagesSent".to_owned(),
        dimensions: vec![("QueueName".to_owned(), "nobody".to_owned())],
        statistic: Statistic::Sum,
        period_seconds: 300,
    };
    let (from, to) = (
        "2026-11-01T00:00:00Z".parse().unwrap(),
        "2026-11-01T01:00:00Z".parse().unwrap(),
    );
    let queries = [query];
    assert_eq!(
        all(async |next| rig.cloud().metrics(&queries, from, to, next).await).await,
        []
    );
    assert_eq!(
        all(async |next| rig.cloud().alarms("oort-contract-", next).await).await,
        []
    );
}
