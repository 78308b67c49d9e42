use super::*;
use proptest::prelude::*;

fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next `count` times after `after`, on the clock of `tz`.
fn next(expression: &str, after: &str, tz: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(expression).unwrap();
    let tz = TimeZone::get(tz).unwrap();
    let start = timestamp(after);
    let mut times = Vec::new();
    let mut last = start;
    while times.len() < count
        && let Some(due) = schedule.next_after(start, last, &tz)
    {
        times.push(due.to_zoned(tz.clone()).strftime("%a %Y-%m-%d %H:%M%:z").to_string());
        last = due;
    }
    times
}

#[test]
fn documented_examples() {
    // 2026-11-01 is a Sunday.
    let start = "2026-11-01T00:00:00Z";
    let table: &[(&str, &[&str])] = &[
        ("cron(0 10 * * ? *)", &["Sun 2026-11-01 10:00", "Mon 2026-11-02 10:00"]),
        ("cron(15 12 * * ? *)", &["Sun 2026-11-01 12:15", "Mon 2026-11-02 12:15"]),
        (
            "cron(0 18 ? * MON-FRI *)",
            &["Mon 2026-11-02 18:00", "Tue 2026-11-03 18:00"],
        ),
        ("cron(0 8 1 * ? *)", &["Sun 2026-11-01 08:00", "Tue 2026-12-01 08:00"]),
        (
            "cron(0/15 * * * ? *)",
            &["Sun 2026-11-01 00:15", "Sun 2026-11-01 00:30"],
        ),
        (
            "cron(0/10 * ? * MON-FRI *)",
            &["Mon 2026-11-02 00:00", "Mon 2026-11-02 00:10"],
        ),
        (
            "cron(0/5 8-17 ? * MON-FRI *)",
            &["Mon 2026-11-02 08:00", "Mon 2026-11-02 08:05"],
        ),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            &["Mon 2026-11-02 00:00", "Mon 2026-11-02 00:30"],
        ),
        (
            "cron(15 10 ? * 6L 2022-2030)",
            &["Fri 2026-11-27 10:15", "Fri 2026-12-25 10:15"],
        ),
        ("cron(0 0 ? * 3#2 *)", &["Tue 2026-11-10 00:00", "Tue 2026-12-08 00:00"]),
        (
            "cron(1/10 0 * * ? *)",
            &["Sun 2026-11-01 00:01", "Sun 2026-11-01 00:11"],
        ),
        ("cron(0 0 ? * 1 *)", &["Sun 2026-11-08 00:00", "Sun 2026-11-15 00:00"]),
        ("cron(0 0 ? * 7 *)", &["Sat 2026-11-07 00:00", "Sat 2026-11-14 00:00"]),
        ("cron(0 0 ? * L *)", &["Sat 2026-11-07 00:00", "Sat 2026-11-14 00:00"]),
        (
            "cron(0 0 ? * 2-6/2 *)",
            &["Mon 2026-11-02 00:00", "Wed 2026-11-04 00:00", "Fri 2026-11-06 00:00"],
        ),
        (
            "cron(0 0 ? * FRI-MON *)",
            &["Mon 2026-11-02 00:00", "Fri 2026-11-06 00:00", "Sat 2026-11-07 00:00"],
        ),
        ("cron(0 0 ? * FRIL *)", &["Fri 2026-11-27 00:00"]),
        ("cron(0 0 L * ? *)", &["Mon 2026-11-30 00:00", "Thu 2026-12-31 00:00"]),
        ("cron(0 0 LW 1 ? *)", &["Fri 2027-01-29 00:00"]),
        ("cron(0 0 1W * ? *)", &["Mon 2026-11-02 00:00", "Tue 2026-12-01 00:00"]),
        ("cron(0 0 15W * ? *)", &["Mon 2026-11-16 00:00", "Tue 2026-12-15 00:00"]),
        ("cron(0 0 29 2 ? *)", &["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00"]),
        (
            "cron(0 0 1 JAN,jul ? 2027)",
            &["Fri 2027-01-01 00:00", "Thu 2027-07-01 00:00"],
        ),
        (
            "cron(0 22-3/2 * * ? *)",
            &["Sun 2026-11-01 02:00", "Sun 2026-11-01 22:00", "Mon 2026-11-02 00:00"],
        ),
        ("cron(0 0 1 1 ? 2020)", &[]),
        ("cron(0 0 30 2 ? *)", &[]),
        ("rate(1 minute)", &["Sun 2026-11-01 00:01", "Sun 2026-11-01 00:02"]),
        ("rate(5 minutes)", &["Sun 2026-11-01 00:05", "Sun 2026-11-01 00:10"]),
        ("rate(1 hour)", &["Sun 2026-11-01 01:00", "Sun 2026-11-01 02:00"]),
        ("rate(7 days)", &["Sun 2026-11-08 00:00", "Sun 2026-11-15 00:00"]),
        ("at(2026-11-20T13:00:00)", &["Fri 2026-11-20 13:00"]),
        ("at(2026-10-20T13:00:00)", &[]),
    ];
    for (expression, expected) in table {
        let expected: Vec<String> = expected.iter().map(|time| format!("{time}+00:00")).collect();
        assert_eq!(
            next(expression, start, "UTC", expected.len().max(1)),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn a_time_that_a_clock_change_skips_is_not_due_and_a_repeated_one_is_due_once() {
    // New York: 2026-03-08 02:00 becomes 03:00, 2026-11-01 02:00 becomes 01:00.
    let ny = "America/New_York";
    assert_eq!(
        next("cron(30 2 * * ? *)", "2026-03-07T00:00:00Z", ny, 2),
        ["Sat 2026-03-07 02:30-05:00", "Mon 2026-03-09 02:30-04:00"]
    );
    assert_eq!(
        next("cron(30 1 * * ? *)", "2026-11-01T00:00:00Z", ny, 2),
        ["Sun 2026-11-01 01:30-04:00", "Mon 2026-11-02 01:30-05:00"]
    );
    // From within the repeated hour: it ran in the first pass, so the next is after the repetition.
    assert_eq!(
        next("cron(0/30 * * * ? *)", "2026-11-01T06:10:00Z", ny, 1),
        ["Sun 2026-11-01 02:00-05:00"]
    );
    assert_eq!(
        next("cron(0/30 * * * ? *)", "2026-11-01T05:31:00Z", ny, 1),
        ["Sun 2026-11-01 02:00-05:00"]
    );
    // A day of a rate is 24 hours, whatever the clock does.
    assert_eq!(
        next("rate(1 day)", "2026-10-31T16:00:00Z", ny, 1),
        ["Sun 2026-11-01 11:00-05:00"]
    );
    assert_eq!(
        next("at(2026-07-01T09:00:00)", "2026-01-01T00:00:00Z", ny, 1),
        ["Wed 2026-07-01 09:00-04:00"]
    );
}

#[test]
fn a_rate_counts_from_its_anchor() {
    let schedule = Schedule::parse("rate(1 hour)").unwrap();
    let due = |after: &str| schedule.next_after(timestamp("2026-11-01T00:10:00Z"), timestamp(after), &TimeZone::UTC);
    assert_eq!(due("2026-11-01T03:10:00Z"), Some(timestamp("2026-11-01T04:10:00Z")));
    assert_eq!(due("2026-11-01T03:09:59.999Z"), Some(timestamp("2026-11-01T03:10:00Z")));
    assert_eq!(due("2026-10-01T00:00:00Z"), Some(timestamp("2026-11-01T00:10:00Z")));
}

#[test]
fn what_cannot_be_read_says_why() {
    let table = [
        ("", "it must be rate(...), cron(...) or at(...)"),
        ("every hour", "it must be rate(...), cron(...) or at(...)"),
        ("rate(1 hour", "it must be rate(...), cron(...) or at(...)"),
        ("rate(banana)", "a rate is a number and a unit, as in rate(1 hour)"),
        ("rate(0 hours)", "`0` is not a whole number above 0"),
        ("rate(-1 hours)", "`-1` is not a whole number above 0"),
        ("rate(1 week)", "`week` is not a unit; use minutes, hours or days"),
        ("at(tomorrow)", "`tomorrow` is not a time like 2026-11-01T15:00:00"),
        (
            "cron(0 3 * * *)",
            "a cron expression has six fields: minutes hours day-of-month month day-of-week year",
        ),
        (
            "cron(0 3 * * * *)",
            "exactly one of day-of-month and day-of-week must be `?`",
        ),
        (
            "cron(0 3 ? * ? *)",
            "exactly one of day-of-month and day-of-week must be `?`",
        ),
        (
            "cron(60 3 * * ? *)",
            "`60` does not fit the field minutes, which takes 0 to 59",
        ),
        (
            "cron(0 24 * * ? *)",
            "`24` does not fit the field hours, which takes 0 to 23",
        ),
        (
            "cron(0 0 ? * 0 *)",
            "`0` does not fit the field day-of-week, which takes 1 to 7",
        ),
        (
            "cron(0 0 ? * MONDAY *)",
            "`MONDAY` does not fit the field day-of-week, which takes 1 to 7",
        ),
        (
            "cron(0 0 ? * 3#6 *)",
            "`3#6` does not fit the field day-of-week, which takes 1 to 7",
        ),
        (
            "cron(0 0 1 JANFEB ? *)",
            "`JANFEB` does not fit the field month, which takes 1 to 12",
        ),
        (
            "cron(MON 0 1 * ? *)",
            "`MON` does not fit the field minutes, which takes 0 to 59",
        ),
        (
            "cron(? 0 1 * ? *)",
            "`?` does not fit the field minutes, which takes 0 to 59",
        ),
        (
            "cron(0 0 1 * ? 2500)",
            "`2500` does not fit the field year, which takes 1970 to 2199",
        ),
        (
            "cron(0 0 1L * ? *)",
            "`1L` does not fit the field day-of-month, which takes 1 to 31",
        ),
    ];
    for (expression, problem) in table {
        let error = Schedule::parse(expression).expect_err(expression);
        assert_eq!(error.problem, problem, "{expression}");
    }
    for expression in [
        "cron(0/0 * * * ? *)",
        "cron(0 */x * * ? *)",
        "cron(, 0 * * ? *)",
        "cron(*5 0 * * ? *)",
        "cron(0 5-1/0 * * ? *)",
    ] {
        assert!(Schedule::parse(expression).is_err(), "{expression}");
    }
}

proptest! {
    #[test]
    fn due_times_strictly_increase(
        expression in prop::sample::select(vec![
            "rate(7 minutes)", "rate(1 day)", "cron(0/7 * * * ? *)", "cron(15 3 * * ? *)", "cron(30 1-2 ? * SUN *)",
            "cron(0 0 LW * ? *)", "cron(0 12 ? * 2#5 *)", "at(2026-11-01T01:30:00)",
        ]),
        tz in prop::sample::select(vec!["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"]),
        anchor in 1_700_000_000_i64..1_900_000_000,
        passed in -1_000_000_i64..100_000_000,
        nanosecond in 0_i32..1_000_000_000,
    ) {
        let schedule = Schedule::parse(expression).unwrap();
        let tz = TimeZone::get(tz).unwrap();
        let anchor = Timestamp::from_second(anchor).unwrap();
        let mut after = Timestamp::new(anchor.as_second() + passed, nanosecond).unwrap();
        let a_moment_later = after + SignedDuration::from_nanos(1);
        let later = schedule.next_after(anchor, a_moment_later, &tz);
        for step in 0..5 {
            let Some(due) = schedule.next_after(anchor, after, &tz) else { break };
            prop_assert!(due > after);
            prop_assert!(step > 0 || later.is_none_or(|later| later == due || due == a_moment_later));
            after = due;
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "(rate|cron|at)\\([-0-9A-Z*?/#,LW ]{0,20}\\)|.{0,20}") {
        if let Ok(schedule) = Schedule::parse(&text) {
            let _ = schedule.next_after(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, &TimeZone::UTC);
        }
    }
}
