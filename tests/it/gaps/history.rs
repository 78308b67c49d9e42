//! A long history, of which memory holds little at a time.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::SignedDuration;
use oort_streams::model::okta::LogStream;
use oort_streams::ports::Result;
use oort_streams::ports::okta::{Act, Ask, Next, Okta, Page};

use super::{Tenant, event};
use crate::emulator::setting;

/// An org with as many events as one likes, none of which is kept anywhere.
struct Endless {
    events_an_hour: i64,
    requests: AtomicU32,
}

#[async_trait]
impl Okta for Endless {
    async fn ask(&self, ask: &Ask, next: Option<&Next>) -> Result<Page> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let Ask::Events(query) = ask else {
            return Ok(Page::default());
        };
        let from: i64 = next.map_or(0, |next| next.0.parse().unwrap());
        let all = query.to.duration_since(query.from).as_hours() * self.events_an_hour;
        let to = (from + 1_000).min(all);
        let one = |number: i64| {
            let published = query.from + SignedDuration::from_millis(number * 3_600_000 / self.events_an_hour);
            let uuid = format!("{:08x}-0000-4000-8000-{number:012x}", query.from.as_second());
            serde_json::value::RawValue::from_string(event(&uuid, published, "00u1")).unwrap()
        };
        Ok(Page {
            items: (from..to).map(one).collect(),
            next: (to < all).then(|| Next(to.to_string())),
            at: None,
        })
    }

    async fn act(&self, _: &Act) -> Result<Option<LogStream>> {
        Ok(None)
    }

    fn requests(&self) -> u64 {
        u64::from(self.requests.load(Ordering::Relaxed))
    }
}

/// The most memory that this process has had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}

/// `OORT_TEST_BACKFILL` says how many events; alone in its process it tells how much memory they take.
#[tokio::test]
async fn a_long_history_is_loaded_whole() {
    let events: i64 = setting("OORT_TEST_BACKFILL").map_or(43_000, |text| text.parse().unwrap());
    let tenant = Tenant::new("2026-11-24T09:00:00Z").await;
    // Ninety days but the hours that are under way or half past.
    let hours = 90 * 24 - 2;
    let endless = Endless {
        events_an_hour: (events / hours).max(1),
        requests: AtomicU32::new(0),
    };
    let begun = std::time::Instant::now();
    let (report, failure) = tenant.reconcile(&endless).await;
    assert!(failure.is_none());
    assert_eq!(
        (report.filled, report.left),
        ((hours * endless.events_an_hour).cast_unsigned(), 0)
    );
    println!(
        "{} events in {} requests, {:.0?}, {} MiB at most",
        report.filled,
        report.requests,
        begun.elapsed(),
        peak_mib()
    );
    let again = tenant.reconcile(&endless).await.0;
    assert_eq!((again.hours, again.filled), (0, 0));
}
