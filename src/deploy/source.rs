//! The files of an environment, as text. The only part of `deploy` that reads the disk; decides nothing.

pub mod git;

use std::io;
use std::path::{Path, PathBuf};

use crate::model::name::{EnvironmentName, TenantId};

/// A file as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

impl Source {
    /// The file's name without its ending.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// Everything that an environment's stacks are rendered from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSet {
    pub environment: String,
    /// What all environments share.
    pub defaults: Option<Source>,
    pub profile: Source,
    /// By file name.
    pub groups: Vec<Source>,
    /// By file name.
    pub tenants: Vec<Source>,
    pub foundation_template: Source,
    pub tenant_template: Source,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("there is no environment `{name}` in {folder}; there is {known}")]
    UnknownEnvironment {
        name: String,
        folder: String,
        known: String,
    },
    #[error("environment `{environment}` has no tenant `{tenant}`: there is no {path}")]
    UnknownTenant {
        tenant: String,
        environment: String,
        path: String,
    },
    #[error("cannot read revision {revision}: {why}")]
    Git { revision: String, why: String },
    #[error("cannot read {path}")]
    Unreadable { path: String, source: io::Error },
}

/// The names of all environments, in order.
pub fn environments(root: &Path) -> Result<Vec<String>, SourceError> {
    let folder = root.join("environments");
    let mut names: Vec<String> = entries(&folder)?
        .into_iter()
        .filter(|path| path.join("profile.yaml").is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// The files of one environment.
pub fn read_environment(root: &Path, environment: &str) -> Result<SourceSet, SourceError> {
    let shared = read_shared(root, environment)?;
    let tenants = read_tenants(root, environment)?;
    Ok(SourceSet { tenants, ..shared })
}

/// The tenant files of an environment, by file name.
pub fn read_tenants(root: &Path, environment: &str) -> Result<Vec<Source>, SourceError> {
    read_folder(root, &format!("environments/{environment}/tenants"))
}

/// The files of one tenant and what it shares with the others, of whose files none is touched.
pub fn read_tenant(root: &Path, environment: &str, tenant: &TenantId) -> Result<SourceSet, SourceError> {
    let shared = read_shared(root, environment)?;
    let path = format!("environments/{environment}/tenants/{tenant}.yaml");
    if !root.join(&path).is_file() {
        return Err(SourceError::UnknownTenant {
            tenant: tenant.to_string(),
            environment: environment.to_owned(),
            path,
        });
    }
    Ok(SourceSet {
        tenants: vec![read(root, &path)?],
        ..shared
    })
}

/// What the tenants of an environment share, and no tenant.
pub fn read_shared(root: &Path, environment: &str) -> Result<SourceSet, SourceError> {
    let folder = format!("environments/{environment}");
    let is_name = EnvironmentName::parse(environment).is_ok();
    if !is_name || !root.join(&folder).join("profile.yaml").is_file() {
        let known = environments(root)?;
        return Err(SourceError::UnknownEnvironment {
            name: environment.to_owned(),
            folder: root.join("environments").display().to_string(),
            known: if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            },
        });
    }
    let defaults = "environments/defaults.yaml";
    let (foundation_template, tenant_template) = read_templates(root)?;
    Ok(SourceSet {
        environment: environment.to_owned(),
        defaults: root
            .join(defaults)
            .is_file()
            .then(|| read(root, defaults))
            .transpose()?,
        profile: read(root, &format!("{folder}/profile.yaml"))?,
        groups: read_folder(root, &format!("{folder}/groups"))?,
        tenants: Vec::new(),
        foundation_template,
        tenant_template,
    })
}

/// The templates of the foundation and of a tenant.
pub fn read_templates(root: &Path) -> Result<(Source, Source), SourceError> {
    Ok((
        read(root, "templates/foundation.yaml.j2")?,
        read(root, "templates/tenant.yaml.j2")?,
    ))
}

/// The YAML files of a folder, by name; none when there is no such folder.
fn read_folder(root: &Path, folder: &str) -> Result<Vec<Source>, SourceError> {
    let full = root.join(folder);
    if !full.is_dir() {
        return Ok(Vec::new());
    }
    let mut files: Vec<String> = entries(&full)?
        .into_iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml")
        })
        .filter_map(|path| Some(format!("{folder}/{}", path.file_name()?.to_str()?)))
        .collect();
    files.sort_unstable();
    files.iter().map(|path| read(root, path)).collect()
}

/// The names of the golden files of an environment, in order.
pub fn golden_names(root: &Path, environment: &str) -> Result<Vec<String>, SourceError> {
    names(&root.join("snapshots").join(environment))
}

/// A golden file's text; `None` when there is none.
pub fn read_golden(root: &Path, environment: &str, file: &str) -> Result<Option<String>, SourceError> {
    read_if_there(&root.join("snapshots").join(environment).join(file))
}

/// The names of the files of a folder, in order; none when there is no such folder.
pub fn names(folder: &Path) -> Result<Vec<String>, SourceError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = entries(folder)?
        .iter()
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// A file's text; `None` when there is none.
pub fn read_if_there(path: &Path) -> Result<Option<String>, SourceError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SourceError::Unreadable {
            path: path.display().to_string(),
            source,
        }),
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|source| SourceError::Unreadable {
            path: folder.display().to_string(),
            source,
        })
}

fn read(root: &Path, path: &str) -> Result<Source, SourceError> {
    match std::fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(Source {
            path: path.to_owned(),
            text,
        }),
        Err(source) => Err(SourceError::Unreadable {
            path: root.join(path).display().to_string(),
            source,
        }),
    }
}
