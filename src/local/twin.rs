//! The twin of a tenant's stack: what its rendered template asks of the embedded target. Pure.
//!
//! Resources are found by type and by how they refer to each other, never by their names in the template.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::local::schedule::Schedule;
use crate::local::template::{BUS, Resource, Result, Template};
pub use crate::local::template::{Pseudo, TwinError};

const RULE: &str = "AWS::Events::Rule";
const QUEUE: &str = "AWS::SQS::Queue";
const SCHEDULE: &str = "AWS::Scheduler::Schedule";
const TASK: &str = "AWS::ECS::TaskDefinition";
const SUBSCRIPTION: &str = "AWS::SNS::Subscription";

/// One tenant's stack as the embedded target stands in for it.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinStack {
    /// The partner event source, which is also the bus's name.
    pub event_source: String,
    pub account: String,
    /// The rules that put events into the queue, at least one.
    pub rules: Vec<TwinRule>,
    pub queue: QueueSettings,
    pub schedules: Vec<TwinSchedule>,
    pub subscriptions: Vec<Subscription>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwinRule {
    /// The logical ID.
    pub name: String,
    /// The `EventPattern`.
    pub pattern: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays hidden.
    pub visibility_timeout: Duration,
    /// A message that was received this often moves to the dead-letter queue; `None` without a dead-letter queue.
    pub receive_limit: Option<u32>,
}

/// A task that runs when its schedule is due.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinSchedule {
    /// The schedule's name; its logical ID when it has none.
    pub name: String,
    pub expression: Schedule,
    pub time_zone: TimeZone,
    /// The flexible time window: the task starts within this time after it is due.
    pub jitter: Duration,
    /// The container's command, without the program.
    pub command: Vec<String>,
    /// The container's variables with literal values; those that name AWS resources are left out.
    pub environment: BTreeMap<String, String>,
}

/// A notification route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The route's name in the tenant's file; the logical ID where it is not named after a route.
    pub name: String,
    pub protocol: String,
    pub endpoint: String,
    /// The `FilterPolicy` on message attributes; `None` takes everything.
    pub filter_policy: Option<Value>,
}

impl TwinSchedule {
    /// See [`Schedule::next_after`].
    pub fn next_after(&self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        self.expression.next_after(anchor, after, &self.time_zone)
    }
}

impl TwinStack {
    /// Reads the YAML text of a rendered tenant stack. `file` names it in errors.
    pub fn parse(file: &str, text: &str, pseudo: &Pseudo) -> Result<Self> {
        let template = Template::read(file, text, pseudo)?;
        let bus = template.only(BUS)?;
        let (rules, queue) = rules(&template, bus)?;
        Ok(Self {
            event_source: event_source(bus)?,
            account: pseudo.account.clone(),
            rules,
            queue: queue_settings(queue)?,
            schedules: active(&template, SCHEDULE)
                .into_iter()
                .map(schedule)
                .collect::<Result<_>>()?,
            subscriptions: template
                .of_type(SUBSCRIPTION)
                .into_iter()
                .map(subscription)
                .collect::<Result<_>>()?,
        })
    }
}

fn active<'a>(template: &'a Template<'a>, kind: &str) -> Vec<Resource<'a>> {
    let is_active = |resource: &Resource<'_>| resource.raw("State").is_none_or(|state| state != "DISABLED");
    template.of_type(kind).into_iter().filter(is_active).collect()
}

fn event_source(bus: Resource<'_>) -> Result<String> {
    let name = bus.text("Name")?.ok_or_else(|| bus.missing("Name"))?;
    match bus.text("EventSourceName")? {
        Some(source) if source == name => Ok(name),
        Some(source) => Err(bus.failed(
            "EventSourceName",
            format!("`{source}` differs from the bus's name `{name}`"),
        )),
        None => Err(bus.missing("EventSourceName")),
    }
}

/// The bus's rules that put events into a queue, and that queue.
fn rules<'a>(template: &'a Template<'a>, bus: Resource<'a>) -> Result<(Vec<TwinRule>, Resource<'a>)> {
    let mut found = Vec::new();
    let mut queue: Option<Resource<'a>> = None;
    for rule in active(template, RULE) {
        let is_on_bus = rule.referred("EventBusName", BUS).is_ok() || rule.text("EventBusName")? == bus.text("Name")?;
        let targets = rule.raw("Targets").and_then(Value::as_array).map_or(0, Vec::len);
        for target in (0..targets).filter(|_| is_on_bus) {
            let Ok(target_queue) = rule.referred(&format!("Targets/{target}/Arn"), QUEUE) else {
                continue;
            };
            if let Some(queue) = queue.filter(|queue| queue.id != target_queue.id) {
                return Err(rule.failed(
                    "Targets",
                    format!(
                        "`{}` and `{}` both take events; one queue is expected",
                        queue.id, target_queue.id
                    ),
                ));
            }
            queue = Some(target_queue);
            let changing = ["Input", "InputPath", "InputTransformer"].map(|key| format!("Targets/{target}/{key}"));
            rule.refuse(&changing.each_ref().map(String::as_str))?;
            let pattern = rule
                .value("EventPattern")?
                .ok_or_else(|| rule.missing("EventPattern"))?;
            found.push(TwinRule {
                name: rule.id.to_owned(),
                pattern,
            });
        }
    }
    match queue {
        Some(queue) => Ok((found, queue)),
        None => Err(template.failed(
            RULE,
            format!(
                "no enabled rule of the bus `{}` has a target that is an {QUEUE} of this stack",
                bus.id
            ),
        )),
    }
}

