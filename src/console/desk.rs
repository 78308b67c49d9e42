//! What the console has of one tenant: its adapters, and what it remembers of them for a moment. No call takes two tenants.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::console::cached::Cached;
use crate::console::index::{Index, LEAST_OF_ID};
use crate::console::job::Jobs;
use crate::console::rulebook::Rulebook;
use crate::lake::Lake;
use crate::model::finding::Finding;
use crate::model::name::TenantId;
use crate::model::prerequisite::Line;
use crate::model::run::{Ended, Run};
use crate::ports::{Objects, QueueDepth, Result};
use crate::runtime::directory::People;
use crate::runtime::refresh::{Overview, Report, Stage};
use crate::runtime::{findings, runs};

/// How long a look at stack, source and queue is good enough.
const SIGHT_LASTS: SignedDuration = SignedDuration::from_secs(30);
const PEOPLE_LAST: SignedDuration = SignedDuration::from_secs(30);
const FINDINGS_LAST: SignedDuration = SignedDuration::from_secs(5);

/// How something stands, in a word, and whether that is good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stand {
    pub word: String,
    pub tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    Good,
    /// Nothing to say.
    Idle,
    Warn,
    Bad,
}

impl Stand {
    pub fn new(word: impl Into<String>, tone: Tone) -> Self {
        Self {
            word: word.into(),
            tone,
        }
    }
}

/// What is seen of a tenant from outside its data.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Sight {
    /// The partner event source.
    pub source: Stand,
    pub stream: Stand,
    pub stack: Stand,
    /// `None` where it could not be counted.
    #[schemars(with = "Option<QueueCounts>")]
    pub queue: Option<QueueDepth>,
    /// For how long the oldest message has waited; `None` where none waits or nobody knows.
    pub oldest_seconds: Option<u64>,
    /// When the newest event was published that the stream has brought.
    pub last_event: Option<Timestamp>,
}

/// The same, and when its tasks ran last.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Seen {
    #[serde(flatten)]
    pub sight: Sight,
    pub detected: Option<Timestamp>,
    /// Whether the last of these has failed.
    pub has_failed: bool,
    pub compacted: Option<Timestamp>,
}

/// The shape of [`QueueDepth`].
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of use")]
struct QueueCounts {
    visible: u64,
    in_flight: u64,
    dead: u64,
}

/// What is asked of the world beside the tenant's data. The command line, which builds adapters, gives it.
#[async_trait]
pub trait Outside: Send + Sync {
    async fn sight(&self) -> Result<Sight>;
    /// Every prerequisite, looked at now.
    async fn checks(&self) -> Result<Vec<Line>>;
    /// *Refresh User Data*, with a word for each stage that begins.
    async fn refresh(&self, user: &str, stage: &(dyn Fn(Stage) + Send + Sync)) -> Result<Report>;
    /// Account, factors and devices by the org; `None` where the org may not be asked or does not know them.
    async fn account(&self, user: &str) -> Result<Option<Overview>>;
}

/// What the tenant's Okta admin types in, and what becomes of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Integration {
    /// The integration ID, which is the AWS Event Source Name.
    pub id: String,
    pub account_id: String,
    pub region: String,
    pub stream_name: String,
    pub event_source: String,
}

/// One tenant.
pub struct Desk {
    pub tenant: TenantId,
    pub integration: Integration,
    /// The guide for the tenant's Okta admin, step by step.
    pub steps: Vec<String>,
    pub objects: Arc<dyn Objects>,
    pub lake: Option<Lake>,
    pub rules: Arc<Rulebook>,
    pub outside: Arc<dyn Outside>,
    pub jobs: Jobs,
    index: Cached<Index>,
    people: Cached<People>,
    seen: Cached<Seen>,
}

impl Desk {
    pub fn new(
        (tenant, integration, steps): (TenantId, Integration, Vec<String>),
        (objects, lake): (Arc<dyn Objects>, Option<Lake>),
        rules: Arc<Rulebook>,
        outside: Arc<dyn Outside>,
    ) -> Self {
        Self {
            tenant,
            integration,
            steps,
            objects,
            lake,
            rules,
            outside,
            jobs: Jobs::default(),
            index: Cached::new(FINDINGS_LAST),
            people: Cached::new(PEOPLE_LAST),
            seen: Cached::new(SIGHT_LASTS),
        }
    }

    /// Every finding, without its event, newest first.
    pub async fn findings(&self, now: Timestamp) -> Result<Arc<Index>> {
        let objects = Arc::clone(&self.objects);
        let load = |before: Option<Arc<Index>>| async move { Index::read(&*objects, before.as_deref(), now).await };
        self.index.get(now, load).await
    }

    /// One finding was changed here: whoever looks next sees it.
    pub fn finding_changed(&self, key: &str, finding: &Finding) {
        self.index.change(|index| index.with(key, finding));
    }

    /// The key of the finding whose id begins so, if it is the only one; of a new one too, which lists do not have yet.
    pub async fn key_of_finding(&self, id: &str, now: Timestamp) -> Result<Option<String>> {
        let index = self.findings(now).await?;
        if let Some(known) = index.by_id(id) {
            return Ok(Some(known.key.clone()));
        }
        if !(LEAST_OF_ID..=32).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        let mut keys = findings::keys_of(&*self.objects, id).await?;
        Ok(if keys.len() == 1 { keys.pop() } else { None })
    }

    pub async fn people(&self, now: Timestamp) -> Result<Arc<People>> {
        let objects = Arc::clone(&self.objects);
        let load = |_: Option<Arc<People>>| async move { People::read(&*objects).await };
        self.people.get(now, load).await
    }

    pub fn people_changed(&self) {
        self.people.forget();
    }

    /// How all stands, as of some minutes ago at most.
    pub async fn seen(&self, now: Timestamp) -> Result<Arc<Seen>> {
        let (outside, objects) = (Arc::clone(&self.outside), Arc::clone(&self.objects));
        let load = |_: Option<Arc<Seen>>| async move {
            let last = |role| runs::newest(&*objects, role, None, now, 1);
            let (sight, detected, compacted) = futures::try_join!(outside.sight(), last("detect"), last("compact"))?;
            let began = |runs: &[(String, Run)]| runs.first().map(|(_, run)| run.began);
            Ok(Seen {
                sight,
                detected: began(&detected),
                has_failed: detected.first().is_some_and(|(_, run)| run.state == Ended::Failed),
                compacted: began(&compacted),
            })
        };
        self.seen.get(now, load).await
    }
}
