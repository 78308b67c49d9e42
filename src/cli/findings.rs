//! `oort findings`: what the rules found, with the evidence, and what became of it.

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use crate::cli::target::{Target, WallClock};
use crate::cli::task::{DetectionArgs, TenantArgs};
use crate::cli::{Exit, Failure, Global, Outcome, activity, output};
use crate::lake::{self, Query};
use crate::model::finding::{Change, Finding, Severity, Status};
use crate::model::notification::Advice;
use crate::model::ocsf;
use crate::model::shown::printable;
use crate::ports::Clock as _;
use crate::runtime::findings;

/// Show a tenant's findings, newest first, or one of them; close, mute and open them again.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Findings {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show one finding: what it means, what to do, its events, and what became of it.
    Show(Show),
    /// Somebody looked into it. Events that come later open it again.
    Close(Close),
    /// Tell nobody of it, however it grows.
    Mute(Mute),
    /// Open it again.
    Reopen(Judge),
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    tenant: TenantArgs,
    /// Only findings that stand so.
    #[arg(long, value_enum)]
    status: Vec<StatusArg>,
    /// Only findings that matter so much at least.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    minimum_severity: Option<SeverityArg>,
    /// Only what this rule found, by its id.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// How many of the newest findings to show.
    #[arg(long, default_value_t = 100, value_name = "FINDINGS")]
    limit: usize,
    #[arg(long, value_enum, default_value = "table")]
    format: ExportFormat,
}

/// How findings and events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Columns for people.
    Table,
    /// One JSON value for machines.
    Json,
    /// A line of JSON each, in the words of OCSF.
    Ocsf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusArg {
    New,
    Notified,
    Muted,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SeverityArg {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Debug, Args)]
struct Show {
    /// The beginning of the finding's id.
    id: String,
    #[command(flatten)]
    tenant: TenantArgs,
    #[command(flatten)]
    detections: DetectionArgs,
    #[arg(long, value_enum, default_value = "table")]
    format: ExportFormat,
}

#[derive(Debug, Args)]
struct Close {
    /// What it turned out to be.
    #[arg(long = "as", value_enum)]
    verdict: Verdict,
    #[command(flatten)]
    judge: Judge,
}

#[derive(Debug, Args)]
struct Mute {
    /// For so many days; what comes after that opens it again. Without it, for ever.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=366))]
    days: Option<u32>,
    #[command(flatten)]
    judge: Judge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verdict {
    /// It was what the rule says.
    TruePositive,
    /// It was, and nobody meant harm.
    Benign,
    /// It was something else.
    FalsePositive,
}

#[derive(Debug, Args)]
struct Judge {
    /// The beginning of the finding's id.
    id: String,
    /// Why, in a sentence.
    #[arg(long, value_name = "REASON")]
    because: String,
    /// Who says so.
    #[arg(long, env = "USER", value_name = "NAME")]
    by: String,
    #[command(flatten)]
    tenant: TenantArgs,
}

impl Findings {
    pub async fn run(self, global: &Global) -> Outcome {
        match self.verb {
            None => self.list.run(global).await,
            Some(Verb::Show(show)) => show.run(global).await,
            Some(Verb::Close(close)) => {
                let verdict = match close.verdict {
                    Verdict::TruePositive => "true positive",
                    Verdict::Benign => "benign",
                    Verdict::FalsePositive => "false positive",
                };
                close.judge.run(global, Status::Closed, Some(verdict), None).await
            }
            Some(Verb::Mute(mute)) => mute.judge.run(global, Status::Muted, None, mute.days).await,
            Some(Verb::Reopen(judge)) => judge.run(global, Status::Notified, None, None).await,
        }
    }
}

impl List {
    async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let mut all = findings::all(&*target.objects).await?;
        let now = WallClock.now();
        for finding in &mut all {
            finding.status = finding.stands(now);
        }
        all.retain(|finding| self.wants(finding));
        all.truncate(self.limit);
        match self.format {
            ExportFormat::Json => output::json(&all),
            ExportFormat::Table => print(&all),
            ExportFormat::Ocsf => {
                for finding in &all {
                    output::line(ocsf::finding(finding, &Advice::default()));
                }
            }
        }
        Ok(Exit::Done)
    }

    fn wants(&self, finding: &Finding) -> bool {
        let is = |wanted: &StatusArg| {
            finding.status
                == match wanted {
                    StatusArg::New => Status::New,
                    StatusArg::Notified => Status::Notified,
                    StatusArg::Muted => Status::Muted,
                    StatusArg::Closed => Status::Closed,
                }
        };
        let least = self
            .minimum_severity
            .map_or(Severity::Informational, |least| match least {
                SeverityArg::Informational => Severity::Informational,
                SeverityArg::Low => Severity::Low,
                SeverityArg::Medium => Severity::Medium,
                SeverityArg::High => Severity::High,
                SeverityArg::Critical => Severity::Critical,
            });
        (self.status.is_empty() || self.status.iter().any(is))
            && finding.matched.severity >= least
            && self.rule.as_ref().is_none_or(|rule| *rule == finding.matched.rule_id)
    }
}

