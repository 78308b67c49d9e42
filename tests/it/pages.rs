//! A user's Activity a page at a time: all pages together are all rows, each once and in order, whatever the filter, and a page
//! reads about what it shows.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use oort_streams::lake::page::{Cursor, Filter, page, row};
use oort_streams::lake::{Lake, Rows};
use oort_streams::local::catalog;
use oort_streams::model::activity::{Activity, ActivityRow, Watermark};
use proptest::prelude::*;
use serde_json::json;

use crate::emulator::setting;

const USERS: u64 = 3;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An event of user `00u<user>`, which tells its number.
fn event(number: u64, user: u64, published: Timestamp) -> String {
    // As many bits of chance as real ones have, which no compression takes away.
    let mixed = (number ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (transaction, session) = (mixed ^ (mixed >> 29), (mixed >> 20).wrapping_mul(0xbf58_476d_1ce4_e5b9));
    json!({
        "uuid": format!("{number:08x}-0000-4000-8000-000000000000"),
        "published": format!("{published:.3}"),
        "eventType": if number.is_multiple_of(3) { "user.session.start" } else { "policy.evaluate_sign_on" },
        "displayMessage": "User signs in to Okta",
        "severity": "INFO",
        "actor": {"id": format!("00u{user}"), "type": "User", "alternateId": format!("u{user}@example.com")},
        "client": {
            "ipAddress": format!("198.51.100.{}", number % 5),
            "userAgent": {"rawUserAgent": format!("Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Firefox", session % 40)},
            "geographicalContext": {"country": "Poland", "city": "Kraków"},
        },
        "authenticationContext": {"externalSessionId": format!("102{session:016x}")},
        "transaction": {"id": format!("{transaction:016x}")},
        "outcome": {"result": if number.is_multiple_of(4) { "FAILURE" } else { "SUCCESS" }},
        "target": [],
    })
    .to_string()
}

async fn add(lake: &Lake, run: &str, events: impl Iterator<Item = String>) {
    let scratch = tempfile::tempdir().unwrap();
    let mut rows = Rows::new(scratch.path(), run);
    for event in events {
        let activity = Activity::parse(&event).unwrap();
        for subject in activity.subjects() {
            rows.push(&activity, &subject, &event).unwrap();
        }
    }
    rows.commit(lake, |_| Watermark(0)).await.unwrap();
}

/// Every row, page by page, and how many pages there were.
async fn walk(lake: &Lake, user: &str, filter: &Filter, limit: usize) -> (Vec<ActivityRow>, usize) {
    let (mut rows, mut after, mut pages) = (Vec::new(), None::<Cursor>, 0);
    loop {
        let found = page(lake, user, filter, after.as_ref(), limit).await.unwrap();
        assert!(found.rows.len() <= limit);
        rows.extend(found.rows);
        pages += 1;
        let Some(next) = found.next else { return (rows, pages) };
        after = Some(next.to_string().parse().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn all_pages_together_are_all_rows_in_order(
        minutes in prop::collection::vec((0_i64..200_000, 0..USERS), 1..120),
        split in 0_usize..120,
        limit in 1_usize..40,
        from in prop::option::of(0_i64..200_000),
        to in prop::option::of(0_i64..200_000),
        outcome in prop::sample::select(vec!["", "FAILURE"]),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let lake = Lake::new(catalog::open(folder.path()).await.unwrap(), "acme");
            let start = at("2026-06-01T00:00:00Z");
            // Some are of one moment: hours instead of minutes.
            let published = |minute: i64| start + SignedDuration::from_mins(if minute % 2 == 0 { minute } else { minute / 600 * 600 });
            let events: Vec<(u64, i64, u64)> = (0..).zip(&minutes).map(|(number, (minute, user))| (number, *minute, *user)).collect();
            let texts = |part: &[(u64, i64, u64)]| {
                part.iter().map(|(number, minute, user)| event(*number, *user, published(*minute))).collect::<Vec<_>>()
            };
            // Two files of a day, as a refresh leaves them.
            let (first, second) = events.split_at(split.min(events.len()));
            for (run, part) in [("a", first), ("b", second)].into_iter().filter(|(_, part)| !part.is_empty()) {
                add(&lake, run, texts(part).into_iter()).await;
            }
            let filter = Filter {
                from: from.map(&published),
                to: to.map(&published),
                outcome: outcome.to_owned(),
                ..Filter::default()
            };
            let mut expected: Vec<(Timestamp, String)> = events
                .iter()
                .filter(|(number, minute, user)| {
                    let at = published(*minute);
                    *user == 1
                        && filter.from.is_none_or(|from| at >= from)
                        && filter.to.is_none_or(|to| at < to)
                        && (outcome.is_empty() || number.is_multiple_of(4))
                })
                .map(|(number, minute, _)| (published(*minute), format!("{number:08x}-0000-4000-8000-000000000000")))
                .collect();
            expected.sort();
            expected.reverse();
            let (rows, _) = walk(&lake, "00u1", &filter, limit).await;
            let found: Vec<(Timestamp, String)> = rows.into_iter().map(|row| (row.published, row.event_uuid)).collect();
            assert_eq!(found, expected);
        });
    }
}

#[tokio::test]
async fn a_row_opens_its_event_and_filters_take_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::new(catalog::open(folder.path()).await.unwrap(), "acme");
    assert!(
        page(&lake, "00u1", &Filter::default(), None, 10)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
    let start = at("2026-06-01T00:00:00Z");
    let events = (0..40).map(|number| event(number, 1, start + SignedDuration::from_mins(number.cast_signed())));
    add(&lake, "a", events).await;
    let of = |filter: Filter| {
        let lake = &lake;
        async move { walk(lake, "U1@example.com", &filter, 7).await.0.len() }
    };
    let filter = Filter::default;
    assert_eq!(of(filter()).await, 40);
    assert_eq!(
        of(Filter {
            event_type: "user.".into(),
            ..filter()
        })
        .await,
        14
    );
    assert_eq!(
        of(Filter {
            ip: "198.51.100.3".into(),
            ..filter()
        })
        .await,
        8
    );
    assert_eq!(
        of(Filter {
            application: "Mail".into(),
            ..filter()
        })
        .await,
        0
    );

    let newest = page(&lake, "00u1", &Filter::default(), None, 1)
        .await
        .unwrap()
        .rows
        .remove(0);
    assert!(newest.event.is_null(), "a page is read without its events");
    let opened = row(&lake, "00u1", newest.published, &newest.event_uuid)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(opened.event["uuid"], newest.event_uuid);
    assert!(
        row(&lake, "00u2", newest.published, &newest.event_uuid)
            .await
            .unwrap()
            .is_none()
    );
}

/// Bytes that this process has read from files, whether they came from the disk or the system's memory.
fn bytes_read() -> u64 {
    let told = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

/// `OORT_TEST_ROWS` says how many rows the table has, over ninety days and ten thousand users of whom one makes one in ten of them,
/// or as `OORT_TEST_BUSY` says; alone in its process it tells what a page takes. `OORT_TEST_FOLDER` keeps the table for the next
/// time. `OORT_TEST_PAGED` is how many rows of the busy user are paged, again from the first when there are no more.
#[tokio::test]
async fn a_page_of_a_large_table_reads_little() {
    const DAYS: u64 = 90;
    const MANY: u64 = 10_000;
    let number = |name: &str, usual: u64| setting(name).map_or(usual, |text| text.parse().unwrap());
    let (rows, busy) = (number("OORT_TEST_ROWS", 18_000), number("OORT_TEST_BUSY", 10));
    let wanted = number("OORT_TEST_PAGED", 2_000);
    let limit = usize::try_from(wanted / 4).unwrap().clamp(500, 10_000);
    let scratch = tempfile::tempdir().unwrap();
    let folder = setting("OORT_TEST_FOLDER").map_or(scratch.path().to_owned(), Into::into);
    let lake = Lake::new(catalog::open(&folder).await.unwrap(), "acme");
    let start = at("2026-06-01T00:00:00Z");
    let a_day = rows / DAYS;
    let begun = Instant::now();
    if lake.rows().await.unwrap() < a_day * DAYS {
        for day in 0..DAYS {
            let events = (0..a_day).map(|number| {
                let of_day = i64::try_from(number * 86_400_000 / a_day).unwrap();
                let published =
                    start + SignedDuration::from_hours(24 * day.cast_signed()) + SignedDuration::from_millis(of_day);
                let number = day * a_day + number;
                let user = if number.is_multiple_of(busy) {
                    0
                } else {
                    number * 7_919 % MANY
                };
                event(number, user, published)
            });
            add(&lake, &format!("day-{day}"), events).await;
        }
    }
    assert_eq!(lake.rows().await.unwrap(), a_day * DAYS);
    println!(
        "{} rows, made in {:.0?}, {} MiB",
        a_day * DAYS,
        begun.elapsed(),
        resident_mib()
    );
    for user in ["00u7", "00u0"] {
        let (before, begun) = (bytes_read(), Instant::now());
        let first = page(&lake, user, &Filter::default(), None, 50).await.unwrap();
        println!(
            "the first page of {user}: {} rows, {:.0?}, {} kB read",
            first.rows.len(),
            begun.elapsed(),
            (bytes_read() - before) / 1_000
        );
        assert!(!first.rows.is_empty() && first.rows.is_sorted_by(|a, b| a.published >= b.published));
    }
    let (mut after, mut pages, mut seen, begun) = (None::<Cursor>, 0, 0, Instant::now());
    let (mut least, mut most) = (u64::MAX, 0);
    while seen < wanted {
        let found = page(&lake, "00u0", &Filter::default(), after.as_ref(), limit)
            .await
            .unwrap();
        assert!(!found.rows.is_empty() && after != found.next, "it goes on");
        (pages, seen) = (pages + 1, seen + found.rows.len() as u64);
        (least, most) = (least.min(resident_mib()), most.max(resident_mib()));
        after = found.next;
    }
    println!(
        "{seen} rows in {pages} pages in {:.0?}, {least} to {most} MiB",
        begun.elapsed()
    );
}
