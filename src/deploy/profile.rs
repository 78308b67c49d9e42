//! The profile of an environment and its tenants, as validated: parsed names, numbers within their limits, references
//! that hold. The files as written are `yaml` trees; nothing after this module sees those.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::problem::Problems;
use crate::deploy::rules;
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::yaml::{self, Node, Value};
use crate::model::finding::Severity;
use crate::model::name::{AccountId, EnvironmentName, EventSourceName, IntegrationId, OktaSubdomain, Region, TenantId};

/// Where an environment runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    Aws,
    /// On this machine, by a twin of the stack.
    Embedded,
}

/// An environment that can be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub profile: Profile,
    /// By tenant ID.
    pub tenants: Vec<Tenant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    pub environment: EnvironmentName,
    pub target: Target,
    pub account_id: AccountId,
    pub region: Region,
    /// The container image that the tasks run.
    pub image: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub settings: Settings,
    pub tags: BTreeMap<String, String>,
}

/// What a tenant may set otherwise than its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    pub detector: Task,
    pub compactor: Task,
    pub queue: Queue,
    pub archive_retention_days: u32,
    pub log_retention_days: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    /// An EventBridge Scheduler expression, in UTC.
    pub schedule: String,
    /// The length of the flexible window in which a run may start; 0 for none.
    pub jitter_minutes: u32,
    /// Fargate CPU units.
    pub cpu: u32,
    pub memory_mib: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Queue {
    pub visibility_timeout_seconds: u32,
    pub receive_limit: u32,
    pub retention_days: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    pub id: TenantId,
    pub subdomain: OktaSubdomain,
    pub integration_id: IntegrationId,
    pub event_source: EventSourceName,
    pub settings: Settings,
    pub notifications: Vec<Route>,
    pub tags: BTreeMap<String, String>,
}

/// Who is told of findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    pub name: String,
    pub protocol: String,
    pub endpoint: String,
    /// The severities that the route takes.
    pub severities: Vec<Severity>,
}

/// Reads the profile and every tenant file; reports all problems of all files at once.
pub fn validate(sources: &SourceSet) -> Result<Environment, Problems> {
    let mut problems = Problems::default();
    let profile = read(&sources.profile, &mut problems, |reader, root| {
        profile(reader, root, &sources.environment)
    });
    // Without a usable profile its tenants are still checked, against settings that only stand in for it.
    let settings = profile
        .as_ref()
        .map_or_else(Settings::stand_in, |profile| profile.settings.clone());
    let mut tenants: Vec<Tenant> = Vec::new();
    for source in &sources.tenants {
        let tenant = read(source, &mut problems, |reader, root| {
            let (tenant, at) = tenant(reader, root, &settings, &source.path)?;
            if let Some(other) = tenants.iter().find(|other| other.event_source == tenant.event_source) {
                let what = format!(
                    "the event source {} belongs to tenant `{}` already",
                    tenant.event_source, other.id
                );
                reader.report(at, what);
            }
            Some(tenant)
        });
        tenants.extend(tenant);
    }
    tenants.sort_by(|a, b| a.id.cmp(&b.id));
    match profile {
        Some(profile) if problems.0.is_empty() => Ok(Environment { profile, tenants }),
        _ => Err(problems),
    }
}

