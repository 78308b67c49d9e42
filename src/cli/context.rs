//! What commands are about: environments, tenants, rules. The adapters that they work with are built in `target`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Exit, Failure, Global};
use crate::deploy::onboard::clash::Claims;
use crate::deploy::problem::Problems;
use crate::deploy::render::{Rendered, Scope};
use crate::deploy::source::SourceSet;
use crate::deploy::{profile, render, source};
use crate::local::twin::{Pseudo, TwinStack};
use crate::model::name::TenantId;
use crate::model::stack::StackSpec;
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
        let shipped_folder = global.root.join("detections");
        let files = match &self.detections {
            Some(folder) => rule_files(folder)?,
            None if shipped_folder.is_dir() => rule_files(&shipped_folder)?,
            None => shipped::shipped(),
        };
        let rules = RuleSet::load(&files).map_err(Failure::input)?;
        for warning in rules.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(rules)
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

/// The names of all environments.
pub fn environment_names(global: &Global) -> Result<Vec<String>, Failure> {
    source::environments(&global.root).map_err(not_found)
}

/// Refuses an event source that a tenant of another environment has. Within one environment the validation does.
pub fn check_claims(global: &Global, sources: &SourceSet) -> Result<(), Failure> {
    let mut others = Vec::new();
    for name in environment_names(global)? {
        if name != sources.environment {
            others.extend(source::read_tenants(&global.root, &name).map_err(not_found)?);
        }
    }
    if others.is_empty() {
        return Ok(());
    }
    let (mut claims, mut problems) = (Claims::default(), Problems::default());
    claims.add(&others, &mut Problems::default());
    claims.add(&sources.tenants, &mut problems);
    if problems.0.is_empty() {
        Ok(())
    } else {
        Err(Failure::input(problems)
            .hint("an Okta subdomain with an integration ID belongs to one tenant of one environment"))
    }
}

/// The profile of an environment, of whose tenants no file is read.
pub fn profile_of(global: &Global, name: &str) -> Result<profile::Profile, Failure> {
    let sources = source::read_shared(&global.root, name).map_err(not_found)?;
    Ok(profile::validate(&sources).map_err(Failure::input)?.profile)
}

/// An environment's files, read and validated.
pub struct Loaded {
    pub sources: SourceSet,
    pub environment: profile::Environment,
    scope: Scope,
}

impl Loaded {
    /// All tenants, or one, of whose neighbours no file is read.
    pub fn read(global: &Global, name: &str, tenant: Option<&str>) -> Result<Self, Failure> {
        let (sources, scope) = match tenant {
            None => (source::read_environment(&global.root, name), Scope::All),
            Some(tenant) => {
                let tenant = TenantId::parse(tenant).map_err(Failure::input)?;
                (source::read_tenant(&global.root, name, &tenant), Scope::Tenants)
            }
        };
        let sources = sources.map_err(not_found)?;
        let environment = profile::validate(&sources).map_err(Failure::input)?;
        if scope == Scope::All {
            check_claims(global, &sources)?;
        }
        Ok(Self {
            sources,
            environment,
            scope,
        })
    }

    /// How many stacks there are.
    pub fn stacks(&self) -> usize {
        self.environment.tenants.len() + usize::from(self.scope == Scope::All)
    }

    /// See [`render::for_each`].
    pub fn for_each<T: Send>(
        &self,
        work: impl Fn(Rendered) -> Result<T, Failure> + Sync,
        take: impl FnMut(T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        render::for_each(&self.environment, &self.sources, self.scope, work, take)
    }
}

/// An environment with its rendered stacks.
pub struct Environment {
    pub profile: profile::Profile,
    tenants: Vec<TenantId>,
    pub stacks: Vec<StackSpec>,
}

impl Environment {
    /// With all tenants, or with one.
    pub fn load(global: &Global, name: &str, tenant: Option<&str>) -> Result<Self, Failure> {
        let loaded = Loaded::read(global, name, tenant)?;
        let mut stacks = Vec::new();
        loaded.for_each(Ok, |stack| {
            stacks.push(stack.spec);
            Ok(())
        })?;
        let environment = loaded.environment;
        Ok(Self {
            tenants: environment.tenants.into_iter().map(|tenant| tenant.id).collect(),
            profile: environment.profile,
            stacks,
        })
    }

    pub fn tenants(&self) -> &[TenantId] {
        &self.tenants
    }

    /// Puts a tenant's stack in place and reads it as its twin: what runs is what the file in the data folder says.
    pub fn deploy(&self, global: &Global, tenant: &TenantId) -> Result<TwinStack, Failure> {
        if self.profile.target != profile::Target::Embedded {
            let why = format!(
                "environment `{}` runs on AWS, and this command on the embedded target only",
                self.profile.environment
            );
            return Err(Failure {
                exit: Exit::Refused,
                error: why.into(),
                hint: Some("choose an embedded environment with --environment".to_owned()),
            });
        }
        let stack = self.stacks.iter().find(|stack| stack.tenant.as_ref() == Some(tenant));
        let Some(stack) = stack else {
            return Err(Failure::input(format!(
                "environment `{}` has no tenant `{tenant}`",
                self.profile.environment
            )));
        };
        let folder = global.data.join(self.profile.environment.as_str()).join("stacks");
        let path = folder.join(stack.file_name());
        let pseudo = Pseudo {
            account: self.profile.account_id.to_string(),
            region: self.profile.region.to_string(),
        };
        let failed = |error: std::io::Error| {
            Failure::unavailable(error).hint(format!("{} must be writable", global.data.display()))
        };
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&stack.body) {
            std::fs::create_dir_all(&folder).map_err(failed)?;
            let fresh = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
            std::fs::write(fresh.path(), &stack.body).map_err(failed)?;
            fresh.persist(&path).map_err(|error| failed(error.error))?;
        }
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        TwinStack::parse(&path.display().to_string(), &text, &pseudo).map_err(Failure::input)
    }
}

pub fn not_found(error: source::SourceError) -> Failure {
    let hint = match error {
        source::SourceError::UnknownTenant { .. } => "oort tenant list shows the tenants, oort tenant add adds one",
        _ => "run in the folder that holds environments/ and templates/, or name it with --root",
    };
    Failure::input(error).hint(hint)
}

#[expect(clippy::disallowed_methods, reason = "this is the front door for the names of runs")]
pub fn run_name() -> String {
    uuid::Uuid::now_v7().to_string()
}

pub fn choose(environment: &Environment, arguments: &TenantArgs) -> Result<TenantId, Failure> {
    let known = environment
        .tenants()
        .iter()
        .map(TenantId::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let name = &arguments.environment.environment;
    match (&arguments.tenant, environment.tenants()) {
        (Some(wanted), tenants) => tenants
            .iter()
            .find(|tenant| tenant.as_str() == wanted)
            .cloned()
            .ok_or_else(|| Failure::input(format!("environment `{name}` has no tenant `{wanted}`; it has {known}"))),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(
            Failure::input(format!("environment `{name}` has several tenants: {known}"))
                .hint("choose one with --tenant"),
        ),
    }
}
