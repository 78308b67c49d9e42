//! Settings, tags and what else several kinds of files may hold: what a file leaves out, the layer below it says.

use std::collections::BTreeMap;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::profile::{Queue, Settings, Suppression, Task, Tool};
use crate::deploy::yaml::Value;
use crate::deploy::{rules, shape};

/// Stands for a number that could not be read, so that no rule about it reports a second problem.
const UNKNOWN: u32 = 0;

/// The settings of a file: what is written, over those of the layer below.
pub fn settings(reader: &mut Reader<'_>, fields: &Fields<'_>, below: &Settings) -> Settings {
    Settings {
        detector: task(reader, fields, "detector", &below.detector),
        compactor: task(reader, fields, "compactor", &below.compactor),
        maintainer: task(reader, fields, "maintainer", &below.maintainer),
        reconciler: task(reader, fields, "reconciler", &below.reconciler),
        queue: queue(reader, fields, &below.queue),
        archive_retention_days: number(reader, fields, "archive_retention_days", below.archive_retention_days),
        data_retention_days: data_retention(reader, fields, below.data_retention_days),
        // A group or tenant has no such key.
        log_retention_days: number(reader, fields, "log_retention_days", below.log_retention_days),
    }
}

/// The number of a key; without the key that of the layer below.
fn number(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, below: u32) -> u32 {
    fields
        .number(name, reader)
        .map_or(below, |read| read.unwrap_or(UNKNOWN))
}

/// What is dropped does not come back: so few days are a slip of the pen.
const LEAST_DATA_RETENTION_DAYS: u32 = 30;

fn data_retention(reader: &mut Reader<'_>, fields: &Fields<'_>, below: u32) -> u32 {
    const KEY: &str = "data_retention_days";
    let days = number(reader, fields, KEY, below);
    if (1..LEAST_DATA_RETENTION_DAYS).contains(&days)
        && let Some(node) = fields.get(KEY, reader)
    {
        let why = format!("`{KEY}`: at least {LEAST_DATA_RETENTION_DAYS}, or 0 to keep everything for ever");
        reader.report(node.at, why);
    }
    days
}

fn task(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, below: &Task) -> Task {
    let (Some(node), Some(fields)) = (fields.get(name, reader), fields.fields(name, reader)) else {
        return below.clone();
    };
    let mut task = Task {
        schedule: below.schedule.clone(),
        jitter_minutes: number(reader, &fields, "jitter_minutes", below.jitter_minutes),
        cpu: number(reader, &fields, "cpu", below.cpu),
        memory_mib: number(reader, &fields, "memory_mib", below.memory_mib),
    };
    if let Some((node, text)) = fields.text("schedule", reader) {
        match rules::schedule(text) {
            Ok(()) => text.clone_into(&mut task.schedule),
            Err(why) => reader.report(node.at, format!("`schedule`: {why}")),
        }
    }
    if task.cpu != UNKNOWN
        && task.memory_mib != UNKNOWN
        && let Err(why) = rules::fargate(task.cpu, task.memory_mib)
    {
        reader.report(node.at, format!("`{name}`: {why}"));
    }
    task
}

fn queue(reader: &mut Reader<'_>, fields: &Fields<'_>, below: &Queue) -> Queue {
    let Some(fields) = fields.fields("queue", reader) else {
        return below.clone();
    };
    let mut number = |name, below| number(reader, &fields, name, below);
    Queue {
        visibility_timeout_seconds: number("visibility_timeout_seconds", below.visibility_timeout_seconds),
        receive_limit: number("receive_limit", below.receive_limit),
        retention_days: number("retention_days", below.retention_days),
    }
}

/// The event buses that the account and region may have.
pub fn event_buses(reader: &mut Reader<'_>, fields: &Fields<'_>, below: u32) -> u32 {
    fields
        .fields("quotas", reader)
        .map_or(below, |quotas| number(reader, &quotas, "event_buses", below))
}

/// The accepted findings of a file.
pub fn suppressions(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Suppression> {
    let mut found = Vec::new();
    for item in fields.list("suppressions", reader) {
        let fields = reader.fields(item, "a suppression", shape::SUPPRESSION);
        let tool = match fields.text("tool", reader) {
            Some((_, "cfn-lint")) => Tool::CfnLint,
            Some((_, "checkov")) => Tool::Checkov,
            _ => Tool::Oort,
        };
        let mut text = |name| fields.text(name, reader).map(|(_, text)| text.to_owned());
        let (rule, resource, reason) = (text("rule"), text("resource"), text("reason"));
        if let (Some(rule), Some(reason)) = (rule, reason) {
            found.push(Suppression {
                tool,
                rule,
                resource,
                reason,
            });
        }
    }
    found
}

/// The tags of a file, over those of the layers below.
pub fn tags(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    below: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let Some(node) = fields.get("tags", reader) else {
        return below.clone();
    };
    let Value::Map(entries) = &node.value else {
        reader.report(node.at, "`tags` is a map of texts");
        return below.clone();
    };
    let mut tags = BTreeMap::new();
    for (key, value) in entries {
        let Some(text) = reader.text(value, &key.text) else {
            continue;
        };
        if let Err(why) = rules::tag(&key.text, text) {
            reader.report(key.at, why);
        } else if tags.insert(key.text.clone(), text.to_owned()).is_some() {
            reader.report(key.at, format!("the tag `{}` stands here twice", key.text));
        }
    }
    for (key, value) in below {
        tags.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let all = tags.len();
    if all > rules::TAGS {
        reader.report(
            node.at,
            format!(
                "{all} tags with those of the layers below; at most {}, because AWS takes 50 and some are added",
                rules::TAGS
            ),
        );
    }
    tags
}

impl Settings {
    /// Values that stand in where a profile could not be read, so that the rest can still be checked. Never rendered.
    pub fn stand_in() -> Self {
        let task = Task {
            schedule: String::new(),
            jitter_minutes: 0,
            cpu: UNKNOWN,
            memory_mib: UNKNOWN,
        };
        Self {
            detector: task.clone(),
            compactor: task.clone(),
            maintainer: task.clone(),
            reconciler: task,
            queue: Queue {
                visibility_timeout_seconds: 30,
                receive_limit: 1,
                retention_days: 1,
            },
            archive_retention_days: 1,
            data_retention_days: 0,
            log_retention_days: 1,
        }
    }
}
