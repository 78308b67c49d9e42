//! One large tenant, from its events a day. Each figure is one formula of inputs, constants of the code, and rendered stacks.

use oort_streams::aws::{QUEUE_BATCH, QUEUE_CALLS_AT_ONCE};
use oort_streams::deploy::cost::usage::{
    COMPACTED_A_SECOND, DETECTED_A_SECOND, ENVELOPE_BYTES, ROW_BYTES, Run, SEGMENT_BYTES, SEGMENT_EVENTS,
};
use oort_streams::deploy::profile::RATE_LIMIT_PERCENT;
use oort_streams::model::ledger::EventId;
use oort_streams::ports::okta::EVENTS_A_PAGE;
use oort_streams::runtime::{EVENTS_A_RECEIVE, SEGMENTS_A_SAVE, ingest};
use serde_json::{Value, json};

use super::inputs::{Inputs, Stack, number};

pub const HOURS: f64 = 24.0;
pub const DAY: f64 = 86_400.0;
const HOUR: f64 = 3_600.0;
const MINUTES: f64 = 1_440.0;
pub const MILLION: f64 = 1_000_000.0;
const GB: f64 = 1e9;
const GIB: f64 = 1_073_741_824.0;
const MIB: f64 = 1_048_576.0;

/// A run of the analysis at a volume.
pub struct Analysis<'a> {
    inputs: &'a Inputs,
    /// Events a day.
    day: f64,
}

impl<'a> Analysis<'a> {
    pub fn new(inputs: &'a Inputs, day: f64) -> Self {
        Self { inputs, day }
    }

    /// Millions of users.
    fn users(&self) -> f64 {
        self.day / self.inputs.assumed("events_a_user") / MILLION
    }

    /// What correlations count of the last days, stored, in MB.
    fn counted_mb(&self) -> f64 {
        self.day * self.inputs.measured("state_bytes") / MILLION
    }

    /// The same with what is usual for each user.
    fn memory_mb(&self) -> f64 {
        self.counted_mb() + self.users() * self.inputs.measured("users_many_mb")
    }

    /// Peak memory in MiB.
    pub fn peak_mib(&self) -> f64 {
        // Between a tenth of a million users, who were measured too, and a million.
        let of_users = (self.inputs.measured("users_many_gib") * 1_024.0 - self.inputs.measured("users_few_mib")) / 0.9;
        self.inputs.measured("run_mib")
            + self.counted_mb() * self.inputs.measured("state_mib")
            + self.users() * of_users
    }

    /// CPU seconds to read what is remembered, or to write it.
    fn save_seconds(&self) -> f64 {
        let slower = self.inputs.measured("state_pace") / DETECTED_A_SECOND;
        let counted = self.counted_mb() * self.inputs.measured("state_cpu") * slower;
        let both_ways = counted + self.users() * self.inputs.measured("users_many_cpu");
        both_ways / 2.0
    }

    /// How often a run of so many events writes it.
    fn saves(events: f64) -> f64 {
        (events / SEGMENT_EVENTS / f64::from(SEGMENTS_A_SAVE)).ceil()
    }

    /// Seconds of a run of so many events on a part of a core, or on more cores, of which it uses one.
    pub fn seconds(&self, events: f64, cores: f64) -> f64 {
        let work = events / DETECTED_A_SECOND + (1.0 + Self::saves(events)) * self.save_seconds();
        work / cores.min(1.0) + self.queue_seconds(events)
    }

    /// Receives and deletes of so many events.
    fn calls(events: f64) -> f64 {
        2.0 * events / number(QUEUE_BATCH)
    }

    /// Seconds in which the queue is waited for.
    fn queue_seconds(&self, events: f64) -> f64 {
        Self::calls(events) * self.inputs.assumed("queue_call_ms") / 1_000.0 / number(QUEUE_CALLS_AT_ONCE)
    }

    fn hour(&self) -> f64 {
        self.day / HOURS
    }

    fn busiest(&self) -> f64 {
        self.hour() * self.inputs.assumed("busiest_hour")
    }

    fn fits(&self, cores: f64, memory_mib: f64) -> bool {
        self.peak_mib() <= memory_mib && self.seconds(self.hour(), cores) <= HOUR
    }
}

