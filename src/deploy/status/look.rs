//! What metrics and alarms tell of a fleet, in few calls: seven metrics a tenant, five hundred a call.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::deploy::pace::Pacer;
use crate::model::metric;
use crate::ports::Result;
use crate::ports::cloud::{METRICS_A_CALL, MetricQuery, Statistic, Watch};

/// How far back the last event and the last runs are looked for: as far as CloudWatch keeps an hour's values of a queue that
/// gets nothing any more.
pub const HISTORY: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How old what is true now may be: SQS tells its metrics each minute, and some minutes late.
const RECENT: SignedDuration = SignedDuration::from_mins(30);
const MINUTES: i32 = 300;
const HOUR: i32 = 3_600;

/// What there is to see of a tenant besides its stack. Times are the starts of periods of five minutes or an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Signs {
    /// Messages in the event queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_detector: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_compactor: Option<Timestamp>,
    /// Alarms of the stack that are off, without the stack's name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
}

/// A question about one stack.
type Question = (usize, MetricQuery, fn(&mut Signs, Timestamp, u64));

/// Looks at all stacks, which are given with their tenants, and at their environment's alarms.
pub async fn look(
    cloud: &(impl Watch + ?Sized),
    pacer: &Pacer,
    environment: &str,
    stacks: &[(String, Option<String>)],
    now: Timestamp,
) -> Result<BTreeMap<String, Signs>> {
    let mut signs: BTreeMap<String, Signs> = BTreeMap::new();
    let tenants = || {
        stacks
            .iter()
            .enumerate()
            .filter_map(|(at, (_, tenant))| Some((at, tenant.as_deref()?)))
    };
    let recent: Vec<Question> = tenants().flat_map(|(at, _)| recent(at, &stacks[at].0)).collect();
    let long: Vec<Question> = tenants()
        .flat_map(|(at, tenant)| long(at, &stacks[at].0, environment, tenant))
        .collect();
    for (questions, history) in [(recent, RECENT), (long, HISTORY)] {
        let from = now.checked_sub(history).unwrap_or(now);
        // The running minute counts.
        let to = now.checked_add(SignedDuration::from_mins(1)).unwrap_or(now);
        for chunk in questions.chunks(METRICS_A_CALL) {
            let queries: Vec<MetricQuery> = chunk.iter().map(|(_, query, _)| query.clone()).collect();
            let page = |next| cloud.metrics(&queries, from, to, next);
            // The newest come first, and the first answer to a question is kept.
            for datum in pacer.all("GetMetricData", page).await? {
                if let Some((at, _, keep)) = chunk.get(datum.query) {
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "counts and seconds"
                    )]
                    keep(
                        signs.entry(stacks[*at].0.clone()).or_default(),
                        datum.at,
                        datum.value.max(0.0) as u64,
                    );
                }
            }
        }
    }
    let prefix = format!("oort-{environment}-");
    for alarm in pacer.all("DescribeAlarms", |next| cloud.alarms(&prefix, next)).await? {
        let own = stacks.iter().filter(|(stack, _)| {
            alarm
                .name
                .strip_prefix(stack.as_str())
                .is_some_and(|rest| rest.starts_with('-'))
        });
        // `acme-eu` takes none of the alarms of `acme`. Silence is told from the last event, with its length.
        if let Some((stack, _)) = own.max_by_key(|(stack, _)| stack.len())
            && let Some(short) = alarm.name.get(stack.len() + 1..)
            && short != "silence"
        {
            signs.entry(stack.clone()).or_default().alarms.push(short.to_owned());
        }
    }
    Ok(signs)
}

fn of_queue(queue: &str, name: &str, statistic: Statistic, period_seconds: i32) -> MetricQuery {
    MetricQuery {
        namespace: metric::SQS.to_owned(),
        name: name.to_owned(),
        dimensions: vec![(metric::QUEUE.to_owned(), queue.to_owned())],
        statistic,
        period_seconds,
    }
}

fn recent(at: usize, stack: &str) -> [Question; 4] {
    let (events, dead) = (format!("{stack}-events"), format!("{stack}-dead-letters"));
    [
        (
            at,
            of_queue(&events, metric::VISIBLE, Statistic::Maximum, MINUTES),
            |signs, _, value| {
                signs.queue.get_or_insert(value);
            },
        ),
        (
            at,
            of_queue(&events, metric::OLDEST, Statistic::Maximum, MINUTES),
            |signs, _, value| {
                signs.oldest_seconds.get_or_insert(value);
            },
        ),
        (
            at,
            of_queue(&dead, metric::VISIBLE, Statistic::Maximum, MINUTES),
            |signs, _, value| {
                signs.dead_letters.get_or_insert(value);
            },
        ),
        (at, of_queue(&events, metric::SENT, Statistic::Sum, MINUTES), last_event),
    ]
}

fn long(at: usize, stack: &str, environment: &str, tenant: &str) -> [Question; 3] {
    let own = |name: &str| MetricQuery {
        namespace: metric::OWN.to_owned(),
        name: name.to_owned(),
        dimensions: vec![
            (metric::ENVIRONMENT.to_owned(), environment.to_owned()),
            (metric::TENANT.to_owned(), tenant.to_owned()),
        ],
        statistic: Statistic::Sum,
        period_seconds: HOUR,
    };
    let events = format!("{stack}-events");
    [
        (at, of_queue(&events, metric::SENT, Statistic::Sum, HOUR), last_event),
        (
            at,
            of_queue(&events, metric::EMPTY_RECEIVES, Statistic::Sum, HOUR),
            |signs, at, value| {
                if value > 0 {
                    signs.last_detector.get_or_insert(at);
                }
            },
        ),
        (at, own(metric::COMPACTOR_RUNS), |signs, at, value| {
            if value > 0 {
                signs.last_compactor.get_or_insert(at);
            }
        }),
    ]
}

fn last_event(signs: &mut Signs, at: Timestamp, value: u64) {
    if value > 0 && signs.last_event.is_none_or(|known| known < at) {
        signs.last_event = Some(at);
    }
}
