//! What must be true for a tenant's events to come: each prerequisite held against what was seen, with what to do where it does
//! not hold. Pure.

mod format;

use crate::model::okta::{EVENTBRIDGE, LogStream, Org, SignIn, StreamSettings};
use crate::model::prerequisite::{Line, Verdict};
use crate::model::source::{EventSource, SourceState};
use jiff::{SignedDuration, Timestamp};

pub use format::junit;

/// Source: Okta's documentation of log streaming.
const MOST_STREAMS: usize = 2;
/// Okta takes an application's assertion for five minutes.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
const SILENT: SignedDuration = SignedDuration::from_hours(12);

/// What was asked, or why it could not be learned.
pub type Answer<T> = Result<T, Refused>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Whoever asks may not know.
    Denied,
    NotThere,
    NoAnswer,
}

/// Why something could not be learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub because: Because,
    /// With its causes, in one line.
    pub why: String,
}

/// Whom the token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Application,
    User {
        login: String,
        /// Kinds of administrator, as in `SUPER_ADMIN`.
        roles: Answer<Vec<String>>,
    },
}

/// What the org said.
#[derive(Debug, Clone)]
pub struct OfOkta {
    /// What time it is there.
    pub org: Answer<Option<Timestamp>>,
    pub who: Answer<Who>,
    /// Whether the System Log can be read.
    pub log: Answer<()>,
    pub streams: Answer<Vec<LogStream>>,
}

/// What AWS said of the partner event source.
#[derive(Debug, Clone)]
pub struct OfAws {
    /// `None` when there is none of this name.
    pub source: Option<EventSource>,
    pub has_bus: bool,
}

/// All that was seen of a tenant.
#[derive(Debug, Clone)]
pub struct Seen {
    pub now: Timestamp,
    /// The org, and what it said; `None` where nobody may ask it.
    pub okta: Option<(Org, OfOkta)>,
    /// `None` where there is no AWS.
    pub aws: Option<Answer<OfAws>>,
    /// When the newest event was published that the stream has brought.
    pub last_event: Answer<Option<Timestamp>>,
}

fn line(
    id: &'static str,
    title: &'static str,
    verdict: Verdict,
    seen: impl Into<String>,
    to_do: impl Into<String>,
) -> Line {
    let to_do = if verdict == Verdict::Passed {
        String::new()
    } else {
        to_do.into()
    };
    Line {
        id,
        title,
        verdict,
        seen: seen.into(),
        to_do,
    }
}

use Verdict::{Failed, Passed, Unknown};

/// Every prerequisite, in the order in which they are to be mended.
pub fn lines(seen: &Seen) -> Vec<Line> {
    let mut lines = match &seen.okta {
        Some((org, of_okta)) => of_org(org, of_okta, seen.now),
        None => vec![line(
            "okta-api",
            "The Okta org may be asked",
            Unknown,
            "the tenant's file does not say how",
            "add okta.api.sign_in to the tenant's file, and store the secret okta-token or okta-key",
        )],
    };
    lines.extend(seen.aws.as_ref().map(partner_source));
    lines.push(last_event(&seen.last_event, seen.now));
    lines
}

fn of_org(org: &Org, okta: &OfOkta, now: Timestamp) -> Vec<Line> {
    let mut lines = vec![reachable(org, okta), token(org, &okta.who), integration(&okta.log)];
    lines.extend(streams(org, &okta.streams));
    lines.push(clock(&okta.org, now));
    lines
}

fn reachable(org: &Org, okta: &OfOkta) -> Line {
    let (id, title) = ("org-reachable", "The org answers");
    // Whoever is refused has reached it.
    let answers = [okta.org.as_ref().err(), okta.log.as_ref().err()];
    match answers
        .into_iter()
        .flatten()
        .find(|one| one.because == Because::NoAnswer)
    {
        None => line(id, title, Passed, &org.address, ""),
        Some(refused) => line(
            id,
            title,
            Failed,
            &refused.why,
            format!(
                "see that {} is the org's address (okta.subdomain and okta.domain in the tenant's file) and that the network lets \
                 tasks reach it",
                org.address
            ),
        ),
    }
}