fn read<T>(
    source: &Source,
    problems: &mut Problems,
    interpret: impl FnOnce(&mut Reader<'_>, &Node) -> Option<T>,
) -> Option<T> {
    let mut reader = Reader::new(&source.path, &source.text);
    let value = match yaml::parse(&source.text) {
        Ok(root) => interpret(&mut reader, &root),
        Err(error) => {
            reader.report(error.at, format!("cannot be read as YAML: {}", error.why));
            None
        }
    };
    reader.finish(problems);
    value
}

const SETTINGS: [&str; 5] = [
    "detector",
    "compactor",
    "queue",
    "archive_retention_days",
    "log_retention_days",
];

fn profile(reader: &mut Reader<'_>, root: &Node, folder: &str) -> Option<Profile> {
    let own = [
        "environment",
        "target",
        "account_id",
        "region",
        "image",
        "network",
        "tags",
    ];
    let fields = reader.fields(root, "a profile", &[&own[..], &SETTINGS].concat());
    let environment = fields.required("environment", reader).and_then(|node| {
        let name = reader.parsed(node, "environment", EnvironmentName::parse)?;
        if name.as_str() != folder {
            reader.report(
                node.at,
                format!("`environment` must be `{folder}`, as its folder is named"),
            );
        }
        Some(name)
    });
    let target = fields
        .required("target", reader)
        .and_then(|node| match reader.text(node, "target")? {
            "aws" => Some(Target::Aws),
            "embedded" => Some(Target::Embedded),
            _ => {
                reader.report(node.at, "`target` is aws or embedded");
                None
            }
        });
    let account_id = fields
        .required("account_id", reader)
        .and_then(|node| reader.parsed(node, "account_id", AccountId::parse));
    let region = fields
        .required("region", reader)
        .and_then(|node| reader.parsed(node, "region", Region::parse));
    let image = fields
        .required("image", reader)
        .and_then(|node| reader.text(node, "image").map(str::to_owned));
    let network = fields.required("network", reader).map(|node| {
        let fields = reader.fields(node, "`network`", &["subnets", "security_groups"]);
        (
            ids(reader, &fields, "subnets", "subnet-"),
            ids(reader, &fields, "security_groups", "sg-"),
        )
    });
    for name in SETTINGS {
        fields.required(name, reader);
    }
    let settings = settings(reader, &fields, &Settings::stand_in(), true);
    let tags = tags(reader, &fields);
    let (subnets, security_groups) = network?;
    Some(Profile {
        environment: environment?,
        target: target?,
        account_id: account_id?,
        region: region?,
        image: image?,
        subnets,
        security_groups,
        settings,
        tags,
    })
}

fn ids(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, prefix: &str) -> Vec<String> {
    let Some(node) = fields.required(name, reader) else {
        return Vec::new();
    };
    let items = reader.list(node, name);
    if items.is_empty() {
        reader.report(node.at, format!("`{name}` names at least one"));
    }
    let mut found = Vec::new();
    for item in items {
        match reader.text(item, name) {
            Some(id) if id.starts_with(prefix) => found.push(id.to_owned()),
            Some(_) => reader.report(item.at, format!("each of `{name}` starts with {prefix}")),
            None => {}
        }
    }
    found
}

/// The settings of a profile or tenant: what is written, over `base`. A profile writes everything.
fn settings(reader: &mut Reader<'_>, fields: &Fields<'_>, base: &Settings, all: bool) -> Settings {
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
        task.cpu = reader.number(node, "cpu", 256, 16_384).unwrap_or(base.cpu);
    }
    if let Some(node) = get("memory_mib", reader) {
        task.memory_mib = reader
            .number(node, "memory_mib", 512, 122_880)
            .unwrap_or(base.memory_mib);
    }
    if let Err(why) = rules::fargate(task.cpu, task.memory_mib) {
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

fn tags(reader: &mut Reader<'_>, fields: &Fields<'_>) -> BTreeMap<String, String> {
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
    if tags.len() > rules::TAGS {
        reader.report(
            node.at,
            format!("at most {} tags, because AWS takes 50 and some are added", rules::TAGS),
        );
    }
    tags
}

fn tenant(reader: &mut Reader<'_>, root: &Node, base: &Settings, path: &str) -> Option<(Tenant, yaml::At)> {
    let fields = reader.fields(
        root,
        "a tenant",
        &[&["tenant", "okta", "notifications", "tags"][..], &SETTINGS].concat(),
    );
    let id = fields.required("tenant", reader).and_then(|node| {
        let id = reader.parsed(node, "tenant", TenantId::parse)?;
        let file = path.rsplit('/').next().unwrap_or_default();
        if file != format!("{id}.yaml") {
            reader.report(node.at, format!("tenant `{id}` belongs into the file {id}.yaml"));
        }
        Some(id)
    });
    let okta = fields.required("okta", reader);
    let names = okta.and_then(|node| {
        let fields = reader.fields(node, "`okta`", &["subdomain", "integration_id"]);
        let subdomain = fields
            .required("subdomain", reader)
            .and_then(|node| reader.parsed(node, "subdomain", OktaSubdomain::parse));
        let integration = fields
            .required("integration_id", reader)
            .and_then(|node| reader.parsed(node, "integration_id", IntegrationId::parse));
        Some((subdomain?, integration?))
    });
    let settings = settings(reader, &fields, base, false);
    let notifications = routes(reader, &fields);
    let tags = tags(reader, &fields);
    let (id, (subdomain, integration_id), okta) = (id?, names?, okta?);
    let event_source = match EventSourceName::of(&subdomain, &integration_id) {
        Ok(name) => name,
        Err(error) => {
            reader.report(okta.at, error.to_string());
            return None;
        }
    };
    Some((
        Tenant {
            id,
            subdomain,
            integration_id,
            event_source,
            settings,
            notifications,
            tags,
        },
        okta.at,
    ))
}

fn routes(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let items = fields
        .get("notifications")
        .map_or(&[][..], |node| reader.list(node, "notifications"));
    for item in items {
        let fields = reader.fields(
            item,
            "a notification route",
            &["name", "protocol", "endpoint", "minimum_severity"],
        );
        let mut text = |key: &str| {
            Some((fields.required(key, reader)?, key)).and_then(|(node, key)| Some((node, reader.text(node, key)?)))
        };
        let (name, protocol, endpoint, least) = (
            text("name"),
            text("protocol"),
            text("endpoint"),
            text("minimum_severity"),
        );
        let (Some((name_node, name)), Some((_, protocol)), Some((endpoint_node, endpoint)), Some((least_node, least))) =
            (name, protocol, endpoint, least)
        else {
            continue;
        };
        let severities = rules::severities_from(least);
        if severities.is_empty() {
            reader.report(
                least_node.at,
                "`minimum_severity` is informational, low, medium, high or critical",
            );
        }
        if !rules::is_route_name(name) || routes.iter().any(|route| route.name == name) {
            reader.report(
                name_node.at,
                "`name` is a word of letters and digits that no other route of the tenant has",
            );
        }
        if let Err(why) = rules::endpoint(protocol, endpoint) {
            reader.report(endpoint_node.at, why);
        }
        routes.push(Route {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            severities,
        });
    }
    routes
}

impl Settings {
    /// Values that stand in where a profile could not be read, so that the rest can still be checked. Never rendered.
    fn stand_in() -> Self {
        let task = Task {
            schedule: String::new(),
            jitter_minutes: 0,
            cpu: 256,
            memory_mib: 512,
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
