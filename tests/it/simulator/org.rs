//! A tenant's org as a process reaches its management API: the System Log in short pages, users, and one log stream.

use async_trait::async_trait;
use oort_streams::model::event::Head;
use oort_streams::model::okta::{EVENTBRIDGE, LogStream};
use oort_streams::ports::okta::{Act, Ask, LogQuery, Next, Okta, Page};
use oort_streams::ports::{Error, Kind, Result};
use serde_json::json;
use serde_json::value::RawValue;

use super::events::{org, users};
use super::process::Nature;
use super::tenant::{Ports, Tenant};

/// Events of a page: few, so that there are pages.
const PAGE: usize = 7;

fn raw(text: impl Into<String>) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

impl Tenant {
    /// What Okta has stored by now of what is asked for.
    fn log_page(&self, query: &LogQuery, from: usize) -> Page {
        let now = self.weather.now();
        let wanted = query
            .filter
            .as_ref()
            .map(|filter| filter.split('"').nth(1).unwrap().to_owned());
        let log = self.log.lock().unwrap();
        let mut events: Vec<(jiff::Timestamp, &String)> = log
            .iter()
            .filter(|(stored, _)| *stored <= now)
            .map(|(_, event)| (Head::parse(event).unwrap().published, event))
            .filter(|(published, _)| (query.from..query.to).contains(published))
            .filter(|(_, event)| {
                wanted
                    .as_ref()
                    .is_none_or(|user| event.contains(&format!("\"id\":\"{user}\"")))
            })
            .collect();
        events.sort();
        let next = (events.len() > from + PAGE).then(|| Next((from + PAGE).to_string()));
        let items = events
            .into_iter()
            .skip(from)
            .take(PAGE)
            .map(|(_, event)| raw(event))
            .collect();
        Page {
            items,
            next,
            at: Some(now),
        }
    }

    fn answer(&self, ask: &Ask, from: usize) -> Result<Page> {
        let user = |(id, login): (String, String)| {
            raw(json!({"id": id, "status": "ACTIVE", "profile": {"login": login}}).to_string())
        };
        let items = match ask {
            Ask::Events(query) => return Ok(self.log_page(query, from)),
            Ask::User(name) => {
                let found = users(self.name)
                    .find(|(id, login)| id == name || login == name)
                    .map(user);
                vec![found.ok_or_else(|| Error::new(Kind::NotFound, format!("find {name}")))?]
            }
            Ask::Users { .. } => users(self.name).map(user).collect(),
            Ask::LogStreams => {
                let stream = LogStream {
                    id: "0oa1".to_owned(),
                    kind: EVENTBRIDGE.to_owned(),
                    name: "Oort".to_owned(),
                    status: "ACTIVE".to_owned(),
                    settings: org(self.name).place,
                };
                vec![raw(serde_json::to_string(&stream).unwrap())]
            }
            _ => Vec::new(),
        };
        Ok(Page {
            items,
            next: None,
            at: Some(self.weather.now()),
        })
    }
}

#[async_trait]
impl Okta for Ports {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        let from = next.map_or(0, |next| next.0.parse().unwrap());
        let (tenant, ask) = (self.tenant.clone(), ask.clone());
        self.process
            .call("ask Okta", Nature::Read, move || tenant.answer(&ask, from))
            .await
    }

    async fn act(&self, act: &Act) -> Result<Option<LogStream>> {
        Err(Error::new(
            Kind::Invalid,
            format!("{act}: nothing is to be changed here"),
        ))
    }

    fn requests(&self) -> u64 {
        0
    }
}
