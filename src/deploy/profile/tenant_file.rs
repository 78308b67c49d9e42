//! A tenant as it is written in `tenants/<tenant>.yaml`.

use std::collections::BTreeMap;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::profile::profile_file::layer;
use crate::deploy::profile::route_file::{Routes, routes};
use crate::deploy::profile::{Layer, Tenant};
use crate::deploy::shape;
use crate::deploy::yaml::{At, Node};
use crate::model::name::{EventSourceName, IntegrationId, OktaSubdomain, TenantId};
use crate::model::okta::{Org, SignIn, StreamSettings};

/// What a tenant's file is read over.
pub struct Below<'a> {
    pub environment: &'a str,
    /// Where the environment is: account and region.
    pub place: (&'a str, &'a str),
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
        let access = access(reader, &fields);
        Some((subdomain?.1, integration?.1, access))
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
    let (id, (subdomain, integration_id, access), okta) = (id?, names?, okta?);
    let event_source = match EventSourceName::of(&subdomain, &integration_id) {
        Ok(name) => name,
        Err(error) => {
            reader.report(okta.at, error.to_string());
            return None;
        }
    };
    let org = access.map(|access| {
        access.org(
            &subdomain,
            &event_source,
            below.place(&integration_id),
            settings.data_retention_days,
        )
    });
    let asked = org.as_ref().map(|org| org.secret().to_owned());
    Some(Placed {
        tenant: Tenant {
            id,
            okta_secret: asked,
            org,
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

impl Below<'_> {
    /// Where the log stream of an integration sends.
    fn place(&self, integration_id: &IntegrationId) -> StreamSettings {
        let (account, region) = self.place;
        StreamSettings {
            account_id: account.to_owned(),
            event_source_name: integration_id.to_string(),
            region: region.to_owned(),
        }
    }
}

/// How the org's management API is asked, as it is written.
struct Access {
    domain: String,
    sign_in: SignIn,
    rate_limit_percent: u8,
    history_days: u32,
    reactivates: bool,
}

pub const RATE_LIMIT_PERCENT: u32 = 50;
const HISTORY_DAYS: u32 = 90;

fn access(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<Access> {
    let domain = fields.text("domain", reader).map_or("okta.com", |(_, domain)| domain);
    let api = fields.fields("api", reader)?;
    let number = |name, usual, reader: &mut Reader<'_>| api.number(name, reader).and_then(Result::ok).unwrap_or(usual);
    let (at, how) = api.text("sign_in", reader)?;
    let client_id = api.text("client_id", reader);
    let key_id = api.text("key_id", reader).map(|(_, id)| id.to_owned());
    let sign_in = match (how, client_id) {
        ("token", None) if key_id.is_none() => SignIn::Token,
        ("token", _) => {
            reader.report(at.at, "`client_id` and `key_id` are of `sign_in: key`");
            return None;
        }
        (_, Some((_, client_id))) => SignIn::Key {
            client_id: client_id.to_owned(),
            key_id,
        },
        (_, None) => {
            reader.report(at.at, "`client_id` is missing, which `sign_in: key` needs");
            return None;
        }
    };
    let percent = number("rate_limit_percent", RATE_LIMIT_PERCENT, reader);
    Some(Access {
        domain: domain.to_owned(),
        sign_in,
        rate_limit_percent: u8::try_from(percent).unwrap_or(100),
        history_days: number("history_days", HISTORY_DAYS, reader),
        reactivates: api
            .text("reactivate", reader)
            .is_none_or(|(_, when)| when == "automatic"),
    })
}

impl Access {
    /// Of what retention drops nothing is fetched again.
    fn org(self, subdomain: &OktaSubdomain, source: &EventSourceName, place: StreamSettings, kept_days: u32) -> Org {
        let kept_days = if kept_days == 0 { HISTORY_DAYS } else { kept_days };
        Org {
            address: format!("https://{subdomain}.{}", self.domain),
            source: source.to_string(),
            place,
            sign_in: self.sign_in,
            rate_limit_percent: self.rate_limit_percent,
            history_days: self.history_days.min(kept_days),
            reactivates: self.reactivates,
        }
    }
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
