//! What AWS accepts, where its documentation says so and a file could say otherwise. Pure.

use crate::model::finding::Severity;
use crate::model::name::{AccountId, Region};

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
    let given = [minutes, hours, days, months, weekdays, years];
    match CRON.iter().zip(given).find(|(field, given)| !field.takes(given)) {
        None => Ok(()),
        Some((field, given)) => Err(format!("`{given}` is no {}", field.what)),
    }
}

/// One field of a cron expression: what may stand in it. Source: EventBridge Scheduler user guide, "Schedule types".
struct CronField {
    what: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
    /// May be `?` or `L`, and a value may end in these.
    is_day: bool,
    suffixes: &'static [char],
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const CRON: [CronField; 6] = [
    CronField::number("minute, which goes from 0 to 59", 0, 59, &[]),
    CronField::number("hour, which goes from 0 to 23", 0, 23, &[]),
    CronField::day("day of the month, which goes from 1 to 31", 31, &[], &['W']),
    CronField::number("month, which goes from 1 to 12 or JAN to DEC", 1, 12, &MONTHS),
    CronField::day("weekday, which goes from 1 to 7 or SUN to SAT", 7, &WEEKDAYS, &['L']),
    CronField::number("year, which goes from 1970 to 2199", 1970, 2199, &[]),
];

impl CronField {
    const fn number(what: &'static str, least: u32, most: u32, names: &'static [&'static str]) -> Self {
        Self {
            what,
            least,
            most,
            names,
            is_day: false,
            suffixes: &[],
        }
    }

    const fn day(what: &'static str, most: u32, names: &'static [&'static str], suffixes: &'static [char]) -> Self {
        Self {
            what,
            least: 1,
            most,
            names,
            is_day: true,
            suffixes,
        }
    }

    fn takes(&self, field: &str) -> bool {
        (self.is_day && field == "?") || field.split(',').all(|item| self.takes_item(item))
    }

    fn takes_item(&self, item: &str) -> bool {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let takes_range = match range.split_once('-') {
            _ if range == "*" => true,
            Some((first, last)) => self.takes_value(first) && self.takes_value(last),
            None => self.takes_value(range) || (self.is_day && self.takes_special_day(range)),
        };
        takes_range && step.parse::<u32>().is_ok_and(|step| step > 0)
    }

    fn takes_value(&self, value: &str) -> bool {
        self.names.contains(&value)
            || value
                .parse()
                .is_ok_and(|number| (self.least..=self.most).contains(&number))
    }

    /// The last day, the weekday nearest to a day, the last or the nth of a weekday in the month.
    fn takes_special_day(&self, text: &str) -> bool {
        let is_nth = |(day, nth): (&str, &str)| self.takes_value(day) && matches!(nth, "1" | "2" | "3" | "4" | "5");
        text == "L"
            || (text == "LW" && self.suffixes.contains(&'W'))
            || text
                .strip_suffix(self.suffixes)
                .is_some_and(|day| self.takes_value(day))
            || (self.suffixes.contains(&'L') && text.split_once('#').is_some_and(is_nth))
    }
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
                    .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && is_host(host)) =>
        {
            Ok(())
        }
        "email" => Err("`endpoint` is an e-mail address, as the protocol is email".to_owned()),
        "https"
            if has_no_space
                && endpoint
                    .strip_prefix("https://")
                    .is_some_and(|rest| is_host(rest.split(['/', '?', ':']).next().unwrap_or_default())) =>
        {
            Ok(())
        }
        "https" => Err("`endpoint` starts with https://, as the protocol is https".to_owned()),
        _ => Err("`protocol` is email or https".to_owned()),
    }
}

fn is_host(host: &str) -> bool {
    host.split('.').all(|label| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-') && !label.starts_with('-')
    })
}

/// A container image's name as a registry has it: no protocol, no space, not empty. One of AWS's registry is of the
/// environment's own account and region, and of the only repository that the tasks may pull from.
pub fn image(name: &str, place: Option<(&AccountId, &Region)>) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._/:@-".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(is_allowed) || name.contains("://") {
        return Err("`image` is a container image such as <registry>/oort-streams:<tag>, without https://".to_owned());
    }
    match place {
        Some((account, region)) if name.contains(".dkr.ecr.") => {
            let own = format!("{account}.dkr.ecr.{region}.amazonaws.com/oort-streams");
            let rest = name.strip_prefix(&own);
            if rest.is_some_and(|rest| rest.starts_with([':', '@'])) {
                Ok(())
            } else {
                Err(format!("`image`: the tasks may pull from {own} only"))
            }
        }
        _ => Ok(()),
    }
}

