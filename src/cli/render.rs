//! `oort render`: every environment's stacks as golden files, or the check that they are up to date.

use std::path::Path;

use clap::Args;

use crate::cli::context::Environment;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::check::{StalenessKind, compare};
use crate::deploy::source::read_golden;

/// Render every stack to `snapshots/<environment>/`, canonically.
#[derive(Debug, Args)]
pub struct Render {
    /// Only this environment; by default all.
    #[arg(long, short)]
    environment: Option<String>,
    /// Write nothing; show what differs from the golden files, and exit with 2 when something does.
    #[arg(long)]
    check: bool,
}

impl Render {
    pub fn run(self, global: &Global) -> Outcome {
        let names = match self.environment {
            Some(name) => vec![name],
            None => Environment::names(global)?,
        };
        let mut stale_files = 0;
        for name in &names {
            let environment = Environment::load(global, name)?;
            let mut rendered: Vec<(String, String)> = environment
                .stacks
                .into_iter()
                .map(|stack| (stack.file_name(), stack.body))
                .collect();
            rendered.sort_unstable();
            let golden = read_golden(&global.root, name).map_err(Failure::input)?;
            for stale in compare(&rendered, &golden) {
                stale_files += 1;
                let path = format!("snapshots/{name}/{}", stale.file);
                if self.check {
                    output::line(difference(&path, &stale.kind));
                } else {
                    update(&global.root.join(&path), &stale.file, &stale.kind, &rendered)
                        .map_err(|error| Failure::unavailable(error).hint(format!("{path} must be writable")))?;
                    output::line(format!("wrote {path}"));
                }
            }
        }
        Ok(match (self.check, stale_files) {
            (true, 1..) => {
                output::line(format!(
                    "{stale_files} golden files are stale; run oort render and review what changed"
                ));
                Exit::Changes
            }
            _ => Exit::Done,
        })
    }
}

fn difference(path: &str, kind: &StalenessKind) -> String {
    match kind {
        StalenessKind::Missing => format!("{path} is missing"),
        StalenessKind::Extra => format!("{path} belongs to no stack"),
        StalenessKind::Different(diff) => format!("{path} differs:\n{diff}"),
    }
}

fn update(path: &Path, file: &str, kind: &StalenessKind, rendered: &[(String, String)]) -> std::io::Result<()> {
    if *kind == StalenessKind::Extra {
        return std::fs::remove_file(path);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match rendered.iter().find(|(name, _)| name == file) {
        Some((_, body)) => std::fs::write(path, body),
        None => Ok(()),
    }
}
