//! The profile of an environment and its tenants, as validated: parsed names, numbers within their limits, references
//! that hold. The files as written are `yaml` trees; nothing after this module sees those.

pub mod origin;
mod profile_file;
pub mod rollout;
mod route_file;
mod settings_file;
mod tenant_file;
#[cfg(test)]
mod tests;
mod tuning_file;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;
use rayon::prelude::*;
use serde::{Serialize, Serializer};

use crate::deploy::fields::Reader;
use crate::deploy::problem::Problems;
use crate::deploy::profile::profile_file::Defaults;
pub use crate::deploy::profile::profile_file::EVENT_BUSES;
use crate::deploy::profile::rollout::Rollout;
pub use crate::deploy::profile::tenant_file::RATE_LIMIT_PERCENT;
use crate::deploy::profile::tenant_file::{Below, Placed};
use crate::deploy::source::{Source, SourceSet};
use crate::deploy::yaml::{self, Node};
use crate::model::finding::Severity;
use crate::model::name::{AccountId, EnvironmentName, EventSourceName, IntegrationId, OktaSubdomain, Region, TenantId};
use crate::model::okta::Org;
use crate::model::route::Route;
use crate::model::tuning::Tuning;

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
    /// The ARN of the policy that bounds every role.
    pub permissions_boundary: Option<String>,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    /// Networks that notifications may go to although they are private.
    #[serde(serialize_with = "joined")]
    pub private_webhooks: Vec<IpNet>,
    pub settings: Settings,
    pub tags: BTreeMap<String, String>,
    /// What its tenants' is read over.
    #[serde(skip)]
    pub tuning: Tuning,
    /// How many event buses the account and region may have.
    pub event_buses: u32,
    /// Says how a stack is deployed, and so never what is in it.
    #[serde(skip)]
    pub rollout: Rollout,
    pub suppressions: Vec<Suppression>,
}

/// A finding of a check that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    pub tool: Tool,
    pub rule: String,
    /// The only resource that is meant, by its logical ID.
    pub resource: Option<String>,
    pub reason: String,
}

/// Who checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    Oort,
    CfnLint,
    Checkov,
}

/// What each layer of files may set: defaults, environment, group, tenant. The later has the last word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub settings: Settings,
    pub tags: BTreeMap<String, String>,
    pub tuning: Tuning,
}

/// What a tenant may set otherwise than its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    pub detector: Task,
    pub compactor: Task,
    pub maintainer: Task,
    pub reconciler: Task,
    pub queue: Queue,
    pub archive_retention_days: u32,
    /// Days before today whose events, rows and findings are kept; 0 keeps them for ever.
    pub data_retention_days: u32,
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
    /// The group whose settings it shares.
    pub group: Option<String>,
    pub subdomain: OktaSubdomain,
    pub integration_id: IntegrationId,
    pub event_source: EventSourceName,
    pub settings: Settings,
    /// The routes that the tenant's topic serves.
    pub notifications: Vec<Subscription>,
    /// Those that its detector delivers to, for the template as JSON in a text, which is empty where there is none.
    #[serde(serialize_with = "as_json")]
    pub routes: Vec<Route>,
    /// What is otherwise than the rules' files say; for the template as the routes are.
    #[serde(serialize_with = "as_text")]
    pub tuning: Tuning,
    /// The names of the secrets that those ask for.
    pub secrets: BTreeSet<String>,
    /// The tenant's org, where it may be asked; for the template as JSON in a text, which is empty where it may not.
    #[serde(serialize_with = "as_org")]
    pub org: Option<Org>,
    /// The secret that it is asked with.
    pub okta_secret: Option<String>,
    pub tags: BTreeMap<String, String>,
}

fn joined<T: ToString, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
    serializer.serialize_str(&texts.join(","))
}

#[expect(clippy::ref_option, reason = "serde gives a reference to the field")]
fn as_org<S: Serializer>(org: &Option<Org>, serializer: S) -> Result<S::Ok, S::Error> {
    match org {
        None => serializer.serialize_str(""),
        Some(org) => serializer.serialize_str(&serde_json::to_string(org).map_err(serde::ser::Error::custom)?),
    }
}

