//! What the verbs about a tenant's log stream have in common: the tenant, its org, and how an event is waited for.

use std::io::Cursor;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use crate::cli::embedded::Embedded;
use crate::cli::local::{Sent, send};
use crate::cli::target::{Target, WallClock};
use crate::cli::task::{EnvironmentArgs, OnAwsArgs, TenantArgs};
use crate::cli::tenant::{Online, only};
use crate::cli::{Failure, Global};
use crate::deploy::profile::{self, Profile};
use crate::lake::segment;
use crate::local::export::Export;
use crate::model::event::{Arrival, Head, detail};
use crate::model::okta::{LogStream, Org};
use crate::okta::Manners;
use crate::ports::Clock as _;
use crate::ports::okta::{Act, Okta};
use crate::ports::stop::Stop;
use crate::runtime::ingest::Ingest;
use crate::runtime::refresh::INGEST_LEASE;
use crate::runtime::stream;

/// Between two looks for an event.
const PAUSE: Duration = Duration::from_secs(2);

/// A tenant whose log stream a verb is about.
pub struct Subject {
    pub profile: Profile,
    pub tenant: profile::Tenant,
    /// Where it runs; an org on this machine has to be told to send.
    place: Place,
}

enum Place {
    Aws(Box<Target>),
    Here(Box<Embedded>),
}

impl Subject {
    pub async fn open(global: &Global, online: &Online) -> Result<Self, Failure> {
        let one = &online.one;
        let loaded = one.load(global)?;
        let arguments = TenantArgs {
            environment: EnvironmentArgs {
                environment: one.environment.clone(),
            },
            tenant: Some(one.tenant.clone()),
            on_aws: OnAwsArgs::told(online.okta.clone()),
        };
        let tenant = only(&loaded)?.clone();
        let profile = loaded.environment.profile;
        let place = match profile.target {
            profile::Target::Aws => Place::Aws(Box::new(Target::open(global, &arguments).await?)),
            profile::Target::Embedded => Place::Here(Box::new(Embedded::open(global, &arguments).await?)),
        };
        Ok(Self { profile, tenant, place })
    }

    pub fn target(&self) -> &Target {
        match &self.place {
            Place::Aws(target) => target,
            Place::Here(embedded) => &embedded.target,
        }
    }

    /// For how many seconds the oldest message of a queue on this machine has waited.
    pub async fn oldest_seconds(&self) -> Option<u64> {
        match &self.place {
            Place::Aws(_) => None,
            Place::Here(embedded) => embedded.local_queue.oldest().await.ok()?.map(|age| age.as_secs()),
        }
    }

    /// The tenant's org, asked as somebody does who waits for the answer.
    pub fn okta(&self) -> Result<(std::sync::Arc<dyn Okta>, &Org), Failure> {
        let asked = self.target().okta()?;
        Ok((asked.open(Manners::of_a_person())?, &asked.org))
    }

    /// The log stream that sends to the tenant's bus.
    pub async fn log_stream(&self, okta: &dyn Okta, org: &Org) -> Result<Option<LogStream>, Failure> {
        let all = stream::streams(okta).await?;
        Ok(all.into_iter().find(|stream| stream.sends_to(&org.place)))
    }

    /// Has the org say something harmless, and waits until an event of since then has come to the end of the way; says how long
    /// that took.
    pub async fn wait_for_an_event(
        &self,
        okta: &dyn Okta,
        stream: &LogStream,
        most: Duration,
    ) -> Result<Duration, Failure> {
        let target = self.target();
        let begun = Instant::now();
        // What is dated a little before may be under way for the first time all the same.
        let since = WallClock.now().checked_sub(SignedDuration::from_secs(5));
        let since = since.unwrap_or(Timestamp::MIN);
        let mut next = segment::end(&*target.objects, 0).await?;
        okta.act(&Act::Touch(stream.clone())).await?;
        loop {
            self.deliver().await?;
            land(target).await?;
            let end = segment::end(&*target.objects, next).await?;
            for number in next..end {
                if has_event_since(target, number, since).await? {
                    return Ok(begun.elapsed());
                }
            }
            next = end;
            if begun.elapsed() >= most {
                let why = format!("no event has come for {} s", begun.elapsed().as_secs());
                return Err(
                    Failure::unavailable(why).hint("oort tenant check says what is missing; the same command goes on")
                );
            }
            sleep(PAUSE).await;
        }
    }

    /// An org on this machine sends when it is told to.
    async fn deliver(&self) -> Result<(), Failure> {
        match &self.place {
            Place::Aws(_) => Ok(()),
            Place::Here(embedded) => deliver(embedded).await.map(drop),
        }
    }
}

/// Sends what the log stream of an org on this machine has to send.
pub async fn deliver(embedded: &Embedded) -> Result<Sent, Failure> {
    const AT_ONCE: u32 = 1_000;
    let mut sent = Sent::default();
    loop {
        let (events, last) = embedded.org.waiting(AT_ONCE).await?;
        let Some(last) = last else { return Ok(sent) };
        let lines = events.join("\n");
        sent += send(embedded, Export::new(Cursor::new(lines)), false).await?;
        embedded.org.sent(last).await?;
    }
}

/// Moves what waits in the queue into the log of segments, unless somebody is doing just that.
async fn land(target: &Target) -> Result<(), Failure> {
    let stop = Stop::default();
    let Some(lease) = target.leases.acquire(INGEST_LEASE, &stop).await? else {
        return Ok(());
    };
    let landed = async {
        let mut ingest = Ingest::open(target.queue()?, &*target.objects, &stop, 0).await?;
        while let Some(landed) = ingest.land().await? {
            if landed.is_last {
                break;
            }
        }
        Ok(())
    }
    .await;
    lease.release().await;
    landed
}

async fn has_event_since(target: &Target, number: u64, since: Timestamp) -> Result<bool, Failure> {
    let mut lines = segment::Lines::open(&*target.objects, number).await?;
    while let Some(line) = lines.next_line()? {
        if Arrival::of(line) == Arrival::Streamed
            && let Some(Ok(head)) = detail(line).map(Head::parse)
            && head.published >= since
        {
            return Ok(true);
        }
    }
    Ok(false)
}
