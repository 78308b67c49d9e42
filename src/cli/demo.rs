//! `oort demo`: the whole way once, each stage shown.

mod org;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::context::{Environment, environment_names};
use crate::cli::demo::org::Happening;
use crate::cli::embedded::Embedded;
use crate::cli::local::{Sent, open, send};
use crate::cli::target::WallClock;
use crate::cli::task::{DetectionArgs, EnvironmentArgs, OnAwsArgs, TenantArgs};
use crate::cli::{Exit, Failure, Global, Outcome, activity, compact, detect, findings, output, reconcile, refresh};
use crate::lake::{self, Query, set_aside};
use crate::local::export::Export;
use crate::local::topic;
use crate::model::activity::ActivityRow;
use crate::model::finding::Finding;
use crate::ports::Clock as _;
use crate::ports::stop::Stop;
use crate::runtime;
use crate::sample::{Settings, stories};

/// Show the whole way, from rendered stacks to a user's Activity table, on sample events or on your own.
#[derive(Debug, Args)]
pub struct Demo {
    /// An export of your System Log: a JSON array or JSON lines, of bare events or of `EventBridge` envelopes.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// The user whose Activity table is shown; by default whoever the gravest finding is about.
    #[arg(long, value_name = "ID-OR-LOGIN")]
    user: Option<String>,
    #[command(flatten)]
    detections: DetectionArgs,
}

/// Rows and findings that the demo shows of many.
const SHOWN: usize = 12;
const TENANT: &str = "acme";

impl Demo {
    pub async fn run(self, global: &Global) -> Outcome {
        let global = Global {
            data: fresh_folder(&global.data)?,
            ..global.clone()
        };
        let rules = self.detections.load(&global)?;

        heading(1, "Stacks, rendered from environments/ and templates/");
        show_stacks(&global)?;

        let environment = EnvironmentArgs {
            environment: "local".to_owned(),
        };
        let target = Embedded::open(
            &global,
            &TenantArgs {
                environment,
                tenant: Some(TENANT.to_owned()),
                on_aws: OnAwsArgs::default(),
            },
        )
        .await?;
        heading(
            2,
            "Events, put on the partner event bus; the rendered rule lets them into the queue",
        );
        let settings = Settings {
            days: 7,
            events: 5_000,
            end: WallClock.now(),
            ..Settings::default()
        };
        let happening = Happening::new(settings, &victim(&settings));
        self.show_sending(&target, &happening, &settings).await?;

        // Ctrl-C ends a demo at once, wherever it is.
        let stop = Stop::default();
        heading(3, "Analysis: land, run the rules, store findings, notify");
        let report = detect::run(&target, &rules, &stop).await?.unwrap_or_default();
        output::line(format!(
            "{} events landed in {} segments, {} set aside; {} findings",
            report.landed, report.segments, report.set_aside, report.new_findings
        ));
        let all = runtime::findings::all(&*target.objects).await?;
        show_findings(&all);
        show_set_aside(&target).await?;

        heading(4, "Notifications, by route of the tenant's file");
        show_notifications(&target).await?;

        let Some(user) = self.user.clone().or_else(|| suspect(&all)) else {
            output::line("no finding names a user; name one with --user to see an Activity table");
            return Ok(Exit::Done);
        };
        heading(5, &format!("The Activity table of {user}"));
        output::line("before the compaction:");
        activity::print(&rows(&target, &user, SHOWN).await?);
        let refreshed = refresh::run(&target, &user, &stop, &|_| {}).await?;
        output::line(format!(
            "\nafter Refresh User Data, which added {} rows:",
            refreshed.added
        ));
        activity::print(&rows(&target, &user, SHOWN).await?);

        heading(6, "The daily compaction");
        let compacted = compact::run(&target, &stop).await?.unwrap_or_default();
        output::line(format!(
            "{} events make {} rows; {} were new to the table",
            compacted.events, compacted.rows, compacted.added
        ));
        let again = compact::run(&target, &stop).await?.unwrap_or_default();
        output::line(format!("a second compaction adds {} rows", again.added));
        let total = rows(&target, &user, usize::MAX).await?.len();
        output::line(format!(
            "{user} has {total} rows, of which the refresh had added {}:",
            refreshed.added
        ));
        activity::print(&rows(&target, &user, SHOWN).await?);

        if self.events.is_none() {
            heading(7, "Compared with the org's System Log; users and devices followed");
            show_comparison(&target, &stop).await?;
            happening.end(&target).await?;
        }
        show_further(&global, &user);
        Ok(Exit::Done)
    }

    async fn show_sending(&self, target: &Embedded, happening: &Happening, settings: &Settings) -> Result<(), Failure> {
        let sent: Sent = if let Some(file) = &self.events {
            send(target, Export::new(open(file)?), true).await?
        } else {
            happening.begin(target, settings).await?
        };
        output::line(format!(
            "{} read, {} queued, {} not admitted by the rule, {} set aside",
            sent.read, sent.queued, sent.not_admitted, sent.set_aside
        ));
        Ok(())
    }
}