fn as_text<S: Serializer>(tuning: &Tuning, serializer: S) -> Result<S::Ok, S::Error> {
    if tuning.is_empty() {
        return serializer.serialize_str("");
    }
    let text = serde_json::to_string(tuning).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

fn as_json<T: Serialize, S: Serializer>(list: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let text = match list {
        [] => String::new(),
        list => serde_json::to_string(list).map_err(serde::ser::Error::custom)?,
    };
    serializer.serialize_str(&text)
}

/// A subscription of the tenant's topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subscription {
    pub name: String,
    pub protocol: String,
    pub endpoint: String,
    /// The severities that the route takes.
    pub severities: Vec<Severity>,
    /// The only rules that it takes, by id; all where it is empty.
    pub rules: Vec<String>,
    /// A rule has one of these tags at least; any where it is empty.
    pub tags: Vec<String>,
}

/// Reads every file of an environment; reports all problems of all files at once.
pub fn validate(sources: &SourceSet) -> Result<Environment, Problems> {
    let mut problems = Problems::default();
    let (defaults, defaults_node) = match &sources.defaults {
        Some(source) => {
            let read = read(source, &mut problems, |reader, root| {
                Some((profile_file::defaults(reader, root), root.clone()))
            });
            read.map_or((Defaults::none(), None), |(defaults, node)| (defaults, Some(node)))
        }
        None => (Defaults::none(), None),
    };
    let is_given = |path: &[&str]| defaults_node.as_ref().is_some_and(|node| node.has(path));
    let profile = read(&sources.profile, &mut problems, |reader, root| {
        let profile = profile_file::profile(reader, root, &sources.environment, &defaults, &is_given)?;
        check_quota(reader, root, &profile, sources.tenants.len());
        Some(profile)
    });
    // Without a usable profile its tenants are still checked, against settings that only stand in for it.
    let layer = profile.as_ref().map_or_else(
        || Defaults::none().layer,
        |profile| Layer {
            settings: profile.settings.clone(),
            tags: profile.tags.clone(),
            tuning: profile.tuning.clone(),
        },
    );
    let mut groups = BTreeMap::new();
    for source in &sources.groups {
        let group = read(source, &mut problems, |reader, root| {
            Some(profile_file::group(reader, root, &layer))
        });
        groups.insert(source.stem().to_owned(), group.unwrap_or_else(|| layer.clone()));
    }
    let place = profile.as_ref().map_or(("", ""), |profile| {
        (profile.account_id.as_str(), profile.region.as_str())
    });
    let below = Below {
        environment: &sources.environment,
        place,
        profile: &layer,
        groups: &groups,
    };
    let mut tenants = tenants(sources, &below, &mut problems);
    tenants.sort_by(|a, b| a.id.cmp(&b.id));
    match profile {
        Some(profile) if problems.0.is_empty() => Ok(Environment { profile, tenants }),
        _ => Err(problems),
    }
}

/// Each file by itself, on all cores, and then what no two of them may share.
fn tenants(sources: &SourceSet, below: &Below<'_>, problems: &mut Problems) -> Vec<Tenant> {
    let read: Vec<(Option<Placed>, Problems)> = sources
        .tenants
        .par_iter()
        .map(|source| {
            let mut problems = Problems::default();
            let placed = read(source, &mut problems, |reader, root| {
                tenant_file::tenant(reader, root, below, &source.path)
            });
            (placed, problems)
        })
        .collect();
    let mut sources_of: HashMap<EventSourceName, TenantId> = HashMap::new();
    let mut tenants = Vec::with_capacity(read.len());
    for (source, (placed, own)) in sources.tenants.iter().zip(read) {
        let mut reader = Reader::resumed(&source.path, &source.text, own);
        if let Some(placed) = placed {
            if let Some(other) = sources_of.get(&placed.tenant.event_source) {
                let name = &placed.tenant.event_source;
                reader.report(
                    placed.okta,
                    format!("the event source {name} belongs to tenant `{other}` already"),
                );
            }
            sources_of.insert(placed.tenant.event_source.clone(), placed.tenant.id.clone());
            tenants.push(placed.tenant);
        }
        reader.finish(problems);
    }
    tenants
}

fn check_quota(reader: &mut Reader<'_>, root: &Node, profile: &Profile, tenants: usize) {
    let most = profile.event_buses;
    if profile.target == Target::Aws && tenants > most as usize {
        let at = root.find(&["quotas", "event_buses"]).map_or(root.at, |node| node.at);
        let what = format!(
            "{tenants} tenants take as many event buses, and `quotas.event_buses` is {most} for the account and region; \
             have AWS raise the quota, and then raise it here"
        );
        reader.report(at, what);
    }
}

fn read<T>(
    source: &Source,
    problems: &mut Problems,
    interpret: impl FnOnce(&mut Reader<'_>, &Node) -> Option<T>,
) -> Option<T> {
    let mut reader = Reader::resumed(&source.path, &source.text, Problems::default());
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
