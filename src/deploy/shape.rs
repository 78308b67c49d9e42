//! What the files of an environment may hold: every key once, with its type, its limits and its meaning. The reader takes
//! from here which keys it knows, and `schema` prints it as JSON Schema for editors. Says nothing of how values relate.

use crate::deploy::rules;

/// A key of a map.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    /// One sentence for the person who writes the file.
    pub about: &'static str,
    pub is_required: bool,
    pub shape: Shape,
}

#[derive(Debug)]
pub enum Shape {
    /// A text; the pattern is a regular expression as JSON Schema has them.
    Text(&'static str),
    Choice(&'static [&'static str]),
    /// A whole number within limits, both included.
    Number(u32, u32),
    /// One of these numbers.
    OneOf(&'static [u32]),
    Map(&'static [Key]),
    List(&'static Shape),
    /// Keys of the writer's choice, each with a text.
    Texts,
}

const fn required(name: &'static str, about: &'static str, shape: Shape) -> Key {
    Key {
        name,
        about,
        is_required: true,
        shape,
    }
}

const fn optional(name: &'static str, about: &'static str, shape: Shape) -> Key {
    Key {
        name,
        about,
        is_required: false,
        shape,
    }
}

const SCHEDULE: &str = r"^(rate|cron)\(.+\)$";
const ANY: &str = r"\S";

const TASK: &[Key] = &[
    optional(
        "schedule",
        "When it runs, in UTC: rate(1 hour) or cron(15 3 * * ? *).",
        Shape::Text(SCHEDULE),
    ),
    optional(
        "jitter_minutes",
        "The window in which a run may start, so that tenants do not all start at once; 0 for none.",
        Shape::Number(0, 1_440),
    ),
    optional(
        "cpu",
        "Fargate CPU units: 1024 are one core.",
        Shape::Number(256, 16_384),
    ),
    optional(
        "memory_mib",
        "Memory in MiB; Fargate takes certain amounts for each number of CPU units.",
        Shape::Number(512, 122_880),
    ),
];

const QUEUE: &[Key] = &[
    optional(
        "visibility_timeout_seconds",
        "How long a received message stays hidden before it is delivered again.",
        Shape::Number(1, 43_200),
    ),
    optional(
        "receive_limit",
        "Deliveries after which a message moves to the dead-letter queue.",
        Shape::Number(1, 1_000),
    ),
    optional(
        "retention_days",
        "How long the queue keeps a message.",
        Shape::Number(1, 14),
    ),
];

const DETECTOR: Key = optional("detector", "The hourly analysis.", Shape::Map(TASK));
const COMPACTOR: Key = optional("compactor", "The daily compaction.", Shape::Map(TASK));
const MAINTAINER: Key = optional(
    "maintainer",
    "The upkeep of the Activity table: small files are merged, and what is past its retention goes.",
    Shape::Map(TASK),
);
const RECONCILER: Key = optional(
    "reconciler",
    "The comparison with Okta's System Log, which fills gaps and follows users and devices; only with okta.api.",
    Shape::Map(TASK),
);
const EVENT_QUEUE: Key = optional("queue", "The queue of a tenant's events.", Shape::Map(QUEUE));
const ARCHIVE: Key = optional(
    "archive_retention_days",
    "How long the event archive keeps events; Okta replays none.",
    Shape::Number(1, 3_653),
);
const DATA: Key = optional(
    "data_retention_days",
    "How long landed events, rows and findings are kept; 0 for ever, otherwise 30 days or more.",
    Shape::Number(0, 36_500),
);
const LOGS: Key = optional(
    "log_retention_days",
    "How long the logs of the tasks are kept; all tenants of an environment share one log group.",
    Shape::OneOf(&rules::LOG_RETENTION_DAYS),
);
const TAGS: Key = optional(
    "tags",
    "Tags of the stack and, through it, of its resources.",
    Shape::Texts,
);

const DETECTIONS: Key = optional(
    "detections",
    "What is otherwise than the rules' own files say.",
    Shape::Map(&[
        optional(
            "rules",
            "Rules with settings of their own here.",
            Shape::List(&Shape::Map(RULE)),
        ),
        optional(
            "exceptions",
            "Events of which nobody is told, until a day.",
            Shape::List(&Shape::Map(EXCEPTION)),
        ),
    ]),
);

/// What is otherwise for a rule.
pub const RULE: &[Key] = &[
    required(
        "rule",
        "The rule's id, or its file's name without the ending.",
        Shape::Text(ANY),
    ),
    optional(
        "told",
        "Whether anybody is told of it. One of which nobody is told goes on learning, and being counted by others.",
        Shape::Choice(&["always", "never"]),
    ),
    optional("severity", "How grave it is here.", SEVERITIES),
    optional(
        "count",
        "Of a correlation: how many events or values.",
        Shape::Number(1, 2_000),
    ),
    optional(
        "minutes",
        "Of a correlation: within how long.",
        Shape::Number(1, 43_200),
    ),
    optional(
        "learning_days",
        "How long whatever is seen is only learned.",
        Shape::Number(0, 365),
    ),
    optional(
        "memory_days",
        "After how long what was seen is new again.",
        Shape::Number(1, 3_650),
    ),
    optional(
        "away_days",
        "How long somebody is away who then returns.",
        Shape::Number(1, 3_650),
    ),
    optional(
        "kmh",
        "Of impossible travel: how fast nobody travels.",
        Shape::Number(1, 100_000),
    ),
    optional(
        "least_km",
        "Of impossible travel: nearer places are taken for one.",
        Shape::Number(0, 20_000),
    ),
];

/// Events of which nobody is told.
pub const EXCEPTION: &[Key] = &[
    required(
        "rule",
        "The rule's id, or its file's name without the ending.",
        Shape::Text(ANY),
    ),
    required(
        "field",
        "A field of the event, as in actor.alternateId.",
        Shape::Text(ANY),
    ),
    required(
        "values",
        "One of these, in any letter case, or a network that holds the field's address.",
        Shape::List(&Shape::Text(ANY)),
    ),
    required(
        "until",
        "The last day, in quotes, as in \"2027-01-31\"; an exception without an end is forgotten and stays.",
        Shape::Text("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    ),
    required("reason", "Why.", Shape::Text(ANY)),
];

/// The settings of an environment. All but the last, which is one for all, may be otherwise for a group or tenant.
pub const SETTINGS: &[Key] = &[
    DETECTOR,
    COMPACTOR,
    MAINTAINER,
    RECONCILER,
    EVENT_QUEUE,
    ARCHIVE,
    DATA,
    LOGS,
];

const QUOTAS: Key = optional(
    "quotas",
    "Quotas of the account and region, where AWS has raised them.",
    Shape::Map(&[optional(
        "event_buses",
        "Event buses an account and region; 100 unless AWS has raised it. Each tenant takes one.",
        Shape::Number(1, 1_000_000),
    )]),
);

/// The least and the largest share of a wave, in percent.
pub const WAVE_PERCENT: (u32, u32) = (1, 99);

const ROLLOUT: Key = optional(
    "rollout",
    "How stacks are deployed.",
    Shape::Map(&[
        optional(
            "approval",
            "Whether a person has to approve each plan.",
            Shape::Choice(&["required", "none"]),
        ),
        optional(
            "canaries",
            "Tenants whose stacks come before all others.",
            Shape::List(&Shape::Text("^[a-z](-?[a-z0-9])+$")),
        ),
        optional(
            "wave_percents",
            "Up to which share of the tenants each wave goes, in percent, as in [10, 50]; the last wave takes the rest.",
            Shape::List(&Shape::Number(WAVE_PERCENT.0, WAVE_PERCENT.1)),
        ),
        optional(
            "concurrency",
            "Stacks that CloudFormation works on at once.",
            Shape::Number(1, 500),
        ),
        optional(
            "tolerated_failures",
            "How many stacks of a wave may fail before no more are started: a number in quotes, or a share as in 10%.",
            Shape::Text("^[0-9]+%?$"),
        ),
        optional(
            "soak_minutes",
            "How long alarms and dead-letter queues are watched after a wave before the next begins.",
            Shape::Number(0, 1_440),
        ),
        optional(
            "calls_per_second",
            "The rate at which each API of the account and region is called; throttling lowers it by itself.",
            Shape::Number(1, 100),
        ),
        optional(
            "silent_after_hours",
            "A tenant whose last event is older than this stands out.",
            Shape::Number(1, 336),
        ),
    ]),
);

/// A finding that is accepted.
pub const SUPPRESSION: &[Key] = &[
    optional(
        "tool",
        "Whose finding; oort unless it says otherwise.",
        Shape::Choice(&["oort", "cfn-lint", "checkov"]),
    ),
    required("rule", "The rule's ID.", Shape::Text(ANY)),
    optional(
        "resource",
        "The logical ID of the only resource that is meant; every resource without it.",
        Shape::Text("^[A-Za-z0-9]+$"),
    ),
    required("reason", "Why the finding is accepted.", Shape::Text(ANY)),
];

const SUPPRESSIONS: Key = optional(
    "suppressions",
    "Findings of a check that are accepted, each with its reason.",
    Shape::List(&Shape::Map(SUPPRESSION)),
);

/// `environments/defaults.yaml`.
pub const DEFAULTS: &[Key] = &[
    DETECTOR,
    COMPACTOR,
    MAINTAINER,
    RECONCILER,
    EVENT_QUEUE,
    ARCHIVE,
    DATA,
    LOGS,
    DETECTIONS,
    TAGS,
    QUOTAS,
    ROLLOUT,
    SUPPRESSIONS,
];

/// `environments/<environment>/profile.yaml`.
pub const PROFILE: &[Key] = &[
    required(
        "environment",
        "The environment's name, which is its folder's.",
        Shape::Text("^[a-z][a-z0-9]{1,15}$"),
    ),
    required(
        "target",
        "Where it runs: on AWS, or on one machine by a twin of each stack.",
        Shape::Choice(&["aws", "embedded"]),
    ),
    required("account_id", "The AWS account, in quotes.", Shape::Text("^[0-9]{12}$")),
    required("region", "The AWS region.", Shape::Text("^[a-z]+(-[a-z]+)+-[0-9]+$")),
    required(
        "image",
        "The container image that the tasks run.",
        Shape::Text("^[A-Za-z0-9][A-Za-z0-9._/:@-]*$"),
    ),
    required(
        "network",
        "Where Fargate starts the tasks.",
        Shape::Map(&[
            required(
                "subnets",
                "Subnets, at least one.",
                Shape::List(&Shape::Text("^subnet-")),
            ),
            required(
                "security_groups",
                "Security groups, at least one.",
                Shape::List(&Shape::Text("^sg-")),
            ),
        ]),
    ),
    optional(
        "private_webhooks",
        "Networks that notifications may go to although they are private, such as 10.20.0.0/16.",
        Shape::List(&Shape::Text("^[0-9a-fA-F.:]+/[0-9]+$")),
    ),
    optional(
        "permissions_boundary",
        "The ARN of the policy that bounds every role of the stacks.",
        Shape::Text("^arn:[^:]+:iam::[0-9]{12}:policy/.+$"),
    ),
    DETECTOR,
    COMPACTOR,
    MAINTAINER,
    RECONCILER,
    EVENT_QUEUE,
    ARCHIVE,
    DATA,
    LOGS,
    DETECTIONS,
    TAGS,
    QUOTAS,
    ROLLOUT,
    SUPPRESSIONS,
];

/// `environments/<environment>/groups/<group>.yaml`.
pub const GROUP: &[Key] = &[
    DETECTOR,
    COMPACTOR,
    MAINTAINER,
    RECONCILER,
    EVENT_QUEUE,
    ARCHIVE,
    DATA,
    DETECTIONS,
    TAGS,
];

const SEVERITIES: Shape = Shape::Choice(&["informational", "low", "medium", "high", "critical"]);

/// A notification route.
pub const ROUTE: &[Key] = &[
    required(
        "name",
        "A word that no other route of the tenant has.",
        Shape::Text("^[A-Za-z0-9]{1,32}$"),
    ),
    required(
        "protocol",
        "How it is told: email and https through the tenant's topic, all others by its detector.",
        Shape::Choice(&[
            "email",
            "https",
            "slack",
            "teams",
            "smtp",
            "pagerduty",
            "jira",
            "servicenow",
            "webhook",
        ]),
    ),
    optional(
        "endpoint",
        "An e-mail address, or an address with https://. The addresses of Slack and Teams are secrets.",
        Shape::Text(ANY),
    ),
    optional(
        "secret",
        "The name of one of the tenant's secrets; its value never stands in a file.",
        Shape::Text("^[a-z][a-z0-9-]{0,63}$"),
    ),
    optional(
        "server",
        "The mail server of smtp, as in smtp.example.com:587.",
        Shape::Text("^.+:[0-9]+$"),
    ),
    optional("from", "The sender's e-mail address, for smtp.", Shape::Text(ANY)),
    optional(
        "project",
        "The key of the Jira project.",
        Shape::Text("^[A-Z][A-Z0-9_]+$"),
    ),
    optional(
        "issue_type",
        "The type of the Jira issues; Task unless it says otherwise.",
        Shape::Text(ANY),
    ),
    required("minimum_severity", "The least severity that it is told of.", SEVERITIES),
    optional(
        "rules",
        "The only rules that it is told of, by id.",
        Shape::List(&Shape::Text(ANY)),
    ),
    optional(
        "tags",
        "It is told of rules with one of these tags, such as attack.t1621, and of no others.",
        Shape::List(&Shape::Text(ANY)),
    ),
    optional("quiet_hours", "When it is left alone.", Shape::Map(QUIET_HOURS)),
    optional(
        "digest_minutes",
        "What comes within so many minutes is told in one message; 0 tells of each finding by itself.",
        Shape::Number(0, 10_080),
    ),
    optional(
        "per_hour",
        "Messages an hour at most; what would be more is told in one.",
        Shape::Number(1, 10_000),
    ),
    optional(
        "give_up_hours",
        "After so many hours of failure a notification is given up, with an alarm; 72 unless it says otherwise.",
        Shape::Number(1, 336),
    ),
];

const QUIET_HOURS: &[Key] = &[
    required(
        "from",
        "As in \"22:00\", in quotes.",
        Shape::Text("^[0-9]{2}:[0-9]{2}$"),
    ),
    required(
        "to",
        "As in \"07:00\", in quotes; of the next day when it is earlier.",
        Shape::Text("^[0-9]{2}:[0-9]{2}$"),
    ),
    required("time_zone", "As in Europe/Zurich.", Shape::Text(ANY)),
    optional(
        "wakes_at",
        "The least severity that is told all the same; none without it.",
        SEVERITIES,
    ),
];

/// What the addresses of Okta's orgs end with.
const DOMAINS: [&str; 5] = [
    "okta.com",
    "oktapreview.com",
    "okta-emea.com",
    "okta-gov.com",
    "okta.mil",
];

const OKTA_API: &[Key] = &[
    required(
        "sign_in",
        "By the tenant's secret okta-token, an API token; or by its secret okta-key, the private key of an application.",
        Shape::Choice(&["token", "key"]),
    ),
    optional(
        "client_id",
        "The application's client ID, where it signs in by key.",
        Shape::Text("^[A-Za-z0-9]{1,64}$"),
    ),
    optional(
        "key_id",
        "The key's ID, where the application has several.",
        Shape::Text(ANY),
    ),
    optional(
        "rate_limit_percent",
        "The part of each of the org's rate limits that tasks may use; 50 unless it says otherwise.",
        Shape::Number(1, 100),
    ),
    optional(
        "history_days",
        "How far back the System Log is compared, and so how much of a new tenant's history is loaded; 90 unless it says \
         otherwise, which is all that Okta keeps.",
        Shape::Number(1, 90),
    ),
    optional(
        "reactivate",
        "Whether a log stream that Okta switched off is set going again; one that a person switched off never is.",
        Shape::Choice(&["automatic", "never"]),
    ),
];

/// `environments/<environment>/tenants/<tenant>.yaml`.
pub const TENANT: &[Key] = &[
    required(
        "tenant",
        "The tenant's ID, which is its file's name.",
        Shape::Text("^[a-z](-?[a-z0-9])+$"),
    ),
    optional(
        "group",
        "The group of tenants whose settings it shares: a file under groups/.",
        Shape::Text("^[a-z](-?[a-z0-9])+$"),
    ),
    required(
        "okta",
        "What the partner event source is named after.",
        Shape::Map(&[
            required(
                "subdomain",
                "acme of acme.okta.com.",
                Shape::Text("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
            ),
            required(
                "integration_id",
                "What the tenant's Okta admin types in as AWS Event Source Name.",
                Shape::Text(r"^[.\-_A-Za-z0-9]{1,75}$"),
            ),
            optional(
                "domain",
                "What follows the subdomain in the org's address; okta.com unless it says otherwise.",
                Shape::Choice(&DOMAINS),
            ),
            optional(
                "api",
                "How the org's management API is asked. Without it no gap is filled, and no user is known by name.",
                Shape::Map(OKTA_API),
            ),
        ]),
    ),
    DETECTOR,
    COMPACTOR,
    MAINTAINER,
    RECONCILER,
    EVENT_QUEUE,
    ARCHIVE,
    DATA,
    DETECTIONS,
    optional(
        "notifications",
        "Who is told of findings.",
        Shape::List(&Shape::Map(ROUTE)),
    ),
    TAGS,
];

/// The keys of a map shape; none of any other.
pub fn keys(shape: &Shape) -> &'static [Key] {
    match shape {
        Shape::Map(keys) => keys,
        _ => &[],
    }
}

/// The paths of all values that settings consist of, such as `["detector", "cpu"]`.
pub fn leaves(keys: &'static [Key]) -> Vec<Vec<&'static str>> {
    keys.iter()
        .flat_map(|key| match &key.shape {
            Shape::Map(inner) => leaves(inner)
                .into_iter()
                .map(|rest| std::iter::once(key.name).chain(rest).collect())
                .collect(),
            _ => vec![vec![key.name]],
        })
        .collect()
}
