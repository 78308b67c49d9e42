//! When a schedule is due: the `rate`, `cron` and `at` expressions of EventBridge Scheduler. Pure; nothing here waits.
//!
//! Syntax and the behaviour at clock changes follow the EventBridge Scheduler user guide, "Schedule types".

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Source: EventBridge Scheduler, `CreateSchedule`.
const LONGEST: usize = 256;

/// A parsed schedule expression.
#[derive(Clone, PartialEq)]
pub struct Schedule {
    text: String,
    due: Due,
}

#[derive(Clone, PartialEq)]
enum Due {
    Every(SignedDuration),
    Fields(Box<Cron>),
    Once(DateTime),
}

/// An expression that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the schedule expression `{expression}` is not valid: {problem}")]
pub struct ScheduleError {
    pub expression: String,
    pub problem: String,
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The library's fields print as thousands of lines and say no more than the text.
        write!(formatter, "Schedule({})", self.text)
    }
}

impl Schedule {
    /// Reads `rate(value unit)`, `cron(minutes hours day-of-month month day-of-week year)` or `at(yyyy-mm-ddThh:mm:ss)`.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        let due = if text.len() > LONGEST {
            Err(format!("it has more than {LONGEST} characters"))
        } else if let Some(rate) = inside("rate") {
            parse_rate(rate).map(Due::Every)
        } else if let Some(fields) = inside("cron") {
            parse_cron(fields).map(|cron| Due::Fields(Box::new(cron)))
        } else if let Some(time) = inside("at") {
            parse_at(time).map(Due::Once)
        } else {
            Err("it must be rate(...), cron(...) or at(...)".to_owned())
        };
        match due {
            Ok(due) => Ok(Self {
                text: text.to_owned(),
                due,
            }),
            Err(problem) => Err(ScheduleError {
                expression: text.to_owned(),
                problem,
            }),
        }
    }

    /// The first time after `after` at which it is due; `None` when that never comes.
    ///
    /// A rate counts from `anchor`. Cron fields are read on the clock of `tz`: a time that a clock change skips is not
    /// due at all, a time that it repeats is due only the first time.
    pub fn next_after(&self, anchor: Timestamp, after: Timestamp, tz: &TimeZone) -> Option<Timestamp> {
        match &self.due {
            Due::Every(period) => next_multiple(anchor, after, *period),
            Due::Fields(cron) => next_matching(cron, after, tz),
            Due::Once(time) => {
                let due = tz.to_ambiguous_timestamp(*time).compatible().ok()?;
                (due > after).then_some(due)
            }
        }
    }
}

fn next_multiple(anchor: Timestamp, after: Timestamp, period: SignedDuration) -> Option<Timestamp> {
    if after < anchor {
        return Some(anchor);
    }
    let passed = after.duration_since(anchor).as_secs() / period.as_secs();
    let until_next = period.as_secs().checked_mul(passed.checked_add(1)?)?;
    anchor.checked_add(SignedDuration::from_secs(until_next)).ok()
}

fn next_matching(cron: &Cron, after: Timestamp, tz: &TimeZone) -> Option<Timestamp> {
    let mut local = tz.to_datetime(after);
    loop {
        local = cron.find_next_occurrence(&local, false).ok()?;
        let candidate = tz.to_ambiguous_timestamp(local);
        if matches!(candidate.offset(), AmbiguousOffset::Gap { .. }) {
            continue;
        }
        let due = candidate.earlier().ok()?;
        if due > after {
            return Some(due);
        }
    }
}

fn parse_rate(inside: &str) -> Result<SignedDuration, String> {
    let (value, unit) = inside
        .split_once(' ')
        .ok_or("a rate is a number and a unit, as in rate(1 hour)")?;
    let value: u32 = value
        .parse()
        .ok()
        .filter(|value| *value > 0)
        .ok_or_else(|| format!("`{value}` is not a whole number above 0"))?;
    let seconds = match unit.trim() {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 60 * 60,
        "day" | "days" => 24 * 60 * 60,
        other => return Err(format!("`{other}` is not a unit; use minutes, hours or days")),
    };
    Ok(SignedDuration::from_secs(i64::from(value) * seconds))
}

fn parse_at(inside: &str) -> Result<DateTime, String> {
    DateTime::strptime("%Y-%m-%dT%H:%M:%S", inside)
        .map_err(|_| format!("`{inside}` is not a time like 2026-11-01T15:00:00"))
}

/// What a field of a cron expression may hold.
struct Field {
    name: &'static str,
    min: u16,
    max: u16,
    /// Names that stand for `min`, `min + 1`, ...
    names: &'static [&'static str],
    /// Characters beyond digits and `, - * /`.
    specials: &'static [char],
}

