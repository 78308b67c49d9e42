//! The profile of an environment and its tenants, as validated: parsed names, numbers within their limits, references
//! that hold. The files as written are `yaml` trees; nothing after this module sees those.

mod profile_file;
mod settings_file;
mod tenant_file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::deploy::fields::Reader;
use crate::deploy::problem::Problems;
use crate::deploy::profile::tenant_file::Neighbours;
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::yaml::{self, Node};
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
        profile_file::profile(reader, root, &sources.environment)
    });
    // Without a usable profile its tenants are still checked, against settings that only stand in for it.
    let (settings, tags) = profile.as_ref().map_or_else(
        || (Settings::stand_in(), BTreeMap::new()),
        |profile| (profile.settings.clone(), profile.tags.clone()),
    );
    let mut tenants: Vec<Tenant> = Vec::new();
    for source in &sources.tenants {
        let neighbours = Neighbours {
            settings: &settings,
            tags: &tags,
            tenants: &tenants,
        };
        let tenant = read(source, &mut problems, |reader, root| {
            tenant_file::tenant(reader, root, &neighbours, &source.path)
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
