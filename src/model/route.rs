//! The routes that a detector delivers to by itself, as the files of a tenant name them and as its task definition carries
//! them: a JSON list. What goes through the tenant's topic is not among them. Secrets are named here, never held.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::model::finding::Severity;
use crate::model::notification::Notification;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub name: String,
    #[serde(flatten)]
    pub channel: Channel,
    #[serde(flatten)]
    pub filter: Filter,
    #[serde(flatten)]
    pub pace: Pace,
}

/// How a route is reached. A `secret` is a name in the tenant's secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "protocol", rename_all = "lowercase")]
pub enum Channel {
    /// An incoming webhook, whose whole address is the secret.
    Slack { secret: String },
    /// A workflow's webhook, whose whole address is the secret.
    Teams { secret: String },
    /// The secret is the key of the signature.
    Webhook { endpoint: String, secret: String },
    /// Events API v2; the secret is the integration key.
    Pagerduty {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        secret: String,
    },
    /// The secret is `login:api-token`.
    Jira {
        endpoint: String,
        project: String,
        issue_type: String,
        secret: String,
    },
    /// The secret is `user:password`.
    Servicenow { endpoint: String, secret: String },
    /// The secret, where there is one, is `user:password`.
    Smtp {
        /// Who is told.
        endpoint: String,
        /// `host:port`.
        server: String,
        from: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
}

impl Channel {
    /// The protocol, as files name it.
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::Webhook { .. } => "webhook",
            Self::Pagerduty { .. } => "pagerduty",
            Self::Jira { .. } => "jira",
            Self::Servicenow { .. } => "servicenow",
            Self::Smtp { .. } => "smtp",
        }
    }

    /// The name of the secret that it asks for.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Slack { secret }
            | Self::Teams { secret }
            | Self::Webhook { secret, .. }
            | Self::Pagerduty { secret, .. }
            | Self::Jira { secret, .. }
            | Self::Servicenow { secret, .. } => Some(secret),
            Self::Smtp { secret, .. } => secret.as_deref(),
        }
    }
}

/// What a route is told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub minimum_severity: Severity,
    /// The only rules, by id; all where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// A rule has one of these tags at least; any where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Filter {
    /// Lets everything through.
    pub fn all() -> Self {
        Self {
            minimum_severity: Severity::Informational,
            rules: Vec::new(),
            tags: Vec::new(),
        }
    }

    pub fn wants(&self, notification: &Notification) -> bool {
        let is_named = |names: &[String], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        notification.severity >= self.minimum_severity
            && (self.rules.is_empty() || is_named(&self.rules, &notification.rule_id))
            && (self.tags.is_empty() || notification.tags.iter().any(|tag| is_named(&self.tags, tag)))
    }
}

/// When a route is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// What comes within so many minutes is told in one message; 0 tells of each by itself.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub digest_minutes: u32,
    /// Messages an hour; what would be more is told in one. 0 sets no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub per_hour: u32,
    /// After so many hours without success a notification is given up.
    #[serde(default = "Pace::give_up_hours")]
    pub give_up_hours: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it in so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Pace {
    /// Long enough for somebody to mend a route on a working day.
    pub fn give_up_hours() -> u32 {
        72
    }

    /// At once, and without limit.
    pub fn unbounded() -> Self {
        Self {
            quiet_hours: None,
            digest_minutes: 0,
            per_hour: 0,
            give_up_hours: Self::give_up_hours(),
        }
    }
}

/// A part of each day in which a route is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// As in `22:00`.
    pub from: Time,
    /// As in `07:00`; of the next day when it is before `from`.
    pub to: Time,
    /// As in `Europe/Zurich`.
    pub time_zone: String,
    /// The least severity that is told all the same; none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes_at: Option<Severity>,
}

impl QuietHours {
    /// Whether a severity waits at a time. A time zone that is not known leaves nobody waiting.
    pub fn hold(&self, severity: Severity, at: Timestamp) -> bool {
        if self.wakes_at.is_some_and(|least| severity >= least) {
            return false;
        }
        let Ok(zone) = TimeZone::get(&self.time_zone) else {
            return false;
        };
        let local = zone.to_datetime(at).time();
        if self.from <= self.to {
            (self.from..self.to).contains(&local)
        } else {
            local >= self.from || local < self.to
        }
    }
}
