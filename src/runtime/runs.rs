//! Runs of a tenant's tasks as objects, one each, by day: what somebody asks who wants to know whether anything happens.

use futures::{StreamExt as _, TryStreamExt as _};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::lake::objects::{encode, keys, read};
use crate::model::run::Run;
use crate::ports::{Error, Objects, Precondition, Result};

const PREFIX: &str = "runs/";
/// Days without such a run that are looked at before it is said that there are no more.
const QUIET_DAYS: u32 = 35;
/// Objects that are read at once.
const AT_ONCE: usize = 32;

fn key(run: &Run) -> String {
    let began = run.began.strftime("%Y-%m-%d/%H%M%S");
    format!("{PREFIX}{began}-{}-{}.json", run.role, run.id)
}

/// The run that a key is of: when it began, as the key has it, and its role.
fn role_of(key: &str) -> Option<&str> {
    key.rsplit('/').next()?.split('-').nth(1)
}

/// Keeps a run; keeping it again changes nothing.
pub async fn keep(objects: &dyn Objects, run: &Run) -> Result<()> {
    objects.put(&key(run), encode(run)?, Precondition::None).await?;
    Ok(())
}

/// The newest runs before a key, newest first, at most so many, with the key of each.
///
/// `role` is one role or, empty, every one. `before` is a key that an earlier call gave.
pub async fn newest(
    objects: &dyn Objects,
    role: &str,
    before: Option<&str>,
    now: Timestamp,
    most: usize,
) -> Result<Vec<(String, Run)>> {
    let day_of = |key: &str| key.strip_prefix(PREFIX)?.split('/').next()?.parse::<Date>().ok();
    // Clocks differ a little.
    let tomorrow = now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(now);
    let mut day = before
        .and_then(day_of)
        .unwrap_or_else(|| tomorrow.to_zoned(TimeZone::UTC).date());
    let (mut wanted, mut quiet) = (Vec::new(), 0);
    while wanted.len() < most && quiet < QUIET_DAYS {
        let mut of_day = keys(objects, &format!("{PREFIX}{day}/")).await?;
        of_day.retain(|key| {
            before.is_none_or(|before| key.as_str() < before) && (role.is_empty() || role_of(key) == Some(role))
        });
        quiet = if of_day.is_empty() { quiet + 1 } else { 0 };
        wanted.extend(of_day.into_iter().rev());
        let Ok(yesterday) = day.yesterday() else { break };
        day = yesterday;
    }
    wanted.truncate(most);
    let read = wanted.into_iter().map(|key| async move {
        let run = read::<Run>(objects, &key).await?;
        Ok::<_, Error>(run.map(|run| (key, run)))
    });
    // One that retention has just taken is no more.
    let found: Vec<Option<(String, Run)>> = futures::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The keys of the runs of before a day, for retention.
pub async fn keys_before(objects: &dyn Objects, day: Date) -> Result<Vec<String>> {
    let end = format!("{PREFIX}{day}");
    let keys = keys(objects, PREFIX).await?;
    Ok(keys.into_iter().filter(|key| *key < end).collect())
}
