//! Users and devices of an org as they were over time: what is kept of each, and which versions a look at the org ends and begins.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::shown::printable;

/// What a table of versions is about.
#[derive(Debug)]
pub struct Subject {
    /// The table's name beside the Activity table.
    pub table: &'static str,
    /// Text columns, and where each stands in what Okta writes.
    pub columns: &'static [(&'static str, &'static str)],
}

pub const USERS: Subject = Subject {
    table: "users",
    columns: &[
        ("status", "/status"),
        ("login", "/profile/login"),
        ("email", "/profile/email"),
        ("first_name", "/profile/firstName"),
        ("last_name", "/profile/lastName"),
        ("display_name", "/profile/displayName"),
        ("department", "/profile/department"),
        ("title", "/profile/title"),
        ("manager", "/profile/manager"),
        ("user_type", "/profile/userType"),
        ("created", "/created"),
        ("status_changed", "/statusChanged"),
        ("password_changed", "/passwordChanged"),
    ],
};

pub const DEVICES: Subject = Subject {
    table: "devices",
    columns: &[
        ("status", "/status"),
        ("display_name", "/profile/displayName"),
        ("platform", "/profile/platform"),
        ("os_version", "/profile/osVersion"),
        ("manufacturer", "/profile/manufacturer"),
        ("model", "/profile/model"),
        ("serial_number", "/profile/serialNumber"),
        ("disk_encryption", "/profile/diskEncryptionType"),
        ("registered", "/profile/registered"),
        ("secure_hardware", "/profile/secureHardwarePresent"),
        ("created", "/created"),
    ],
};

/// What changes by the hour and is no change of the user.
const VOLATILE: [&str; 3] = ["lastLogin", "lastUpdated", "_links"];

/// A user or device from one change to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub id: String,
    /// Microseconds since 1970-01-01 (UTC).
    pub valid_from: i64,
    /// `None` while it is so.
    pub valid_to: Option<i64>,
    /// Of the subject's columns, in order.
    pub columns: Vec<Option<String>>,
    /// What Okta writes, without what changes by the hour.
    pub json: String,
}

impl Version {
    /// As Okta writes it now; `None` for what has no ID.
    pub fn of(subject: &Subject, item: &str, now: Timestamp) -> Option<Self> {
        let mut value: Value = serde_json::from_str(item).ok()?;
        let id = value.get("id")?.as_str().filter(|id| !id.is_empty())?.to_owned();
        let changed = value.get("lastUpdated").and_then(Value::as_str);
        let valid_from = changed.and_then(|text| text.parse::<Timestamp>().ok()).unwrap_or(now);
        let columns = subject
            .columns
            .iter()
            .map(|(_, pointer)| text(&value, pointer))
            .collect();
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| !VOLATILE.contains(&name.as_str()));
        }
        Some(Self {
            id,
            valid_from: valid_from.min(now).as_microsecond(),
            valid_to: None,
            columns,
            json: value.to_string(),
        })
    }

    pub fn column(&self, subject: &Subject, name: &str) -> Option<&str> {
        let place = subject.columns.iter().position(|(own, _)| *own == name)?;
        self.columns.get(place)?.as_deref()
    }
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// What a look at the org changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// What is so now, by ID.
    pub current: BTreeMap<String, Version>,
    /// What is so no more.
    pub ended: Vec<Version>,
    /// Versions that begin.
    pub begun: u64,
}

/// Lays what was seen over what was known. A look at everything ends what it has not seen: it was deleted.
pub fn step(known: BTreeMap<String, Version>, seen: Vec<Version>, is_everything: bool, now: Timestamp) -> Step {
    let now = now.as_microsecond();
    let mut step = Step {
        current: known,
        ..Step::default()
    };
    let mut met = BTreeSet::new();
    for mut new in seen {
        met.insert(new.id.clone());
        match step.current.get_mut(&new.id) {
            Some(old) if old.json == new.json => {}
            Some(old) => {
                // Okta's time of the change, unless it does not come after that of the change before.
                if new.valid_from <= old.valid_from {
                    new.valid_from = now.max(old.valid_from + 1);
                }
                let mut ended = std::mem::replace(old, new);
                ended.valid_to = Some(old.valid_from);
                step.ended.push(ended);
                step.begun += 1;
            }
            None => {
                step.begun += 1;
                step.current.insert(new.id.clone(), new);
            }
        }
    }
    if is_everything {
        let gone = step.current.extract_if(.., |id, _| !met.contains(id));
        step.ended.extend(gone.map(|(_, mut version)| {
            version.valid_to = Some(now.max(version.valid_from + 1));
            version
        }));
    }
    step
}

/// A user as findings and Activity tables show them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Person {
    pub id: String,
    pub login: String,
    pub name: String,
    /// As in `ACTIVE` or `DEPROVISIONED`.
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "deploy", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Device {
    pub id: String,
    pub name: String,
    pub platform: String,
    pub status: String,
    /// As in `MANAGED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management: Option<String>,
}

impl Person {
    /// In one line, as in `Ann Example, Finance, manager Bob Boss, ACTIVE; Ann's Mac (MACOS, ACTIVE, MANAGED)`.
    pub fn line(&self) -> String {
        let name = if self.name.is_empty() { &self.login } else { &self.name };
        let manager = self.manager.as_ref().map(|manager| format!("manager {manager}"));
        let parts = [
            Some(name),
            self.title.as_ref(),
            self.department.as_ref(),
            manager.as_ref(),
            Some(&self.status),
        ];
        let parts: Vec<&str> = parts
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let devices = self.devices.iter().map(|device| {
            let state = [Some(&device.platform), Some(&device.status), device.management.as_ref()];
            let state: Vec<&str> = state.into_iter().flatten().map(String::as_str).collect();
            format!("; {} ({})", device.name, state.join(", "))
        });
        printable(&(parts.join(", ") + &devices.collect::<String>()))
    }
}

/// Everybody who is known, with their devices.
pub fn people(users: &BTreeMap<String, Version>, devices: &BTreeMap<String, Version>) -> Vec<Person> {
    let mut owned: BTreeMap<String, Vec<Device>> = BTreeMap::new();
    for device in devices.values() {
        let column = |name| device.column(&DEVICES, name).unwrap_or_default().to_owned();
        let value: Value = serde_json::from_str(&device.json).unwrap_or_default();
        let links = value.pointer("/_embedded/users").and_then(Value::as_array);
        for link in links.into_iter().flatten() {
            let Some(user) = text(link, "/user/id") else { continue };
            owned.entry(user).or_default().push(Device {
                id: device.id.clone(),
                name: column("display_name"),
                platform: column("platform"),
                status: column("status"),
                management: text(link, "/managementStatus"),
            });
        }
    }
    let person = |user: &Version| {
        let column = |name| user.column(&USERS, name).map(str::to_owned);
        let full = [column("first_name"), column("last_name")];
        let full: Vec<String> = full.into_iter().flatten().collect();
        Person {
            id: user.id.clone(),
            login: column("login").unwrap_or_default(),
            name: column("display_name").unwrap_or_else(|| full.join(" ")),
            status: column("status").unwrap_or_default(),
            department: column("department"),
            title: column("title"),
            manager: column("manager"),
            devices: owned.get(&user.id).cloned().unwrap_or_default(),
        }
    };
    users.values().map(person).collect()
}

#[cfg(test)]
mod tests;
