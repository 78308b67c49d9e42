//! The directory: users and devices of the org, followed day by day into tables of versions, and an index of who is who for those
//! who show findings and activity.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::lake::Upkeep;
use crate::lake::directory::{Directory, Known};
use crate::lake::objects::{decode, encode};
use crate::lake::packed::Unpacked;
use crate::model::activity::lower_case;
use crate::model::directory::{DEVICES, Person, Subject, USERS, Version, people, step};
use crate::ports::okta::{Ask, Okta};
use crate::ports::{Error, Kind, Objects, Precondition, Result, chain};

const INDEX: &str = "directory/people.json.zst";
const COMPRESSION: i32 = 3;
/// How far before the last look the org is asked for what changed: it may store a change late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// After so long all are looked at: what was deleted is not among what changed.
const EVERYTHING_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Commits that lost a race are computed again so often.
const ATTEMPTS: u32 = 4;

/// What one look has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// What the org told of.
    pub seen: u64,
    pub begun: u64,
    pub ended: u64,
    /// What is so now.
    pub current: u64,
    pub was_everything: bool,
    pub requests: u64,
}

/// What one run has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub users: Looked,
    pub devices: Looked,
}

/// Follows users and devices. `upkeep` names the tenant's Activity table, beside which theirs are. Users are known although
/// devices cannot be asked for; a failure of theirs is told after all else is stored, unless the token may not ask.
pub async fn follow(okta: &dyn Okta, objects: &dyn Objects, upkeep: &Upkeep<'_>) -> Result<Report> {
    let (users, current_users) = look(okta, upkeep, &USERS, |changed_since| Ask::Users { changed_since }).await?;
    let looked = look(okta, upkeep, &DEVICES, |changed_since| Ask::Devices { changed_since }).await;
    let (devices, current_devices, failure) = match looked {
        Ok((devices, current)) => (devices, current, None),
        Err(error) => {
            let known = Directory::beside(upkeep.lake, &DEVICES).open().await?.current;
            (Looked::default(), known, Some(error))
        }
    };
    let people = people(&current_users, &current_devices);
    if People::read(objects).await?.all != people || objects.get(INDEX).await?.is_none() {
        store(objects, &people).await?;
    }
    match failure {
        Some(error) if !matches!(error.kind, Kind::Denied | Kind::NotFound) => Err(error),
        Some(error) => {
            tracing::warn!("devices are not known: {}", chain(&error));
            Ok(Report { users, devices })
        }
        None => Ok(Report { users, devices }),
    }
}

