//! How long data is kept: long enough, and not for ever.

use crate::deploy::check::{Found, Rule, Severity, Template};
use crate::deploy::tree::Tree;

pub const RULES: &[Rule] = &[
    Rule {
        id: "retention",
        severity: Severity::Error,
        demand: "Log groups and archives say how many days they keep what they hold.",
        why: "Without a number they keep everything for ever: personal data that nobody may keep, and a bill that only grows.",
        help: "Set RetentionInDays of a log group, RetentionDays of an archive; 0 means for ever.",
        admits: &[],
        find: retention,
    },
    Rule {
        id: "deletion-policy",
        severity: Severity::Error,
        demand: "What holds data outlives its stack: DeletionPolicy and UpdateReplacePolicy are Retain or Snapshot.",
        why: "A deleted stack, or a change that replaces the resource, would take the data with it.",
        help: "Set both DeletionPolicy and UpdateReplacePolicy to Retain.",
        admits: &[],
        find: deletion_policy,
    },
];

/// What holds data, or without which data cannot be read or does not arrive any more.
const HOLDS_DATA: [&str; 13] = [
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::Events::EventBus",
    "AWS::Events::Archive",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::S3Tables::TableBucket",
    "AWS::DynamoDB::Table",
    "AWS::EFS::FileSystem",
    "AWS::Kinesis::Stream",
    "AWS::SecretsManager::Secret",
];

fn retention(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (kind, property) in [
        ("AWS::Logs::LogGroup", "RetentionInDays"),
        ("AWS::Events::Archive", "RetentionDays"),
    ] {
        for resource in template.of_type(kind) {
            let is_bounded = match resource.property(&[property]).map(|days| days.tree) {
                None | Some(Tree::Null) => false,
                Some(Tree::Int(days)) => *days > 0,
                Some(days) => days.as_text() != Some("0"),
            };
            if !is_bounded {
                found.push(resource.lacks(&[property], format!("{property} is missing or 0")));
            }
        }
    }
    found
}

fn deletion_policy(template: &Template<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let holders = template
        .resources
        .iter()
        .filter(|resource| HOLDS_DATA.contains(&resource.kind));
    for resource in holders {
        for (attribute, keeps) in [
            ("DeletionPolicy", &["Retain", "RetainExceptOnCreate", "Snapshot"][..]),
            ("UpdateReplacePolicy", &["Retain", "Snapshot"]),
        ] {
            match resource.at.get(attribute) {
                None => found.push(resource.at.found(format!("{attribute} is missing"))),
                Some(policy) if !keeps.contains(&policy.text().as_str()) => {
                    found.push(policy.found(format!("{attribute} does not keep the data")));
                }
                Some(_) => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::deploy::check::planted::found;

    #[test]
    fn logs_are_kept_for_a_number_of_days() {
        for (kind, property) in [
            ("AWS::Logs::LogGroup", "RetentionInDays"),
            ("AWS::Events::Archive", "RetentionDays"),
        ] {
            let told = |properties: &str| {
                let text = format!("Resources: {{It: {{Type: {kind}, Properties: {{{properties}}}}}}}\n");
                found("retention", &text)
            };
            assert_eq!(told(&format!("{property}: 30")), [""; 0]);
            assert_eq!(told(&format!("{property}: !Ref Days")), [""; 0]);
            for bad in ["Name: a", &format!("{property}: 0"), &format!("{property}: '0'")] {
                assert_eq!(told(bad).len(), 1, "{kind} {bad}");
            }
        }
    }

    #[test]
    fn what_holds_data_outlives_its_stack() {
        let told = |attributes: &str| {
            found(
                "deletion-policy",
                &format!("Resources: {{It: {{Type: AWS::SQS::Queue{attributes}}}}}\n"),
            )
        };
        assert_eq!(told(", DeletionPolicy: Retain, UpdateReplacePolicy: Retain"), [""; 0]);
        assert_eq!(
            told(", DeletionPolicy: RetainExceptOnCreate, UpdateReplacePolicy: Snapshot"),
            [""; 0]
        );
        assert_eq!(
            told(", DeletionPolicy: Delete"),
            [
                "/Resources/It/DeletionPolicy: DeletionPolicy does not keep the data",
                "/Resources/It: UpdateReplacePolicy is missing"
            ]
        );
        let rule = "Resources: {It: {Type: AWS::Events::Rule}}\n";
        assert_eq!(found("deletion-policy", rule), [""; 0]);
    }
}
