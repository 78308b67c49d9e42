//! What the tenant's Okta admin must do, with this tenant's values. Pure.
//!
//! Facts of Okta and AWS: Okta's help on log streaming and its log stream API; EventBridge's documentation of partner event
//! sources.

mod html;
mod markdown;
mod text;

pub use html::html;
pub use markdown::markdown;
pub use text::text;

use crate::deploy::profile::{Profile, Tenant};

/// A guide: sections in the order in which they are worked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guide {
    pub title: String,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub title: &'static str,
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Sentence(String),
    List(Vec<String>),
    Steps(Vec<String>),
    /// What goes into which field.
    Fields(Vec<Field>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// To be typed in exactly so.
    pub value: String,
    pub remark: String,
}

/// The guide for one tenant in one environment.
pub fn guide(profile: &Profile, tenant: &Tenant) -> Guide {
    Guide {
        title: format!(
            "Stream Okta's System Log to Oort: {} ({})",
            tenant.id, profile.environment
        ),
        sections: vec![
            before(tenant),
            stream(profile, tenant),
            afterwards(tenant),
            later(tenant),
        ],
    }
}

fn sentence(text: impl Into<String>) -> Part {
    Part::Sentence(text.into())
}

fn before(tenant: &Tenant) -> Section {
    Section {
        title: "Before you start",
        parts: vec![
            Part::List(vec![
                format!(
                    "The Okta org is {0}.okta.com; the page's address in your browser starts with {0}.",
                    tenant.subdomain
                ),
                "The org's Okta data integration is active in Oort, with a valid API token.".to_owned(),
                "The Log Streaming module is part of the org's Okta contract: Reports has an entry Log Streaming."
                    .to_owned(),
                "Fewer than two log streams exist. An org can have two.".to_owned(),
            ]),
            sentence(
                "Who can do this: Okta's help asks for a super admin to add a log stream. Setups are known in which \
                 the Read-only Administrator role was enough. If Add Log Stream is missing or greyed out, your role is \
                 the reason: ask a super admin.",
            ),
        ],
    }
}

fn stream(profile: &Profile, tenant: &Tenant) -> Section {
    let field = |name, value: String, remark: &str| Field {
        name,
        value,
        remark: remark.to_owned(),
    };
    let region = match region_name(profile.region.as_str()) {
        Some(name) => format!("{name}, {}", profile.region),
        None => profile.region.to_string(),
    };
    Section {
        title: "Add the log stream",
        parts: vec![
            Part::Steps(vec![
                "Open the Admin Console, then Reports > Log Streaming.".to_owned(),
                "Choose Add Log Stream, then AWS EventBridge, then Next.".to_owned(),
                "Fill in the fields below, exactly as they stand here.".to_owned(),
                "Save, and tell your contact at Oort at once: what Okta sends before the platform has accepted the \
                 stream is dropped for good."
                    .to_owned(),
            ]),
            Part::Fields(vec![
                field(
                    "Name",
                    format!("Oort {}", profile.environment),
                    "Your choice, 1 to 100 characters; the only field that can be changed later.",
                ),
                field(
                    "AWS Event Source Name",
                    tenant.integration_id.to_string(),
                    "The ID of your Okta integration, as the address of its page in Oort shows it.",
                ),
                field(
                    "AWS account ID",
                    profile.account_id.to_string(),
                    "The account of the Oort platform.",
                ),
                field("AWS region", region, "Where the platform listens."),
            ]),
            sentence(
                "A mistake in the last three cannot be corrected: deactivate and delete the stream, and add it anew.",
            ),
        ],
    }
}

fn afterwards(tenant: &Tenant) -> Section {
    Section {
        title: "What happens then",
        parts: vec![
            Part::List(vec![
                format!(
                    "AWS shows the platform a pending partner event source named {}. The platform team deploys this tenant's stack, whose event bus accepts it.",
                    tenant.event_source
                ),
                "In Okta, Reports > Log Streaming shows the stream as Active.".to_owned(),
                "Sign in to any app of the org: the event reaches the platform's queue within minutes, and detections look at it within the hour.".to_owned(),
            ]),
            sentence("Nobody has to report that it works: the platform sees the first event by itself."),
        ],
    }
}

fn later(tenant: &Tenant) -> Section {
    let source = &tenant.event_source;
    Section {
        title: "Later",
        parts: vec![Part::List(vec![
            "When a delivery fails, Okta tries twice more at once and then deactivates the stream. It stays so until an \
             admin activates it again under Reports > Log Streaming. Look for the event \
             system.log_stream.lifecycle.deactivate in the System Log."
                .to_owned(),
            "Okta repeats nothing that was missed. Tell your contact at Oort from when to when the stream was \
             inactive, so that the gap can be filled from the System Log, which Okta keeps for 90 days."
                .to_owned(),
            format!("To stop the stream, deactivate it and then delete it. The event source {source} goes with it."),
        ])],
    }
}

/// The region as Okta's list shows it. Source: AWS Regions and Endpoints.
fn region_name(region: &str) -> Option<&'static str> {
    Some(match region {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "ca-central-1" => "Canada (Central)",
        "eu-central-1" => "Europe (Frankfurt)",
        "eu-west-1" => "Europe (Ireland)",
        "eu-west-2" => "Europe (London)",
        "ap-southeast-2" => "Asia Pacific (Sydney)",
        _ => return None,
    })
}
