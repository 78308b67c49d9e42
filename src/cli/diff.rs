//! `oort diff`: what changes against the golden files, a revision or a folder of templates, as a reviewer reads it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::context::{Loaded, environment_names};
use crate::cli::progress::Progress;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::diff::StackDiff;
use crate::deploy::diff::compare::{After, compare};
use crate::deploy::diff::fleet::{Fleet, OwnNames, own_names};
use crate::deploy::diff::format;
use crate::deploy::render::Rendered;
use crate::deploy::source::git::Revision;
use crate::deploy::source::{SourceError, names, read_if_there};

/// Show what changes in each stack, and in how many stacks each change is the same. Exits with 2 when something changes.
#[derive(Debug, Args)]
pub struct Diff {
    /// Only this environment; by default all.
    #[arg(long, short)]
    environment: Option<String>,
    /// Only this tenant; no file of another is read.
    #[arg(long, short, requires = "environment")]
    tenant: Option<String>,
    /// Against the golden files of this branch, tag or commit; by default those of the work tree.
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
    /// Against the templates of a folder, which holds `<environment>/<tenant>.yaml` or, with --environment,
    /// `<tenant>.yaml`.
    #[arg(long, value_name = "DIR", conflicts_with = "against")]
    folder: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How changes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal; colours unless `NO_COLOR` is set.
    Text,
    /// For machines; `oort schema diff` prints its schema.
    Json,
    /// For a pull request; fits a comment.
    Markdown,
    /// One page that needs nothing besides itself.
    Html,
}

/// The changes in a format.
pub fn written(fleet: &Fleet, format: Format) -> String {
    match format {
        Format::Text => format::text::text(fleet),
        Format::Json => format!("{:#}\n", format::json::json(fleet)),
        Format::Markdown => format::markdown::markdown(fleet),
        Format::Html => format::html::html(fleet),
    }
}

/// What the rendered stacks are compared with.
enum Before {
    Folder(PathBuf),
    Revision(Revision),
}

impl Diff {
    pub fn run(self, global: &Global) -> Outcome {
        let environments = match &self.environment {
            Some(name) => vec![name.clone()],
            None => environment_names(global)?,
        };
        let mut fleet = Fleet::default();
        for name in &environments {
            self.add(global, name, &mut fleet)?;
        }
        let text = written(&fleet, self.format);
        match (&self.output, self.format) {
            (None, Format::Text) => output::coloured(&text),
            (path, _) => output::to_file_or_stdout(path.as_deref(), &text)
                .map_err(|error| Failure::unavailable(error).hint("check that the file can be written"))?,
        }
        Ok(if fleet.is_empty() { Exit::Done } else { Exit::Changes })
    }

    fn add(&self, global: &Global, environment: &str, fleet: &mut Fleet) -> Result<(), Failure> {
        let loaded = Loaded::read(global, environment, self.tenant.as_deref())?;
        let before = self.before(global, environment)?;
        let progress = Progress::new("comparing", loaded.stacks());
        let mut files = BTreeSet::new();
        let compare = |stack: Rendered| {
            let file = stack.spec.file_name();
            let old = before.read(environment, &file).map_err(Failure::input)?;
            let diff = diff(environment, &file, old.as_deref(), Some(&stack))?;
            Ok((file, diff, own_names(&stack.spec)))
        };
        loaded.for_each(compare, |(file, diff, own)| {
            progress.step();
            fleet.add(diff, &own);
            files.insert(file);
            Ok(())
        })?;
        if self.tenant.is_none() {
            for file in before.names(global, environment).map_err(Failure::input)? {
                if !files.contains(&file) {
                    let old = before.read(environment, &file).map_err(Failure::input)?;
                    fleet.add(diff(environment, &file, old.as_deref(), None)?, &OwnNames::new());
                }
            }
        }
        Ok(())
    }

    fn before(&self, global: &Global, environment: &str) -> Result<Before, Failure> {
        if let Some(name) = &self.against {
            let revision = Revision::open(&global.root, name);
            return revision.map(Before::Revision).map_err(|error| {
                Failure::input(error).hint("in a shallow clone, fetch the revision first: git fetch origin <branch>")
            });
        }
        let Some(folder) = &self.folder else {
            return Ok(Before::Folder(global.root.join("snapshots").join(environment)));
        };
        let inner = folder.join(environment);
        let is_there = |path: &Path| path.is_dir().then(|| path.to_owned());
        match is_there(&inner).or_else(|| is_there(folder).filter(|_| self.environment.is_some())) {
            Some(folder) => Ok(Before::Folder(folder)),
            None => Err(Failure::input(format!("there is no folder {}", inner.display()))
                .hint("--folder names the folder that holds a folder for each environment")),
        }
    }
}

impl Before {
    fn read(&self, environment: &str, file: &str) -> Result<Option<String>, SourceError> {
        match self {
            Self::Folder(folder) => read_if_there(&folder.join(file)),
            Self::Revision(revision) => revision.read(&format!("snapshots/{environment}/{file}")),
        }
    }

    fn names(&self, global: &Global, environment: &str) -> Result<BTreeSet<String>, SourceError> {
        match self {
            Self::Folder(folder) => names(folder).map(BTreeSet::from_iter),
            Self::Revision(revision) => revision.names(&global.root, &format!("snapshots/{environment}")),
        }
    }
}

fn diff(
    environment: &str,
    file: &str,
    before: Option<&str>,
    after: Option<&Rendered>,
) -> Result<Option<StackDiff>, Failure> {
    let tree = || after.map_or(crate::deploy::tree::Tree::Null, Rendered::tree);
    let after = after.map(|stack| After {
        text: &stack.spec.body,
        tree: &tree,
    });
    let stack = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    compare(environment, stack, before, after.as_ref()).map_err(|error| {
        let at = error.at;
        let place = format!("{environment}/{file}:{}:{}", at.line, at.column);
        Failure::input(format!(
            "{place}: the template to compare with cannot be read as YAML: {}",
            error.why
        ))
    })
}
