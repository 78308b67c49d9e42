//! The notification routes of a tenant's file: those that its topic serves, and those that its detector delivers to.

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::deploy::fields::{Fields, Reader};
use crate::deploy::profile::Subscription;
use crate::deploy::{rules, shape};
use crate::model::finding::Severity;
use crate::model::name::is_secret_name;
use crate::model::route::{Channel, Filter, Pace, QuietHours, Route};

/// What a task definition's variable may hold beside all else. Source: ECS takes 65,536 bytes for all of it.
const MOST_BYTES: usize = 30_000;
/// How runs call what the topic serves.
const TAKEN: &str = "topic";
/// Without another in the file.
const ISSUE_TYPE: &str = "Task";

/// The routes of a file.
#[derive(Debug, Default)]
pub struct Routes {
    pub subscriptions: Vec<Subscription>,
    pub routes: Vec<Route>,
}

/// Keys that belong to some protocols only, with these.
const BELONG: [(&str, &[&str]); 9] = [
    (
        "secret",
        &["slack", "teams", "webhook", "pagerduty", "jira", "servicenow", "smtp"],
    ),
    ("server", &["smtp"]),
    ("from", &["smtp"]),
    ("project", &["jira"]),
    ("issue_type", &["jira"]),
    ("quiet_hours", DIRECT),
    ("digest_minutes", DIRECT),
    ("per_hour", DIRECT),
    ("give_up_hours", DIRECT),
];
const DIRECT: &[&str] = &["slack", "teams", "webhook", "pagerduty", "jira", "servicenow", "smtp"];

