//! A tenant as it is written in `tenants/<tenant>.yaml`.

use std::collections::BTreeMap;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::profile::settings_file::{TENANT_SETTINGS, settings, tags};
use crate::deploy::profile::{Route, Settings, Tenant};
use crate::deploy::rules;
use crate::deploy::yaml::Node;
use crate::model::name::{EventSourceName, IntegrationId, OktaSubdomain, TenantId};

/// What the tenants of an environment share, and the tenants before this one.
pub struct Neighbours<'a> {
    pub settings: &'a Settings,
    pub tags: &'a BTreeMap<String, String>,
    pub tenants: &'a [Tenant],
}

/// The tenant of the file `path`; `None` when its names are missing or wrong.
pub fn tenant(reader: &mut Reader<'_>, root: &Node, neighbours: &Neighbours<'_>, path: &str) -> Option<Tenant> {
    let fields = reader.fields(
        root,
        "a tenant",
        &[&["tenant", "okta", "notifications", "tags"][..], TENANT_SETTINGS].concat(),
    );
    let id = fields.required("tenant", reader).and_then(|node| {
        let id = reader.parsed(node, "tenant", TenantId::parse)?;
        let file = path.rsplit('/').next().unwrap_or_default();
        if file != format!("{id}.yaml") {
            reader.report(node.at, format!("tenant `{id}` belongs into the file {id}.yaml"));
        }
        Some(id)
    });
    let okta = fields.required("okta", reader);
    let names = okta.and_then(|node| {
        let fields = reader.fields(node, "`okta`", &["subdomain", "integration_id"]);
        let subdomain = fields
            .required("subdomain", reader)
            .and_then(|node| reader.parsed(node, "subdomain", OktaSubdomain::parse));
        let integration = fields
            .required("integration_id", reader)
            .and_then(|node| reader.parsed(node, "integration_id", IntegrationId::parse));
        Some((subdomain?, integration?))
    });
    let settings = settings(reader, &fields, neighbours.settings, false);
    let notifications = routes(reader, &fields, neighbours.tenants);
    let tags = tags(reader, &fields, neighbours.tags);
    let (id, (subdomain, integration_id), okta) = (id?, names?, okta?);
    let event_source = match EventSourceName::of(&subdomain, &integration_id) {
        Ok(name) => name,
        Err(error) => {
            reader.report(okta.at, error.to_string());
            return None;
        }
    };
    if let Some(other) = neighbours
        .tenants
        .iter()
        .find(|other| other.event_source == event_source)
    {
        let what = format!(
            "the event source {event_source} belongs to tenant `{}` already",
            other.id
        );
        reader.report(okta.at, what);
    }
    Some(Tenant {
        id,
        subdomain,
        integration_id,
        event_source,
        settings,
        notifications,
        tags,
    })
}

fn routes(reader: &mut Reader<'_>, fields: &Fields<'_>, tenants: &[Tenant]) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    let items = fields
        .get("notifications")
        .map_or(&[][..], |node| reader.list(node, "notifications"));
    for item in items {
        let fields = reader.fields(
            item,
            "a notification route",
            &["name", "protocol", "endpoint", "minimum_severity"],
        );
        let mut text = |key: &str| {
            Some((fields.required(key, reader)?, key)).and_then(|(node, key)| Some((node, reader.text(node, key)?)))
        };
        let (name, protocol, endpoint, least) = (
            text("name"),
            text("protocol"),
            text("endpoint"),
            text("minimum_severity"),
        );
        let (Some((name_node, name)), Some((_, protocol)), Some((endpoint_node, endpoint)), Some((least_node, least))) =
            (name, protocol, endpoint, least)
        else {
            continue;
        };
        let severities = rules::severities_from(least);
        if severities.is_empty() {
            reader.report(
                least_node.at,
                "`minimum_severity` is informational, low, medium, high or critical",
            );
        }
        if !rules::is_route_name(name) || routes.iter().any(|route| route.name == name) {
            reader.report(
                name_node.at,
                "`name` is a word of letters and digits that no other route of the tenant has",
            );
        }
        if let Err(why) = rules::endpoint(protocol, endpoint) {
            reader.report(endpoint_node.at, why);
        } else if let Some(owner) = owner(endpoint, &routes, tenants) {
            let what = format!("{owner} has this endpoint already, and a topic takes each endpoint once");
            reader.report(endpoint_node.at, what);
        }
        routes.push(Route {
            name: name.to_owned(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
            severities,
        });
    }
    routes
}

/// Who has the endpoint. SNS keeps one subscription an endpoint and topic, and the tenants of an environment share one.
fn owner(endpoint: &str, own: &[Route], tenants: &[Tenant]) -> Option<String> {
    let has_it = |route: &&Route| route.endpoint == endpoint;
    let of_tenant = |tenant: &Tenant| {
        let route = tenant.notifications.iter().find(has_it)?;
        Some(format!("route `{}` of tenant `{}`", route.name, tenant.id))
    };
    own.iter()
        .find(has_it)
        .map(|route| format!("route `{}`", route.name))
        .or_else(|| tenants.iter().find_map(of_tenant))
}
