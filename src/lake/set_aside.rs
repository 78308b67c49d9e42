//! What cannot become an event is kept beside the segments with its reason: never dropped in silence, never fatal.

use serde::{Deserialize, Serialize};

use crate::lake::objects;
use crate::ports::{Error, Kind, Objects, Precondition, Result};

const PREFIX: &str = "set-aside/";

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

/// The keys of what was set aside from segments before `segment`, whose number each name begins with.
pub async fn keys_before(objects: &dyn Objects, segment: u64) -> Result<Vec<String>> {
    let number = |key: &str| -> Option<u64> { key.strip_prefix(PREFIX)?.get(..12)?.parse().ok() };
    let keys = objects::keys(objects, PREFIX).await?.into_iter();
    Ok(keys
        .filter(|key| number(key).is_some_and(|number| number < segment))
        .collect())
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
