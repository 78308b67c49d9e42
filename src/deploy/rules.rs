//! What AWS accepts, where its documentation says so and a file could say otherwise. Pure.

use crate::model::finding::Severity;

/// What `PutRetentionPolicy` of `CloudWatch` Logs takes.
pub const LOG_RETENTION_DAYS: [u32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557, 2_922, 3_288, 3_653,
];

/// Tags that a file may give: AWS takes 50 a resource, and the renderer adds its own.
pub const TAGS: usize = 45;

/// An EventBridge Scheduler expression that repeats: `rate(1 hour)` or `cron(15 3 * * ? *)`.
pub fn schedule(text: &str) -> Result<(), String> {
    let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(rate) = inside("rate") {
        let (number, unit) = rate.split_once(' ').unwrap_or((rate, ""));
        return match (number.parse::<u32>(), unit) {
            (Ok(1), "minute" | "hour" | "day") | (Ok(2..), "minutes" | "hours" | "days") => Ok(()),
            _ => Err("a rate is 1 minute, hour or day, or 2 and more minutes, hours or days".to_owned()),
        };
    }
    let Some(cron) = inside("cron") else {
        return Err("write rate(1 hour) or cron(15 3 * * ? *)".to_owned());
    };
    let fields: Vec<&str> = cron.split(' ').collect();
    let [minutes, hours, days, months, weekdays, years] = fields[..] else {
        return Err(format!(
            "a cron expression has six fields (minutes hours day month weekday year), not {}",
            fields.len()
        ));
    };
    if (days == "?") == (weekdays == "?") {
        return Err("exactly one of day and weekday is `?`".to_owned());
    }
    let limits = [
        (minutes, 0, 59),
        (hours, 0, 23),
        (days, 1, 31),
        (months, 1, 12),
        (weekdays, 1, 7),
        (years, 1970, 2199),
    ];
    match limits
        .into_iter()
        .find(|(field, least, most)| !is_field(field, *least, *most))
    {
        None => Ok(()),
        Some((field, least, most)) => Err(format!("the field `{field}` goes from {least} to {most}")),
    }
}

fn is_field(field: &str, least: u32, most: u32) -> bool {
    const NAMES: &str = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC SUN MON TUE WED THU FRI SAT";
    let is_value = |text: &str| {
        let bare = text.trim_end_matches(['L', 'W']);
        let bare = bare.split('#').next().unwrap_or_default();
        text == "L"
            || text == "LW"
            || bare.parse::<u32>().is_ok_and(|n| (least..=most).contains(&n))
            || (bare.len() == 3 && NAMES.contains(bare))
    };
    field == "?"
        || field.split(',').all(|item| {
            let (range, step) = item.split_once('/').unwrap_or((item, "1"));
            step.parse::<u32>().is_ok_and(|step| step > 0) && (range == "*" || range.split('-').all(is_value))
        })
}

/// CPU units and memory that Fargate combines, by the task definition parameters of its developer guide.
pub fn fargate(cpu: u32, memory_mib: u32) -> Result<(), String> {
    const GIB: u32 = 1_024;
    let (least, most, step) = match cpu {
        256 if [512, GIB, 2 * GIB].contains(&memory_mib) => return Ok(()),
        256 => return Err("with 256 CPU units Fargate takes 512, 1024 or 2048 MiB".to_owned()),
        512 => (GIB, 4 * GIB, GIB),
        1_024 => (2 * GIB, 8 * GIB, GIB),
        2_048 => (4 * GIB, 16 * GIB, GIB),
        4_096 => (8 * GIB, 30 * GIB, GIB),
        8_192 => (16 * GIB, 60 * GIB, 4 * GIB),
        16_384 => (32 * GIB, 120 * GIB, 8 * GIB),
        _ => return Err("Fargate takes 256, 512, 1024, 2048, 4096, 8192 or 16384 CPU units".to_owned()),
    };
    if (least..=most).contains(&memory_mib) && (memory_mib - least).is_multiple_of(step) {
        Ok(())
    } else {
        Err(format!(
            "with {cpu} CPU units Fargate takes {least} to {most} MiB in steps of {step}"
        ))
    }
}

/// A tag as a file may give it. Limits: "Tagging AWS resources".
pub fn tag(key: &str, value: &str) -> Result<(), String> {
    let is_allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
    if key.to_ascii_lowercase().starts_with("aws:") || key.starts_with("oort:") {
        Err(format!("the tag `{key}` starts with aws: or oort:, which are taken"))
    } else if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        Err(format!(
            "the tag `{key}` has a key of 1 to 128 characters and a value of at most 256"
        ))
    } else if !is_allowed(key) || !is_allowed(value) {
        Err(format!(
            "the tag `{key}` holds letters, digits, spaces and _.:/=+-@ only"
        ))
    } else {
        Ok(())
    }
}

pub fn is_route_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Every severity from `least` up; none when it is no severity.
pub fn severities_from(least: &str) -> Vec<Severity> {
    let all = [
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    all.iter()
        .position(|severity| severity.as_str() == least)
        .map(|from| all[from..].to_vec())
        .unwrap_or_default()
}

/// An SNS endpoint that fits its protocol.
pub fn endpoint(protocol: &str, endpoint: &str) -> Result<(), String> {
    let has_no_space = !endpoint.contains(char::is_whitespace);
    match protocol {
        "email"
            if has_no_space
                && endpoint
                    .split_once('@')
                    .is_some_and(|(name, host)| !name.is_empty() && host.contains('.')) =>
        {
            Ok(())
        }
        "email" => Err("`endpoint` is an e-mail address, as the protocol is email".to_owned()),
        "https" if has_no_space && endpoint.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()) => Ok(()),
        "https" => Err("`endpoint` starts with https://, as the protocol is https".to_owned()),
        _ => Err("`protocol` is email or https".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_those_that_eventbridge_scheduler_takes() {
        for good in [
            "rate(1 hour)",
            "rate(15 minutes)",
            "cron(15 3 * * ? *)",
            "cron(0/10 8-17 ? * MON-FRI 2026-2030)",
            "cron(0 9 L * ? *)",
            "cron(0 9 ? * 6L *)",
            "cron(0 9 ? * 2#1 *)",
        ] {
            assert_eq!(schedule(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "hourly",
            "rate(1 hours)",
            "rate(2 hour)",
            "rate(0 hours)",
            "cron(* * * * *)",
            "cron(0 3 * * * *)",
            "cron(60 3 * * ? *)",
            "cron(0 3 ? * 0 *)",
            "cron(0 3 * * ? 1800)",
            "cron(0/0 3 * * ? *)",
        ] {
            assert!(schedule(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cpu_and_memory_are_pairs_that_fargate_takes() {
        for (cpu, memory) in [(256, 512), (256, 2_048), (512, 4_096), (1_024, 3_072), (16_384, 40_960)] {
            assert_eq!(fargate(cpu, memory), Ok(()));
        }
        for (cpu, memory) in [(256, 3_072), (512, 512), (1_024, 2_500), (300, 512), (8_192, 17_408)] {
            assert!(fargate(cpu, memory).is_err());
        }
    }
}
