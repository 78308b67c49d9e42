//! `oort cost`: what a tenant costs a month.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::cli::context::Loaded;
use crate::cli::output::Format;
use crate::cli::{Exit, Failure, Global, Outcome, output};
use crate::deploy::cost::prices::{self, PriceFile, PriceList};
use crate::deploy::cost::{Line, Load, Scheduled, Tenant, bill, by_service, without_alarms};
use crate::deploy::profile::Task;
use crate::deploy::tree::Tree;
use crate::local::schedule::Schedule;

/// The project's own price list.
const PRICES: &str = "environments/prices.yaml";
/// What a tenant that keeps its data for ever is charged for.
const KEPT_FOR_EVER_DAYS: u32 = 365;
const DAYS_A_MONTH: f64 = 730.0 / 24.0;

/// Show what a tenant costs a month at several volumes of events, by service, and what it costs when nothing happens.
///
/// The tenant's settings count: schedules, sizes, alarms and retentions. Without a tenant those of the environment's first
/// are taken. Not included is what stacks do not make, such as a NAT gateway, and what tenants share.
#[derive(Debug, Args)]
pub struct Cost {
    /// The environment, a folder under `environments/`.
    #[arg(long, short, env = "OORT_ENVIRONMENT", default_value = "local")]
    environment: String,
    #[arg(long, short, env = "OORT_TENANT")]
    tenant: Option<String>,
    /// Volumes to reckon with.
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000, 10_000_000])]
    events_per_day: Vec<u32>,
    /// Findings in a million events, each of which is stored and told.
    #[arg(long, value_name = "NUMBER", default_value_t = 400)]
    findings_per_million: u32,
    /// A file as `environments/prices.yaml`, laid over it.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Every line of every bill, not only the sums of services.
    #[arg(long)]
    lines: bool,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// A month at one volume.
#[derive(Debug, Serialize)]
struct Month {
    events_per_day: u32,
    /// USD.
    total: f64,
    /// USD without what an idle tenant costs too; absent for an idle one.
    per_million_events: Option<f64>,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Report {
    environment: String,
    tenant: String,
    prices: PriceList,
    kept_days: u32,
    findings_per_million: u32,
    /// USD a month of a tenant without events, alarms left out.
    idle_without_alarms: f64,
    months: Vec<Month>,
}

impl Cost {
    pub fn run(self, global: &Global) -> Outcome {
        let report = self.report(global)?;
        match self.format {
            Format::Json => output::json(&report),
            Format::Table => self.table(&report),
        }
        Ok(Exit::Done)
    }

    fn report(&self, global: &Global) -> Result<Report, Failure> {
        let loaded = Loaded::read(global, &self.environment, self.tenant.as_deref())?;
        let chosen = loaded.environment.tenants.first().ok_or_else(|| {
            Failure::input(format!("environment `{}` has no tenant", self.environment)).hint("oort tenant add adds one")
        })?;
        let settings = &chosen.settings;
        let kept_days = match settings.data_retention_days {
            0 => KEPT_FOR_EVER_DAYS,
            days => days,
        };
        let tenant = Tenant {
            detector: scheduled(&settings.detector)?,
            compactor: scheduled(&settings.compactor)?,
            maintainer: scheduled(&settings.maintainer)?,
            reconciler: chosen
                .org
                .is_some()
                .then(|| scheduled(&settings.reconciler))
                .transpose()?,
            secrets: chosen.secrets.len() + usize::from(chosen.okta_secret.is_some()),
            alarms: alarms(&loaded, chosen.id.as_str())?,
            archive_days: settings.archive_retention_days,
            kept_days,
        };
        let prices = self.price_list(global)?;
        let month = |events_per_day: u32| {
            let load = Load {
                events_a_day: f64::from(events_per_day),
                findings_a_million: f64::from(self.findings_per_million),
            };
            bill(&tenant, load, &prices.prices)
        };
        let sum = |lines: &[Line]| lines.iter().map(|line| line.usd).sum::<f64>();
        let idle = month(0);
        let months = self.events_per_day.iter().map(|&events_per_day| {
            let lines = month(events_per_day);
            let millions = f64::from(events_per_day) * DAYS_A_MONTH / 1_000_000.0;
            Month {
                events_per_day,
                total: sum(&lines),
                per_million_events: (millions > 0.0).then(|| (sum(&lines) - sum(&idle)) / millions),
                lines,
            }
        });
        Ok(Report {
            environment: self.environment.clone(),
            tenant: chosen.id.to_string(),
            kept_days,
            findings_per_million: self.findings_per_million,
            idle_without_alarms: without_alarms(&idle),
            months: months.collect(),
            prices,
        })
    }

