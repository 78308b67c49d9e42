//! Every list to its last page.

use crate::aws::tests::script::{Answer, account, cbor, json, refusal, xml};
use crate::aws::tests::watch::results;
use crate::ports::Result;
use crate::ports::cloud::{EventSources as _, Page, Quota, ReadStacks as _, Watch as _};

const STACK: &str = "<StackId>s</StackId><StackName>a</StackName><StackStatus>CREATE_FAILED</StackStatus>";

/// Two pages, as the account gives them; the second only to whoever comes with the first one's token.
fn pages(action: &str, list: &str, item: &str) -> [Answer; 2] {
    [
        xml(
            action,
            &format!("<{list}><member>{item}</member><member>{item}</member></{list}><NextToken>page 2</NextToken>"),
        ),
        xml(action, &format!("<{list}><member>{item}</member></{list}>")),
    ]
}

/// How many items two pages of a list have, and whether the second was asked for with the token of the first.
async fn count<T>(requests: impl Fn() -> Vec<String>, page: impl AsyncFn(Option<String>) -> Result<Page<T>>) -> usize {
    let first = page(None).await.unwrap();
    let token = first.next.expect("a second page");
    let second = page(Some(token)).await.unwrap();
    assert_eq!(second.next, None);
    let requests = requests();
    assert!(requests[requests.len() - 1].contains("page 2"), "{requests:?}");
    first.items.len() + second.items.len()
}

