//! Reads a rendered tenant stack as the embedded target understands it: what CloudFormation would make of the template,
//! the twin makes of the same text. Pure; follows references, not logical IDs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::local::schedule::Schedule;

/// The values of CloudFormation's pseudo parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudo {
    pub account: String,
    pub region: String,
}

/// A tenant stack, ready to run here.
#[derive(Debug, Clone)]
pub struct TwinStack {
    /// The partner event source, which is also the bus's name.
    pub event_source: String,
    pub account: String,
    /// Event patterns of the enabled rules on the bus that lead to the queue.
    pub patterns: Vec<Value>,
    pub queue: QueueSettings,
    pub schedules: Vec<TwinSchedule>,
    pub subscriptions: Vec<Subscription>,
}

/// What of a queue's settings holds here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueSettings {
    pub visibility_timeout: Duration,
    /// Deliveries before a message moves to the dead-letter queue.
    pub receive_limit: u32,
}

/// A schedule and the command of the task that it starts.
#[derive(Debug, Clone)]
pub struct TwinSchedule {
    /// The schedule's logical ID.
    pub name: String,
    schedule: Schedule,
    window: Duration,
    pub command: Vec<String>,
    /// The container's literal environment; values that only AWS can know are left out.
    pub environment: BTreeMap<String, String>,
}

/// One notification route.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// The route's name in the tenant's file.
    pub name: String,
    pub protocol: String,
    pub endpoint: String,
    /// An SNS filter policy over the attributes `tenant` and `severity`; `None` lets everything through.
    pub filter_policy: Option<Value>,
}

/// What keeps a stack from running here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stack}: {problem}")]
pub struct TwinError {
    stack: String,
    problem: String,
}

impl TwinSchedule {
    /// The first time after `after` at which the task starts. As in the cloud, a flexible window delays each start by up
    /// to its length; here always by the same part of it, so that runs can be foreseen.
    pub fn next_after(&self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let mix = self
            .name
            .bytes()
            .fold(17_u64, |mix, byte| mix.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let delay = Duration::from_secs(mix % self.window.as_secs().max(1));
        let due = self.schedule.next_after(anchor, after.checked_sub(delay).ok()?)?;
        due.checked_add(delay).ok()
    }
}

impl TwinStack {
    /// Reads the template `text`; `stack` names it in errors.
    pub fn parse(stack: &str, text: &str, pseudo: &Pseudo) -> Result<Self, TwinError> {
        let error = |problem: String| TwinError {
            stack: stack.to_owned(),
            problem,
        };
        let template: Value = serde_saphyr::from_str(text).map_err(|why| error(format!("cannot be read: {why}")))?;
        Template {
            resources: template
                .get("Resources")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            pseudo,
        }
        .stack()
        .map_err(error)
    }
}

struct Template<'a> {
    resources: Map<String, Value>,
    pseudo: &'a Pseudo,
}

type Found<T> = Result<T, String>;