fn token(org: &Org, who: &Answer<Who>) -> Line {
    let (id, title) = ("token-valid", "The token is valid, with an administrator's role");
    let renew = match org.sign_in {
        SignIn::Token => "have the org's admin make an API token, and store it as the tenant's secret okta-token",
        SignIn::Key { .. } => {
            "see that the application is active, that its public key is that of the secret okta-key, and that it has its scopes"
        }
    };
    match who {
        Err(refused) if refused.because == Because::Denied => line(id, title, Failed, &refused.why, renew),
        Err(refused) => line(id, title, Unknown, &refused.why, "ask again when the org answers"),
        Ok(Who::Application) => line(
            id,
            title,
            Passed,
            "an application's token, with what its scopes allow",
            "",
        ),
        Ok(Who::User {
            login,
            roles: Err(refused),
        }) => line(
            id,
            title,
            Passed,
            format!("{login}'s token; its roles cannot be seen ({})", refused.why),
            "",
        ),
        Ok(Who::User {
            login,
            roles: Ok(roles),
        }) if roles.is_empty() => line(
            id,
            title,
            Failed,
            format!("{login} has no administrator's role of their own"),
            "give them Read-only Administrator, or Super Administrator where oort shall make and reactivate the stream",
        ),
        Ok(Who::User {
            login,
            roles: Ok(roles),
        }) => line(id, title, Passed, format!("{login}, {}", roles.join(", ")), ""),
    }
}

fn integration(log: &Answer<()>) -> Line {
    let (id, title) = ("data-integration", "The System Log can be read");
    match log {
        Ok(()) => line(id, title, Passed, "the data integration is active", ""),
        Err(refused) if refused.because != Because::NoAnswer => line(
            id,
            title,
            Failed,
            &refused.why,
            "give the token a role that reads reports, such as Read-only Administrator, or the scope okta.logs.read; without it \
             no gap is filled",
        ),
        Err(refused) => line(id, title, Unknown, &refused.why, "ask again when the org answers"),
    }
}

const MODULE: (&str, &str) = ("log-streaming", "The org has Log Streaming");
const ROOM: (&str, &str) = ("fewer-than-two", "The org has room for our log stream");
const STREAM: (&str, &str) = (
    "log-stream",
    "A log stream sends to this account, region and integration",
);
const ACTIVE: (&str, &str) = ("log-stream-active", "The log stream is active");

fn streams(org: &Org, streams: &Answer<Vec<LogStream>>) -> Vec<Line> {
    let streams = match streams {
        Ok(streams) => streams,
        Err(refused) => {
            let verdict = if refused.because == Because::NoAnswer {
                Unknown
            } else {
                Failed
            };
            let to_do = "see that Reports has an entry Log Streaming, which is part of the org's contract with Okta, and that the \
                         token may read log streams";
            let mut lines = vec![line(MODULE.0, MODULE.1, verdict, &refused.why, to_do)];
            let rest = [ROOM, STREAM, ACTIVE];
            lines.extend(rest.map(|(id, title)| line(id, title, Unknown, "the log streams cannot be seen", to_do)));
            return lines;
        }
    };
    let ours = streams.iter().find(|stream| stream.sends_to(&org.place));
    let others = streams.len() - usize::from(ours.is_some());
    let mut lines = vec![line(
        MODULE.0,
        MODULE.1,
        Passed,
        format!("{} log stream(s)", streams.len()),
        "",
    )];
    let has_room = ours.is_some() || others < MOST_STREAMS;
    let names: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
    lines.push(line(
        ROOM.0,
        ROOM.1,
        if has_room { Passed } else { Failed },
        format!("{others} other log stream(s)"),
        format!("Okta allows two: have one of {} deleted", names.join(", ")),
    ));
    lines.push(match ours {
        Some(stream) => line(
            STREAM.0,
            STREAM.1,
            Passed,
            format!("{} ({})", stream.name, stream.id),
            "",
        ),
        None => line(
            STREAM.0,
            STREAM.1,
            Failed,
            nearly(streams, &org.place),
            "oort tenant connect makes it where the token may; oort tenant guide tells the org's admin how",
        ),
    });
    lines.push(match ours {
        Some(stream) if stream.is_active() => line(ACTIVE.0, ACTIVE.1, Passed, &stream.status, ""),
        Some(stream) => line(
            ACTIVE.0,
            ACTIVE.1,
            Failed,
            &stream.status,
            "oort tenant reactivate, or have the org's admin activate it; oort reconcile fills the gap",
        ),
        None => line(ACTIVE.0, ACTIVE.1, Unknown, "there is no such log stream", ""),
    });
    lines
}

