//! Tenants proposed from partner event sources that no file names, so that nobody has to tell that Okta has made one. Pure.

use std::collections::BTreeSet;

use crate::deploy::onboard::clash::Claims;
use crate::deploy::onboard::tenant_file::NewTenant;
use crate::model::name::{IntegrationId, OktaSubdomain, TenantId};
use crate::model::source::{EventSource, SourceState};

/// What is made of an event source that nobody owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    Tenant {
        tenant: NewTenant,
        source: EventSource,
    },
    /// Its name says no tenant.
    Unusable {
        source: EventSource,
        why: String,
    },
}

/// What the names of Okta's event sources begin with.
const OKTA: &str = "aws.partner/okta.com/";

/// Proposals for every live source that no tenant file claims, those first that expire first. `taken` has the tenant IDs
/// that exist.
pub fn proposals<'s>(
    sources: impl Iterator<Item = &'s EventSource>,
    claims: &Claims<'_>,
    mut taken: BTreeSet<String>,
) -> Vec<Proposal> {
    let mut sources: Vec<&EventSource> = sources.filter(|source| source.state != SourceState::Deleted).collect();
    sources.sort_by_key(|source| (source.expires.unwrap_or(jiff::Timestamp::MAX), source.name.clone()));
    let mut proposals = Vec::new();
    for source in sources {
        match parts(&source.name) {
            Ok((subdomain, integration_id)) => {
                if claims.taken(subdomain.as_str(), integration_id.as_str()).is_some() {
                    continue;
                }
                match free_id(subdomain.as_str(), &taken) {
                    Ok(id) => {
                        taken.insert(id.to_string());
                        let tenant = NewTenant {
                            id,
                            group: None,
                            subdomain,
                            integration_id,
                            routes: Vec::new(),
                            tags: std::collections::BTreeMap::new(),
                        };
                        proposals.push(Proposal::Tenant {
                            tenant,
                            source: source.clone(),
                        });
                    }
                    Err(why) => proposals.push(Proposal::Unusable {
                        source: source.clone(),
                        why,
                    }),
                }
            }
            Err(why) => proposals.push(Proposal::Unusable {
                source: source.clone(),
                why,
            }),
        }
    }
    proposals
}

fn parts(name: &str) -> Result<(OktaSubdomain, IntegrationId), String> {
    let (subdomain, integration) = name
        .strip_prefix(OKTA)
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| format!("its name is not {OKTA}<subdomain>/<integration ID>"))?;
    let subdomain = OktaSubdomain::parse(subdomain).map_err(|error| error.to_string())?;
    let integration = IntegrationId::parse(integration).map_err(|error| error.to_string())?;
    Ok((subdomain, integration))
}

/// A tenant ID made of an Okta subdomain, with a number where it is taken already.
fn free_id(subdomain: &str, taken: &BTreeSet<String>) -> Result<TenantId, String> {
    const NUMBERS: u32 = 99;
    let mut bare = String::new();
    for c in subdomain.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars() {
        if c != '-' || !bare.ends_with('-') {
            bare.push(c);
        }
    }
    let candidates = (1..=NUMBERS).map(|number| {
        let ending = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let length = bare.len().min(24 - ending.len());
        format!("{}{ending}", bare[..length].trim_end_matches('-'))
    });
    let free = candidates
        .filter(|id| !taken.contains(id))
        .find_map(|id| TenantId::parse(&id).ok());
    free.ok_or_else(|| format!("no tenant ID can be made of {subdomain}; name one with oort tenant add"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::problem::Problems;
    use crate::deploy::source::Source;

    fn source(name: &str, state: SourceState, expires: Option<&str>) -> EventSource {
        EventSource {
            name: format!("{OKTA}{name}"),
            state,
            created: None,
            expires: expires.map(|at| at.parse().unwrap()),
        }
    }

    #[test]
    fn what_nobody_claims_is_proposed_and_what_expires_first_comes_first() {
        use SourceState::{Active, Deleted, Pending};
        let known = [Source {
            path: "environments/staging/tenants/acme.yaml".to_owned(),
            text: "tenant: acme\nokta: {subdomain: acme, integration_id: x-1}\n".to_owned(),
        }];
        let mut claims = Claims::default();
        claims.add(&known, &mut Problems::default());
        let sources = [
            source("acme/x-1", Active, None),
            source("acme/x-2", Pending, Some("2026-11-30T00:00:00Z")),
            source("globex/y", Pending, Some("2026-11-25T00:00:00Z")),
            source("gone/z", Deleted, None),
            source("24-7--support-and-much-more-of-it/a", Active, None),
            source("007/b", Active, None),
            source("odd", Active, None),
        ];
        let told: Vec<String> = proposals(sources.iter(), &claims, ["acme".to_owned()].into())
            .into_iter()
            .map(|proposal| match proposal {
                Proposal::Tenant { tenant, .. } => {
                    format!("{} <- {}/{}", tenant.id, tenant.subdomain, tenant.integration_id)
                }
                Proposal::Unusable { source, why } => format!("{}: {why}", source.name),
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @"
        globex <- globex/y
        acme-2 <- acme/x-2
        aws.partner/okta.com/007/b: no tenant ID can be made of 007; name one with oort tenant add
        support-and-much-more-of <- 24-7--support-and-much-more-of-it/a
        aws.partner/okta.com/odd: its name is not aws.partner/okta.com/<subdomain>/<integration ID>
        ");
    }
}
