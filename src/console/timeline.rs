//! A picture of a user's sign-ins: a lane a country, time from left to right. No map, and nothing to run. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::model::activity::ActivityRow;

/// Rows that the picture is made of at most.
pub const MOST: usize = 500;
const DAYS: i64 = 7;
const LANES: usize = 8;
const LEFT: i64 = 120;
const WIDTH: i64 = 590;
const LANE: i64 = 26;
const TOP: i64 = 22;
const WITHOUT: &str = "no place";

/// One hour of a lane.
#[derive(Default, Clone, Copy)]
struct Spot {
    passed: u32,
    failed: u32,
}

/// Sign-ins among these rows of the last seven days; `None` without one.
pub fn svg(rows: &[ActivityRow], now: Timestamp) -> Option<String> {
    let first = now.checked_sub(SignedDuration::from_hours(DAYS * 24)).ok()?;
    let mut lanes: BTreeMap<&str, BTreeMap<i64, Spot>> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| is_sign_in(row) && row.published >= first && row.published <= now)
    {
        let country = Some(row.column("client_country")).filter(|country| !country.is_empty());
        let hour = row.published.duration_since(first).as_hours();
        let spot = lanes
            .entry(country.unwrap_or(WITHOUT))
            .or_default()
            .entry(hour)
            .or_default();
        match row.column("outcome_result") {
            "FAILURE" | "DENY" => spot.failed += 1,
            _ => spot.passed += 1,
        }
    }
    if lanes.is_empty() {
        return None;
    }
    let total = |spots: &BTreeMap<i64, Spot>| spots.values().map(|spot| spot.passed + spot.failed).sum::<u32>();
    let mut lanes: Vec<(&str, BTreeMap<i64, Spot>)> = lanes.into_iter().collect();
    lanes.sort_by_key(|(_, spots)| std::cmp::Reverse(total(spots)));
    let left_out = lanes.len().saturating_sub(LANES);
    lanes.truncate(LANES);
    Some(drawn(&lanes, left_out, first))
}

fn is_sign_in(row: &ActivityRow) -> bool {
    let kind = row.column("event_type");
    row.column("user_role") == "actor" && (kind == "user.session.start" || kind.starts_with("user.authentication."))
}

fn drawn(lanes: &[(&str, BTreeMap<i64, Spot>)], left_out: usize, first: Timestamp) -> String {
    let height = TOP + LANE * i64::try_from(lanes.len()).unwrap_or(0);
    let x = |hour: i64| LEFT + hour * WIDTH / (DAYS * 24);
    let mut svg = format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {} {height}\" role=\"img\"><title>Sign-ins by country and hour</title><desc>{}</desc>",
        LEFT + WIDTH + 10,
        escaped(&described(lanes, left_out))
    );
    for (place, (country, _)) in (0_i64..).zip(lanes) {
        let y = TOP + place * LANE;
        let _ = write!(
            svg,
            "<rect class=\"lane\" x=\"{LEFT}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{}\"/>\
             <text class=\"country\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LANE - 4,
            LEFT - 8,
            y + 15,
            escaped(&shortened(country))
        );
    }
    for day in 0..=DAYS {
        let at = first.checked_add(SignedDuration::from_hours(day * 24)).unwrap_or(first);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{0}\" y1=\"{TOP}\" x2=\"{0}\" y2=\"{height}\"/>",
            x(day * 24)
        );
        if day < DAYS {
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{}\" y=\"14\">{}</text>",
                x(day * 24) + 3,
                at.strftime("%b %-d, %H:00")
            );
        }
    }
    for (place, (country, spots)) in (0_i64..).zip(lanes) {
        let y = TOP + place * LANE + (LANE - 4) / 2;
        for (hour, spot) in spots {
            let at = first.checked_add(SignedDuration::from_hours(*hour)).unwrap_or(first);
            let class = if spot.failed > 0 { "failed" } else { "ok" };
            let radius = 3 + i64::from((spot.passed + spot.failed).ilog2().min(5));
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{}\" cy=\"{y}\" r=\"{radius}\"><title>{}, {} UTC: {} passed, {} failed</title></circle>",
                x(*hour),
                escaped(country),
                at.strftime("%Y-%m-%d %H:%M"),
                spot.passed,
                spot.failed
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// What the picture shows, for who does not see it.
fn described(lanes: &[(&str, BTreeMap<i64, Spot>)], left_out: usize) -> String {
    let lane = |(country, spots): &(&str, BTreeMap<i64, Spot>)| {
        let (passed, failed) = spots.values().fold((0, 0), |(passed, failed), spot| {
            (passed + spot.passed, failed + spot.failed)
        });
        format!("{country}: {passed} passed, {failed} failed")
    };
    let mut text: Vec<String> = lanes.iter().map(lane).collect();
    if left_out > 0 {
        text.push(format!("{left_out} more countries are not shown"));
    }
    text.join("; ")
}

fn shortened(text: &str) -> String {
    const MOST: usize = 18;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(at: &str, country: &str, outcome: &str) -> ActivityRow {
        serde_json::from_value(json!({
            "user_id": "00u1", "published": at, "event_uuid": "e", "user_role": "actor", "event_type": "user.session.start",
            "client_country": country, "outcome_result": outcome, "event": null,
        }))
        .unwrap()
    }

    #[test]
    fn what_comes_from_outside_is_text_in_the_picture() {
        let now = "2026-11-24T13:00:00Z".parse().unwrap();
        let rows = [
            row("2026-11-24T10:10:00Z", "<script>\"&", "SUCCESS"),
            row("2026-11-24T10:20:00Z", "Poland", "FAILURE"),
            row("2026-11-24T10:50:00Z", "Poland", "SUCCESS"),
            row("2026-11-01T10:50:00Z", "Japan", "SUCCESS"),
        ];
        let svg = svg(&rows, now).unwrap();
        assert!(
            !svg.contains("<script") && svg.contains("&lt;script&gt;&quot;&amp;"),
            "{svg}"
        );
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(
            svg.contains("Poland: 1 passed, 1 failed") && !svg.contains("Japan"),
            "{svg}"
        );
        assert!(super::svg(&rows[3..], now).is_none());
    }
}
