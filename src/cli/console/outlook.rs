//! What the console is given of each tenant: adapters, rules, and how it asks Okta, AWS or this machine how all stands.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::cli::cloud::{Connected, connect};
use crate::cli::context::Loaded;
use crate::cli::status;
use crate::cli::target::{Target, WallClock};
use crate::cli::task::DetectionArgs;
use crate::cli::tenant::check;
use crate::cli::tenant::{Online, stream::Subject};
use crate::cli::{Failure, Global, refresh};
use crate::console::desk::{Desk, Integration, Outside, Sight, Stand, Tone};
use crate::console::rulebook::{Entry, Rulebook, examples};
use crate::deploy::onboard::guide::{self, Part};
use crate::deploy::profile;
use crate::deploy::status::{Deployed, Row, Source};
use crate::model::okta::Org;
use crate::model::prerequisite::Line;
use crate::model::tuning::Tuning;
use crate::okta::Manners;
use crate::ports::okta::Okta;
use crate::ports::stop::Stop;
use crate::ports::{Clock as _, Error, Kind, Result};
use crate::runtime::detect::{About, RuleFile, prove};
use crate::runtime::refresh::{Overview, Report, Stage, account};
use crate::runtime::stream;

/// Tenants that are opened at once: on AWS each signs in.
const AT_ONCE: usize = 8;
/// How long a look at the whole account is good enough.
const LASTS: SignedDuration = SignedDuration::from_secs(30);

/// A desk a tenant.
pub async fn desks(
    global: &Global,
    loaded: Loaded,
    detections: &DetectionArgs,
) -> std::result::Result<Vec<Desk>, Failure> {
    let profile = loaded.environment.profile.clone();
    let tenants = loaded.environment.tenants.clone();
    let fleet = match profile.target {
        profile::Target::Embedded => None,
        profile::Target::Aws => Some(Arc::new(Fleet::new(loaded).await?)),
    };
    let files = detections.files(global)?;
    let mut books: Vec<(Tuning, Arc<Rulebook>)> = Vec::new();
    let open = tenants.iter().map(|tenant| async {
        let online = Online::of(profile.environment.as_str(), tenant.id.as_str());
        Subject::open(global, &online).await
    });
    let subjects: Vec<Subject> = futures::stream::iter(open).buffered(AT_ONCE).try_collect().await?;
    let mut desks = Vec::new();
    for (tenant, subject) in tenants.into_iter().zip(subjects) {
        let known = books.iter().find(|(tuning, _)| *tuning == tenant.tuning);
        let rules = if let Some((_, book)) = known {
            Arc::clone(book)
        } else {
            let book = Arc::new(rulebook(global, detections, &files, &tenant.tuning)?);
            books.push((tenant.tuning.clone(), Arc::clone(&book)));
            book
        };
        let integration = Integration {
            id: tenant.integration_id.to_string(),
            account_id: profile.account_id.to_string(),
            region: profile.region.to_string(),
            stream_name: format!("Oort {}", profile.environment),
            event_source: tenant.event_source.to_string(),
        };
        let steps = steps(&profile, &tenant);
        let (objects, lake) = (Arc::clone(&subject.target().objects), subject.target().lake.clone());
        let outlook = Outlook {
            subject,
            fleet: fleet.clone(),
            okta: OnceLock::new(),
        };
        desks.push(Desk::new(
            (tenant.id, integration, steps),
            (objects, lake),
            rules,
            Arc::new(outlook),
        ));
    }
    Ok(desks)
}

/// What the tenant's Okta admin does, in order.
fn steps(profile: &profile::Profile, tenant: &profile::Tenant) -> Vec<String> {
    let guide = guide::guide(profile, tenant);
    let parts = guide.sections.into_iter().flat_map(|section| section.parts);
    let mut steps = parts.filter_map(|part| match part {
        Part::Steps(steps) => Some(steps),
        _ => None,
    });
    steps.next().unwrap_or_default()
}

fn rulebook(
    global: &Global,
    detections: &DetectionArgs,
    files: &[RuleFile],
    tuning: &Tuning,
) -> std::result::Result<Rulebook, Failure> {
    let rules = detections.tuned(global, tuning)?;
    let mut entries = Vec::new();
    let mut advice = BTreeMap::new();
    for about in rules.about() {
        let file = files.iter().find(|file| file.path == about.path);
        let beside = std::fs::read_to_string(Path::new(&prove::examples_of(&about.path))).unwrap_or_default();
        advice.insert(about.id.clone(), rules.advice(&about.id));
        entries.push(Entry {
            source: file.map(|file| file.text.clone()).unwrap_or_default(),
            examples: examples(&beside),
            told: tuning.told(&about.id, about.stem()).to_owned(),
            about: About {
                // Where it is on this machine is nobody's business.
                path: format!("{}.yml", about.stem()),
                ..about.clone()
            },
        });
    }
    Ok(Rulebook::new(entries, advice))
}

/// One tenant, as it is looked at from outside its data.
struct Outlook {
    subject: Subject,
    /// `None` on the embedded target.
    fleet: Option<Arc<Fleet>>,
    /// One client, which knows the org's rate limits from one question to the next.
    okta: OnceLock<Arc<dyn Okta>>,
}

/// A failure of the command line, as the console takes it.
fn failed(op: &str) -> impl Fn(Failure) -> Error {
    move |failure| Error::caused(Kind::Unavailable, op, failure.whole())
}

impl Outlook {
    fn target(&self) -> &Target {
        self.subject.target()
    }

