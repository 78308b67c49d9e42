//! Tells who calls, and reads event sources, buses, metrics and alarms.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use super::answer::{Refusal, page};
use super::estate::is_expired;
use super::state::{Metric, State};
use super::{Account, Api};
use crate::model::source::EventSource;
use crate::ports::cloud::{
    Alarm, Caller, Datum, EventSources, Identity, METRICS_A_CALL, MetricQuery, Page, Statistic, Watch,
};
use crate::ports::{Kind, Result};

/// What the names of Okta's event sources begin with.
const OKTA: &str = "aws.partner/okta.com/";

#[async_trait]
impl Caller for Account {
    async fn identity(&self) -> Result<Identity> {
        let identity = Identity {
            account: self.id.to_string(),
            arn: format!("arn:aws:sts::{}:assumed-role/deployer/test", self.id),
        };
        self.call(Api::GetCallerIdentity, "", |_, _| Ok(identity)).await
    }

    fn region(&self) -> Option<String> {
        Some(self.region.to_string())
    }
}

#[async_trait]
impl EventSources for Account {
    async fn sources(&self, next: Option<String>) -> Result<Page<EventSource>> {
        self.call(Api::ListEventSources, "", move |state, now| {
            Ok(state.list_sources(next.as_deref(), now))
        })
        .await
    }

    async fn buses(&self, next: Option<String>) -> Result<Page<String>> {
        let work = move |state: &mut State, _| page(&state.estate.buses(), next.as_deref(), state.behaviour.list_page);
        self.call(Api::ListEventBuses, "", work).await
    }
}

#[async_trait]
impl Watch for Account {
    async fn metrics(
        &self,
        queries: &[MetricQuery],
        from: Timestamp,
        to: Timestamp,
        next: Option<String>,
    ) -> Result<Page<Datum>> {
        let work = |state: &mut State, _| {
            if queries.len() > METRICS_A_CALL {
                let said = format!("{} queries; at most {METRICS_A_CALL} are answered", queries.len());
                return Err(Refusal::new(Kind::Invalid, said));
            }
            let each = queries.iter().enumerate();
            let mut data: Vec<Datum> = each
                .flat_map(|(index, query)| state.data(index, query, from, to))
                .collect();
            data.sort_by_key(|datum| std::cmp::Reverse(datum.at));
            page(&data, next.as_deref(), state.behaviour.list_page)
        };
        self.call(Api::GetMetricData, "", work).await
    }

    async fn alarms(&self, prefix: &str, next: Option<String>) -> Result<Page<Alarm>> {
        let work = |state: &mut State, _| {
            let from = state.alarms.range(prefix.to_owned()..);
            let all = from
                .take_while(|(name, _)| name.starts_with(prefix))
                .map(|(_, alarm)| alarm.clone());
            page(&all.collect::<Vec<_>>(), next.as_deref(), state.behaviour.list_page)
        };
        self.call(Api::DescribeAlarms, prefix, work).await
    }
}

impl State {
    /// A page whose token is the last name on it.
    fn list_sources(&self, next: Option<&str>, now: Instant) -> Page<EventSource> {
        let at = self.timestamp(now);
        let after = next.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self
            .estate
            .sources
            .range::<str, _>((after, Bound::Unbounded))
            .map(|(_, source)| source);
        let mut all = all
            .filter(|source| source.name.starts_with(OKTA) && !is_expired(source, at))
            .peekable();
        let items: Vec<EventSource> = all.by_ref().take(self.behaviour.list_page).cloned().collect();
        let next = all.peek().and(items.last()).map(|last| last.name.clone());
        Page { items, next }
    }

    /// The values of a metric, summed up over each period.
    fn data(&self, query: usize, asked: &MetricQuery, from: Timestamp, to: Timestamp) -> Vec<Datum> {
        let period = i64::from(asked.period_seconds.max(1));
        let mut periods: BTreeMap<i64, f64> = BTreeMap::new();
        let points = self.metrics.get(&Metric::of(asked)).into_iter().flatten();
        for (at, value) in points.filter(|(at, _)| (from..to).contains(at)) {
            let start = at.as_second().div_euclid(period) * period;
            let sum = periods.entry(start).and_modify(|sum| match asked.statistic {
                Statistic::Sum => *sum += value,
                Statistic::Maximum => *sum = sum.max(*value),
            });
            sum.or_insert(*value);
        }
        let datum = |(start, value)| {
            Some(Datum {
                query,
                at: Timestamp::from_second(start).ok()?,
                value,
            })
        };
        periods.into_iter().filter_map(datum).collect()
    }
}
