//! Findings as objects, one each, under a key that derives from the finding: storing the same finding again changes
//! nothing and is told apart from storing a new one.

use jiff::civil::Date;

use crate::lake::objects::{decode, encode, keys, read};
use crate::model::finding::Finding;
use crate::ports::{Error, Kind, Objects, Precondition, Result};
use crate::runtime::notify;

pub(super) const PREFIX: &str = "findings/";

fn key(finding: &Finding) -> String {
    format!("{PREFIX}{}/{}.json", finding.published.strftime("%Y-%m-%d"), finding.id)
}

/// The day (UTC) of the event of a finding, from the key that it is stored under.
pub(super) fn day_of_key(key: &str) -> Option<Date> {
    key.strip_prefix(PREFIX)?.split('/').next()?.parse().ok()
}

/// Stores a finding and queues its notification; `false` when the finding was known.
///
/// The notification is queued first: a run that dies between the two queues it again, under the same id, when it is
/// repeated, and a finding that is stored has always had its notification queued.
pub async fn store(objects: &dyn Objects, finding: &Finding) -> Result<bool> {
    let key = key(finding);
    if objects.get(&key).await?.is_some() {
        return Ok(false);
    }
    notify::queue(objects, &finding.notification()).await?;
    match objects.put(&key, encode(finding)?, Precondition::Absent).await {
        Ok(_) => Ok(true),
        Err(Error {
            kind: Kind::Conflict, ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes what a finding of several events has grown to. One that is not there is stored as new; one that tells of as much
/// already stays as it is.
pub async fn grow(objects: &dyn Objects, finding: &Finding) -> Result<()> {
    let key = key(finding);
    let Some((bytes, version)) = objects.get(&key).await? else {
        store(objects, finding).await?;
        return Ok(());
    };
    let stored: Finding = decode(&key, &bytes)?;
    let grown = Finding {
        episode: finding.episode.clone(),
        matched: finding.matched.clone(),
        ..stored.clone()
    };
    if grown != stored {
        objects.put(&key, encode(&grown)?, Precondition::Is(version)).await?;
    }
    Ok(())
}

/// All findings, newest first.
pub async fn all(objects: &dyn Objects) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for key in keys(objects, PREFIX).await? {
        if let Some(finding) = read::<Finding>(objects, &key).await? {
            findings.push(finding);
        }
    }
    findings.sort_by(|a, b| b.published.cmp(&a.published).then_with(|| a.id.cmp(&b.id)));
    Ok(findings)
}