impl Template<'_> {
    fn stack(&self) -> Found<TwinStack> {
        let (bus, properties) = self.one("AWS::Events::EventBus")?;
        let event_source = self.text(bus, properties, "EventSourceName")?;
        if self.text(bus, properties, "Name")? != event_source {
            return Err(format!(
                "{bus}: Name must equal EventSourceName, or AWS refuses the bus"
            ));
        }
        let mut patterns = Vec::new();
        let mut queue = None;
        for (name, rule) in self.all("AWS::Events::Rule") {
            if referred(rule.get("EventBusName")).as_deref() == Some(bus)
                && rule.get("State").is_none_or(|state| state == "ENABLED")
            {
                patterns.push(
                    self.resolve(
                        rule.get("EventPattern")
                            .ok_or(format!("{name}: EventPattern is missing"))?,
                    ),
                );
                queue = Some(self.target_queue(name, rule)?);
            }
        }
        let queue = queue.ok_or(format!("no enabled AWS::Events::Rule is on the bus {bus}"))?;
        Ok(TwinStack {
            event_source,
            account: self.pseudo.account.clone(),
            patterns,
            queue,
            schedules: self
                .all("AWS::Scheduler::Schedule")
                .map(|(name, p)| self.schedule(name, p))
                .collect::<Found<_>>()?,
            subscriptions: self
                .all("AWS::SNS::Subscription")
                .map(|(name, p)| self.subscription(name, p))
                .collect::<Found<_>>()?,
        })
    }

    fn all(&self, kind: &'static str) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        self.resources
            .iter()
            .filter(move |(_, resource)| resource["Type"] == kind)
            .filter_map(|(name, resource)| Some((name.as_str(), resource.get("Properties")?.as_object()?)))
    }

    fn one(&self, kind: &'static str) -> Found<(&str, &Map<String, Value>)> {
        let mut found = self.all(kind);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(format!("there is no {kind}")),
            (Some(_), Some(_)) => Err(format!("there is more than one {kind}")),
        }
    }

    fn properties(&self, name: &str, kind: &'static str) -> Found<&Map<String, Value>> {
        self.all(kind)
            .find(|(found, _)| *found == name)
            .map(|(_, properties)| properties)
            .ok_or(format!("{name} is no {kind}"))
    }

    fn target_queue(&self, rule: &str, properties: &Map<String, Value>) -> Found<QueueSettings> {
        let target = properties
            .get("Targets")
            .and_then(|targets| targets.get(0))
            .ok_or(format!("{rule}: Targets is empty"))?;
        let queue =
            referred(target.get("Arn")).ok_or(format!("{rule}: the target's Arn names no resource of the stack"))?;
        let properties = self.properties(&queue, "AWS::SQS::Queue")?;
        let redrive = properties
            .get("RedrivePolicy")
            .ok_or(format!("{queue}: RedrivePolicy is missing"))?;
        let dead = referred(redrive.get("deadLetterTargetArn"))
            .ok_or(format!("{queue}: deadLetterTargetArn names no queue"))?;
        self.properties(&dead, "AWS::SQS::Queue")?;
        let number = |value: Option<&Value>, name: &str| {
            value
                .and_then(Value::as_u64)
                .ok_or(format!("{queue}: {name} is no number"))
        };
        Ok(QueueSettings {
            visibility_timeout: Duration::from_secs(number(properties.get("VisibilityTimeout"), "VisibilityTimeout")?),
            receive_limit: u32::try_from(number(redrive.get("maxReceiveCount"), "maxReceiveCount")?)
                .unwrap_or(u32::MAX),
        })
    }

    fn schedule(&self, name: &str, properties: &Map<String, Value>) -> Found<TwinSchedule> {
        let zone = match properties.get("ScheduleExpressionTimezone") {
            Some(_) => self.text(name, properties, "ScheduleExpressionTimezone")?,
            None => "UTC".to_owned(),
        };
        let expression = self.text(name, properties, "ScheduleExpression")?;
        let minutes = properties
            .get("FlexibleTimeWindow")
            .and_then(|w| w.get("MaximumWindowInMinutes"))
            .and_then(Value::as_u64);
        let task = referred(
            properties
                .get("Target")
                .and_then(|t| t.pointer("/EcsParameters/TaskDefinitionArn")),
        )
        .ok_or(format!("{name}: the target names no task definition of the stack"))?;
        let container = self
            .properties(&task, "AWS::ECS::TaskDefinition")?
            .get("ContainerDefinitions")
            .and_then(|containers| containers.get(0))
            .ok_or(format!("{task}: ContainerDefinitions is empty"))?;
        let words = container
            .get("Command")
            .and_then(Value::as_array)
            .ok_or(format!("{task}: Command is missing"))?;
        let variables = container
            .get("Environment")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        Ok(TwinSchedule {
            name: name.to_owned(),
            schedule: Schedule::parse(&expression, &zone).map_err(|error| format!("{name}: {error}"))?,
            window: Duration::from_secs(minutes.unwrap_or(0) * 60),
            command: words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            environment: variables
                .iter()
                .filter_map(|variable| {
                    Some((
                        variable["Name"].as_str()?.to_owned(),
                        variable["Value"].as_str()?.to_owned(),
                    ))
                })
                .collect(),
        })
    }

    fn subscription(&self, name: &str, properties: &Map<String, Value>) -> Found<Subscription> {
        Ok(Subscription {
            // The template names a route's resource after it.
            name: name.strip_prefix("Route").unwrap_or(name).to_owned(),
            protocol: self.text(name, properties, "Protocol")?,
            endpoint: self.text(name, properties, "Endpoint")?,
            filter_policy: properties.get("FilterPolicy").map(|policy| self.resolve(policy)),
        })
    }

    fn text(&self, name: &str, properties: &Map<String, Value>, property: &str) -> Found<String> {
        let value = properties
            .get(property)
            .ok_or(format!("{name}: {property} is missing"))?;
        match self.resolve(value) {
            Value::String(text) => Ok(text),
            _ => Err(format!("{name}: {property} is no text that is known before deployment")),
        }
    }

    /// The value with its pseudo parameters filled in; other intrinsic functions stay as they are.
    fn resolve(&self, value: &Value) -> Value {
        let pseudo = |name: &str| match name {
            "AWS::AccountId" => Some(self.pseudo.account.clone()),
            "AWS::Region" => Some(self.pseudo.region.clone()),
            "AWS::Partition" => Some("aws".to_owned()),
            _ => None,
        };
        match value {
            Value::Object(map) => match map.iter().next() {
                Some((function, Value::String(text))) if map.len() == 1 && function == "Ref" => {
                    pseudo(text).map_or_else(|| value.clone(), Value::String)
                }
                Some((function, Value::String(text))) if map.len() == 1 && function == "Fn::Sub" => {
                    let names = ["AWS::AccountId", "AWS::Region", "AWS::Partition"];
                    let filled = names.into_iter().fold(text.clone(), |text, name| {
                        text.replace(&format!("${{{name}}}"), &pseudo(name).unwrap_or_default())
                    });
                    if filled.contains("${") {
                        value.clone()
                    } else {
                        Value::String(filled)
                    }
                }
                _ => map
                    .iter()
                    .map(|(key, inner)| (key.clone(), self.resolve(inner)))
                    .collect::<Map<_, _>>()
                    .into(),
            },
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            scalar => scalar.clone(),
        }
    }
}

/// The logical ID that a `Ref` or an `Fn::GetAtt` names.
fn referred(value: Option<&Value>) -> Option<String> {
    let value = value?;
    let name = value.get("Ref").or_else(|| value.get("Fn::GetAtt")?.get(0))?;
    name.as_str().map(str::to_owned)
}
