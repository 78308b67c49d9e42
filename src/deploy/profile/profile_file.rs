//! A profile as it is written in `profile.yaml`.

use std::collections::BTreeMap;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::profile::settings_file::{SETTINGS, settings, tags};
use crate::deploy::profile::{Profile, Settings, Target};
use crate::deploy::rules;
use crate::deploy::yaml::Node;
use crate::model::name::{AccountId, EnvironmentName, Region};

/// The profile in the folder `folder`; `None` when something that it needs is missing or wrong.
pub fn profile(reader: &mut Reader<'_>, root: &Node, folder: &str) -> Option<Profile> {
    let own = [
        "environment",
        "target",
        "account_id",
        "region",
        "image",
        "network",
        "tags",
    ];
    let fields = reader.fields(root, "a profile", &[&own[..], &SETTINGS].concat());
    let environment = fields.required("environment", reader).and_then(|node| {
        let name = reader.parsed(node, "environment", EnvironmentName::parse)?;
        if name.as_str() != folder {
            reader.report(
                node.at,
                format!("`environment` must be `{folder}`, as its folder is named"),
            );
        }
        Some(name)
    });
    let target = fields
        .required("target", reader)
        .and_then(|node| match reader.text(node, "target")? {
            "aws" => Some(Target::Aws),
            "embedded" => Some(Target::Embedded),
            _ => {
                reader.report(node.at, "`target` is aws or embedded");
                None
            }
        });
    let account_id = fields
        .required("account_id", reader)
        .and_then(|node| reader.parsed(node, "account_id", AccountId::parse));
    let region = fields
        .required("region", reader)
        .and_then(|node| reader.parsed(node, "region", Region::parse));
    let image = fields.required("image", reader).and_then(|node| {
        let text = reader.text(node, "image")?;
        if let Err(why) = rules::image(text) {
            reader.report(node.at, why);
        }
        Some(text.to_owned())
    });
    let network = fields.required("network", reader).map(|node| {
        let fields = reader.fields(node, "`network`", &["subnets", "security_groups"]);
        (
            ids(reader, &fields, "subnets", "subnet-"),
            ids(reader, &fields, "security_groups", "sg-"),
        )
    });
    for name in SETTINGS {
        fields.required(name, reader);
    }
    let settings = settings(reader, &fields, &Settings::stand_in(), true);
    let tags = tags(reader, &fields, &BTreeMap::new());
    let (subnets, security_groups) = network?;
    Some(Profile {
        environment: environment?,
        target: target?,
        account_id: account_id?,
        region: region?,
        image: image?,
        subnets,
        security_groups,
        settings,
        tags,
    })
}

fn ids(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, prefix: &str) -> Vec<String> {
    let Some(node) = fields.required(name, reader) else {
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