#[tokio::test]
async fn every_list_goes_on_where_its_last_page_ended() {
    let (cloud, script) = account(pages("DescribeStacks", "Stacks", STACK));
    assert_eq!(count(|| script.requests(), |next| cloud.stacks(next)).await, 3);

    let (cloud, script) = account(pages("ListStacks", "StackSummaries", STACK));
    assert_eq!(count(|| script.requests(), |next| cloud.restless(next)).await, 3);

    let event = "<ResourceStatus>CREATE_FAILED</ResourceStatus><Timestamp>2026-11-23T08:00:00Z</Timestamp>";
    let (cloud, script) = account(pages("DescribeEvents", "OperationEvents", event));
    assert_eq!(count(|| script.requests(), |next| cloud.failures("s", next)).await, 3);

    let resource = "<LogicalResourceId>Queue</LogicalResourceId>";
    let (cloud, script) = account(pages("ListStackResources", "StackResourceSummaries", resource));
    assert_eq!(count(|| script.requests(), |next| cloud.resources("s", next)).await, 3);

    let drift = "<StackId>s</StackId><LogicalResourceId>Queue</LogicalResourceId><ResourceType>t</ResourceType>\
                 <StackResourceDriftStatus>DELETED</StackResourceDriftStatus><Timestamp>2026-11-23T08:00:00Z</Timestamp>";
    let (cloud, script) = account(pages("DescribeStackResourceDrifts", "StackResourceDrifts", drift));
    assert_eq!(count(|| script.requests(), |next| cloud.drifted("s", next)).await, 3);

    let source = r#"{"Name": "aws.partner/okta.com/acme/logs", "State": "PENDING"}"#;
    let (cloud, script) = account([
        json(
            200,
            &format!(r#"{{"EventSources": [{source}, {source}], "NextToken": "page 2"}}"#),
        ),
        json(200, &format!(r#"{{"EventSources": [{source}]}}"#)),
    ]);
    assert_eq!(count(|| script.requests(), |next| cloud.sources(next)).await, 3);

    let (cloud, script) = account([
        json(200, r#"{"EventBuses": [{"Name": "default"}], "NextToken": "page 2"}"#),
        json(200, r#"{"EventBuses": [{"Name": "aws.partner/okta.com/acme/logs"}]}"#),
    ]);
    assert_eq!(count(|| script.requests(), |next| cloud.buses(next)).await, 2);

    let (cloud, script) = account([
        results(&[("q0", "PartialData", &[2.0, 1.0])], Some("page 2")),
        results(&[("q0", "Complete", &[0.5])], None),
    ]);
    let at = "2026-11-23T08:00:00Z".parse().unwrap();
    assert_eq!(
        count(|| script.requests(), |next| cloud.metrics(&[], at, at, next)).await,
        3
    );

    let (cloud, script) = account([alarms(2, Some("page 2")), alarms(1, None)]);
    assert_eq!(count(|| script.requests(), |next| cloud.alarms("oort-", next)).await, 3);
}

fn alarms(count: usize, next: Option<&str>) -> Answer {
    let mut encoder = aws_smithy_cbor::Encoder::new(Vec::new());
    encoder.begin_map().str("MetricAlarms").array(count);
    for _ in 0..count {
        encoder.map(1).str("AlarmName").str("oort-staging-acme-silent");
    }
    if let Some(next) = next {
        encoder.str("NextToken").str(next);
    }
    encoder.end();
    cbor(encoder.into_writer())
}

#[tokio::test]
async fn changes_of_a_change_set_come_page_by_page() {
    let change = "<Type>Resource</Type><ResourceChange><LogicalResourceId>Queue</LogicalResourceId></ResourceChange>";
    let (account, script) = account(pages("DescribeChangeSet", "Changes", change));
    let (first, next) = account.change_set("c", None).await.unwrap();
    let (second, end) = account.change_set("c", next).await.unwrap();
    assert_eq!((first.changes.len(), second.changes.len(), end), (2, 1, None));
    assert!(script.requests()[1].contains("NextToken=page 2"));
}

/// The older list holds every event, so that a page may have no failure at all.
#[tokio::test]
async fn an_endpoint_without_describe_events_gives_failures_by_the_older_list() {
    let events = |statuses: &[&str], next: &str| {
        let member = |status: &&str| {
            format!(
                "<member><StackId>s</StackId><EventId>e</EventId><StackName>n</StackName>\
                 <Timestamp>2026-11-23T08:00:00Z</Timestamp><ResourceStatus>{status}</ResourceStatus></member>"
            )
        };
        let members: String = statuses.iter().map(member).collect();
        xml(
            "DescribeStackEvents",
            &format!("<StackEvents>{members}</StackEvents>{next}"),
        )
    };
    let unknown = || refusal(400, "InvalidAction", "Could not find operation DescribeEvents");
    let (account, script) = account([
        unknown(),
        events(
            &["ROLLBACK_COMPLETE", "DELETE_COMPLETE"],
            "<NextToken>page 2</NextToken>",
        ),
        events(&["CREATE_FAILED", "CREATE_IN_PROGRESS", "DELETE_FAILED"], ""),
    ]);
    let first = account.failures("s", None).await.unwrap();
    assert_eq!(first.items, []);
    let second = account.failures("s", first.next).await.unwrap();
    let statuses: Vec<&str> = second.items.iter().map(|event| event.status.as_str()).collect();
    assert_eq!((statuses, second.next), (vec!["CREATE_FAILED", "DELETE_FAILED"], None));
    assert_eq!(
        script.requests()[2],
        "DescribeStackEvents\n  StackName=s\n  NextToken=page 2\n"
    );
}

/// A filter applies to a page after it was cut, so that an empty page need not be the last.
#[tokio::test]
async fn an_empty_page_that_has_a_successor_is_no_reason_for_the_older_list() {
    let event = "<ResourceStatus>CREATE_FAILED</ResourceStatus>";
    let (account, _) = account([
        xml("DescribeEvents", "<OperationEvents/><NextToken>page 2</NextToken>"),
        xml(
            "DescribeEvents",
            &format!("<OperationEvents><member>{event}</member></OperationEvents>"),
        ),
    ]);
    let first = account.failures("s", None).await.unwrap();
    let second = account.failures("s", first.next).await.unwrap();
    assert_eq!((first.items.len(), second.items.len()), (0, 1));
}

#[tokio::test]
async fn the_limit_of_stacks_is_found_on_any_page() {
    let (account, script) = account([
        xml(
            "DescribeAccountLimits",
            "<AccountLimits><member><Name>StackOutputsLimit</Name><Value>200</Value></member></AccountLimits>\
             <NextToken>page 2</NextToken>",
        ),
        xml(
            "DescribeAccountLimits",
            "<AccountLimits><member><Name>StackLimit</Name><Value>2000</Value></member></AccountLimits>",
        ),
    ]);
    assert_eq!(account.quota(Quota::Stacks).await.unwrap(), 2000);
    assert_eq!(script.requests()[1], "DescribeAccountLimits\n  NextToken=page 2\n");
}
