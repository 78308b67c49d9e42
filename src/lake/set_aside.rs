//! What cannot become an event is kept beside the segments with its reason: never dropped in silence, never fatal.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::lake::objects;
use crate::ports::{Error, Kind, Objects, Precondition, Result};

const PREFIX: &str = "set-aside/";
const OF_LOG: &str = "system-log-";

/// One message, line or event that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    pub reason: String,
    /// As it came.
    pub body: String,
}

/// Keeps `records` under `name`; the same name written again replaces what an interrupted run left.
pub async fn put(objects: &dyn Objects, name: &str, records: &[SetAside]) -> Result<()> {
    let mut bytes = Vec::new();
    for record in records {
        serde_json::to_writer(&mut bytes, record)
            .map_err(|error| Error::caused(Kind::Invalid, "write what is set aside", error))?;
        bytes.push(b'\n');
    }
    objects
        .put(&format!("{PREFIX}{name}.jsonl"), bytes, Precondition::None)
        .await?;
    Ok(())
}

/// The name of what was set aside of an hour of the System Log, such as `2026-11-24T13`: comparing the hour again replaces it.
pub fn name_of_hour(hour: &str) -> String {
    format!("{OF_LOG}{hour}")
}

/// The keys of what was set aside from segments before `segment`, whose number each name begins with, and from hours of the System
/// Log before `day`.
pub async fn keys_before(objects: &dyn Objects, segment: u64, day: Date) -> Result<Vec<String>> {
    let day = day.to_string();
    let is_before = |key: &String| {
        let name = key.strip_prefix(PREFIX).unwrap_or_default();
        let number = || name.get(..12)?.parse::<u64>().ok();
        match name.strip_prefix(OF_LOG) {
            Some(hour) => hour < day.as_str(),
            None => number().is_some_and(|number| number < segment),
        }
    };
    let keys = objects::keys(objects, PREFIX).await?.into_iter();
    Ok(keys.filter(is_before).collect())
}

/// Everything that was set aside, in the order of its names.
pub async fn all(objects: &dyn Objects) -> Result<Vec<SetAside>> {
    let mut records = Vec::new();
    for key in objects::keys(objects, PREFIX).await? {
        let Some((bytes, _)) = objects.get(&key).await? else {
            continue;
        };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            records.push(
                serde_json::from_slice(line)
                    .map_err(|error| Error::caused(Kind::Invalid, format!("read {key}"), error))?,
            );
        }
    }
    Ok(records)
}
