//! What a task is told: its tenant, where that tenant's data is, and its rules.

use std::path::{Path, PathBuf};

use clap::Args;
use ipnet::IpNet;
use serde::de::DeserializeOwned;

use crate::cli::{Failure, Global};
use crate::model::okta::Org;
use crate::model::resources::{Resources, TableName};
use crate::model::route::Route;
use crate::model::tuning::Tuning;
use crate::runtime::detect::{RuleFile, RuleSet, shipped};

/// Which environment a command works on.
#[derive(Debug, Clone, Args)]
pub struct EnvironmentArgs {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT", default_value = "local")]
    pub environment: String,
}

/// Which tenant a command works on.
#[derive(Debug, Clone, Args)]
pub struct TenantArgs {
    #[command(flatten)]
    pub environment: EnvironmentArgs,
    /// The tenant; may be left out where the environment has one only.
    #[arg(long, short, env = "OORT_TENANT")]
    pub tenant: Option<String>,
    #[command(flatten)]
    pub on_aws: OnAwsArgs,
}

/// Where a tenant's data is in AWS. Where a bucket is named, no file of the project is read.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "As a task definition sets it")]
pub struct OnAwsArgs {
    /// The environment's data bucket.
    #[arg(long, env = "OORT_BUCKET", value_name = "NAME")]
    bucket: Option<String>,
    /// Where the tenant's objects are in the bucket.
    #[arg(long, env = "OORT_PREFIX", value_name = "KEY")]
    prefix: Option<String>,
    /// The tenant's event queue.
    #[arg(long, env = "OORT_QUEUE_URL", value_name = "URL")]
    queue_url: Option<String>,
    /// The topic of the tenant's notifications.
    #[arg(long, env = "OORT_TOPIC_ARN", value_name = "ARN")]
    topic_arn: Option<String>,
    /// The Glue database of the tenant's Activity table.
    #[arg(long, env = "OORT_DATABASE", value_name = "NAME")]
    database: Option<String>,
    /// The tenant's Activity table.
    #[arg(long, env = "OORT_TABLE", value_name = "NAME")]
    table: Option<String>,
    /// The routes that the detector delivers to, as a JSON list.
    #[arg(long, env = "OORT_ROUTES", value_name = "JSON")]
    routes: Option<String>,
    /// What the tenant has otherwise than the rules' files say, as JSON.
    #[arg(long, env = "OORT_TUNING", value_name = "JSON")]
    tuning: Option<String>,
    /// The tenant's Okta org and how it is asked, as JSON.
    #[arg(long, env = "OORT_OKTA", value_name = "JSON")]
    okta: Option<String>,
    /// Networks that notifications may go to although they are private.
    #[arg(long, env = "OORT_PRIVATE_WEBHOOKS", value_name = "NETWORKS", value_delimiter = ',')]
    pub private_webhooks: Vec<IpNet>,
    /// A folder for rows that are sorted; its use is about a third of the events' size.
    #[arg(long, env = "OORT_SCRATCH", value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

impl OnAwsArgs {
    /// What a person tells whose files say the rest.
    #[cfg(feature = "deploy")]
    pub fn told(okta: Option<String>) -> Self {
        Self {
            okta,
            ..Self::default()
        }
    }

    /// The routes that the detector delivers to.
    pub fn routes(&self) -> Result<Vec<Route>, Failure> {
        read_json("OORT_ROUTES", self.routes.as_deref())
    }

    /// What the tenant has otherwise than the rules' files say.
    pub fn tuning(&self) -> Result<Tuning, Failure> {
        read_json("OORT_TUNING", self.tuning.as_deref())
    }

    /// The tenant's org, where it may be asked.
    pub fn org(&self) -> Result<Option<Org>, Failure> {
        read_json("OORT_OKTA", self.okta.as_deref())
    }

    /// What they name; `None` without a bucket: the embedded target runs the same task definitions and leaves out of them what
    /// names a resource in AWS.
    pub fn resources(&self) -> Result<Option<Resources>, Failure> {
        let Some(bucket) = self.bucket.clone() else {
            return Ok(None);
        };
        let prefix = self.prefix.clone().ok_or_else(|| {
            Failure::input("a bucket is named, and not where the tenant's objects are in it").hint("set OORT_PREFIX")
        })?;
        let table = self.database.clone().zip(self.table.clone());
        Ok(Some(Resources {
            bucket,
            prefix,
            queue_url: self.queue_url.clone(),
            topic_arn: self.topic_arn.clone(),
            table: table.map(|(database, table)| TableName { database, table }),
        }))
    }
}

fn read_json<T: Default + DeserializeOwned>(variable: &str, text: Option<&str>) -> Result<T, Failure> {
    let read = text.map_or_else(|| Ok(T::default()), serde_json::from_str);
    read.map_err(|error| {
        Failure::input(format!("{variable} cannot be read: {error}")).hint("deploy the tenant's stack again")
    })
}

/// Which rules a command runs.
#[derive(Debug, Clone, Default, Args)]
pub struct DetectionArgs {
    /// A folder of Sigma rules to run instead of `detections/` or, without that folder, of the built-in rules.
    #[arg(long, env = "OORT_DETECTIONS", value_name = "DIR")]
    pub detections: Option<PathBuf>,
}

impl DetectionArgs {
    /// Loads the rules and warns of what a person should know about them.
    pub fn load(&self, global: &Global) -> Result<RuleSet, Failure> {
        let files = self.files(global)?;
        let rules = RuleSet::load(&files).map_err(Failure::input)?;
        for warning in rules.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(rules)
    }
}

impl DetectionArgs {
    /// The rules as a tenant wants them. A rule that is spoken of and not there is no reason to run none.
    pub fn tuned(&self, global: &Global, tuning: &Tuning) -> Result<RuleSet, Failure> {
        let mut rules = self.load(global)?;
        for idle in rules.tune(tuning) {
            tracing::warn!("the tenant's `detections` have no effect: {idle}");
        }
        Ok(rules)
    }

    /// The rule files, as they are.
    pub fn files(&self, global: &Global) -> Result<Vec<RuleFile>, Failure> {
        let shipped_folder = global.root.join("detections");
        match &self.detections {
            Some(folder) => rule_files(folder),
            None if shipped_folder.is_dir() => rule_files(&shipped_folder),
            None => Ok(shipped::shipped()),
        }
    }
}

/// Every `.yml` and `.yaml` file of a folder, in order.
fn rule_files(folder: &Path) -> Result<Vec<RuleFile>, Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::input(format!("cannot read {}: {error}", path.display()))
            .hint("name a folder of Sigma rules with --detections")
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml")
        {
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            files.push(RuleFile {
                path: path.display().to_string(),
                text,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

#[expect(clippy::disallowed_methods, reason = "this is the front door for the names of runs")]
pub fn run_name() -> String {
    uuid::Uuid::now_v7().to_string()
}
