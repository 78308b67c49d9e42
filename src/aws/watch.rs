//! Reads metrics and alarms from `CloudWatch`.

use async_trait::async_trait;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types as sdk;
use jiff::Timestamp;

use crate::aws::Account;
use crate::aws::convert::{owned, timestamp};
use crate::aws::error::{denied, from_sdk, unusable};
use crate::ports::cloud::{Alarm, Datum, MetricQuery, Page, Statistic, Watch};
use crate::ports::{Error, Result};

const METRICS: &str = "cloudwatch:GetMetricData";

#[async_trait]
impl Watch for Account {
    async fn metrics(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
        next: Option<String>,
    ) -> Result<Page<Datum>> {
        let at = |at: Timestamp| DateTime::from_secs(at.as_second());
        let answer = self
            .cloudwatch
            .get_metric_data()
            .set_metric_data_queries(Some(queries.iter().enumerate().map(query).collect()))
            .start_time(at(from))
            .end_time(at(to))
            .scan_by(sdk::ScanBy::TimestampDescending)
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk(METRICS, &error))?;
        let results = answer.metric_data_results();
        if let Some(refused) = results.iter().find_map(refused) {
            return Err(refused);
        }
        Ok(Page {
            items: results.iter().flat_map(data).collect(),
            next: answer.next_token().map(str::to_owned),
        })
    }

    async fn alarms(&self, prefix: &str, next: Option<String>) -> Result<Page<Alarm>> {
        let answer = self
            .cloudwatch
            .describe_alarms()
            .alarm_name_prefix(prefix)
            .alarm_types(sdk::AlarmType::MetricAlarm)
            .state_value(sdk::StateValue::Alarm)
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk("cloudwatch:DescribeAlarms", &error))?;
        let alarm = |alarm: &sdk::MetricAlarm| Alarm {
            name: owned(alarm.alarm_name()),
            reason: owned(alarm.state_reason()),
            since: alarm.state_updated_timestamp().and_then(timestamp),
        };
        Ok(Page {
            items: answer.metric_alarms().iter().map(alarm).collect(),
            next: answer.next_token().map(str::to_owned),
        })
    }
}

fn query((index, query): (usize, &MetricQuery)) -> sdk::MetricDataQuery {
    let dimensions = query.dimensions.iter();
    let dimensions = dimensions.map(|(name, value)| sdk::Dimension::builder().name(name).value(value).build());
    let metric = sdk::Metric::builder()
        .namespace(&query.namespace)
        .metric_name(&query.name)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    let statistic = match query.statistic {
        Statistic::Sum => "Sum",
        Statistic::Maximum => "Maximum",
    };
    let statistic = sdk::MetricStat::builder()
        .metric(metric)
        .stat(statistic)
        .period(query.period_seconds)
        .build();
    sdk::MetricDataQuery::builder()
        .id(format!("q{index}"))
        .metric_stat(statistic)
        .return_data(true)
        .build()
}

/// The error of a query that was not answered, in an answer that is none: no value would be taken for no event.
fn refused(result: &sdk::MetricDataResult) -> Option<Error> {
    let messages = result.messages().iter();
    let why = messages
        .filter_map(sdk::MessageData::value)
        .collect::<Vec<_>>()
        .join("; ");
    match result.status_code()? {
        sdk::StatusCode::Forbidden => Some(denied(METRICS, format!("Forbidden: {why}"))),
        sdk::StatusCode::InternalError => Some(unusable(METRICS, format!("InternalError: {why}"))),
        _ => None,
    }
}

/// The values of one query, which its ID names.
fn data(result: &sdk::MetricDataResult) -> Vec<Datum> {
    let Some(query) = result
        .id()
        .and_then(|id| id.strip_prefix('q'))
        .and_then(|index| index.parse().ok())
    else {
        return Vec::new();
    };
    let pairs = result.timestamps().iter().zip(result.values());
    pairs
        .filter_map(|(at, value)| {
            Some(Datum {
                query,
                at: timestamp(at)?,
                value: *value,
            })
        })
        .collect()
}
