//! A tenant as it is written in `tenants/<tenant>.yaml`.

use std::collections::BTreeMap;

use crate::deploy::fields::Reader;
use crate::deploy::profile::profile_file::layer;
use crate::deploy::profile::route_file::{Routes, routes};
use crate::deploy::profile::{Layer, Tenant};
use crate::deploy::shape;
use crate::deploy::yaml::{At, Node};
use crate::model::name::{EventSourceName, IntegrationId, OktaSubdomain, TenantId};

/// What a tenant's file is read over.
pub struct Below<'a> {
    pub environment: &'a str,
    pub profile: &'a Layer,
    pub groups: &'a BTreeMap<String, Layer>,
}

/// A tenant, and where its file has what no two tenants may share.
pub struct Placed {
    pub tenant: Tenant,
    pub okta: At,
}

/// The tenant of the file `path`; `None` when its names are missing or wrong.
pub fn tenant(reader: &mut Reader<'_>, root: &Node, below: &Below<'_>, path: &str) -> Option<Placed> {
    let fields = reader.fields(root, "a tenant", shape::TENANT);
    let id = fields.parsed("tenant", reader, TenantId::parse).map(|(node, id)| {
        let file = path.rsplit('/').next().unwrap_or_default();
        if file != format!("{id}.yaml") {
            reader.report(node.at, format!("tenant `{id}` belongs into the file {id}.yaml"));
        }
        id
    });
    let okta = fields.get("okta", reader);
    let names = fields.fields("okta", reader).and_then(|fields| {
        let subdomain = fields.parsed("subdomain", reader, OktaSubdomain::parse);
        let integration = fields.parsed("integration_id", reader, IntegrationId::parse);
        Some((subdomain?.1, integration?.1))
    });
    let group = fields.text("group", reader);
    let layer_below = match group {
        Some((node, name)) => below.groups.get(name).unwrap_or_else(|| {
            reader.report(node.at, no_such_group(name, below));
            below.profile
        }),
        None => below.profile,
    };
    let Layer { settings, tags, tuning } = layer(reader, &fields, layer_below);
    let Routes { subscriptions, routes } = routes(reader, &fields);
    let (id, (subdomain, integration_id), okta) = (id?, names?, okta?);
    let event_source = match EventSourceName::of(&subdomain, &integration_id) {
        Ok(name) => name,
        Err(error) => {
            reader.report(okta.at, error.to_string());
            return None;
        }
    };
    Some(Placed {
        tenant: Tenant {
            id,
            group: group.map(|(_, name)| name.to_owned()),
            subdomain,
            integration_id,
            event_source,
            settings,
            notifications: subscriptions,
            secrets: routes
                .iter()
                .filter_map(|route| route.channel.secret())
                .map(str::to_owned)
                .collect(),
            routes,
            tuning,
            tags,
        },
        okta: okta.at,
    })
}

fn no_such_group(name: &str, below: &Below<'_>) -> String {
    let known: Vec<&str> = below.groups.keys().map(String::as_str).collect();
    let folder = format!("environments/{}/groups", below.environment);
    if known.is_empty() {
        format!("there is no group `{name}`; write {folder}/{name}.yaml")
    } else {
        format!("there is no group `{name}` in {folder}; there is {}", known.join(", "))
    }
}
