//! Who looks, and what they may do on which tenant. Pure.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// What somebody may do on a tenant; who may more may less too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Refreshes a user's data, judges findings.
    Analyst,
    /// Whatever the console can do.
    Admin,
}

impl Role {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "viewer" => Some(Self::Viewer),
            "analyst" => Some(Self::Analyst),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Roles by tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    everywhere: Option<Role>,
    by_tenant: BTreeMap<String, Role>,
}

impl Grants {
    /// A role on every tenant.
    pub fn everywhere(role: Role) -> Self {
        Self {
            everywhere: Some(role),
            by_tenant: BTreeMap::new(),
        }
    }

    /// From the values of a claim: `<prefix><tenant>:<role>`, with `*` for every tenant. What reads otherwise grants nothing; of
    /// several roles on a tenant the highest counts.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>, prefix: &str) -> Self {
        let mut grants = Self::default();
        for value in values {
            let Some((tenant, role)) = value.strip_prefix(prefix).and_then(|rest| rest.rsplit_once(':')) else {
                continue;
            };
            let Some(role) = Role::parse(role) else { continue };
            if tenant == "*" {
                grants.everywhere = grants.everywhere.max(Some(role));
            } else {
                let known = grants.by_tenant.entry(tenant.to_owned()).or_insert(role);
                *known = role.max(*known);
            }
        }
        grants
    }

    pub fn on(&self, tenant: &str) -> Option<Role> {
        self.everywhere.max(self.by_tenant.get(tenant).copied())
    }

    pub fn are_empty(&self) -> bool {
        self.everywhere.is_none() && self.by_tenant.is_empty()
    }

    /// The highest role on any tenant.
    pub fn highest(&self) -> Option<Role> {
        self.by_tenant.values().copied().max().max(self.everywhere)
    }
}

/// Somebody whose sign-in holds.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// As findings and the audit log name them.
    pub name: String,
    pub grants: Grants,
    /// What each form sends back, so that no other site's form is taken for ours.
    pub csrf: String,
    /// Whether there is a session that can end; on this machine alone nobody signs in.
    pub is_signed_in: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_grants_what_it_says_and_no_more() {
        let values = [
            "oort:acme:viewer",
            "oort:acme:analyst",
            "oort:globex:admin",
            "oort:hooli:owner",
            "oort::admin",
            "other:initech:admin",
            "oort:*",
            "Everyone",
        ];
        let grants = Grants::parse(values, "oort:");
        assert_eq!(grants.on("acme"), Some(Role::Analyst));
        assert_eq!(grants.on("globex"), Some(Role::Admin));
        for other in ["hooli", "initech", "*", "acme:viewer", "ACME"] {
            assert_eq!(grants.on(other), None, "{other}");
        }
        let all = Grants::parse(["oort:*:viewer", "oort:acme:admin"], "oort:");
        assert_eq!(
            (all.on("hooli"), all.on("acme")),
            (Some(Role::Viewer), Some(Role::Admin))
        );
        assert!(Grants::parse(["oort:acme:root"], "oort:").are_empty());
    }
}