/// The ARN of an IAM policy of the account, or of AWS itself.
pub fn policy_arn(arn: &str, account: Option<&AccountId>) -> Result<(), String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", owner, resource] = parts[..] else {
        return Err("an IAM policy's ARN is arn:<partition>:iam::<account ID>:policy/<name>".to_owned());
    };
    if !["aws", "aws-us-gov", "aws-cn"].contains(&partition)
        || resource.strip_prefix("policy/").is_none_or(str::is_empty)
    {
        Err("an IAM policy's ARN is arn:<partition>:iam::<account ID>:policy/<name>".to_owned())
    } else if account.is_some_and(|account| account.as_str() != owner) {
        Err(format!(
            "the ARN is of account {owner}, and the environment has another"
        ))
    } else {
        Ok(())
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
            "cron(0 9 15W JAN,JUL ? *)",
            "cron(0 9 LW * ? *)",
            "cron(0,30 */2 ? * L *)",
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
            "cron(? 3 * * ? *)",
            "cron(0 L * * ? *)",
            "cron(0 MON * * ? *)",
            "cron(0 3 JAN * ? *)",
            "cron(0 3 * MON ? *)",
            "cron(0 3 ? * JAN *)",
            "cron(0 3 32W * ? *)",
            "cron(0 3 ? * 2#6 *)",
            "cron(0 3 ? * 15W *)",
            "cron(0 3 1#2 * ? *)",
            "cron(0  3 * * ? *)",
            "cron(0 3 * * ? *) ",
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

    #[test]
    fn endpoints_fit_their_protocol() {
        for (protocol, good) in [
            ("email", "soc@acme.example"),
            ("https", "https://siem.acme.example:8443/oort?x=1"),
            ("https", "https://localhost/"),
        ] {
            assert_eq!(endpoint(protocol, good), Ok(()), "{good}");
        }
        for (protocol, bad) in [
            ("email", "soc"),
            ("email", "@acme.example"),
            ("email", "soc@acme"),
            ("email", "soc@.example"),
            ("email", "a b@acme.example"),
            ("email", "https://acme.example"),
            ("https", "https://"),
            ("https", "https:///path"),
            ("https", "http://acme.example"),
            ("https", "soc@acme.example"),
            ("sms", "123"),
        ] {
            assert!(endpoint(protocol, bad).is_err(), "{protocol} {bad}");
        }
    }

    #[test]
    fn images_are_names_in_a_registry() {
        for good in [
            "oort-streams:local",
            "1.dkr.ecr.us-east-2.amazonaws.com/oort-streams@sha256:0af1",
        ] {
            assert_eq!(image(good, None), Ok(()), "{good}");
        }
        for bad in ["", " ", "a b", "https://a/b", "-a"] {
            assert!(image(bad, None).is_err(), "{bad}");
        }
        let (account, region) = (
            AccountId::parse("012345678901").unwrap(),
            Region::parse("us-east-2").unwrap(),
        );
        let image = |name: &str| image(name, Some((&account, &region)));
        assert_eq!(
            image("012345678901.dkr.ecr.us-east-2.amazonaws.com/oort-streams:1"),
            Ok(())
        );
        for bad in [
            "112345678901.dkr.ecr.us-east-2.amazonaws.com/oort-streams:1",
            "012345678901.dkr.ecr.us-east-1.amazonaws.com/oort-streams:1",
            "012345678901.dkr.ecr.us-east-2.amazonaws.com/oort-streams-2:1",
        ] {
            assert!(image(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_policy_is_of_the_environments_account() {
        let account = AccountId::parse("012345678901").unwrap();
        let policy = |arn: &str| policy_arn(arn, Some(&account));
        assert_eq!(policy("arn:aws:iam::012345678901:policy/bounds/tasks"), Ok(()));
        for bad in [
            "arn:aws:iam::112345678901:policy/tasks",
            "arn:aws:iam::012345678901:role/tasks",
            "arn:aws:iam::012345678901:policy/",
            "arn:aws:s3:::bucket",
            "tasks",
        ] {
            assert!(policy(bad).is_err(), "{bad}");
        }
    }
}
