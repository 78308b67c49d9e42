//! What an org answers, page by page.

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool};

use super::STREAM;
use super::filter::Filter;
use crate::local::sqlite;
use crate::ports::okta::{Ask, EVENTS_A_PAGE, LogQuery, Next, Page};
use crate::ports::{Error, Kind, Result};

/// Okta's pages of users and devices.
const THINGS_A_PAGE: usize = 200;
/// Events that are looked at for one page of a filter, as Okta too ends a page before it is full.
const LOOKED_AT: usize = 5_000;

pub async fn page(pool: &SqlitePool, ask: &Ask, next: Option<&Next>) -> Result<Page> {
    match ask {
        Ask::Events(query) => events(pool, query, next).await,
        Ask::LogStreams => things(pool, (STREAM, None), next, |_| true).await,
        Ask::Users { changed_since } => things(pool, ("user", *changed_since), next, |_| true).await,
        Ask::Devices { changed_since } => things(pool, ("device", *changed_since), next, |_| true).await,
        Ask::UsersByEmail(email) => {
            let of = |user: &Value| text(user, "/profile/email").is_some_and(|own| own.eq_ignore_ascii_case(email));
            things(pool, ("user", None), next, of).await
        }
        Ask::User(name) => {
            let found = match thing(pool, "user", name).await? {
                Some(user) => Some(user),
                None => by_login(pool, name).await?,
            };
            one(found, ask)
        }
        Ask::Factors(user) => list(thing(pool, "factors", user).await?),
        Ask::UserDevices(user) => {
            let of = |device: &Value| {
                let users = device.pointer("/_embedded/users").and_then(Value::as_array);
                users.is_some_and(|users| users.iter().any(|one| text(one, "/user/id") == Some(user)))
            };
            let mut page = things(pool, ("device", None), next, of).await?;
            for item in &mut page.items {
                *item = raw(format!(r#"{{"device":{item}}}"#))?;
            }
            Ok(page)
        }
        // A token that may do everything, of an org without groups.
        Ask::Me => one(Some(ME.to_owned()), ask),
        Ask::Roles(_) => list(Some(ROLES.to_owned())),
        Ask::Groups => Ok(Page::default()),
        Ask::Org => one(Some(ORG.to_owned()), ask),
    }
}

const ME: &str = r#"{"id":"00uApiToken","status":"ACTIVE","profile":{"login":"api-token@local"}}"#;
const ROLES: &str = r#"[{"type":"SUPER_ADMIN","status":"ACTIVE"}]"#;
const ORG: &str = r#"{"id":"00oLocal","pipeline":"idx"}"#;

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

fn raw(text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|error| Error::caused(Kind::Invalid, "read what the org keeps", error))
}

fn one(found: Option<String>, ask: &Ask) -> Result<Page> {
    let found = found.ok_or_else(|| Error::new(Kind::NotFound, format!("ask the org for {ask:?}")))?;
    Ok(Page {
        items: vec![raw(found)?],
        ..Page::default()
    })
}

fn list(found: Option<String>) -> Result<Page> {
    let items = found.map_or_else(|| Ok(Vec::new()), |text| serde_json::from_str(&text));
    Ok(Page {
        items: items.map_err(|error| Error::caused(Kind::Invalid, "read what the org keeps", error))?,
        ..Page::default()
    })
}

async fn events(pool: &SqlitePool, query: &LogQuery, next: Option<&Next>) -> Result<Page> {
    let filter = query.filter.as_deref().map(Filter::parse).transpose()?;
    let (published, id) = match next {
        None => (query.from.as_millisecond(), 0),
        Some(next) => place(next)?,
    };
    let most = if filter.is_some() { LOOKED_AT } else { EVENTS_A_PAGE };
    let rows = sqlx::query(
        "SELECT published, id, body FROM event WHERE (published, id) > (?, ?) AND published < ?
         ORDER BY published, id LIMIT ?",
    )
    .bind(published)
    .bind(id)
    .bind(ceiling(query.to))
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await
    .map_err(sqlite::failed("read the System Log"))?;
    let mut page = Page::default();
    let mut last = None;
    for row in &rows {
        let body: String = row.get(2);
        if let Some(filter) = &filter
            && !serde_json::from_str(&body).is_ok_and(|event| filter.takes(&event))
        {
            last = Some(row);
            continue;
        }
        page.items.push(raw(body)?);
        last = Some(row);
        if page.items.len() == EVENTS_A_PAGE {
            break;
        }
    }
    let is_more = rows.len() == most || page.items.len() == EVENTS_A_PAGE;
    page.next = last
        .filter(|_| is_more)
        .map(|row| Next(format!("{} {}", row.get::<i64, _>(0), row.get::<i64, _>(1))));
    Ok(page)
}

/// Times are kept in milliseconds, which an end may lie between.
fn ceiling(to: Timestamp) -> i64 {
    to.as_millisecond() + i64::from(to.subsec_nanosecond() % 1_000_000 > 0)
}

fn place(next: &Next) -> Result<(i64, i64)> {
    let numbers = next.0.split_once(' ');
    numbers
        .and_then(|(published, id)| Some((published.parse().ok()?, id.parse().ok()?)))
        .ok_or_else(|| Error::new(Kind::Invalid, "go on with a page of the System Log"))
}

async fn thing(pool: &SqlitePool, kind: &str, id: &str) -> Result<Option<String>> {
    let row = sqlx::query("SELECT body FROM thing WHERE kind = ? AND id = ?")
        .bind(kind)
        .bind(id)
        .fetch_optional(pool)
        .await
        .map_err(sqlite::failed("look into the org"))?;
    Ok(row.map(|row| row.get(0)))
}

async fn by_login(pool: &SqlitePool, login: &str) -> Result<Option<String>> {
    let row = sqlx::query(
        "SELECT body FROM thing WHERE kind = 'user' AND lower(json_extract(body, '$.profile.login')) = lower(?)",
    )
    .bind(login)
    .fetch_optional(pool)
    .await
    .map_err(sqlite::failed("look for a user"))?;
    Ok(row.map(|row| row.get(0)))
}

async fn things(
    pool: &SqlitePool,
    (kind, since): (&str, Option<Timestamp>),
    next: Option<&Next>,
    takes: impl Fn(&Value) -> bool,
) -> Result<Page> {
    let after = next.map_or("", |next| &next.0);
    let rows: Vec<SqliteRow> =
        sqlx::query("SELECT id, body FROM thing WHERE kind = ? AND updated >= ? AND id > ? ORDER BY id LIMIT ?")
            .bind(kind)
            .bind(since.map_or(i64::MIN, Timestamp::as_millisecond))
            .bind(after)
            .bind(i64::try_from(THINGS_A_PAGE).unwrap_or(i64::MAX))
            .fetch_all(pool)
            .await
            .map_err(sqlite::failed("look into the org"))?;
    let mut page = Page::default();
    for row in &rows {
        let body: String = row.get(1);
        if serde_json::from_str(&body).is_ok_and(|value| takes(&value)) {
            page.items.push(raw(body)?);
        }
    }
    page.next = rows
        .last()
        .filter(|_| rows.len() == THINGS_A_PAGE)
        .map(|row| Next(row.get(0)));
    Ok(page)
}
