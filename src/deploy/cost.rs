//! What a tenant costs a month: what its tasks ask of AWS, as it was measured, times the prices of a file. Pure.
//!
//! Left out is what the stacks do not make: a NAT gateway or VPC endpoints, which tenants share, and traffic through them.

pub mod prices;
pub mod usage;

use serde::Serialize;

use crate::deploy::cost::prices::Prices;
use crate::deploy::cost::usage::{Run, Wire};
use crate::deploy::profile::Task;

/// AWS's own month, in hours.
const HOURS_A_MONTH: f64 = 730.0;
const DAYS_A_MONTH: f64 = HOURS_A_MONTH / 24.0;
/// Told apart from the rest of CloudWatch: whoever wants no alarms pays for none.
const ALARMS: &str = "CloudWatch alarms";
const MILLION: f64 = 1_000_000.0;
const GB: f64 = 1_000_000_000.0;
const MIB_A_GB: f64 = 1_024.0;

/// A tenant as it is charged for.
#[derive(Debug, Clone)]
pub struct Tenant<'a> {
    pub detector: Scheduled<'a>,
    pub compactor: Scheduled<'a>,
    pub maintainer: Scheduled<'a>,
    /// `None` where nobody may ask the org.
    pub reconciler: Option<Scheduled<'a>>,
    /// Secrets of its routes and of its org.
    pub secrets: usize,
    /// Alarms of its stack.
    pub alarms: usize,
    pub archive_days: u32,
    /// Days whose segments and rows are kept.
    pub kept_days: u32,
}

/// A task and how often it runs.
#[derive(Debug, Clone, Copy)]
pub struct Scheduled<'a> {
    pub task: &'a Task,
    pub runs_a_day: f64,
}

/// What comes from a tenant's Okta org.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub events_a_day: f64,
    pub findings_a_million: f64,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    pub service: &'static str,
    pub what: &'static str,
    /// A month.
    pub quantity: f64,
    pub unit: &'static str,
    /// USD a month.
    pub usd: f64,
}

/// The lines of a month, by service.
pub fn bill(tenant: &Tenant<'_>, load: Load, prices: &Prices) -> Vec<Line> {
    let month = Month::of(tenant, load);
    let mut lines = of_events(tenant, &month, prices);
    lines.extend(of_tasks(&month, prices));
    lines.extend(of_the_lake(tenant, &month, prices));
    lines.extend(of_findings(&month, prices));
    lines.extend(of_sight(tenant, &month, prices));
    lines
}

fn line(service: &'static str, what: &'static str, quantity: f64, unit: &'static str, price: f64) -> Line {
    Line {
        service,
        what,
        quantity,
        unit,
        usd: quantity * price,
    }
}

fn of_events(tenant: &Tenant<'_>, month: &Month, p: &Prices) -> Vec<Line> {
    const SERVICE: &str = "EventBridge";
    let millions = month.events / MILLION;
    let archived = month.events * usage::ENVELOPE_BYTES / GB;
    let kept = archived * f64::from(tenant.archive_days) / DAYS_A_MONTH;
    let runs = month.runs / MILLION;
    vec![
        line(
            SERVICE,
            "partner events",
            millions,
            "million",
            p.eventbridge_million_events,
        ),
        line(SERVICE, "into the archive", archived, "GB", p.eventbridge_archive_gb),
        line(
            SERVICE,
            "kept in the archive",
            kept,
            "GB-month",
            p.eventbridge_archive_gb_month,
        ),
        line(
            SERVICE,
            "scheduled runs",
            runs,
            "million",
            p.scheduler_million_invocations,
        ),
    ]
}

fn of_tasks(month: &Month, p: &Prices) -> Vec<Line> {
    // What EventBridge sends to the queue is charged too.
    let requests = (month.wire.sqs + month.events) / MILLION;
    vec![
        line("SQS", "requests", requests, "million", p.sqs_million_requests),
        line(
            "Fargate",
            "processor",
            month.vcpu_hours,
            "vCPU-hour",
            p.fargate_vcpu_hour,
        ),
        line("Fargate", "memory", month.gb_hours, "GB-hour", p.fargate_gb_hour),
    ]
}

