//! Settings and tags as they are written in profiles and tenant files: what a tenant leaves out, its profile says.

use std::collections::BTreeMap;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::profile::{Queue, Settings, Task};
use crate::deploy::rules;
use crate::deploy::yaml::{Node, Value};

/// The keys that a profile must have and a tenant may. The tenants of an environment share one log group, so that its
/// retention, the last key, is the profile's alone.
pub const SETTINGS: [&str; 5] = [
    "detector",
    "compactor",
    "queue",
    "archive_retention_days",
    "log_retention_days",
];

/// The keys of [`SETTINGS`] that a tenant may have.
pub const TENANT_SETTINGS: &[&str] = SETTINGS.split_at(4).0;

/// Stands for a number that could not be read, so that no rule about it reports a second problem.
const UNKNOWN: u32 = 0;

/// The settings of a profile or tenant: what is written, over `base`. A profile writes everything.
pub fn settings(reader: &mut Reader<'_>, fields: &Fields<'_>, base: &Settings, all: bool) -> Settings {
    let mut settings = base.clone();
    if let Some(node) = fields.get("detector") {
        settings.detector = task(reader, node, "`detector`", &base.detector, all);
    }
    if let Some(node) = fields.get("compactor") {
        settings.compactor = task(reader, node, "`compactor`", &base.compactor, all);
    }
    if let Some(node) = fields.get("queue") {
        settings.queue = queue(reader, node, &base.queue, all);
    }
    if let Some(node) = fields.get("archive_retention_days") {
        settings.archive_retention_days = reader
            .number(node, "archive_retention_days", 1, 3_653)
            .unwrap_or(base.archive_retention_days);
    }
    if let Some(node) = fields.get("log_retention_days")
        && let Some(days) = reader.number(node, "log_retention_days", 1, 3_653)
    {
        if rules::LOG_RETENTION_DAYS.contains(&days) {
            settings.log_retention_days = days;
        } else {
            let allowed: Vec<String> = rules::LOG_RETENTION_DAYS.iter().map(u32::to_string).collect();
            reader.report(
                node.at,
                format!("`log_retention_days` is one of {}", allowed.join(", ")),
            );
        }
    }
    settings
}

fn task(reader: &mut Reader<'_>, node: &Node, name: &str, base: &Task, all: bool) -> Task {
    let fields = reader.fields(node, name, &["schedule", "jitter_minutes", "cpu", "memory_mib"]);
    let get = |key: &str, reader: &mut Reader<'_>| {
        if all {
            fields.required(key, reader)
        } else {
            fields.get(key)
        }
    };
    let mut task = base.clone();
    if let Some(node) = get("schedule", reader)
        && let Some(text) = reader.text(node, "schedule")
    {
        match rules::schedule(text) {
            Ok(()) => text.clone_into(&mut task.schedule),
            Err(why) => reader.report(node.at, format!("`schedule`: {why}")),
        }
    }
    if let Some(node) = get("jitter_minutes", reader) {
        task.jitter_minutes = reader
            .number(node, "jitter_minutes", 0, 1_440)
            .unwrap_or(base.jitter_minutes);
    }
    if let Some(node) = get("cpu", reader) {
        task.cpu = reader.number(node, "cpu", 256, 16_384).unwrap_or(UNKNOWN);
    }
    if let Some(node) = get("memory_mib", reader) {
        task.memory_mib = reader.number(node, "memory_mib", 512, 122_880).unwrap_or(UNKNOWN);
    }
    if task.cpu != UNKNOWN
        && task.memory_mib != UNKNOWN
        && let Err(why) = rules::fargate(task.cpu, task.memory_mib)
    {
        reader.report(node.at, format!("{name}: {why}"));
    }
    task
}

fn queue(reader: &mut Reader<'_>, node: &Node, base: &Queue, all: bool) -> Queue {
    let fields = reader.fields(
        node,
        "`queue`",
        &["visibility_timeout_seconds", "receive_limit", "retention_days"],
    );
    let mut number = |key: &str, least, most, base| {
        let node = if all {
            fields.required(key, reader)
        } else {
            fields.get(key)
        };
        node.and_then(|node| reader.number(node, key, least, most))
            .unwrap_or(base)
    };
    Queue {
        visibility_timeout_seconds: number("visibility_timeout_seconds", 1, 43_200, base.visibility_timeout_seconds),
        receive_limit: number("receive_limit", 1, 1_000, base.receive_limit),
        retention_days: number("retention_days", 1, 14, base.retention_days),
    }
}

/// The tags of a file; those of the environment, `shared`, are added to a tenant's and count too.
pub fn tags(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    shared: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let Some(node) = fields.get("tags") else {
        return BTreeMap::new();
    };
    let Value::Map(entries) = &node.value else {
        reader.report(node.at, "`tags` is a map of texts");
        return BTreeMap::new();
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
    let all = tags.len() + shared.keys().filter(|key| !tags.contains_key(*key)).count();
    if all > rules::TAGS {
        reader.report(
            node.at,
            format!(
                "{all} tags with those of the profile; at most {}, because AWS takes 50 and some are added",
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
            compactor: task,
            queue: Queue {
                visibility_timeout_seconds: 30,
                receive_limit: 1,
                retention_days: 1,
            },
            archive_retention_days: 1,
            log_retention_days: 1,
        }
    }
}