pub fn routes(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Routes {
    let mut found = Routes::default();
    let mut names: Vec<String> = Vec::new();
    for item in fields.list("notifications", reader) {
        let fields = reader.fields(item, "a notification route", shape::ROUTE);
        let (name, protocol, least) = (
            fields.text("name", reader),
            fields.text("protocol", reader),
            fields.text("minimum_severity", reader),
        );
        let (Some((at, name)), Some((_, protocol)), Some((_, least))) = (name, protocol, least) else {
            continue;
        };
        if !rules::is_route_name(name) || names.iter().any(|other| other == name) {
            let what = "`name` is a word of letters and digits that no other route of the tenant has";
            reader.report(at.at, what);
        } else if name == TAKEN {
            reader.report(
                at.at,
                format!("`{TAKEN}` is what the tenant's topic is called; give the route another name"),
            );
        }
        names.push(name.to_owned());
        refuse_strangers(reader, &fields, protocol);
        let severities = rules::severities_from(least);
        let Some(minimum_severity) = severities.first().copied() else {
            continue;
        };
        let filter = Filter {
            minimum_severity,
            rules: texts(reader, &fields, "rules"),
            tags: texts(reader, &fields, "tags"),
        };
        if DIRECT.contains(&protocol) {
            let (channel, pace) = (channel(reader, &fields, protocol), pace(reader, &fields));
            if let Some(channel) = channel {
                found.routes.push(Route {
                    name: name.to_owned(),
                    channel,
                    filter,
                    pace,
                });
            }
        } else if let Some(endpoint) = endpoint(reader, &fields, protocol, &found.subscriptions) {
            found.subscriptions.push(Subscription {
                name: name.to_owned(),
                protocol: protocol.to_owned(),
                endpoint,
                severities,
                rules: filter.rules,
                tags: filter.tags,
            });
        }
    }
    let bytes = serde_json::to_string(&found.routes).map_or(0, |text| text.len());
    if bytes > MOST_BYTES
        && let Some(node) = fields.get("notifications", reader)
    {
        reader.report(
            node.at,
            format!("the routes take {bytes} bytes in a task definition, and {MOST_BYTES} at most fit; use fewer"),
        );
    }
    found
}

/// Keys that mean nothing for a protocol would be believed and not followed.
fn refuse_strangers(reader: &mut Reader<'_>, fields: &Fields<'_>, protocol: &str) {
    for (key, protocols) in BELONG {
        if !protocols.contains(&protocol)
            && let Some(node) = fields.get(key, reader)
        {
            reader.report(
                node.at,
                format!(
                    "`{key}` means nothing for {protocol}; it is for {}",
                    protocols.join(", ")
                ),
            );
        }
    }
}

/// SNS keeps one subscription an endpoint and topic.
fn endpoint(reader: &mut Reader<'_>, fields: &Fields<'_>, protocol: &str, others: &[Subscription]) -> Option<String> {
    let (node, endpoint) = needed(reader, fields, "endpoint", protocol)?;
    if let Err(why) = rules::endpoint(protocol, &endpoint) {
        reader.report(node, why);
    } else if let Some(owner) = others.iter().find(|route| route.endpoint == endpoint) {
        let what = format!(
            "route `{}` has this endpoint already, and a topic takes each endpoint once",
            owner.name
        );
        reader.report(node, what);
    }
    Some(endpoint)
}

fn channel(reader: &mut Reader<'_>, fields: &Fields<'_>, protocol: &str) -> Option<Channel> {
    if protocol == "smtp" {
        let to = mail_address(reader, fields, "endpoint");
        let from = mail_address(reader, fields, "from");
        let server = needed(reader, fields, "server", protocol).map(|(_, text)| text);
        let secret = secret(reader, fields);
        return Some(Channel::Smtp {
            endpoint: to?,
            from: from?,
            server: server?,
            secret,
        });
    }
    needed(reader, fields, "secret", protocol)?;
    let secret = secret(reader, fields);
    Some(match protocol {
        "slack" | "teams" => {
            if let Some((node, _)) = fields.text("endpoint", reader) {
                let what = format!(
                    "the address of a {protocol} webhook is a secret: store it as one, and name it with `secret`"
                );
                reader.report(node.at, what);
            }
            let secret = secret?;
            if protocol == "slack" {
                Channel::Slack { secret }
            } else {
                Channel::Teams { secret }
            }
        }
        "webhook" => Channel::Webhook {
            endpoint: address(reader, fields, protocol)?,
            secret: secret?,
        },
        "pagerduty" => {
            let named = fields.text("endpoint", reader).is_some();
            let endpoint = if named { address(reader, fields, protocol) } else { None };
            Channel::Pagerduty {
                endpoint,
                secret: secret?,
            }
        }
        "jira" => {
            let endpoint = address(reader, fields, protocol);
            let project = needed(reader, fields, "project", protocol).map(|(_, text)| text);
            let issue_type = fields
                .text("issue_type", reader)
                .map_or(ISSUE_TYPE, |(_, text)| text)
                .to_owned();
            Channel::Jira {
                endpoint: endpoint?,
                project: project?,
                issue_type,
                secret: secret?,
            }
        }
        _ => Channel::Servicenow {
            endpoint: address(reader, fields, protocol)?,
            secret: secret?,
        },
    })
}

/// The name of a secret. It stands in the detector's policy, where a sign of another kind could name more than one.
fn secret(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let (at, name) = fields
        .text("secret", reader)
        .map(|(node, text)| (node.at, text.to_owned()))?;
    if !is_secret_name(&name) {
        let what =
            "`secret` is the name of a secret: lower-case letters, digits and hyphens, 64 at most, with a letter first";
        reader.report(at, what);
    }
    Some(name)
}

/// A text that a protocol cannot do without.
fn needed(
    reader: &mut Reader<'_>,
    fields: &Fields<'_>,
    key: &str,
    protocol: &str,
) -> Option<(crate::deploy::yaml::At, String)> {
    let found = fields.text(key, reader).map(|(node, text)| (node.at, text.to_owned()));
    if found.is_none() && !fields.has(key) {
        reader.report(fields.at(), format!("`{key}` is missing; {protocol} needs it"));
    }
    found
}

/// `http://` is for receivers in networks that the profile allows by name; the detector sees to that.
fn address(reader: &mut Reader<'_>, fields: &Fields<'_>, protocol: &str) -> Option<String> {
    let (at, text) = needed(reader, fields, "endpoint", protocol)?;
    let secure = text.replacen("http://", "https://", 1);
    if rules::endpoint("https", &secure).is_err() || text.contains('@') {
        reader.report(
            at,
            format!("`endpoint` of {protocol} is an address that starts with https:// and holds no password"),
        );
    }
    Some(text)
}

fn mail_address(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    let (at, text) = needed(reader, fields, key, "smtp")?;
    if rules::endpoint("email", &text).is_err() {
        reader.report(at, format!("`{key}` is an e-mail address"));
    }
    Some(text)
}

fn texts(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<String> {
    let items = fields.list(key, reader);
    items
        .iter()
        .filter_map(|item| reader.text(item, key))
        .map(str::to_owned)
        .collect()
}

fn pace(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Pace {
    let mut number = |name, otherwise| match fields.number(name, reader) {
        Some(Ok(number)) => number,
        _ => otherwise,
    };
    let (digest_minutes, per_hour) = (number("digest_minutes", 0), number("per_hour", 0));
    let give_up_hours = number("give_up_hours", Pace::give_up_hours());
    Pace {
        quiet_hours: quiet_hours(reader, fields),
        digest_minutes,
        per_hour,
        give_up_hours,
    }
}

fn quiet_hours(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<QuietHours> {
    let fields = fields.fields("quiet_hours", reader)?;
    let (from, to) = (time(reader, &fields, "from"), time(reader, &fields, "to"));
    let zone = fields.text("time_zone", reader).map(|(node, name)| {
        if TimeZone::get(name).is_err() {
            reader.report(
                node.at,
                format!("`time_zone`: there is none of the name {name}; write one such as Europe/Zurich"),
            );
        }
        name.to_owned()
    });
    let wakes_at = fields.text("wakes_at", reader);
    let wakes_at: Option<Severity> = wakes_at.and_then(|(_, least)| rules::severities_from(least).first().copied());
    Some(QuietHours {
        from: from?,
        to: to?,
        time_zone: zone?,
        wakes_at,
    })
}

fn time(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Time> {
    let (node, text) = fields.text(key, reader)?;
    let time = text.parse().ok();
    if time.is_none() {
        reader.report(node.at, format!("`{key}` is a time of day such as \"22:00\""));
    }
    time
}