const FIELDS: [Field; 6] = [
    Field {
        name: "minutes",
        min: 0,
        max: 59,
        names: &[],
        specials: &[],
    },
    Field {
        name: "hours",
        min: 0,
        max: 23,
        names: &[],
        specials: &[],
    },
    Field {
        name: "day-of-month",
        min: 1,
        max: 31,
        names: &[],
        specials: &['?', 'L', 'W'],
    },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        specials: &[],
    },
    Field {
        name: "day-of-week",
        min: 1,
        max: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        specials: &['?', 'L', '#'],
    },
    Field {
        name: "year",
        min: 1970,
        max: 2199,
        names: &[],
        specials: &[],
    },
];

const DAY_OF_MONTH: usize = 2;
const DAY_OF_WEEK: usize = 4;

fn parse_cron(inside: &str) -> Result<Cron, String> {
    let given: Vec<&str> = inside.split_whitespace().collect();
    let Ok(given) = <[&str; 6]>::try_from(given) else {
        return Err("a cron expression has six fields: minutes hours day-of-month month day-of-week year".to_owned());
    };
    if (given[DAY_OF_MONTH] == "?") == (given[DAY_OF_WEEK] == "?") {
        return Err("exactly one of day-of-month and day-of-week must be `?`".to_owned());
    }
    // Scheduler's smallest step is a minute; the library's first field is seconds.
    let mut pattern = "0".to_owned();
    for (field, text) in FIELDS.iter().zip(given) {
        pattern.push(' ');
        pattern.push_str(&field.plain(text)?);
    }
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        // 1 to 7 are Sunday to Saturday.
        .alternative_weekdays(true)
        // `0/10` is every tenth from 0 on.
        .sloppy_ranges(true)
        .build()
        .parse(&pattern)
        .map_err(|error| error.to_string())
}

impl Field {
    /// The field in the library's syntax: names as numbers, ranges that run backwards as lists.
    fn plain(&self, text: &str) -> Result<String, String> {
        let items: Result<Vec<String>, String> = text.split(',').map(|item| self.plain_item(item)).collect();
        items.map(|items| items.join(","))
    }

    fn plain_item(&self, item: &str) -> Result<String, String> {
        if self.specials.contains(&'#') && item == "L" {
            return Ok(self.max.to_string());
        }
        if item.starts_with('*') || item == "?" && self.specials.contains(&'?') {
            return Ok(item.to_owned());
        }
        let (range, step) = item
            .split_once('/')
            .map_or((item, None), |(range, step)| (range, Some(step)));
        let suffix = step.map_or(String::new(), |step| format!("/{step}"));
        let Some((first, last)) = range.split_once('-') else {
            return Ok(format!("{}{suffix}", self.single(range)?));
        };
        let (first, last) = (self.number(first)?, self.number(last)?);
        if first <= last {
            return Ok(format!("{first}-{last}{suffix}"));
        }
        let step: usize = step
            .map_or(Ok(1), str::parse)
            .ok()
            .filter(|step| *step > 0)
            .ok_or_else(|| self.wrong(item))?;
        let values = (first..=self.max).chain(self.min..=last).step_by(step);
        Ok(values.map(|value| value.to_string()).collect::<Vec<_>>().join(","))
    }

    /// A number or name, or one with a special such as `6L`, `3#2`, `15W`; `L` and `LW` in day-of-month.
    fn single(&self, text: &str) -> Result<String, String> {
        let start = text.find(self.specials).unwrap_or(text.len());
        let (value, special) = text.split_at(start);
        let is_whole = special.starts_with('L') && value.is_empty() && self.specials.contains(&'W');
        let is_known = match special {
            "" => true,
            "W" => self.specials.contains(&'W'),
            "L" => self.specials.contains(&'#'),
            _ => special.starts_with('#') && special[1..].parse().is_ok_and(|nth: u8| (1..=5).contains(&nth)),
        };
        match (is_whole, is_known) {
            (true, _) if special == "L" || special == "LW" => Ok(special.to_owned()),
            (false, true) => Ok(format!("{}{special}", self.number(value)?)),
            _ => Err(self.wrong(text)),
        }
    }

    fn number(&self, text: &str) -> Result<u16, String> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(index) => u16::try_from(index).ok().map(|index| self.min + index),
            None => text.parse().ok().filter(|value| (self.min..=self.max).contains(value)),
        };
        value.ok_or_else(|| self.wrong(text))
    }

    fn wrong(&self, text: &str) -> String {
        format!(
            "`{text}` does not fit the field {}, which takes {} to {}",
            self.name, self.min, self.max
        )
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
