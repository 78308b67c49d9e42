//! `oort schema`: JSON Schema of the files that people write and of what is printed as JSON.

use clap::{Args, ValueEnum};

use crate::cli::{Exit, Outcome, output};
use crate::deploy::schema;

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
}

impl Schema {
    pub fn run(self) -> Outcome {
        let schema = schema::of(match self.kind {
            Kind::Defaults => schema::File::Defaults,
            Kind::Profile => schema::File::Profile,
            Kind::Group => schema::File::Group,
            Kind::Tenant => schema::File::Tenant,
        });
        output::json(&schema);
        Ok(Exit::Done)
    }
}
