//! The files that an environment's tenants share, as they are written: `defaults.yaml`, `profile.yaml` and `groups/`.

use std::collections::BTreeMap;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::profile::rollout::{Rollout, rollout};
use crate::deploy::profile::settings_file::{event_buses, settings, suppressions, tags};
use crate::deploy::profile::tuning_file::tuning;
use crate::deploy::profile::{Layer, Profile, Settings, Suppression, Target};
use crate::deploy::yaml::Node;
use crate::deploy::{rules, shape};
use crate::model::name::{AccountId, EnvironmentName, Region};
use crate::model::tuning::Tuning;

/// Event buses an account and region. Source: EventBridge quotas.
pub const EVENT_BUSES: u32 = 100;

/// What all environments share unless they say otherwise.
#[derive(Debug, Clone)]
pub struct Defaults {
    pub layer: Layer,
    pub event_buses: u32,
    pub rollout: Rollout,
    pub suppressions: Vec<Suppression>,
}

impl Defaults {
    /// Without the file.
    pub fn none() -> Self {
        Self {
            layer: Layer {
                settings: Settings::stand_in(),
                tags: BTreeMap::new(),
                tuning: Tuning::default(),
            },
            event_buses: EVENT_BUSES,
            rollout: Rollout::default(),
            suppressions: Vec::new(),
        }
    }
}

/// The defaults as their file has them.
pub fn defaults(reader: &mut Reader<'_>, root: &Node) -> Defaults {
    let none = Defaults::none();
    let fields = reader.fields(root, "the defaults", shape::DEFAULTS);
    Defaults {
        layer: layer(reader, &fields, &none.layer),
        event_buses: event_buses(reader, &fields, none.event_buses),
        rollout: rollout(reader, &fields, &none.rollout),
        suppressions: suppressions(reader, &fields),
    }
}

/// A group of tenants, over its environment.
pub fn group(reader: &mut Reader<'_>, root: &Node, below: &Layer) -> Layer {
    let fields = reader.fields(root, "a group", shape::GROUP);
    layer(reader, &fields, below)
}

/// The settings and tags of a file, over those of the layer below.
pub fn layer(reader: &mut Reader<'_>, fields: &Fields<'_>, below: &Layer) -> Layer {
    Layer {
        settings: settings(reader, fields, &below.settings),
        tags: tags(reader, fields, &below.tags),
        tuning: tuning(reader, fields, &below.tuning),
    }
}

/// The profile in the folder `folder`; `None` when something that it needs is missing or wrong. `is_given` knows the
/// settings that the defaults give.
pub fn profile(
    reader: &mut Reader<'_>,
    root: &Node,
    folder: &str,
    defaults: &Defaults,
    is_given: &dyn Fn(&[&str]) -> bool,
) -> Option<Profile> {
    let fields = reader.fields(root, "a profile", shape::PROFILE);
    for path in shape::leaves(shape::SETTINGS) {
        if !root.has(&path) && !is_given(&path) {
            let what = format!(
                "`{}` is missing; add it here or in environments/defaults.yaml",
                path.join(".")
            );
            reader.report(root.at, what);
        }
    }
    let environment = environment(reader, &fields, folder);
    let target = fields.text("target", reader).map(|(_, text)| match text {
        "aws" => Target::Aws,
        _ => Target::Embedded,
    });
    let account_id = fields.parsed("account_id", reader, AccountId::parse).map(|(_, id)| id);
    let region = fields.parsed("region", reader, Region::parse).map(|(_, region)| region);
    let place = account_id.as_ref().zip(region.as_ref());
    let image = fields.text("image", reader).map(|(node, text)| {
        if let Err(why) = rules::image(text, place.filter(|_| target == Some(Target::Aws))) {
            reader.report(node.at, why);
        }
        text.to_owned()
    });
    let permissions_boundary = fields.text("permissions_boundary", reader).map(|(node, text)| {
        if let Err(why) = rules::policy_arn(text, account_id.as_ref()) {
            reader.report(node.at, format!("`permissions_boundary`: {why}"));
        }
        text.to_owned()
    });
    let network = fields.fields("network", reader).map(|fields| {
        (
            ids(reader, &fields, "subnets", "subnet-"),
            ids(reader, &fields, "security_groups", "sg-"),
        )
    });
    let mut private_webhooks = Vec::new();
    for item in fields.list("private_webhooks", reader) {
        match reader.text(item, "private_webhooks").map(str::parse) {
            Some(Ok(network)) => private_webhooks.push(network),
            Some(Err(_)) => reader.report(item.at, "each of `private_webhooks` is a network such as 10.20.0.0/16"),
            None => {}
        }
    }
    let Layer { settings, tags, tuning } = layer(reader, &fields, &defaults.layer);
    let event_buses = event_buses(reader, &fields, defaults.event_buses);
    let rollout = rollout(reader, &fields, &defaults.rollout);
    let mut accepted = defaults.suppressions.clone();
    accepted.extend(suppressions(reader, &fields));
    let (subnets, security_groups) = network?;
    Some(Profile {
        environment: environment?,
        target: target?,
        account_id: account_id?,
        region: region?,
        image: image?,
        permissions_boundary,
        subnets,
        security_groups,
        private_webhooks,
        settings,
        tags,
        tuning,
        event_buses,
        rollout,
        suppressions: accepted,
    })
}

fn environment(reader: &mut Reader<'_>, fields: &Fields<'_>, folder: &str) -> Option<EnvironmentName> {
    let (node, name) = fields.parsed("environment", reader, EnvironmentName::parse)?;
    if name.as_str() != folder {
        reader.report(
            node.at,
            format!("`environment` must be `{folder}`, as its folder is named"),
        );
    }
    Some(name)
}

fn ids(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, prefix: &str) -> Vec<String> {
    let Some(node) = fields.get(name, reader) else {
        return Vec::new();
    };
    let items = reader.list(node, name);
    if items.is_empty() {
        reader.report(node.at, format!("`{name}` names at least one"));
    }
    let mut found = Vec::new();
    for item in items {
        match reader.text(item, name) {
            Some(id) if id.starts_with(prefix) => found.push(id.to_owned()),
            Some(_) => reader.report(item.at, format!("each of `{name}` starts with {prefix}")),
            None => {}
        }
    }
    found
}
