//! A fleet in cells of accounts, from what a tenant's stack holds. Each figure is one formula.

use oort_streams::deploy::cost::usage::{KMS_REQUESTS_A_RUN, LEAST_SECONDS};
use serde_json::{Value, json};

use super::inputs::{Inputs, Settings, Stack, number};
use super::tenant::{DAY, HOURS, MILLION};

/// Tables of a tenant in the catalog: activity, users, devices.
const TABLES: f64 = 3.0;

/// One limit against what tenants take of it.
fn quota(inputs: &Inputs, name: &str, of_a_tenant: f64, shared: f64) -> Value {
    let (limit, cell) = (&inputs.limits[name], inputs.assumed("tenants_an_account"));
    let needed = cell * of_a_tenant + shared;
    json!({
        "what": limit.what,
        "of_a_tenant": of_a_tenant,
        "limit": limit.value,
        "tenants": ((limit.value - shared) / of_a_tenant).floor(),
        "needed": needed,
        "fits": needed <= limit.value,
        "raised": limit.raised,
    })
}

fn quotas(inputs: &Inputs, tenant: &Stack, foundation: &Stack) -> Vec<Value> {
    let both = |kind| (tenant.count(Some(kind)), foundation.count(Some(kind)));
    let of = |name, (of_a_tenant, shared)| quota(inputs, name, of_a_tenant, shared);
    let mut all = vec![
        of("event_buses", both("AWS::Events::EventBus")),
        of("roles", both("AWS::IAM::Role")),
        of("roles_most", both("AWS::IAM::Role")),
        // A line of a tenant in each picture.
        of("search_series", (1.0, 0.0)),
        of("alarms", both("AWS::CloudWatch::Alarm")),
        of("stacks", (1.0, 1.0)),
        of("tables", (TABLES, 0.0)),
        of("topics", both("AWS::SNS::Topic")),
        of("schedules", both("AWS::Scheduler::Schedule")),
    ];
    all.sort_by(|one, other| {
        one["tenants"]
            .as_f64()
            .unwrap()
            .total_cmp(&other["tenants"].as_f64().unwrap())
    });
    all
}

fn launches(inputs: &Inputs, tenant: &Stack) -> Value {
    let cell = inputs.assumed("tenants_an_account");
    let vcpu = tenant.task("Detector", "Cpu") / 1_024.0;
    let window = tenant.window("Detector");
    // As many at work as are launched while one is at work.
    let at_work = cell * LEAST_SECONDS / (window * 60.0);
    let (burst, rate) = (inputs.limit("launch_burst"), inputs.limit("launch_rate"));
    json!({
        "window": window,
        "a_second": cell / (window * 60.0),
        "least_seconds": LEAST_SECONDS,
        "at_work": at_work,
        "vcpu_at_work": at_work * vcpu,
        "vcpu_at_once": cell * vcpu,
        "seconds_at_once": (cell - burst).max(0.0) / rate,
        "compactor_window": tenant.window("Compactor"),
        "runs_an_hour": cell * (1.0 + 4.0 / HOURS + 1.0 / HOURS),
        "keys_a_second": cell * (1.0 + 5.0 / HOURS) * KMS_REQUESTS_A_RUN / 3_600.0,
        "scheduler_seconds": cell / inputs.limit("schedule_invocations"),
    })
}

fn events(inputs: &Inputs) -> Value {
    let cell = inputs.assumed("tenants_an_account");
    let second = cell * inputs.assumed("tenant_events_a_day") / DAY;
    let busiest = inputs.assumed("busiest_hour");
    let limit = inputs.limit("invocations");
    json!({
        "second": second,
        "busiest_second": second * busiest,
        "busiest_percent": second * busiest / limit * 100.0,
        "largest_mean": limit * DAY / busiest / cell,
        "fleet_a_day_millions": inputs.assumed("tenants") * inputs.assumed("tenant_events_a_day") / MILLION,
    })
}

fn rollout(inputs: &Inputs, settings: &Settings) -> Value {
    let cell = inputs.assumed("tenants_an_account");
    let accounts = (inputs.assumed("tenants") / cell).ceil();
    let waves: Vec<f64> = settings
        .wave_percents
        .iter()
        .map(|percent| (cell * percent / 100.0).ceil())
        .collect();
    let least = cell / settings.concurrency * inputs.measured("stack_seconds") / 60.0;
    let (plan, apply) = (
        inputs.measured("simulated_plan_minutes"),
        inputs.measured("simulated_create_minutes"),
    );
    let pauses = number(waves.len()) + 1.0;
    json!({
        "accounts": accounts,
        "concurrency": settings.concurrency,
        "calls_a_second": settings.calls_per_second,
        "waves": waves,
        "least_minutes": least,
        "calls": cell * inputs.measured("calls_a_stack"),
        "calls_minutes": cell * inputs.measured("calls_a_stack") / settings.calls_per_second / 60.0,
        "plan_minutes": plan,
        "apply_minutes": apply,
        "soak_minutes": settings.soak_minutes,
        "pauses": pauses,
        "with_soak_minutes": plan + apply + pauses * settings.soak_minutes,
        "one_after_the_other_hours": accounts * (plan + apply + pauses * settings.soak_minutes) / 60.0,
        "default_accounts": (inputs.assumed("tenants") / inputs.limit("event_buses")).ceil(),
    })
}

/// Everything of the page's second half. `tenant` is the stack of one whose org may be asked: it holds the most.
pub fn figures(inputs: &Inputs, settings: &Settings, tenant: &Stack, usual: &Stack, foundation: &Stack) -> Value {
    json!({
        "tenants": inputs.assumed("tenants"),
        "cell": inputs.assumed("tenants_an_account"),
        "resources": tenant.count(None),
        "rules_a_bus": tenant.count(Some("AWS::Events::Rule")),
        "quotas": quotas(inputs, tenant, foundation),
        "launches": launches(inputs, usual),
        "events": events(inputs),
        "rollout": rollout(inputs, settings),
    })
}
