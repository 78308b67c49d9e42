//! `oort tenant connect` and `reactivate`: what an Okta admin would do by hand, through the API where the token may.

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

use crate::cli::apply::How;
use crate::cli::cloud::{Connected, connect};
use crate::cli::context::Loaded;
use crate::cli::task::run_name;
use crate::cli::tenant::Online;
use crate::cli::tenant::stream::Subject;
use crate::cli::{Exit, Failure, Global, Outcome, output, plan};
use crate::deploy::onboard::guide;
use crate::deploy::plan::Purpose;
use crate::deploy::plan::intent::WaysOut;
use crate::deploy::profile;
use crate::deploy::world;
use crate::model::okta::{EVENTBRIDGE, LogStream, NewLogStream, Org};
use crate::ports::Kind;
use crate::ports::okta::{Act, Okta};

/// Connect a tenant: make the log stream in its Okta org, accept the partner event source by its stack, and wait for the first
/// event. Every step that is done already is left as it is.
#[derive(Debug, Args)]
pub struct Connect {
    #[command(flatten)]
    online: Online,
    /// How long each of Okta, AWS and the first event is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    #[command(flatten)]
    how: How,
}

/// Set a tenant's log stream going again, and wait for an event. What was missed is fetched by oort reconcile.
#[derive(Debug, Args)]
pub struct Reactivate {
    #[command(flatten)]
    online: Online,
    /// How long an event is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
}

impl Connect {
    pub async fn run(self, global: &Global) -> Outcome {
        let most = Duration::from_secs(self.wait);
        let subject = Subject::open(global, &self.online).await?;
        let (okta, org) = subject.okta()?;
        let Some(stream) = self.log_stream(&subject, &*okta, org).await? else {
            return Ok(by_hand(&subject));
        };
        if subject.profile.target == profile::Target::Aws {
            let connected = connect(&subject.profile).await?;
            wait_for_source(&connected, subject.tenant.event_source.as_str(), most).await?;
            output::progress("the partner event source is there");
            if self.accept(global, &connected).await? != Exit::Done {
                return Ok(Exit::PartlyFailed);
            }
            output::progress("its event bus and the tenant's stack are there");
        }
        let took = subject.wait_for_an_event(&*okta, &stream, most).await?;
        output::line(format!("connected, first event after {} s", took.as_secs().max(1)));
        Ok(Exit::Done)
    }

    /// The stream, found, made or set going; `None` where the token may not.
    async fn log_stream(&self, subject: &Subject, okta: &dyn Okta, org: &Org) -> Result<Option<LogStream>, Failure> {
        let found = subject.log_stream(okta, org).await?;
        let (act, done) = match found {
            Some(stream) if stream.is_active() => {
                output::progress(format!("the log stream {} is active", stream.name));
                return Ok(Some(stream));
            }
            Some(stream) => (Act::Activate(stream.id), "set going"),
            None => (
                Act::Create(NewLogStream {
                    kind: EVENTBRIDGE,
                    name: format!("Oort {}", self.online.one.environment),
                    settings: org.place.clone(),
                }),
                "made",
            ),
        };
        match okta.act(&act).await {
            Ok(Some(stream)) => {
                output::progress(format!("the log stream {} is {done}", stream.name));
                Ok(Some(stream))
            }
            Ok(None) => {
                Err(Failure::unavailable("Okta says nothing of the log stream").hint("run the same command again"))
            }
            Err(error) if error.kind == Kind::Denied => {
                output::progress(format!("the token may not {act}"));
                Ok(None)
            }
            // Whether it was done is not known: the next look tells.
            Err(error) => Err(error.into()),
        }
    }

    /// Applies the tenant's stack, whose bus accepts the source.
    async fn accept(&self, global: &Global, connected: &Connected) -> Outcome {
        let only = vec![self.online.one.tenant.clone()];
        let loaded: Loaded = plan::load(global, &self.online.one.environment, &only)?;
        let profile = &loaded.environment.profile;
        let world = world::sweep(&*connected.cloud, &connected.pacer).await?;
        let drafts = plan::drafts(&loaded, &only, &world, &WaysOut::default())?;
        let request = plan::Leave::default().request(run_name(), Purpose::Deploy, self.how.interval());
        let plan = plan::make(connected, &world, drafts, &request, profile).await?;
        for blocked in &plan.blocked {
            output::progress(format!("{}: {}; {}", blocked.stack, blocked.why, blocked.way_out));
        }
        if !plan.blocked.is_empty() {
            return Ok(Exit::PartlyFailed);
        }
        if plan.steps.is_empty() {
            return Ok(Exit::Done);
        }
        self.how.carry_out(global, connected, profile, &plan).await
    }
}

/// What the org's admin has to do instead.
fn by_hand(subject: &Subject) -> Exit {
    output::text(&guide::text(&guide::guide(&subject.profile, &subject.tenant)));
    output::progress("when that is done, the same command goes on");
    Exit::Refused
}

async fn wait_for_source(connected: &Connected, name: &str, most: Duration) -> Result<(), Failure> {
    const PAUSE: Duration = Duration::from_secs(5);
    let begun = Instant::now();
    loop {
        let sources = world::sources(&*connected.cloud, &connected.pacer).await?;
        if sources.contains_key(name) {
            return Ok(());
        }
        if begun.elapsed() >= most {
            let why = format!(
                "AWS has no partner event source {name} after {} s",
                begun.elapsed().as_secs()
            );
            return Err(Failure::unavailable(why)
                .hint("oort tenant check compares the log stream's account, region and integration"));
        }
        sleep(PAUSE).await;
    }
}

impl Reactivate {
    pub async fn run(self, global: &Global) -> Outcome {
        let subject = Subject::open(global, &self.online).await?;
        let (okta, org) = subject.okta()?;
        let Some(stream) = subject.log_stream(&*okta, org).await? else {
            return Err(Failure::input("there is no log stream to this tenant").hint("oort tenant connect makes one"));
        };
        let stream = if stream.is_active() {
            output::progress(format!("the log stream {} is active", stream.name));
            stream
        } else {
            let act = Act::Activate(stream.id.clone());
            match okta.act(&act).await {
                Ok(now) => now.unwrap_or(stream),
                Err(error) if error.kind == Kind::Denied => {
                    return Err(Failure::refused(error)
                        .hint("have the org's admin do it: Reports > Log Streaming > Activate; then run the same command again"));
                }
                Err(error) => return Err(error.into()),
            }
        };
        let took = subject
            .wait_for_an_event(&*okta, &stream, Duration::from_secs(self.wait))
            .await?;
        output::line(format!(
            "the log stream {} sends, first event after {} s; oort reconcile fetches what was missed",
            stream.name,
            took.as_secs().max(1)
        ));
        Ok(Exit::Done)
    }
}
