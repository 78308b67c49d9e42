//! When an EventBridge Scheduler expression is due: `rate(…)`, `cron(…)` of six fields, `at(…)`. Pure.
//!
//! Syntax: "Schedule types on EventBridge Scheduler" in its user guide.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A parsed expression with its time zone.
#[derive(Debug, Clone)]
pub struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Rate(SignedDuration),
    Cron { fields: Box<Cron>, zone: TimeZone },
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
            Kind::Cron { fields, zone } => {
                let next = fields.find_next_occurrence(&after.to_zoned(zone.clone()), false).ok()?;
                Some(next.timestamp())
            }
        }
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
    let [.., days, _, weekdays, _] = fields[..] else {
        return Err(format!(
            "a cron expression has six fields, this one has {}",
            fields.len()
        ));
    };
    if fields.len() != 6 {
        return Err(format!(
            "a cron expression has six fields, this one has {}",
            fields.len()
        ));
    }
    if (days == "?") == (weekdays == "?") {
        return Err("exactly one of day of month and day of week is `?`".to_owned());
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .dom_and_dow(true)
        // AWS counts the days of the week as Quartz does: from 1, Sunday.
        .alternative_weekdays(true)
        .sloppy_ranges(true)
        .build();
    let fields = parser.parse(&format!("0 {text}")).map_err(|error| error.to_string())?;
    let zone = TimeZone::get(zone).map_err(|error| error.to_string())?;
    Ok(Kind::Cron {
        fields: Box::new(fields),
        zone,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let step = |from: &Timestamp| schedule.next_after(time("2026-01-01T00:00:00Z"), *from);
        std::iter::successors(step(&time(after)), step)
            .take(count)
            .map(|t| t.to_string())
            .collect()
    }

    #[test]
    fn expressions_are_due_when_aws_documents_them_to_be() {
        let table: &[(&str, &str, &[&str])] = &[
            (
                "rate(1 hour)",
                "2026-01-01T00:30:00Z",
                &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"],
            ),
            ("rate(7 days)", "2026-01-01T00:00:00Z", &["2026-01-08T00:00:00Z"]),
            ("cron(15 3 * * ? *)", "2026-11-01T03:15:00Z", &["2026-11-02T03:15:00Z"]),
            // 10:15 on each last Friday of a month.
            (
                "cron(15 10 ? * 6L 2022-2027)",
                "2026-11-01T00:00:00Z",
                &["2026-11-27T10:15:00Z", "2026-12-25T10:15:00Z"],
            ),
            // Every ten minutes from Monday to Friday.
            (
                "cron(0/10 * ? * MON-FRI *)",
                "2026-11-27T23:50:00Z",
                &["2026-11-30T00:00:00Z"],
            ),
            (
                "cron(0/30 20-23 ? * 2-3 *)",
                "2026-11-23T23:00:00Z",
                &["2026-11-23T23:30:00Z", "2026-11-24T20:00:00Z"],
            ),
            // Day 1 of the week is Sunday; its second of the month.
            (
                "cron(0 0 ? * 1#2 *)",
                "2026-11-01T00:00:00Z",
                &["2026-11-08T00:00:00Z", "2026-12-13T00:00:00Z"],
            ),
            ("cron(0 0 L * ? *)", "2026-02-01T00:00:00Z", &["2026-02-28T00:00:00Z"]),
            // The weekday nearest to the 15th, a Sunday.
            ("cron(0 9 15W * ? *)", "2026-11-01T00:00:00Z", &["2026-11-16T09:00:00Z"]),
            (
                "cron(0 0 1 1 ? 2030)",
                "2026-11-01T00:00:00Z",
                &["2030-01-01T00:00:00Z"],
            ),
            ("cron(0 0 1 1 ? 2020)", "2026-11-01T00:00:00Z", &[]),
            (
                "at(2026-12-01T03:15:00)",
                "2026-11-01T00:00:00Z",
                &["2026-12-01T03:15:00Z"],
            ),
        ];
        for (expression, after, expected) in table {
            assert_eq!(
                next(expression, "UTC", after, expected.len().max(1)),
                *expected,
                "{expression}"
            );
        }
    }

    #[test]
    fn a_daily_schedule_keeps_its_hour_when_clocks_change() {
        let expected = ["2026-10-31T07:15:00Z", "2026-11-01T08:15:00Z"];
        assert_eq!(
            next("cron(15 3 * * ? *)", "America/New_York", "2026-10-31T00:00:00Z", 2),
            expected
        );
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        for expression in [
            "",
            "hourly",
            "rate(0 hours)",
            "rate(1 fortnight)",
            "rate(1)",
            "cron(0 0 * * *)",
            "cron(0 0 * * * *)",
            "cron(0 0 ? * ? *)",
            "cron(61 0 * * ? *)",
            "cron(0 0 ? * 8 *)",
            "at(tomorrow)",
        ] {
            let error = Schedule::parse(expression, "UTC").unwrap_err();
            assert!(error.to_string().contains("is no schedule: "), "{error}");
        }
        assert!(Schedule::parse("cron(0 0 * * ? *)", "Mars/Olympus").is_err());
    }

    proptest! {
        #[test]
        fn the_next_time_is_always_later(minutes in 1_i64..5_000, after in 1_700_000_000_i64..1_900_000_000, minute in 0_u8..60) {
            let after = Timestamp::from_second(after).unwrap();
            for expression in [format!("rate({minutes} minutes)"), format!("cron({minute} * * * ? *)")] {
                let schedule = Schedule::parse(&expression, "UTC").unwrap();
                let first = schedule.next_after(Timestamp::UNIX_EPOCH, after).unwrap();
                prop_assert!(first > after && schedule.next_after(Timestamp::UNIX_EPOCH, first).unwrap() > first);
            }
        }
    }
}