fn queue_settings(queue: Resource<'_>) -> Result<QueueSettings> {
    /// What SQS takes when the template says nothing.
    const DEFAULT_VISIBILITY_SECONDS: u64 = 30;
    queue.refuse(&["DelaySeconds", "FifoQueue"])?;
    let receive_limit = if queue.raw("RedrivePolicy").is_some() {
        queue.referred("RedrivePolicy/deadLetterTargetArn", QUEUE)?;
        let path = "RedrivePolicy/maxReceiveCount";
        let limit = queue.number(path)?.ok_or_else(|| queue.missing(path))?;
        let limit = u32::try_from(limit).ok().filter(|limit| (1..=1_000).contains(limit));
        Some(limit.ok_or_else(|| queue.failed(path, "must be from 1 to 1000"))?)
    } else {
        None
    };
    let seconds = queue.number("VisibilityTimeout")?.unwrap_or(DEFAULT_VISIBILITY_SECONDS);
    Ok(QueueSettings {
        visibility_timeout: Duration::from_secs(seconds),
        receive_limit,
    })
}

fn schedule(schedule: Resource<'_>) -> Result<TwinSchedule> {
    schedule.refuse(&["StartDate", "EndDate", "Target/Input"])?;
    let path = "ScheduleExpression";
    let expression = schedule.text(path)?.ok_or_else(|| schedule.missing(path))?;
    let expression =
        Schedule::parse(&expression).map_err(|error| schedule.caused(path, "cannot be followed", error))?;
    let task = schedule.referred("Target/EcsParameters/TaskDefinitionArn", TASK)?;
    Ok(TwinSchedule {
        name: schedule.text("Name")?.unwrap_or_else(|| schedule.id.to_owned()),
        expression,
        time_zone: time_zone(schedule)?,
        jitter: jitter(schedule)?,
        command: command(task)?,
        environment: environment(task),
    })
}

fn time_zone(schedule: Resource<'_>) -> Result<TimeZone> {
    let path = "ScheduleExpressionTimezone";
    match schedule.text(path)? {
        None => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(&name).map_err(|error| {
            schedule.caused(
                path,
                format!("the time zone `{name}` is not known on this machine"),
                error,
            )
        }),
    }
}

fn jitter(schedule: Resource<'_>) -> Result<Duration> {
    match schedule.text("FlexibleTimeWindow/Mode")?.as_deref() {
        Some("OFF") => Ok(Duration::ZERO),
        Some("FLEXIBLE") => {
            let path = "FlexibleTimeWindow/MaximumWindowInMinutes";
            let minutes = schedule.number(path)?.ok_or_else(|| schedule.missing(path))?;
            Ok(Duration::from_secs(minutes.saturating_mul(60)))
        }
        _ => Err(schedule.failed("FlexibleTimeWindow/Mode", "must be OFF or FLEXIBLE")),
    }
}

fn command(task: Resource<'_>) -> Result<Vec<String>> {
    let path = "ContainerDefinitions/0/Command";
    let words = task.value(path)?.ok_or_else(|| task.missing(path))?;
    serde_json::from_value(words).map_err(|error| task.caused(path, "is not a list of texts", error))
}

fn environment(task: Resource<'_>) -> BTreeMap<String, String> {
    let variables = task.raw("ContainerDefinitions/0/Environment").and_then(Value::as_array);
    let literal = |variable: &Value| {
        let text = |key: &str| Some(variable.get(key)?.as_str()?.to_owned());
        Some((text("Name")?, text("Value")?))
    };
    variables.into_iter().flatten().filter_map(literal).collect()
}

fn subscription(subscription: Resource<'_>) -> Result<Subscription> {
    if subscription
        .text("FilterPolicyScope")?
        .is_some_and(|scope| scope != "MessageAttributes")
    {
        return Err(subscription.failed(
            "FilterPolicyScope",
            "only MessageAttributes is supported by the embedded target",
        ));
    }
    let needed = |path: &str| subscription.text(path)?.ok_or_else(|| subscription.missing(path));
    Ok(Subscription {
        // The template names a route's resource `Route` and the route's name.
        name: subscription
            .id
            .strip_prefix("Route")
            .unwrap_or(subscription.id)
            .to_owned(),
        protocol: needed("Protocol")?,
        endpoint: needed("Endpoint")?,
        filter_policy: subscription.value("FilterPolicy")?,
    })
}

#[cfg(test)]
#[path = "twin_tests.rs"]
mod tests;
