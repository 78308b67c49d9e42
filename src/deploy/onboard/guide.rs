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

use crate::deploy::profile::{Profile, Target, Tenant};

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
    let sections = [
        rehearsal(profile),
        Some(before(tenant)),
        Some(stream(profile, tenant)),
        Some(platform(profile, tenant)),
        Some(verify()),
        Some(later(tenant)),
    ];
    Guide {
        title: format!(
            "Stream Okta's System Log to Oort: {} ({})",
            tenant.id, profile.environment
        ),
        sections: sections.into_iter().flatten().collect(),
    }
}

fn sentence(text: impl Into<String>) -> Part {
    Part::Sentence(text.into())
}

/// Okta reaches AWS only: nobody shall try the values of one machine.
fn rehearsal(profile: &Profile) -> Option<Section> {
    (profile.target == Target::Embedded).then(|| Section {
        title: "Not for an Okta admin",
        parts: vec![sentence(format!(
            "Environment {} runs on one machine, and Okta streams to AWS only. This shows what the guide of an environment on \
             AWS looks like; oort local send puts events on this tenant's bus.",
            profile.environment
        ))],
    })
}

fn before(tenant: &Tenant) -> Section {
    Section {
        title: "Before you start",
        parts: vec![
            Part::List(vec![
                format!(
                    "Sign in to the right Okta org. Its subdomain is {0}: the address begins with {0} or {0}-admin, and goes \
                     on with okta.com, or with oktapreview.com for a preview org.",
                    tenant.subdomain
                ),
                "The org's Okta data integration is active in Oort, with a valid API token.".to_owned(),
                "The Log Streaming module is part of the org's Okta contract: Reports has an entry Log Streaming."
                    .to_owned(),
                "The org has fewer than two log streams: Okta allows two.".to_owned(),
            ]),
            sentence(
                "Who can do this: Okta's help asks for a super admin to add a log stream. Setups are known in which \
                 the Read-only Administrator role was enough. See what your own account may do before you begin: if \
                 Add Log Stream is missing or greyed out, ask a super admin.",
            ),
            sentence(
                "Agree on a time with your contact at Oort. Okta sends from the moment the stream is saved, and what it \
                 sends before the platform has accepted the stream is dropped for good.",
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
    let (region, of_region) = match region_name(profile.region.as_str()) {
        Some(name) => (format!("{name}, {}", profile.region), "Where the platform listens."),
        None => (
            profile.region.to_string(),
            "Where the platform listens. Okta's list may not have it: ask your contact at Oort before you go on.",
        ),
    };
    Section {
        title: "Add the log stream",
        parts: vec![
            Part::Steps(vec![
                "Open the Admin Console, then Reports > Log Streaming.".to_owned(),
                "Choose Add Log Stream, then AWS EventBridge, then Next.".to_owned(),
                "Fill in the fields below, exactly as they stand here.".to_owned(),
                "Save, and tell your contact at Oort at once.".to_owned(),
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
                field("AWS region", region, of_region),
            ]),
            sentence(
                "A mistake in the last three cannot be corrected: deactivate and delete the stream, and add it anew.",
            ),
        ],
    }
}

fn platform(profile: &Profile, tenant: &Tenant) -> Section {
    Section {
        title: "What the platform team does",
        parts: vec![Part::Steps(vec![
            format!("Before: renders and reviews the stack of tenant {}, ready to be deployed.", tenant.id),
            format!(
                "Once the stream is saved: looks in account {}, region {}, under EventBridge > Partner event sources for \
                 {}. It is there as PENDING. Until it is there, the stack cannot be deployed.",
                profile.account_id, profile.region, tenant.event_source
            ),
            "Deploys the stack at once. Its event bus accepts the source, which becomes ACTIVE. A source that nobody accepts \
             expires; AWS shows when."
                .to_owned(),
        ])],
    }
}

fn verify() -> Section {
    Section {
        title: "See that it works",
        parts: vec![
            Part::List(vec![
                "In Okta, Reports > Log Streaming shows the stream as Active.".to_owned(),
                "Sign out of the org and in again. The event user.session.start stands in Okta's System Log, reaches the \
                 platform's queue, and is looked at by the next run of the detections."
                    .to_owned(),
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

/// The region as Okta's list shows it, where the list has it. Source: `AwsRegion` of Okta's log stream API; names as in
/// "AWS Regions and Endpoints".
fn region_name(region: &str) -> Option<&'static str> {
    Some(match region {
        "us-east-1" => "US East (N. Virginia)",
        "us-east-2" => "US East (Ohio)",
        "us-west-1" => "US West (N. California)",
        "us-west-2" => "US West (Oregon)",
        "ca-central-1" => "Canada (Central)",
        "eu-central-1" => "Europe (Frankfurt)",
        "eu-north-1" => "Europe (Stockholm)",
        "eu-south-1" => "Europe (Milan)",
        "eu-west-1" => "Europe (Ireland)",
        "eu-west-2" => "Europe (London)",
        "eu-west-3" => "Europe (Paris)",
        _ => return None,
    })
}