fn of_the_lake(tenant: &Tenant<'_>, month: &Month, p: &Prices) -> Vec<Line> {
    let stored = month.events * (usage::SEGMENT_BYTES + usage::ROW_BYTES) / GB;
    let kept = stored * f64::from(tenant.kept_days) / DAYS_A_MONTH;
    let (writes, reads) = (month.wire.s3_writes / 1_000.0, month.wire.s3_reads / 1_000.0);
    let glue = month.wire.glue / MILLION;
    vec![
        line("S3", "writes", writes, "thousand", p.s3_thousand_writes),
        line("S3", "reads", reads, "thousand", p.s3_thousand_reads),
        line("S3", "segments and Activity table", kept, "GB-month", p.s3_gb_month),
        line("Glue", "requests", glue, "million", p.glue_million_requests),
    ]
}

fn of_findings(month: &Month, p: &Prices) -> Vec<Line> {
    let findings = month.wire.sns / MILLION;
    vec![
        line("SNS", "publishes", findings, "million", p.sns_million_publishes),
        line("SNS", "deliveries", findings, "million", p.sns_million_deliveries),
    ]
}

fn of_sight(tenant: &Tenant<'_>, month: &Month, p: &Prices) -> Vec<Line> {
    const SECRETS: &str = "Secrets Manager";
    let keys = month.runs * usage::KMS_REQUESTS_A_RUN / MILLION;
    let logs = month.runs * usage::LOG_BYTES_A_RUN / GB;
    // A metric is charged for the hours in which it has values.
    let metric = (tenant.compactor.runs_a_day * DAYS_A_MONTH / HOURS_A_MONTH).min(1.0);
    let alarms = count(tenant.alarms);
    vec![
        line(
            SECRETS,
            "secrets",
            count(tenant.secrets),
            "secret-month",
            p.secretsmanager_secret_month,
        ),
        line(
            SECRETS,
            "requests",
            if tenant.secrets == 0 {
                0.0
            } else {
                month.wire.secrets / 1_000.0
            },
            "thousand",
            p.secretsmanager_thousand_requests,
        ),
        line("KMS", "requests", keys, "million", p.kms_million_requests),
        line("CloudWatch", "logs", logs, "GB", p.cloudwatch_log_gb),
        line(
            "CloudWatch",
            "metric",
            metric,
            "metric-month",
            p.cloudwatch_metric_month,
        ),
        line(ALARMS, "alarms", alarms, "alarm-month", p.cloudwatch_alarm_month),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "a stack has few of them")]
fn count(things: usize) -> f64 {
    things as f64
}

/// What all runs of a month take.
#[derive(Default)]
struct Month {
    events: f64,
    runs: f64,
    wire: Wire,
    vcpu_hours: f64,
    gb_hours: f64,
}

impl Month {
    fn of(tenant: &Tenant<'_>, load: Load) -> Self {
        let mut month = Self {
            events: load.events_a_day * DAYS_A_MONTH,
            ..Self::default()
        };
        for (scheduled, run) in [
            (tenant.detector, Run::Detect),
            (tenant.compactor, Run::Compact),
            (tenant.maintainer, Run::Maintain),
        ]
        .into_iter()
        .chain(tenant.reconciler.map(|scheduled| (scheduled, Run::Reconcile)))
        {
            if scheduled.runs_a_day > 0.0 {
                month.add(scheduled, run, load);
            }
        }
        month
    }

    fn add(&mut self, Scheduled { task, runs_a_day }: Scheduled<'_>, run: Run, load: Load) {
        let events = load.events_a_day / runs_a_day;
        let cores = f64::from(task.cpu) / 1_024.0;
        let runs = runs_a_day * DAYS_A_MONTH;
        let hours = runs * run.seconds(events, cores) / 3_600.0;
        self.runs += runs;
        self.wire += run.wire(events, events * load.findings_a_million / MILLION) * runs;
        self.vcpu_hours += hours * cores;
        self.gb_hours += hours * f64::from(task.memory_mib) / MIB_A_GB;
    }
}

/// USD of all lines but those of alarms.
pub fn without_alarms(bill: &[Line]) -> f64 {
    let lines = bill.iter().filter(|line| line.service != ALARMS);
    lines.map(|line| line.usd).sum()
}

/// Services in the order of the bill, each with its USD.
pub fn by_service(bill: &[Line]) -> Vec<(&'static str, f64)> {
    let mut services: Vec<(&'static str, f64)> = Vec::new();
    for line in bill {
        match services.iter_mut().find(|(service, _)| *service == line.service) {
            Some((_, usd)) => *usd += line.usd,
            None => services.push((line.service, line.usd)),
        }
    }
    services
}