    fn price_list(&self, global: &Global) -> Result<PriceList, Failure> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|error| Failure::input(format!("cannot read {}: {error}", path.display())))
        };
        let own = read(&global.root.join(PRICES))?;
        let mut files = vec![(PRICES.to_owned(), own)];
        if let Some(path) = &self.prices {
            files.push((path.display().to_string(), read(path)?));
        }
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        prices::read(&files).map_err(|error| Failure::input(error).hint(format!("{PRICES} shows every name")))
    }

    fn table(&self, report: &Report) {
        let volumes = report
            .months
            .iter()
            .map(|month| format!("{}/DAY", grouped(month.events_per_day)));
        let mut rows: Vec<Vec<String>> = Vec::new();
        let column = |name: &str, cell: &dyn Fn(&Month) -> String| {
            std::iter::once(name.to_owned())
                .chain(report.months.iter().map(cell))
                .collect::<Vec<_>>()
        };
        if self.lines {
            let names = report.months.first().map_or(&[][..], |month| &month.lines);
            for (index, line) in names.iter().enumerate() {
                let name = format!("{}: {}", line.service, line.what);
                rows.push(column(&name, &|month| {
                    let line = &month.lines[index];
                    format!("{} ({} {})", usd(line.usd), short(line.quantity), line.unit)
                }));
            }
        } else {
            let services = report
                .months
                .first()
                .map(|month| by_service(&month.lines))
                .unwrap_or_default();
            for (index, (service, _)) in services.iter().enumerate() {
                rows.push(column(service, &|month| usd(by_service(&month.lines)[index].1)));
            }
        }
        rows.push(column("total", &|month| usd(month.total)));
        rows.push(column("a million events more", &|month| {
            month.per_million_events.map_or_else(|| "-".to_owned(), usd)
        }));
        let header: Vec<String> = std::iter::once("USD A MONTH".to_owned()).chain(volumes).collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        output::table_in_full(&header, &rows);
        output::line(format!(
            "\n{} of {}: an idle tenant costs {} without alarms; {} days are kept; {} findings in a million events",
            report.tenant,
            report.environment,
            usd(report.idle_without_alarms),
            report.kept_days,
            report.findings_per_million
        ));
        output::line(format!(
            "prices of {}, without free tiers; not included: NAT gateway or VPC endpoints, what tenants share",
            looked_up(&report.prices)
        ));
    }
}

/// When and for where prices were looked up, file by file.
fn looked_up(prices: &PriceList) -> String {
    let file = |file: &PriceFile| format!("{} for {} ({})", file.as_of, file.region, file.path);
    prices.files.iter().map(file).collect::<Vec<_>>().join(", then ")
}

/// How often a task runs on the mean day of a year.
fn scheduled(task: &Task) -> Result<Scheduled<'_>, Failure> {
    const DAYS: f64 = 364.0;
    let schedule = Schedule::parse(&task.schedule).map_err(Failure::input)?;
    let end = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 364);
    let due = |after: &Timestamp| schedule.next_after(Timestamp::UNIX_EPOCH, *after, &TimeZone::UTC);
    let runs = std::iter::successors(due(&Timestamp::UNIX_EPOCH), due)
        .take_while(|time| *time <= end)
        .count();
    let runs = f64::from(u32::try_from(runs).unwrap_or(u32::MAX));
    Ok(Scheduled {
        task,
        runs_a_day: runs / DAYS,
    })
}

/// The alarms of a tenant's rendered stack.
fn alarms(loaded: &Loaded, tenant: &str) -> Result<usize, Failure> {
    let mut alarms = 0;
    let is_alarm = |resource: &Tree| resource.get("Type") == Some(&Tree::text("AWS::CloudWatch::Alarm"));
    loaded.for_each(Ok, |stack| {
        if stack.spec.tenant.as_ref().is_some_and(|own| own.as_str() == tenant) {
            let tree = stack.tree();
            let resources = tree.get("Resources");
            alarms = resources.map_or(0, |all| {
                all.entries().iter().filter(|(_, resource)| is_alarm(resource)).count()
            });
        }
        Ok(())
    })?;
    Ok(alarms)
}

fn usd(amount: f64) -> String {
    if amount >= 100.0 {
        format!("{amount:.0}")
    } else if amount >= 1.0 {
        format!("{amount:.2}")
    } else {
        format!("{amount:.3}")
    }
}

/// Three digits that count.
fn short(quantity: f64) -> String {
    match quantity {
        q if q >= 100.0 => format!("{q:.0}"),
        q if q >= 1.0 => format!("{q:.2}"),
        q => format!("{q:.4}"),
    }
}

/// Digits by threes: 10,000.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3).map(String::from_utf8_lossy);
    let head = (first > 0).then(|| digits[..first].into());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}