async fn look(
    okta: &dyn Okta,
    upkeep: &Upkeep<'_>,
    subject: &Subject,
    ask: impl Fn(Option<Timestamp>) -> Ask,
) -> Result<(Looked, BTreeMap<String, Version>)> {
    let directory = Directory::beside(upkeep.lake, subject);
    let beside = Upkeep {
        lake: &directory.lake,
        ..*upkeep
    };
    let before = okta.requests();
    let mut attempt = 1;
    loop {
        let known = directory.open().await?;
        let now = upkeep.clock.now();
        let since = since(&known, now);
        let (seen, at) = all(okta, subject, &ask(since), now).await?;
        let mut looked = Looked {
            seen: seen.len() as u64,
            was_everything: since.is_none(),
            ..Looked::default()
        };
        let base = known.base().clone();
        let step = step(known.current, seen, since.is_none(), now);
        match directory.commit(&beside, &base, &step, at, since.is_none()).await {
            Ok(()) => {
                looked.begun = step.begun;
                looked.ended = step.ended.len() as u64;
                looked.current = step.current.len() as u64;
                looked.requests = okta.requests() - before;
                return Ok((looked, step.current));
            }
            Err(error) if error.kind == Kind::Conflict && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// From when on changes are asked for; `None` for everything.
fn since(known: &Known, now: Timestamp) -> Option<Timestamp> {
    let is_due = known
        .looked_at_all
        .is_none_or(|at| now.duration_since(at) >= EVERYTHING_AFTER);
    let looked = known.looked.filter(|_| !is_due)?;
    looked.checked_sub(OVERLAP).ok()
}

/// What the org tells of, and what time it was there at the beginning.
async fn all(okta: &dyn Okta, subject: &Subject, ask: &Ask, now: Timestamp) -> Result<(Vec<Version>, Timestamp)> {
    let (mut seen, mut next, mut begun) = (Vec::new(), None, None);
    loop {
        let page = okta.ask(ask, next.as_ref()).await?;
        begun = begun.or(page.at);
        seen.extend(
            page.items
                .iter()
                .filter_map(|item| Version::of(subject, item.get(), now)),
        );
        next = page.next;
        if next.is_none() {
            return Ok((seen, begun.unwrap_or(now)));
        }
    }
}

async fn store(objects: &dyn Objects, people: &[Person]) -> Result<()> {
    let failed = |error: std::io::Error| Error::caused(Kind::Invalid, format!("compress {INDEX}"), error);
    let packed = zstd::encode_all(encode(&people)?.as_slice(), COMPRESSION).map_err(failed)?;
    objects.put(INDEX, packed, Precondition::None).await?;
    Ok(())
}

/// Takes a user out of the tables and the index; how many versions of them there were.
pub async fn forget(objects: &dyn Objects, upkeep: &Upkeep<'_>, user_id: &str) -> Result<u64> {
    let directory = Directory::beside(upkeep.lake, &USERS);
    let beside = Upkeep {
        lake: &directory.lake,
        ..*upkeep
    };
    let versions = directory.forget(&beside, user_id).await?;
    let mut people = People::read(objects).await?;
    if people.by_name.contains_key(user_id) {
        people.all.retain(|person| person.id != user_id);
        store(objects, &people.all).await?;
    }
    Ok(versions)
}

/// Who is who, by ID and by login.
#[derive(Debug, Default)]
pub struct People {
    all: Vec<Person>,
    by_name: HashMap<String, usize>,
}

impl People {
    /// Nobody, where the org was never looked at.
    pub async fn read(objects: &dyn Objects) -> Result<Self> {
        let Some((bytes, _)) = objects.get(INDEX).await? else {
            return Ok(Self::default());
        };
        let failed = |error: std::io::Error| Error::caused(Kind::Invalid, format!("read {INDEX}"), error);
        let mut text = Vec::new();
        let mut unpacked = Unpacked::of(&bytes).map_err(failed)?;
        unpacked.read_to_end(&mut text).map_err(failed)?;
        let all: Vec<Person> = decode(INDEX, &text)?;
        let mut by_name = HashMap::with_capacity(all.len() * 2);
        for (place, person) in all.iter().enumerate() {
            by_name.insert(lower_case(&person.login).into_owned(), place);
        }
        // An ID is nobody else's login.
        by_name.extend(all.iter().enumerate().map(|(place, person)| (person.id.clone(), place)));
        Ok(Self { all, by_name })
    }

    /// Everybody who is known.
    pub fn all(&self) -> impl Iterator<Item = &Person> {
        self.all.iter()
    }

    /// The users whom an event names: its actor, then its targets.
    pub fn named_by(&self, event: &Value) -> Vec<Person> {
        const MOST: usize = 5;
        let targets = event.get("target").and_then(Value::as_array).into_iter().flatten();
        let ids = event
            .get("actor")
            .into_iter()
            .chain(targets)
            .filter_map(|party| party.get("id")?.as_str());
        let mut named: Vec<Person> = Vec::new();
        for person in ids.filter_map(|id| self.find(id)) {
            if named.len() < MOST && !named.contains(person) {
                named.push(person.clone());
            }
        }
        named
    }

    /// By ID, or by login in any letter case.
    pub fn find(&self, name: &str) -> Option<&Person> {
        let place = self
            .by_name
            .get(name)
            .or_else(|| self.by_name.get(&*lower_case(name)))?;
        self.all.get(*place)
    }
}
