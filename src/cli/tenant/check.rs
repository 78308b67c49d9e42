//! `oort tenant check`: what must be true for a tenant's events to come.

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::cli::cloud::connect;
use crate::cli::target::WallClock;
use crate::cli::tenant::Online;
use crate::cli::tenant::stream::Subject;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::onboard::prerequisites::{Answer, Because, OfAws, OfOkta, Refused, Seen, Who, junit, lines};
use crate::deploy::profile;
use crate::lake::objects::decode;
use crate::lake::segment;
use crate::model::event::{Arrival, Head, detail};
use crate::model::okta::{Role, User};
use crate::model::prerequisite::{Line, Verdict};
use crate::ports::okta::{Ask, LogQuery, Okta};
use crate::ports::{self, Clock as _, Kind, Objects};
use crate::runtime::stream;

/// Look whether all holds that a tenant's events need, from the Okta org to the last event; say what to do where it does not.
/// Exits with 5 when something fails.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    online: Online,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line each, for people.
    Table,
    /// A JSON array for machines.
    Json,
    /// For test reports.
    Junit,
}

impl Check {
    pub async fn run(self, global: &Global) -> Outcome {
        let subject = Subject::open(global, &self.online).await?;
        let lines = checked(&subject).await?;
        match self.format {
            Format::Table => print(&lines),
            Format::Json => output::json(&lines),
            Format::Junit => output::text(&junit(&self.online.one.tenant, &lines)),
        }
        let has_failed = lines.iter().any(|line| line.verdict == Verdict::Failed);
        Ok(if has_failed { Exit::PartlyFailed } else { Exit::Done })
    }
}

fn print(lines: &[Line]) {
    for line in lines {
        let word = match line.verdict {
            Verdict::Passed => "ok     ",
            Verdict::Failed => "failed ",
            Verdict::Unknown => "unknown",
        };
        output::line(format!("{word}  {}: {}", line.title, line.seen));
        if !line.to_do.is_empty() {
            output::line(format!("         -> {}", line.to_do));
        }
    }
}

/// Every prerequisite of a tenant, looked at now.
pub async fn checked(subject: &Subject) -> Result<Vec<Line>, Failure> {
    Ok(lines(&look(subject).await?))
}

async fn look(subject: &Subject) -> Result<Seen, Failure> {
    let okta = if subject.target().okta.is_some() {
        let (okta, org) = subject.okta()?;
        Some((org.clone(), of_okta(&*okta).await))
    } else {
        None
    };
    let aws = match subject.profile.target {
        profile::Target::Embedded => None,
        profile::Target::Aws => Some(of_aws(subject).await?),
    };
    Ok(Seen {
        now: WallClock.now(),
        okta,
        aws,
        last_event: newest_event(&*subject.target().objects)
            .await
            .map_err(|error| refused(&error)),
    })
}

async fn of_okta(okta: &dyn Okta) -> OfOkta {
    let now = WallClock.now();
    let last_minute = Ask::Events(LogQuery {
        from: now - jiff::SignedDuration::from_mins(1),
        to: now,
        filter: None,
    });
    let (org, log, streams, who) = futures::join!(
        okta.ask(&Ask::Org, None),
        okta.ask(&last_minute, None),
        stream::streams(okta),
        who(okta)
    );
    OfOkta {
        org: org.map(|page| page.at).map_err(|error| refused(&error)),
        who: who.map_err(|error| refused(&error)),
        log: log.map(drop).map_err(|error| refused(&error)),
        streams: streams.map_err(|error| refused(&error)),
    }
}

async fn who(okta: &dyn Okta) -> ports::Result<Who> {
    let page = match okta.ask(&Ask::Me, None).await {
        Ok(page) => page,
        Err(error) if error.kind == Kind::NotFound => return Ok(Who::Application),
        Err(error) => return Err(error),
    };
    let me = page.items.first().map_or("{}", |item| item.get());
    let me: User = decode("who the token belongs to", me.as_bytes())?;
    let roles = okta.ask(&Ask::Roles(me.id), None).await.and_then(|page| {
        let roles = page
            .items
            .iter()
            .map(|item| decode::<Role>("a role", item.get().as_bytes()));
        let roles = roles.collect::<ports::Result<Vec<Role>>>()?;
        let active = roles.into_iter().filter(|role| role.status != "INACTIVE");
        Ok(active.map(|role| role.kind).collect())
    });
    Ok(Who::User {
        login: me.profile.login,
        roles: roles.map_err(|error| refused(&error)),
    })
}

async fn of_aws(subject: &Subject) -> Result<Answer<OfAws>, Failure> {
    let connected = connect(&subject.profile).await?;
    let name = subject.tenant.event_source.as_str();
    let (cloud, pacer) = (&*connected.cloud, &connected.pacer);
    let sources = pacer.all("ListEventSources", |next| cloud.sources(next));
    let buses = pacer.all("ListEventBuses", |next| cloud.buses(next));
    Ok(match futures::try_join!(sources, buses) {
        Ok((sources, buses)) => Ok(OfAws {
            source: sources.into_iter().find(|source| source.name == name),
            has_bus: buses.iter().any(|bus| bus == name),
        }),
        Err(error) => Err(refused(&error)),
    })
}

/// When the newest event was published that the stream has brought, among the newest segments.
pub async fn newest_event(objects: &dyn Objects) -> ports::Result<Option<Timestamp>> {
    const SEGMENTS: u64 = 50;
    let first = segment::start(objects).await?;
    let end = segment::end(objects, first).await?;
    for number in (first.max(end.saturating_sub(SEGMENTS))..end).rev() {
        let mut newest = None;
        let mut lines = segment::Lines::open(objects, number).await?;
        while let Some(line) = lines.next_line()? {
            if Arrival::of(line) == Arrival::Streamed
                && let Some(Ok(head)) = detail(line).map(Head::parse)
            {
                newest = newest.max(Some(head.published));
            }
        }
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

fn refused(error: &ports::Error) -> Refused {
    let because = match error.kind {
        Kind::Denied => Because::Denied,
        Kind::NotFound => Because::NotThere,
        _ => Because::NoAnswer,
    };
    let why = ports::chain(error);
    Refused { because, why }
}
