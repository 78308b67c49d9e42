//! An Okta subdomain with an integration ID belongs to one tenant of one environment: the name of its event source is
//! unique across AWS. Pure.

use std::collections::HashMap;

use crate::deploy::problem::{Problem, Problems};
use crate::deploy::source::Source;
use crate::deploy::yaml::{self, At, Node, Value};

/// Who has claimed what so far.
#[derive(Debug, Default)]
pub struct Claims<'s> {
    owners: HashMap<(String, String), (&'s str, At)>,
}

impl<'s> Claims<'s> {
    /// Adds the claims of tenant files; the problems name both places. What cannot be read claims nothing: whoever
    /// validates the file says what is wrong with it.
    pub fn add(&mut self, tenants: &'s [Source], problems: &mut Problems) {
        for source in tenants {
            let Some((claim, at)) = claim(&source.text) else {
                continue;
            };
            if let Some(what) = self.taken(&claim.0, &claim.1) {
                problems.0.push(Problem {
                    path: source.path.clone(),
                    at,
                    what,
                    line: source.text.lines().nth(at.line - 1).unwrap_or_default().to_owned(),
                });
            } else {
                self.owners.insert(claim, (&source.path, at));
            }
        }
    }

    /// Says whose the event source is, when it is somebody's.
    pub fn taken(&self, subdomain: &str, integration: &str) -> Option<String> {
        let (path, at) = self.owners.get(&(subdomain.to_owned(), integration.to_owned()))?;
        Some(format!(
            "Okta subdomain {subdomain} with integration ID {integration} belongs to {path}:{} already, and to one tenant only",
            at.line
        ))
    }
}

/// Subdomain and integration ID, and where the latter stands.
fn claim(text: &str) -> Option<((String, String), At)> {
    let root = yaml::parse(text).ok()?;
    let value = |key| root.find(&["okta", key]);
    let text = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => Some(text.clone()),
        _ => None,
    };
    let integration = value("integration_id")?;
    Some(((text(value("subdomain")?)?, text(integration)?), integration.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tenants_of_two_environments_claim_one_source() {
        let source = |path: &str, subdomain: &str| Source {
            path: path.to_owned(),
            text: format!("tenant: a\nokta: {{subdomain: {subdomain}, integration_id: x-1}}\n"),
        };
        let staging = [
            source("environments/staging/tenants/a.yaml", "acme"),
            source("s/b.yaml", "beta"),
        ];
        let production = [source("environments/production/tenants/a.yaml", "acme")];
        let mut problems = Problems::default();
        let mut claims = Claims::default();
        claims.add(&staging, &mut problems);
        assert_eq!(problems.0, []);
        claims.add(&production, &mut problems);
        insta::assert_snapshot!(problems, @"
        1 problem in the environment's files
        environments/production/tenants/a.yaml:2:41: Okta subdomain acme with integration ID x-1 belongs to environments/staging/tenants/a.yaml:2 already, and to one tenant only
             2 | okta: {subdomain: acme, integration_id: x-1}
               |                                         ^
        ");
    }
}