/// The largest volume that an hourly run of a task keeps up with, in events a day.
pub fn largest(inputs: &Inputs, cores: f64, memory_mib: f64) -> f64 {
    let (mut fits, mut exceeds) = (0.0, 1e10);
    // Halved until a thousandth of a thousandth is left.
    for _ in 0..60 {
        let middle = f64::midpoint(fits, exceeds);
        if Analysis::new(inputs, middle).fits(cores, memory_mib) {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    fits
}

fn sizes(inputs: &Inputs, analysis: &Analysis<'_>) -> Vec<Value> {
    inputs
        .task_sizes
        .iter()
        .map(|size| {
            json!({
                "vcpu": size.vcpu,
                "memory_mib": size.memory_mib,
                "mean_minutes": analysis.seconds(analysis.hour(), size.vcpu) / 60.0,
                "busiest_minutes": analysis.seconds(analysis.busiest(), size.vcpu) / 60.0,
                "has_memory": analysis.peak_mib() <= size.memory_mib,
                "largest_millions": largest(inputs, size.vcpu, size.memory_mib) / MILLION,
            })
        })
        .collect()
}

/// The same for a tenant without the rule that takes most of the memory.
fn without_sessions(inputs: &Inputs) -> Inputs {
    let mut inputs = inputs.clone();
    let left = 1.0 - inputs.measured("session_percent") / 100.0;
    inputs.measured.get_mut("state_bytes").unwrap().value *= left;
    inputs
}

fn analysis(inputs: &Inputs, day: f64) -> Value {
    let run = Analysis::new(inputs, day);
    let judged = run.hour() / DETECTED_A_SECOND;
    let saves = Analysis::saves(run.hour());
    json!({
        "detected_a_second": DETECTED_A_SECOND,
        "judged_seconds": judged,
        "judged_busiest": run.busiest() / DETECTED_A_SECOND,
        "memory_gb": run.memory_mb() / 1_000.0,
        "peak_gib": run.peak_mib() / 1_024.0,
        "save_seconds": run.save_seconds(),
        "saves": saves,
        "segments_a_save": SEGMENTS_A_SAVE,
        "saving_hours": (1.0 + saves) * run.save_seconds() / HOUR,
        "without_saves_minutes": (judged + 2.0 * run.save_seconds() + run.queue_seconds(run.hour())) / 60.0,
        "sizes": sizes(inputs, &run),
        "without_sessions": sizes(&without_sessions(inputs), &run),
        "parts": (day / largest(inputs, 1.0, inputs.limit("task_memory_gib") * 1_024.0)).ceil(),
        "part_memory_mib": inputs.task_sizes.last().unwrap().memory_mib,
    })
}

fn queue(inputs: &Inputs, day: f64) -> Value {
    let run = Analysis::new(inputs, day);
    let second = day / DAY;
    let in_flight = number(ingest::SEGMENT_MESSAGES + EVENTS_A_RECEIVE);
    json!({
        "second": second,
        "hour": run.hour(),
        "busiest_second": second * inputs.assumed("busiest_hour"),
        "busiest_hour": run.busiest(),
        "bytes_a_day_gb": day * ENVELOPE_BYTES / GB,
        "deliveries_percent": second / inputs.limit("invocations") * 100.0,
        "busiest_percent": second * inputs.assumed("busiest_hour") / inputs.limit("invocations") * 100.0,
        "calls_a_hour": Analysis::calls(run.hour()),
        "calls_at_once": QUEUE_CALLS_AT_ONCE,
        "batch": QUEUE_BATCH,
        "wait_minutes": run.queue_seconds(run.hour()) / 60.0,
        "most_call_ms": HOUR * number(QUEUE_CALLS_AT_ONCE) / Analysis::calls(run.hour()) * 1_000.0,
        "segment_messages": ingest::SEGMENT_MESSAGES,
        "segment_mib": number(ingest::SEGMENT_BYTES) / MIB,
        "in_flight": in_flight,
        "in_flight_percent": in_flight / inputs.limit("in_flight") * 100.0,
    })
}

fn lake(inputs: &Inputs, day: f64, stack: &Stack) -> Value {
    let work = day / COMPACTED_A_SECOND;
    let cores = stack.task("Compactor", "Cpu") / 1_024.0;
    let scratch = day * inputs.measured("scratch_bytes") / GIB;
    let compactions = (scratch / inputs.limit("scratch_gib")).ceil();
    let findings = inputs.assumed("findings_a_million") * day / HOURS / MILLION;
    let writes = Run::Detect.wire(day / HOURS, findings).s3_writes;
    json!({
        "segment_events": SEGMENT_EVENTS,
        "segments_a_hour": day / HOURS / SEGMENT_EVENTS,
        "segments_a_day": day / SEGMENT_EVENTS,
        "writes_a_hour": writes,
        "writes_a_second": writes / HOUR,
        "findings_a_hour": findings,
        "segments_gb": day * SEGMENT_BYTES / GB,
        "rows_gb": day * ROW_BYTES / GB,
        "year_tb": day * 365.0 * (SEGMENT_BYTES + ROW_BYTES) / GB / 1_000.0,
        "compacted_a_second": COMPACTED_A_SECOND,
        "work_minutes": work / 60.0,
        "cores": cores,
        "default_hours": work / cores / HOUR,
        "scratch_gib": scratch,
        "compactions": compactions,
        "scratch_each_gib": scratch / compactions,
        "refresh_minutes": day / inputs.measured("refresh_events") / 60.0,
        "refresh_each_minutes": day / compactions / inputs.measured("refresh_events") / 60.0,
        "refresh_hourly_seconds": day / HOURS / inputs.measured("refresh_events"),
    })
}

fn org(inputs: &Inputs, day: f64) -> Value {
    let page = number(EVENTS_A_PAGE);
    let share = f64::from(RATE_LIMIT_PERCENT) / 100.0;
    let allowed = |name: &str| inputs.limit(name) * share * MINUTES;
    json!({
        "page": EVENTS_A_PAGE,
        "share_percent": RATE_LIMIT_PERCENT,
        "pages": day / page,
        "twice": 2.0 * day / page,
        "allowed": allowed("system_log_requests"),
        "allowed_least": allowed("system_log_requests_least"),
        "all_of_it": inputs.limit("system_log_requests") * MINUTES,
        "largest_millions": allowed("system_log_requests") * page / 2.0 / MILLION,
        "largest_least_millions": allowed("system_log_requests_least") * page / 2.0 / MILLION,
        "wanted_a_minute": 2.0 * day / page / MINUTES / share,
        "id_bytes": size_of::<EventId>(),
        "hour_mb": day / HOURS * number(size_of::<EventId>()) / MILLION,
    })
}

/// Everything of the page's first half.
pub fn figures(inputs: &Inputs, stack: &Stack) -> Value {
    let day = inputs.assumed("events_a_day");
    json!({
        "events": day,
        "users": day / inputs.assumed("events_a_user"),
        "detector_vcpu": stack.task("Detector", "Cpu") / 1_024.0,
        "detector_mib": stack.task("Detector", "Memory"),
        "queue": queue(inputs, day),
        "analysis": analysis(inputs, day),
        "lake": lake(inputs, day, stack),
        "org": org(inputs, day),
    })
}
