//! Environments and their tenants, read from their files.

use crate::cli::task::{DetectionArgs, TenantArgs};
use crate::cli::{Exit, Failure, Global};
use crate::deploy::onboard::clash::Claims;
use crate::deploy::problem::Problems;
use crate::deploy::render::{Rendered, Scope};
use crate::deploy::source::SourceSet;
use crate::deploy::{profile, render, source};
use crate::local::twin::{Pseudo, TwinStack};
use crate::model::name::TenantId;
use crate::model::stack::StackSpec;
use crate::model::tuning::Tuning;

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

/// Refuses what a tenant says of a rule that is not there, or that has no use for it: it would be believed and do nothing.
fn check_tuning(global: &Global, environment: &profile::Environment) -> Result<(), Failure> {
    let mut seen: Vec<&Tuning> = Vec::new();
    for tenant in &environment.tenants {
        if tenant.tuning.is_empty() || seen.contains(&&tenant.tuning) {
            continue;
        }
        let idle = DetectionArgs::default().load(global)?.tune(&tenant.tuning);
        if !idle.is_empty() {
            let why = format!(
                "`detections` of tenant `{}` has no effect:\n  {}",
                tenant.id,
                idle.join("\n  ")
            );
            return Err(Failure::input(why).hint("oort rules list --format json names every rule, with what it counts"));
        }
        seen.push(&tenant.tuning);
    }
    Ok(())
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
        check_tuning(global, &environment)?;
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
    pub tenants: Vec<profile::Tenant>,
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
            tenants: environment.tenants,
            profile: environment.profile,
            stacks,
        })
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

pub fn choose(environment: &Environment, arguments: &TenantArgs) -> Result<profile::Tenant, Failure> {
    let known = environment
        .tenants
        .iter()
        .map(|tenant| tenant.id.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let name = &arguments.environment.environment;
    match (&arguments.tenant, environment.tenants.as_slice()) {
        (Some(wanted), tenants) => tenants
            .iter()
            .find(|tenant| tenant.id.as_str() == wanted)
            .cloned()
            .ok_or_else(|| Failure::input(format!("environment `{name}` has no tenant `{wanted}`; it has {known}"))),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(
            Failure::input(format!("environment `{name}` has several tenants: {known}"))
                .hint("choose one with --tenant"),
        ),
    }
}
