//! When an EventBridge Scheduler expression is due: `rate(…)`, `cron(…)` of six fields, `at(…)`. Pure.
//!
//! Syntax: "Schedule types on EventBridge Scheduler" in its user guide. The fields of a cron expression are matched by a
//! library of five-field crontabs; days of the week are renamed for it, and the year is looked at here.

use std::ops::RangeInclusive;

use cronexpr::{Crontab, MakeTimestamp};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const YEARS: RangeInclusive<i16> = 1970..=2199;

/// A parsed expression with its time zone.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Rate(SignedDuration),
    Cron { fields: Box<Crontab>, years: Vec<i16> },
    At(Timestamp),
}

/// Why an expression is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{expression:?} is no schedule: {why}")]
pub struct ScheduleError {
    expression: String,
    why: String,
}

impl Schedule {
    /// `zone` is an IANA name; it says what the fields of `cron` and the time of `at` mean.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let inside = |name: &str| expression.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        let parsed = if let Some(rate) = inside("rate") {
            parse_rate(rate).map(Kind::Rate)
        } else if let Some(cron) = inside("cron") {
            parse_cron(cron, zone)
        } else if let Some(at) = inside("at") {
            parse_at(at, zone)
        } else {
            Err("write rate(1 hour), cron(15 3 * * ? *) or at(2026-11-01T03:15:00)".to_owned())
        };
        parsed.map(Self).map_err(|why| ScheduleError {
            expression: expression.to_owned(),
            why,
        })
    }

    /// The first time that is due after `after`. A rate counts from `anchor`, the moment the schedule was made.
    pub fn next_after(&self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::At(time) => (*time > after).then_some(*time),
            Kind::Rate(period) => {
                let passed = after.duration_since(anchor).max(SignedDuration::ZERO);
                let periods = passed.as_secs() / period.as_secs() + 1;
                anchor
                    .checked_add(SignedDuration::from_secs(period.as_secs().checked_mul(periods)?))
                    .ok()
            }
            Kind::Cron { fields, years } => next_in_years(fields, years, after),
        }
    }
}

fn next_in_years(fields: &Crontab, years: &[i16], after: Timestamp) -> Option<Timestamp> {
    let mut from = after;
    loop {
        let next = fields.find_next(MakeTimestamp(from)).ok()?;
        let year = next.year();
        if years.contains(&year) {
            return Some(next.timestamp());
        }
        let wanted = years.iter().copied().find(|wanted| *wanted > year)?;
        let start = next
            .time_zone()
            .to_timestamp(DateTime::new(wanted, 1, 1, 0, 0, 0, 0).ok()?)
            .ok()?;
        // The library answers with times after the one it is given, and the first minute of the year counts.
        from = start.checked_sub(SignedDuration::from_secs(1)).ok()?;
    }
}

fn parse_rate(text: &str) -> Result<SignedDuration, String> {
    let (number, unit) = text
        .trim()
        .split_once(' ')
        .ok_or("write a number and a unit, as in rate(1 hour)")?;
    let number: i64 = number
        .parse()
        .ok()
        .filter(|n| (1..=1_000_000).contains(n))
        .ok_or("the number is from 1 up")?;
    let seconds = match unit.trim().trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return Err("the unit is minutes, hours or days".to_owned()),
    };
    Ok(SignedDuration::from_secs(number * seconds))
}

fn parse_at(text: &str, zone: &str) -> Result<Kind, String> {
    let zone = TimeZone::get(zone).map_err(|error| error.to_string())?;
    let time: DateTime = text.trim().parse().map_err(|error: jiff::Error| error.to_string())?;
    zone.to_timestamp(time).map(Kind::At).map_err(|error| error.to_string())
}

fn parse_cron(text: &str, zone: &str) -> Result<Kind, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays, years] = fields[..] else {
        return Err(format!(
            "a cron expression has six fields, this one has {}",
            fields.len()
        ));
    };
    if (days == "?") == (weekdays == "?") {
        return Err("exactly one of day of month and day of week is `?`".to_owned());
    }
    let any = |field: &str| if field == "?" { "*".to_owned() } else { field.to_owned() };
    let days = if days == "LW" {
        return Err("LW is not supported here".to_owned());
    } else {
        any(days)
    };
    let weekdays = weekday_names(&any(weekdays))?;
    let crontab = format!("{minutes} {hours} {days} {months} {weekdays} {zone}");
    let fields = cronexpr::parse_crontab(&crontab).map_err(|error| error.to_string())?;
    Ok(Kind::Cron {
        fields: Box::new(fields),
        years: parse_years(years)?,
    })
}

/// AWS counts the days of the week from 1, Sunday; the library from 0. Names mean the same to both.
fn weekday_names(field: &str) -> Result<String, String> {
    let day = |text: &str| -> Result<String, String> {
        match text.parse::<u8>() {
            Ok(number @ 1..=7) => Ok((number - 1).to_string()),
            Ok(number) => Err(format!("day of week {number} is not from 1 (SUN) to 7 (SAT)")),
            Err(_) => Ok(text.to_owned()),
        }
    };
    let item = |text: &str| -> Result<String, String> {
        if text == "L" {
            return Ok("6".to_owned());
        }
        if let Some((start, nth)) = text.split_once('#') {
            return Ok(format!("{}#{nth}", day(start)?));
        }
        if let Some(start) = text.strip_suffix('L') {
            return Ok(format!("{}L", day(start)?));
        }
        let (range, step) = text
            .split_once('/')
            .map_or((text, String::new()), |(range, step)| (range, format!("/{step}")));
        let range = match range.split_once('-') {
            Some((start, end)) => format!("{}-{}", day(start)?, day(end)?),
            // A start with a step runs to the end of the week.
            None if !step.is_empty() && range != "*" => format!("{}-6", day(range)?),
            None => day(range)?,
        };
        Ok(format!("{range}{step}"))
    };
    field
        .split(',')
        .map(item)
        .collect::<Result<Vec<_>, _>>()
        .map(|items| items.join(","))
}

fn parse_years(field: &str) -> Result<Vec<i16>, String> {
    let mut years = Vec::new();
    for item in field.split(',') {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let year = |text: &str| text.parse::<i16>().ok().filter(|year| YEARS.contains(year));
        let (start, end) = match range.split_once('-') {
            Some((start, end)) => (year(start), year(end)),
            None if range == "*" => (Some(*YEARS.start()), Some(*YEARS.end())),
            None if item.contains('/') => (year(range), Some(*YEARS.end())),
            None => (year(range), year(range)),
        };
        let step = step.parse::<usize>().ok().filter(|step| *step > 0);
        let (Some(start), Some(end), Some(step)) = (start, end, step) else {
            return Err(format!("the year field {item:?} is not within 1970-2199"));
        };
        years.extend((start..=end).step_by(step));
    }
    years.sort_unstable();
    years.dedup();
    Ok(years)
}
