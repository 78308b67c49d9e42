//! Reads partner event sources and event buses from EventBridge.

use async_trait::async_trait;
use aws_sdk_eventbridge::types as sdk;

use crate::aws::Account;
use crate::aws::convert::{owned, timestamp};
use crate::aws::error::from_sdk;
use crate::model::source::{EventSource, SourceState};
use crate::ports::Result;
use crate::ports::cloud::{EventSources, Page};

/// What the names of Okta's event sources begin with.
const OKTA: &str = "aws.partner/okta.com/";

#[async_trait]
impl EventSources for Account {
    async fn sources(&self, next: Option<String>) -> Result<Page<EventSource>> {
        let answer = self
            .eventbridge
            .list_event_sources()
            .name_prefix(OKTA)
            .set_next_token(next)
            .send()
            .await;
        let answer = answer.map_err(|error| from_sdk("events:ListEventSources", &error))?;
        Ok(Page {
            items: answer.event_sources().iter().filter_map(source).collect(),
            next: answer.next_token().map(str::to_owned),
        })
    }

    async fn buses(&self, next: Option<String>) -> Result<Page<String>> {
        let answer = self.eventbridge.list_event_buses().set_next_token(next).send().await;
        let answer = answer.map_err(|error| from_sdk("events:ListEventBuses", &error))?;
        Ok(Page {
            items: answer.event_buses().iter().map(|bus| owned(bus.name())).collect(),
            next: answer.next_token().map(str::to_owned),
        })
    }
}

fn source(source: &sdk::EventSource) -> Option<EventSource> {
    Some(EventSource {
        name: source.name()?.to_owned(),
        state: match source.state().map(sdk::EventSourceState::as_str) {
            Some("ACTIVE") => SourceState::Active,
            Some("DELETED") => SourceState::Deleted,
            _ => SourceState::Pending,
        },
        created: source.creation_time().and_then(timestamp),
        expires: source.expiration_time().and_then(timestamp),
    })
}
