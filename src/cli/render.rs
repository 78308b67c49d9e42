//! `oort render`: every environment's stacks as golden files, or the check that they are up to date.

use std::path::Path;

use clap::Args;

use crate::cli::context::{Loaded, environment_names};
use crate::cli::progress::Progress;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::golden::{Staleness, StalenessKind, compare};
use crate::deploy::render::Rendered;
use crate::deploy::source::{golden_names, read_golden};

/// How many differences `--check` shows in full.
const SHOWN: usize = 20;

/// Render every stack to `snapshots/<environment>/`, canonically.
#[derive(Debug, Args)]
pub struct Render {
    /// Only this environment; by default all.
    #[arg(long, short)]
    environment: Option<String>,
    /// Only this tenant; no file of another is read.
    #[arg(long, short, requires = "environment")]
    tenant: Option<String>,
    /// Write nothing; show what differs from the golden files, and exit with 2 when something does.
    #[arg(long, conflicts_with = "stdout")]
    check: bool,
    /// Write the stacks to standard output, one YAML document each, and no file.
    #[arg(long)]
    stdout: bool,
}

impl Render {
    pub fn run(self, global: &Global) -> Outcome {
        let names = match &self.environment {
            Some(name) => vec![name.clone()],
            None => environment_names(global)?,
        };
        let mut stale_files = 0;
        for name in &names {
            let loaded = Loaded::read(global, name, self.tenant.as_deref())?;
            if self.stdout {
                print(&loaded)?;
            } else {
                stale_files += self.golden(global, name, &loaded)?;
            }
        }
        if self.check && stale_files > 0 {
            output::line(format!(
                "{stale_files} golden files are stale; run oort render and review what changed"
            ));
            return Ok(Exit::Changes);
        }
        Ok(Exit::Done)
    }

    /// Compares each stack with its golden file, and writes what is stale unless it is only to be shown.
    fn golden(&self, global: &Global, name: &str, loaded: &Loaded) -> Result<usize, Failure> {
        let root = &global.root;
        let progress = Progress::new("rendering", loaded.stacks());
        let mut stale_files = 0;
        let compare = |stack: Rendered| {
            let file = stack.spec.file_name();
            let golden = read_golden(root, name, &file).map_err(Failure::input)?;
            let stale = compare(&file, &stack.spec.body, golden.as_deref());
            if stale.is_some() && !self.check {
                write(&root.join(format!("snapshots/{name}/{file}")), &stack.spec.body)?;
            }
            Ok((file, stale))
        };
        let mut files = Vec::new();
        loaded.for_each(compare, |(file, stale)| {
            progress.step();
            if let Some(stale) = stale {
                stale_files += 1;
                progress.suspend(|| self.tell(name, &stale, stale_files));
            }
            files.push(file);
            Ok(())
        })?;
        if self.tenant.is_none() {
            files.sort_unstable();
            for file in golden_names(root, name).map_err(Failure::input)? {
                if files.binary_search(&file).is_err() {
                    stale_files += 1;
                    let path = root.join(format!("snapshots/{name}/{file}"));
                    if !self.check {
                        std::fs::remove_file(&path).map_err(|error| unwritable(&path, error))?;
                    }
                    let kind = StalenessKind::Extra;
                    self.tell(name, &Staleness { file, kind }, stale_files);
                }
            }
        }
        Ok(stale_files)
    }

    fn tell(&self, environment: &str, stale: &Staleness, count: usize) {
        let path = format!("snapshots/{environment}/{}", stale.file);
        match (&stale.kind, self.check) {
            (StalenessKind::Missing, true) => output::line(format!("{path} is missing")),
            (StalenessKind::Extra, true) => output::line(format!("{path} belongs to no stack")),
            (StalenessKind::Different(diff), true) if count <= SHOWN => {
                output::line(format!("{path} differs:\n{diff}"));
            }
            (StalenessKind::Different(_), true) => {
                output::line(format!("{path} differs; oort diff shows such changes in groups"));
            }
            (StalenessKind::Extra, false) => output::line(format!("removed {path}")),
            (_, false) => output::line(format!("wrote {path}")),
        }
    }
}

fn print(loaded: &Loaded) -> Result<(), Failure> {
    let document = |stack: Rendered| Ok(format!("--- # {}\n{}", stack.spec.name, stack.spec.body));
    loaded.for_each(document, |text| {
        output::text(&text);
        Ok(())
    })
}

fn write(path: &Path, body: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    }
    std::fs::write(path, body).map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, error: std::io::Error) -> Failure {
    Failure::unavailable(error).hint(format!("{} must be writable", path.display()))
}