/// The key of the only finding whose id begins so.
async fn key_of(target: &Target, id: &str) -> Result<String, Failure> {
    let mut keys = findings::keys_of(&*target.objects, id).await?;
    match keys.len() {
        1 => Ok(keys.remove(0)),
        0 => Err(Failure::input(format!(
            "tenant `{}` has no finding whose id begins with {id}",
            target.tenant
        ))
        .hint("oort findings lists them")),
        many => Err(Failure::input(format!("{many} findings begin with {id}")).hint("write more of the id")),
    }
}

impl Show {
    async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let rules = target.rules(&self.detections, global)?;
        let key = key_of(&target, &self.id).await?;
        let Some(mut finding) = findings::at(&*target.objects, &key).await? else {
            return Err(Failure::input(format!("the finding {} is gone", self.id)).hint("its retention has passed"));
        };
        finding.status = finding.stands(WallClock.now());
        let advice = rules.advice(&finding.matched.rule_id);
        match self.format {
            ExportFormat::Json => output::json(&finding),
            ExportFormat::Ocsf => output::line(ocsf::finding(&finding, &advice)),
            ExportFormat::Table => {
                print_whole(&finding, &advice);
                print_events(&target, &finding).await?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The rows of the Activity table that it tells of. There are none before the day's compaction, or a refresh.
async fn print_events(target: &Target, finding: &Finding) -> Result<(), Failure> {
    const NEWEST: usize = 2_000;
    let Some(lake) = &target.lake else { return Ok(()) };
    let query = Query {
        user: &finding.actor,
        limit: NEWEST,
        since: finding.episode.as_ref().map(|episode| episode.first_seen),
    };
    let named: Vec<&str> = match &finding.episode {
        Some(episode) => episode.events.iter().map(String::as_str).collect(),
        None => vec![&finding.event_uuid],
    };
    let mut rows = lake::activity(lake, query).await?;
    rows.retain(|row| named.contains(&row.event_uuid.as_str()));
    output::line("");
    if rows.is_empty() {
        output::line(format!(
            "None of its {} event(s) is in the Activity table of {} yet: oort refresh --user {1} fetches them.",
            named.len(),
            printable(&finding.actor)
        ));
    } else {
        activity::print(&rows);
    }
    Ok(())
}

impl Judge {
    async fn run(self, global: &Global, to: Status, verdict: Option<&str>, days: Option<u32>) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let key = key_of(&target, &self.id).await?;
        let at = WallClock.now();
        let until = days.and_then(|days| at.checked_add(SignedDuration::from_hours(i64::from(days) * 24)).ok());
        let why = match verdict {
            Some(verdict) => format!("{verdict}: {}", self.because),
            None => self.because.clone(),
        };
        let changed = findings::change(&*target.objects, &key, |finding| {
            finding.change(Change {
                at,
                to,
                by: self.by.clone(),
                why: why.clone(),
                until,
            });
            true
        })
        .await?;
        match changed {
            Some(finding) => output::line(format!("{} is {}", finding.id, finding.status.as_str())),
            None => {
                return Err(Failure::input(format!("the finding {} is gone", self.id)).hint("its retention has passed"));
            }
        }
        Ok(Exit::Done)
    }
}

/// The findings as columns for people.
pub fn print(findings: &[Finding]) {
    if findings.is_empty() {
        output::line("no findings");
        return;
    }
    let cells: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            let episode = finding.episode.as_ref();
            vec![
                finding.published.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                finding.matched.severity.as_str().to_owned(),
                finding.matched.title.clone(),
                episode.map_or(&finding.actor, |episode| &episode.entity).clone(),
                episode.map_or(1, |episode| episode.count).to_string(),
                finding.status.as_str().to_owned(),
                finding.id[..finding.id.len().min(12)].to_owned(),
            ]
        })
        .collect();
    output::table(
        &["TIME", "SEVERITY", "RULE", "WHOSE", "EVENTS", "STATUS", "FINDING"],
        &cells,
    );
}

/// Everything that a person needs to begin.
fn print_whole(finding: &Finding, advice: &Advice) {
    print_evidence(finding);
    if let Some(episode) = &finding.episode {
        output::line(format!(
            "  {} event(s) of {} from {} to {}",
            episode.count,
            printable(&episode.entity),
            episode.first_seen,
            episode.last_seen
        ));
    }
    for person in &finding.who {
        output::line(format!("  who: {}", person.line()));
    }
    if !advice.description.is_empty() {
        output::line(format!("\n{}", advice.description));
    }
    if !advice.response.is_empty() {
        output::line("\nWhat to do:");
        for (index, step) in advice.response.iter().enumerate() {
            output::line(format!("  {}. {step}", index + 1));
        }
    }
    output::line(format!("\nFinding {} is {}", finding.id, finding.status.as_str()));
    for change in &finding.history {
        output::line(format!(
            "  {} {} by {}: {}",
            change.at,
            change.to.as_str(),
            printable(&change.by),
            printable(&change.why)
        ));
    }
}

/// The fields of the event that made the rule match.
pub fn print_evidence(finding: &Finding) {
    output::line(format!(
        "{} ({})",
        finding.matched.title,
        finding.matched.severity.as_str()
    ));
    let event = printable(&finding.event_uuid);
    output::line(format!("  event {event} of {}", finding.published));
    for (field, value) in &finding.matched.fields {
        output::line(format!("  {field} = {value}"));
    }
}
