//! The file of a new tenant, written from answers. Pure.

use std::collections::BTreeMap;
use std::fmt;

use crate::deploy::tree::Tree;
use crate::deploy::{emit, rules};
use crate::model::name::{IntegrationId, OktaSubdomain, TenantId};

/// What is known of a new tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    pub id: TenantId,
    pub group: Option<String>,
    pub subdomain: OktaSubdomain,
    pub integration_id: IntegrationId,
    pub routes: Vec<NewRoute>,
    pub tags: BTreeMap<String, String>,
}

/// Who is told of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRoute {
    pub name: String,
    pub minimum_severity: String,
    pub endpoint: String,
}

impl NewRoute {
    /// `name,severity,endpoint`, such as `soc,high,soc@acme.example`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.splitn(3, ',').map(str::trim).collect::<Vec<_>>()[..] {
            [name, severity, endpoint] => {
                let route = Self {
                    name: name.to_owned(),
                    minimum_severity: severity.to_owned(),
                    endpoint: endpoint.to_owned(),
                };
                route.check().map(|()| route)
            }
            _ => Err("write name,severity,endpoint, as in soc,high,soc@acme.example".to_owned()),
        }
    }

    fn check(&self) -> Result<(), String> {
        if !rules::is_route_name(&self.name) {
            Err(format!(
                "{:?} is no name of a route: 1 to 32 letters and digits",
                self.name
            ))
        } else if rules::severities_from(&self.minimum_severity).is_empty() {
            Err(format!(
                "{:?} is no severity: informational, low, medium, high or critical",
                self.minimum_severity
            ))
        } else {
            rules::endpoint(self.protocol(), &self.endpoint).map_err(|_| {
                format!(
                    "{:?} is no e-mail address, and no address that starts with https://",
                    self.endpoint
                )
            })
        }
    }

    fn protocol(&self) -> &'static str {
        if self.endpoint.contains("://") {
            "https"
        } else {
            "email"
        }
    }
}

/// As [`NewRoute::parse`] takes it.
impl fmt::Display for NewRoute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{},{},{}", self.name, self.minimum_severity, self.endpoint)
    }
}

/// The subdomain in what a person pasted: the subdomain, or an address of the org's pages.
pub fn subdomain(text: &str) -> Result<OktaSubdomain, String> {
    let bare = text.trim().to_ascii_lowercase();
    let host = bare
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .split(['/', ':', '?', '#'])
        .next()
        .unwrap_or_default();
    let label = match host.split_once('.') {
        None => host,
        Some((label, "okta.com" | "oktapreview.com" | "okta-emea.com" | "okta-gov.com" | "okta.mil")) => {
            label.strip_suffix("-admin").unwrap_or(label)
        }
        Some(_) => {
            return Err(format!(
                "{host} is no address of an Okta org; a custom domain hides the subdomain, which Okta shows under Settings > Account"
            ));
        }
    };
    OktaSubdomain::parse(label).map_err(|error| error.to_string())
}

/// The file's text, in the order in which people write such files.
pub fn text(tenant: &NewTenant) -> String {
    let word = |text: &str| Tree::text(text);
    let map = |entries: Vec<(&str, Tree)>| {
        Tree::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    };
    let mut head = vec![("tenant", word(tenant.id.as_str()))];
    head.extend(tenant.group.as_deref().map(|group| ("group", word(group))));
    let okta = vec![
        ("subdomain", word(tenant.subdomain.as_str())),
        ("integration_id", word(tenant.integration_id.as_str())),
    ];
    let route = |route: &NewRoute| {
        map(vec![
            ("name", word(&route.name)),
            ("protocol", word(route.protocol())),
            ("endpoint", word(&route.endpoint)),
            ("minimum_severity", word(&route.minimum_severity)),
        ])
    };
    let mut parts = vec![map(head), map(vec![("okta", map(okta))])];
    if !tenant.routes.is_empty() {
        let routes = tenant.routes.iter().map(route).collect();
        parts.push(map(vec![("notifications", Tree::List(routes))]));
    }
    if !tenant.tags.is_empty() {
        let tags = tenant
            .tags
            .iter()
            .map(|(key, value)| (key.as_str(), word(value)))
            .collect();
        parts.push(map(vec![("tags", map(tags))]));
    }
    let parts: Vec<String> = parts.iter().map(emit::document).collect();
    format!(
        "# yaml-language-server: $schema=../../schema/tenant.json\n{}",
        parts.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_as_people_write_it() {
        let tenant = NewTenant {
            id: TenantId::parse("acme").unwrap(),
            group: Some("busy".to_owned()),
            subdomain: OktaSubdomain::parse("no").unwrap(),
            integration_id: IntegrationId::parse("012").unwrap(),
            routes: vec![
                NewRoute::parse("soc,high,soc@acme.example").unwrap(),
                NewRoute::parse("siem, low, https://siem.acme.example/a,b").unwrap(),
            ],
            tags: BTreeMap::from([("owner".to_owned(), "the: team".to_owned())]),
        };
        insta::assert_snapshot!(text(&tenant), @r#"
        # yaml-language-server: $schema=../../schema/tenant.json
        tenant: acme
        group: busy

        okta:
          subdomain: "no"
          integration_id: "012"

        notifications:
          - name: soc
            protocol: email
            endpoint: "soc@acme.example"
            minimum_severity: high
          - name: siem
            protocol: https
            endpoint: "https://siem.acme.example/a,b"
            minimum_severity: low

        tags:
          owner: "the: team"
        "#);
        for bad in [
            "soc@acme.example",
            "so c,high,soc@acme.example",
            "soc,urgent,soc@acme.example",
            "soc,high,nobody",
            "soc,high,http://acme.example",
        ] {
            assert!(NewRoute::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_has_a_subdomain() {
        for (pasted, expected) in [
            ("acme", "acme"),
            ("Acme.okta.com", "acme"),
            ("https://acme-admin.okta.com/admin/dashboard", "acme"),
            (" https://acme-dev.oktapreview.com ", "acme-dev"),
            ("acme-admin-admin.okta.com#top", "acme-admin"),
        ] {
            assert_eq!(subdomain(pasted).unwrap().as_str(), expected);
        }
        for bad in ["", "login.acme.com", "https://", "ac me"] {
            assert!(subdomain(bad).is_err(), "{bad}");
        }
    }
}
