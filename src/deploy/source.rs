//! The files of an environment, as text. The only part of `deploy` that reads the disk; decides nothing.

use std::io;
use std::path::{Path, PathBuf};

/// A file as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

/// Everything that an environment's stacks are rendered from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSet {
    pub environment: String,
    pub profile: Source,
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
    let known = environments(root)?;
    if !known.iter().any(|name| name == environment) {
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
    let folder = format!("environments/{environment}");
    let tenants = format!("{folder}/tenants");
    let mut files: Vec<String> = match root.join(&tenants) {
        path if path.is_dir() => entries(&path)?
            .into_iter()
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "yaml" || extension == "yml")
            })
            .filter_map(|path| Some(format!("{tenants}/{}", path.file_name()?.to_str()?)))
            .collect(),
        _ => Vec::new(),
    };
    files.sort_unstable();
    Ok(SourceSet {
        environment: environment.to_owned(),
        profile: read(root, &format!("{folder}/profile.yaml"))?,
        tenants: files.iter().map(|path| read(root, path)).collect::<Result<_, _>>()?,
        foundation_template: read(root, "templates/foundation.yaml.j2")?,
        tenant_template: read(root, "templates/tenant.yaml.j2")?,
    })
}

/// The golden files of an environment, as `(file name, text)`.
pub fn read_golden(root: &Path, environment: &str) -> Result<Vec<(String, String)>, SourceError> {
    let folder = root.join("snapshots").join(environment);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for path in entries(&folder)? {
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            files.push((name.to_owned(), read(&folder, name)?.text));
        }
    }
    files.sort_unstable();
    Ok(files)
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
