//! Names that are parsed once and then trusted. Each error says what is allowed.

use std::fmt;

use serde::{Serialize, Serializer};

/// Why a text is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {allowed}")]
pub struct NameError {
    text: String,
    what: &'static str,
    allowed: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $allowed:literal, $is_valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError { text: text.to_owned(), what: $what, allowed: $allowed })
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

fn is_kebab(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Words that stand in the names of resources of an environment where its tenants have their ID.
const TAKEN: [&str; 2] = ["foundation", "schedule"];

name!(
    /// A tenant's ID; part of the names of its AWS resources, of which a schedule's may have 64 characters.
    TenantId,
    "tenant ID",
    "2 to 24 lower-case letters, digits and single hyphens, starting with a letter; foundation and schedule are taken",
    |text| (2..=24).contains(&text.len()) && is_kebab(text) && !TAKEN.contains(&text)
);

name!(
    /// The name of a deploy target, such as `staging`. Without hyphens, so that `oort-<environment>-<tenant>` names one
    /// tenant only.
    EnvironmentName,
    "environment name",
    "2 to 16 lower-case letters and digits, starting with a letter",
    |text| (2..=16).contains(&text.len()) && is_kebab(text) && !text.contains('-')
);

name!(
    /// An AWS account ID. A text, because a number would lose its leading zeros.
    AccountId,
    "account ID",
    "exactly 12 digits, in quotes",
    |text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
);

name!(
    /// An AWS region, such as `us-east-2`.
    Region,
    "region",
    "as in us-east-2",
    |text| {
        let parts: Vec<&str> = text.split('-').collect();
        parts.len() >= 3 && is_kebab(text) && parts.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
    }
);

name!(
    /// The first label of an Okta org's address: `acme` of `acme.okta.com`.
    OktaSubdomain,
    "Okta subdomain",
    "1 to 63 lower-case letters, digits and inner hyphens, without the rest of the address",
    |text| (1..=63).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
);

name!(
    /// What the tenant's Okta admin types in as *AWS Event Source Name*. Pattern: Okta's API description of log streams.
    IntegrationId,
    "integration ID",
    "1 to 75 letters, digits, dots, hyphens and underscores",
    |text| (1..=75).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
);

name!(
    /// A partner event source, and the event bus of the same name. At most 256 characters by EventBridge's API reference.
    EventSourceName,
    "event source name",
    "aws.partner/okta.com/<okta subdomain>/<integration ID>, at most 256 characters",
    |text| text.len() <= 256
        && text
            .strip_prefix("aws.partner/okta.com/")
            .and_then(|rest| rest.split_once('/'))
            .is_some_and(|(subdomain, integration)| {
                OktaSubdomain::parse(subdomain).is_ok() && IntegrationId::parse(integration).is_ok()
            })
);

name!(
    /// A CloudFormation stack's name.
    StackName,
    "stack name",
    "1 to 128 letters, digits and hyphens, starting with a letter",
    |text| (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
);

impl EventSourceName {
    pub fn of(subdomain: &OktaSubdomain, integration: &IntegrationId) -> Result<Self, NameError> {
        Self::parse(&format!("aws.partner/okta.com/{subdomain}/{integration}"))
    }
}

/// Whether a text may name one of a tenant's secrets: lower-case letters, digits and hyphens, 64 at most, with a letter first.
pub fn is_secret_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_aws_and_okta_take() {
        assert!(AccountId::parse("012345678901").is_ok());
        for bad in [
            "12345678901",
            "1234567890123",
            "12345678901x",
            "",
            "１２３４５６７８９０１２",
        ] {
            assert!(AccountId::parse(bad).is_err(), "{bad}");
        }
        assert!(IntegrationId::parse("a.B-c_9").is_ok() && IntegrationId::parse(&"x".repeat(75)).is_ok());
        for bad in ["", "a/b", "a b", "ä", &"x".repeat(76)] {
            assert!(IntegrationId::parse(bad).is_err(), "{bad}");
        }
        for bad in [
            "",
            "A",
            "a",
            "-a",
            "a-",
            "a--b",
            "a_b",
            "1a",
            "foundation",
            "schedule",
            &"a".repeat(25),
        ] {
            assert!(TenantId::parse(bad).is_err(), "{bad}");
        }
        assert!(TenantId::parse("schedule-2").is_ok() && EnvironmentName::parse("eu2").is_ok());
        assert!(EnvironmentName::parse("eu-2").is_err());
        for bad in ["", "-acme", "acme-", "Acme", "acme.okta.com", &"a".repeat(64)] {
            assert!(OktaSubdomain::parse(bad).is_err(), "{bad}");
        }
        assert!(Region::parse("us-gov-west-1").is_ok() && Region::parse("us-east").is_err());
        assert!(EventSourceName::parse("aws.partner/okta.com/acme/5f1d.7a-42_X").is_ok());
        for bad in [
            "aws.partner/okta.com/",
            "aws.partner/okta.com/acme",
            "aws.partner/okta.com/acme/",
            "aws.partner/okta.com/acme/a/b",
            "aws.partner/auth0.com/acme/a",
        ] {
            assert!(EventSourceName::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            AccountId::parse("12").unwrap_err().to_string(),
            r#""12" is no account ID: exactly 12 digits, in quotes"#
        );
    }
}
