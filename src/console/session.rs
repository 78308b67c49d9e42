//! Sessions: kept in memory, so that signing out ends one for good; named by a signed cookie.

use std::collections::HashMap;
use std::sync::Mutex;

use cookie::{Cookie, CookieJar, Key, SameSite};
use jiff::{SignedDuration, Timestamp};

use crate::console::chance;
use crate::console::visitor::{Grants, Visitor};
use crate::ports::Result;

/// Sessions at once; the one that ends first makes room.
const MOST: usize = 10_000;

/// Who is signed in.
pub struct Sessions {
    key: Key,
    /// Whether cookies go over TLS only.
    is_secure: bool,
    lasts: SignedDuration,
    live: Mutex<HashMap<String, Session>>,
}

#[derive(Clone)]
struct Session {
    name: String,
    grants: Grants,
    csrf: String,
    until: Timestamp,
}

impl Sessions {
    /// The cookies' key is made anew, so that a restart signs everybody out.
    pub fn new(is_secure: bool, lasts: SignedDuration) -> Result<Self> {
        Ok(Self {
            key: Key::from(&chance::bytes::<64>()?),
            is_secure,
            lasts,
            live: Mutex::default(),
        })
    }

    /// A `__Host-` cookie cannot be set by a neighbouring name, and goes over TLS only.
    fn cookie_name(&self, what: &str) -> String {
        if self.is_secure {
            format!("__Host-oort-{what}")
        } else {
            format!("oort-{what}")
        }
    }

    /// A signed cookie of ours, as a header's value.
    pub fn cookie(&self, what: &str, value: String, lasts: SignedDuration) -> String {
        let cookie = Cookie::build((self.cookie_name(what), value))
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            // A provider sends the reader back from another site, so that a strict cookie would not come along.
            .same_site(SameSite::Lax)
            .max_age(cookie::time::Duration::seconds(lasts.as_secs()));
        let mut jar = CookieJar::new();
        jar.signed_mut(&self.key).add(cookie);
        jar.delta().next().map(ToString::to_string).unwrap_or_default()
    }

    /// What takes a cookie away.
    pub fn no_cookie(&self, what: &str) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!(
            "{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}",
            self.cookie_name(what)
        )
    }

    /// The value of a cookie of ours, from a request's `Cookie` header.
    pub fn read(&self, header: &str, what: &str) -> Option<String> {
        let mut jar = CookieJar::new();
        for cookie in Cookie::split_parse(header.to_owned()).flatten() {
            jar.add_original(cookie);
        }
        let cookie = jar.signed(&self.key).get(&self.cookie_name(what))?;
        Some(cookie.value().to_owned())
    }

    /// Begins a session; the cookie that names it.
    pub fn begin(&self, name: String, grants: Grants, now: Timestamp) -> Result<String> {
        let (id, csrf) = (chance::token()?, chance::token()?);
        let until = now.saturating_add(self.lasts).unwrap_or(now);
        let session = Session {
            name,
            grants,
            csrf,
            until,
        };
        let mut live = self.live();
        live.retain(|_, session| session.until > now);
        if live.len() >= MOST {
            let first = live.iter().min_by_key(|(_, session)| session.until);
            if let Some(first) = first.map(|(id, _)| id.clone()) {
                live.remove(&first);
            }
        }
        live.insert(id.clone(), session);
        drop(live);
        Ok(self.cookie("session", id, self.lasts))
    }

    /// Who a request's `Cookie` header names, while that holds.
    pub fn visitor(&self, header: &str, now: Timestamp) -> Option<Visitor> {
        let id = self.read(header, "session")?;
        let session = self.live().get(&id).filter(|session| session.until > now).cloned()?;
        Some(Visitor {
            name: session.name,
            grants: session.grants,
            csrf: session.csrf,
            is_signed_in: true,
        })
    }

    /// Ends the session that a header names.
    pub fn end(&self, header: &str) {
        if let Some(id) = self.read(header, "session") {
            self.live().remove(&id);
        }
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        self.live.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::visitor::Role;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_session_holds_until_it_ends_and_no_forged_cookie_names_it() {
        let sessions = Sessions::new(true, SignedDuration::from_mins(30)).unwrap();
        let now = at("2026-11-24T09:00:00Z");
        let cookie = sessions
            .begin("ann@example.com".to_owned(), Grants::everywhere(Role::Viewer), now)
            .unwrap();
        for wanted in [
            "__Host-oort-session=",
            "HttpOnly",
            "SameSite=Lax",
            "Secure",
            "Path=/",
            "Max-Age=1800",
        ] {
            assert!(cookie.contains(wanted), "{cookie}");
        }
        let sent = cookie.split(';').next().unwrap().to_owned();
        assert_eq!(sessions.visitor(&sent, now).unwrap().name, "ann@example.com");
        assert!(sessions.visitor(&sent, at("2026-11-24T09:30:00Z")).is_none());
        let unsigned = format!("__Host-oort-session={}", sessions.read(&sent, "session").unwrap());
        assert!(sessions.visitor(&unsigned, now).is_none());
        let of_another = Sessions::new(true, SignedDuration::from_mins(30)).unwrap();
        assert!(of_another.visitor(&sent, now).is_none());
        sessions.end(&sent);
        assert!(sessions.visitor(&sent, now).is_none());
    }
}
