//! `oort routes`: who is told of findings, how that goes, and whether it works.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::output::Format;
use crate::cli::target::{Target, WallClock};
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::model::finding::Severity;
use crate::model::notification::{Alert, Notification};
use crate::ports::Clock as _;
use crate::runtime::notify::Outlet;
use crate::runtime::outbox::{self, Progress};

/// Show a tenant's notification routes and what waits for them, test them, and tell again what was given up.
#[derive(Debug, Args)]
pub struct Routes {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show each route with what waits for it, what was given up, and what went wrong last.
    Show(Show),
    /// Send each route a message that says it is a test.
    Test(Test),
    /// Put what was given up back into the outbox; the next analysis tells of it.
    Retry(TenantArgs),
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    tenant: TenantArgs,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Args)]
struct Test {
    #[command(flatten)]
    tenant: TenantArgs,
    /// Only this route.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
}

/// How a route does.
#[derive(Debug, Default, Serialize)]
struct Standing {
    protocol: String,
    /// Findings that it has yet to be told of.
    waiting: u64,
    given_up: u64,
    /// What went wrong last.
    last_failure: String,
}

impl Routes {
    pub async fn run(self, global: &Global) -> Outcome {
        match self.verb {
            Verb::Show(show) => show.run(global).await,
            Verb::Test(test) => test.run(global).await,
            Verb::Retry(tenant) => {
                let target = Target::open(global, &tenant).await?;
                let count = outbox::retry(&*target.objects).await?;
                output::line(format!("{count} finding(s) are told of by the next analysis"));
                Ok(Exit::Done)
            }
        }
    }
}

impl Show {
    async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let mut standings = BTreeMap::new();
        for outlet in target.outlets()? {
            let route = target.routes.iter().find(|route| route.name == outlet.name);
            let protocol = route.map_or("sns", |route| route.channel.protocol()).to_owned();
            standings.insert(
                outlet.name,
                Standing {
                    protocol,
                    ..Standing::default()
                },
            );
        }
        for stored in outbox::entries(&*target.objects).await? {
            for (name, standing) in &mut standings {
                let tries = stored.entry.tries(name);
                standing.waiting += u64::from(tries.progress == Progress::Waiting);
                if !tries.why.is_empty() {
                    standing.last_failure = tries.why;
                }
            }
        }
        for (_, given_up) in outbox::given_up(&*target.objects).await? {
            for (name, why) in given_up.routes {
                // A route that is gone from the files is still told of.
                let standing = standings.entry(name).or_default();
                standing.given_up += 1;
                standing.last_failure = why;
            }
        }
        match self.format {
            Format::Json => output::json(&standings),
            Format::Table => print(&standings),
        }
        Ok(Exit::Done)
    }
}

fn print(standings: &BTreeMap<String, Standing>) {
    let cells: Vec<Vec<String>> = standings
        .iter()
        .map(|(name, standing)| {
            vec![
                name.clone(),
                standing.protocol.clone(),
                standing.waiting.to_string(),
                standing.given_up.to_string(),
                standing.last_failure.clone(),
            ]
        })
        .collect();
    output::table(&["ROUTE", "PROTOCOL", "WAITING", "GIVEN UP", "LAST FAILURE"], &cells);
}

impl Test {
    async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let mut outlets = target.outlets()?;
        if let Some(wanted) = &self.route {
            let names: Vec<String> = outlets.iter().map(|outlet| outlet.name.clone()).collect();
            outlets.retain(|outlet| outlet.name == *wanted);
            if outlets.is_empty() {
                let why = format!("tenant `{}` has no route `{wanted}`", target.tenant);
                return Err(Failure::input(why).hint(format!("there is {}", names.join(", "))));
            }
        }
        let mut exit = Exit::Done;
        for outlet in &outlets {
            match outlet.notifier.deliver(&trial(target.tenant.as_str(), outlet)).await {
                Ok(_) => output::line(format!("{}: told", outlet.name)),
                Err(failed) => {
                    exit = Exit::PartlyFailed;
                    output::line(format!("{}: {}", outlet.name, failed.whole()));
                }
            }
        }
        Ok(exit)
    }
}

fn trial(tenant: &str, outlet: &Outlet) -> Alert {
    let at = WallClock.now();
    let id = format!("test-{}", at.as_millisecond());
    Alert::single(Notification {
        finding_id: id.clone(),
        id,
        tenant: tenant.to_owned(),
        severity: Severity::Critical,
        rule_id: "test".to_owned(),
        title: "This is a test of the route, and no finding".to_owned(),
        tags: Vec::new(),
        actor: String::new(),
        who: Vec::new(),
        entity: outlet.name.clone(),
        event_type: "oort.routes.test".to_owned(),
        published: at,
        first_seen: at,
        last_seen: at,
        count: 1,
        evidence: Vec::new(),
        description: "Somebody asked whether messages arrive here. They do.".to_owned(),
        response: Vec::new(),
    })
}