    /// The tenant's org; `None` where it may not be asked.
    fn okta(&self) -> Result<Option<(&dyn Okta, &Org)>> {
        let Ok(asked) = self.target().okta() else {
            return Ok(None);
        };
        if let Some(okta) = self.okta.get() {
            return Ok(Some((&**okta, &asked.org)));
        }
        let opened = asked.open(Manners::of_a_person()).map_err(failed("ask the org"))?;
        Ok(Some((&**self.okta.get_or_init(|| opened), &asked.org)))
    }

    async fn stream(&self) -> Stand {
        let found = match self.okta() {
            Ok(None) => return Stand::new("not asked", Tone::Idle),
            Ok(Some((okta, org))) => stream::streams(okta).await.map(|all| own(all, org)),
            Err(error) => Err(error),
        };
        match found {
            Ok(Some(status)) if status == "ACTIVE" => Stand::new(status, Tone::Good),
            Ok(Some(status)) => Stand::new(status, Tone::Bad),
            Ok(None) => Stand::new("none", Tone::Warn),
            Err(_) => Stand::new("no answer", Tone::Warn),
        }
    }
}

fn own(streams: Vec<crate::model::okta::LogStream>, org: &Org) -> Option<String> {
    let mut own = streams.into_iter().filter(|stream| stream.sends_to(&org.place));
    own.next().map(|stream| stream.status)
}

#[async_trait]
impl Outside for Outlook {
    async fn sight(&self) -> Result<Sight> {
        let (stream, last_event) = futures::join!(self.stream(), check::newest_event(&*self.target().objects));
        let row = match &self.fleet {
            Some(fleet) => fleet.row(self.subject.tenant.id.as_str()).await?,
            None => None,
        };
        let queue = match &self.target().queue {
            Some(queue) => queue.depth().await.ok(),
            None => None,
        };
        let (source, stack) = match &row {
            Some(row) => (of_source(row), of_stack(row)),
            None if self.fleet.is_none() => (
                Stand::new("this machine", Tone::Idle),
                Stand::new("this machine", Tone::Idle),
            ),
            None => (Stand::new("unknown", Tone::Warn), Stand::new("unknown", Tone::Warn)),
        };
        let oldest_seconds = match &row {
            Some(row) => row.signs.oldest_seconds,
            None => self.subject.oldest_seconds().await,
        };
        let of_row = row.as_ref().and_then(|row| row.signs.last_event);
        Ok(Sight {
            source,
            stream,
            stack,
            queue,
            oldest_seconds,
            last_event: last_event?.max(of_row),
        })
    }

    async fn checks(&self) -> Result<Vec<Line>> {
        check::checked(&self.subject)
            .await
            .map_err(failed("look at the prerequisites"))
    }

    async fn refresh(&self, user: &str, stage: &(dyn Fn(Stage) + Send + Sync)) -> Result<Report> {
        let stop = Stop::default();
        let refreshed = Box::pin(refresh::run(self.target(), user, &stop, stage)).await;
        refreshed.map_err(failed("refresh the user's data"))
    }

    async fn account(&self, user: &str) -> Result<Option<Overview>> {
        match self.okta()? {
            Some((okta, _)) => account(okta, user).await,
            None => Ok(None),
        }
    }
}

fn of_source(row: &Row) -> Stand {
    match row.source {
        Some(Source::Active) => Stand::new("ACTIVE", Tone::Good),
        Some(Source::Pending { .. }) => Stand::new("PENDING", Tone::Bad),
        Some(Source::Deleted) => Stand::new("DELETED", Tone::Bad),
        Some(Source::Missing) | None => Stand::new("missing", Tone::Bad),
    }
}

fn of_stack(row: &Row) -> Stand {
    match &row.deployed {
        Deployed::Same => Stand::new("as reviewed", Tone::Good),
        Deployed::Other => Stand::new("differs from the files", Tone::Warn),
        Deployed::No => Stand::new("not deployed", Tone::Bad),
        Deployed::Status(status) => Stand::new(status.clone(), Tone::Bad),
    }
}

/// Rows by tenant, or why there are none.
type Looked = std::result::Result<BTreeMap<String, Row>, String>;

/// Every tenant of an account, looked at together: one sweep tells of all.
struct Fleet {
    loaded: Loaded,
    connected: Connected,
    wanted: Vec<crate::deploy::status::Wanted>,
    /// What the last look has shown, or why it failed: one that fails is not tried again by every tenant.
    looked: Mutex<Option<(Timestamp, Looked)>>,
}

impl Fleet {
    async fn new(loaded: Loaded) -> std::result::Result<Self, Failure> {
        let connected = connect(&loaded.environment.profile).await?;
        let wanted = status::wanted(&loaded, &[])?;
        Ok(Self {
            loaded,
            connected,
            wanted,
            looked: Mutex::default(),
        })
    }

    async fn row(&self, tenant: &str) -> Result<Option<Row>> {
        let mut known = self.looked.lock().await;
        let now = WallClock.now();
        let is_fresh = known.as_ref().is_some_and(|(at, _)| now.duration_since(*at) < LASTS);
        if !is_fresh {
            let looked = status::look(&self.loaded, &self.connected, &self.wanted).await;
            let by_name = |rows: Vec<Row>| rows.into_iter().map(|row| (row.name.clone(), row)).collect();
            *known = Some((now, looked.map(by_name).map_err(|failure| failure.whole())));
        }
        match &*known {
            Some((_, Ok(rows))) => Ok(rows.get(tenant).cloned()),
            Some((_, Err(why))) => Err(Error::caused(Kind::Unavailable, "look at the account", why.clone())),
            None => Ok(None),
        }
    }
}