/// What the stream that comes nearest has otherwise: its settings cannot be changed, so it is to be made anew.
fn nearly(streams: &[LogStream], place: &StreamSettings) -> String {
    let differs = |stream: &LogStream| {
        let own = &stream.settings;
        let pairs = [
            (
                "AWS Event Source Name",
                &own.event_source_name,
                &place.event_source_name,
            ),
            ("AWS account ID", &own.account_id, &place.account_id),
            ("AWS region", &own.region, &place.region),
        ];
        let differing = pairs.into_iter().filter(|(_, own, wanted)| own != wanted);
        differing
            .map(|(name, own, wanted)| format!("{name} {own} instead of {wanted}"))
            .collect::<Vec<_>>()
    };
    let candidates = streams.iter().filter(|stream| stream.kind == EVENTBRIDGE);
    let nearest = candidates
        .map(|stream| (differs(stream), &stream.name))
        .filter(|(differences, _)| differences.len() < 3)
        .min_by_key(|(differences, _)| differences.len());
    match nearest {
        Some((differences, name)) => format!("the log stream {name} has {}", differences.join(", ")),
        None => "none".to_owned(),
    }
}

fn clock(org: &Answer<Option<Timestamp>>, now: Timestamp) -> Line {
    let (id, title) = ("clock", "Okta's clock and ours agree");
    match org {
        Ok(Some(there)) => {
            let skew = there.duration_since(now).abs();
            let verdict = if skew <= SKEW { Passed } else { Failed };
            let seen = format!("{} s apart", skew.as_secs());
            line(
                id,
                title,
                verdict,
                seen,
                "set this machine's clock; Okta takes no signature that is five minutes off",
            )
        }
        Ok(None) => line(id, title, Unknown, "the org's answer has no time", ""),
        Err(refused) => line(id, title, Unknown, &refused.why, ""),
    }
}

fn partner_source(aws: &Answer<OfAws>) -> Line {
    let (id, title) = ("partner-source", "The partner event source is accepted");
    let seen = match aws {
        Ok(seen) => seen,
        Err(refused) => return line(id, title, Unknown, &refused.why, "sign in to the environment's account"),
    };
    let Some(source) = &seen.source else {
        return line(
            id,
            title,
            Failed,
            "AWS has none of this name",
            "Okta makes it when the log stream is made: oort tenant connect, or oort tenant guide",
        );
    };
    match source.state {
        SourceState::Active if seen.has_bus => line(id, title, Passed, "ACTIVE, with its event bus", ""),
        SourceState::Active | SourceState::Pending => {
            let until = source.expires.map_or(String::new(), |at| format!(", until {at}"));
            let seen = format!("PENDING{until}: what Okta sends is dropped for good");
            line(
                id,
                title,
                Failed,
                seen,
                "oort tenant connect, or oort plan and apply: the tenant's stack accepts it",
            )
        }
        SourceState::Deleted => line(
            id,
            title,
            Failed,
            "DELETED: Okta has deleted the log stream",
            "oort tenant connect makes a new one; its event bus is to be made anew too",
        ),
    }
}

fn last_event(last: &Answer<Option<Timestamp>>, now: Timestamp) -> Line {
    let (id, title) = ("last-event", "Events come");
    let to_do = "when all else holds: oort status tells whether they wait in the queue; oort gaps whether Okta has any";
    match last {
        Err(refused) => line(
            id,
            title,
            Unknown,
            &refused.why,
            "sign in with a role that reads the tenant's objects",
        ),
        Ok(None) => line(id, title, Failed, "none has come", to_do),
        Ok(Some(at)) => {
            let age = now.duration_since(*at);
            let verdict = if age <= SILENT { Passed } else { Failed };
            line(
                id,
                title,
                verdict,
                format!("the newest is of {at}, {} min ago", age.as_mins()),
                to_do,
            )
        }
    }
}

#[cfg(test)]
mod tests;
