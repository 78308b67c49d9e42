//! `oort schema`: JSON Schema of the files that people write and of what is printed as JSON.

use clap::{Args, ValueEnum};

use crate::cli::{Exit, output};
use crate::deploy::cost::prices;
use crate::deploy::schema::{self, File};
use crate::deploy::{check, diff};

/// Print the JSON Schema of a kind of file. `environments/schema/` holds the same for editors.
#[derive(Debug, Args)]
pub struct Schema {
    kind: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// `environments/defaults.yaml`
    Defaults,
    /// `environments/<environment>/profile.yaml`
    Profile,
    /// `environments/<environment>/groups/<group>.yaml`
    Group,
    /// `environments/<environment>/tenants/<tenant>.yaml`
    Tenant,
    /// `environments/prices.yaml`
    Prices,
    /// What `oort diff --format json` prints
    Diff,
    /// What `oort check --format json` prints
    Check,
}

impl Schema {
    pub fn run(self) -> Exit {
        let schema = match self.kind {
            Kind::Defaults => schema::of(File::Defaults),
            Kind::Profile => schema::of(File::Profile),
            Kind::Group => schema::of(File::Group),
            Kind::Tenant => schema::of(File::Tenant),
            Kind::Prices => prices::schema(),
            Kind::Diff => diff::format::json::schema(),
            Kind::Check => check::format::json::schema(),
        };
        output::json(&schema);
        Exit::Done
    }
}