/// Whose events the stream loses at the end: somebody of a story.
fn victim(settings: &Settings) -> String {
    let stories = stories(settings);
    let logins = stories.last().and_then(|story| story.logins.first());
    logins.cloned().unwrap_or_default()
}

async fn show_comparison(target: &Embedded, stop: &Stop) -> Result<(), Failure> {
    const MINUTES: u32 = 10;
    let Some(reconciled) = Box::pin(reconcile::run(target, stop, MINUTES)).await? else {
        return Ok(());
    };
    let (gaps, directory) = (reconciled.gaps, reconciled.directory);
    output::line(format!(
        "{} hours compared, {} events in the System Log, {} of them missing and fetched",
        gaps.hours, gaps.expected, gaps.filled
    ));
    output::line(format!(
        "{} users and {} devices are known",
        directory.users.current, directory.devices.current
    ));
    Ok(())
}

fn show_further(global: &Global, user: &str) {
    let data = global.data.display();
    output::line(format!("\nEverything is in {data}. Look further:"));
    for verb in [
        "console".to_owned(),
        format!("activity --user {user} --tenant {TENANT}"),
        format!("gaps --tenant {TENANT}"),
        format!("findings --format json --tenant {TENANT}"),
    ] {
        output::line(format!("  oort --data {data} {verb}"));
    }
}

fn heading(number: u8, text: &str) {
    output::line(format!("\n== {number}. {text}"));
}

/// The demo's own folder, empty. It replaces only what an earlier demo left, which a mark in the folder tells.
fn fresh_folder(data: &Path) -> Result<PathBuf, Failure> {
    const MARK: &str = "made-by-oort-demo";
    let folder = data.join("demo");
    let unavailable = |error: std::io::Error| {
        Failure::unavailable(error).hint(format!(
            "the demo writes to {}; name another folder with --data",
            folder.display()
        ))
    };
    if folder.exists() {
        if !folder.join(MARK).exists() {
            return Err(
                Failure::input(format!("{} was not made by a demo and is left alone", folder.display()))
                    .hint("name another folder with --data"),
            );
        }
        std::fs::remove_dir_all(&folder).map_err(unavailable)?;
    }
    std::fs::create_dir_all(&folder).map_err(unavailable)?;
    std::fs::write(folder.join(MARK), "").map_err(unavailable)?;
    Ok(folder)
}

fn show_stacks(global: &Global) -> Result<(), Failure> {
    let mut cells = Vec::new();
    for name in environment_names(global)? {
        let environment = Environment::load(global, &name, None)?;
        for stack in &environment.stacks {
            cells.push(vec![
                name.clone(),
                stack.name.to_string(),
                format!("{} bytes", stack.body.len()),
            ]);
        }
    }
    output::table(&["ENVIRONMENT", "STACK", "TEMPLATE"], &cells);
    Ok(())
}

fn show_findings(all: &[Finding]) {
    let mut gravest: Vec<&Finding> = all.iter().collect();
    gravest.sort_by_key(|finding| std::cmp::Reverse((finding.matched.severity, finding.published)));
    let shown: Vec<Finding> = gravest.into_iter().take(SHOWN).cloned().collect();
    findings::print(&shown);
    if all.len() > shown.len() {
        output::line(format!("and {} more", all.len() - shown.len()));
    }
    if let Some(finding) = shown.first() {
        output::line("\nevidence of the first:");
        findings::print_evidence(finding);
    }
}

async fn show_set_aside(target: &Embedded) -> Result<(), Failure> {
    let records = set_aside::all(&*target.objects).await?;
    for record in records.iter().take(SHOWN) {
        output::line(format!("set aside: {}", record.reason));
    }
    Ok(())
}

async fn show_notifications(target: &Embedded) -> Result<(), Failure> {
    let mut counts: HashMap<(String, String), usize> = HashMap::new();
    for delivery in topic::delivered(&target.data, target.tenant.as_str()).await? {
        *counts.entry((delivery.route, delivery.endpoint)).or_default() += 1;
    }
    let mut cells: Vec<_> = counts
        .into_iter()
        .map(|((route, to), count)| vec![route, to, count.to_string()])
        .collect();
    cells.sort();
    output::table(&["ROUTE", "TO", "NOTIFICATIONS"], &cells);
    Ok(())
}

async fn rows(target: &Embedded, user: &str, limit: usize) -> Result<Vec<ActivityRow>, Failure> {
    Ok(lake::activity(
        target.lake()?,
        Query {
            user,
            limit,
            since: None,
        },
    )
    .await?)
}

/// The user of the gravest finding that is about a person.
fn suspect(all: &[Finding]) -> Option<String> {
    let is_person =
        |finding: &&Finding| finding.event.pointer("/actor/type").and_then(|kind| kind.as_str()) == Some("User");
    all.iter()
        .filter(is_person)
        .max_by_key(|finding| (finding.matched.severity, finding.published))
        .map(|finding| finding.actor.clone())
}
