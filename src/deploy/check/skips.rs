//! The profile's suppressions as the configuration of the tools that check the same stacks. Kept beside the templates and
//! not in them, so that what is deployed says nothing about tools.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::deploy::profile::{Suppression, Tool};
use crate::deploy::tree::Tree;

/// The resources of stacks, as checkov names them: `AWS::SQS::Queue.EventQueue`.
pub fn resources(template: &Tree) -> BTreeSet<String> {
    let resources = template.get("Resources").map(Tree::entries).unwrap_or_default();
    let name = |(id, resource): &(String, Tree)| {
        let kind = resource.get("Type").and_then(Tree::as_text).unwrap_or_default();
        format!("{kind}.{id}")
    };
    resources.iter().map(name).collect()
}

/// A baseline for checkov's `--baseline`: it takes a finding as accepted that has the baseline's resource and check, in
/// whatever file.
pub fn checkov(suppressions: &[Suppression], resources: &BTreeSet<String>) -> Value {
    let mut accepted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for suppression in suppressions
        .iter()
        .filter(|suppression| suppression.tool == Tool::Checkov)
    {
        let is_meant = |name: &&String| {
            let id = name.rsplit_once('.').map(|(_, id)| id);
            suppression.resource.is_none() || id == suppression.resource.as_deref()
        };
        for name in resources.iter().filter(is_meant) {
            accepted.entry(name).or_default().insert(&suppression.rule);
        }
    }
    let findings: Vec<Value> = accepted
        .iter()
        .map(|(resource, checks)| json!({"resource": resource, "check_ids": checks}))
        .collect();
    json!({"failed_checks": [{"file": "every template", "findings": findings}]})
}

/// A file for cfn-lint's `--config-file`.
///
/// # Errors
///
/// cfn-lint ignores a rule in all resources or, by metadata in the template, in one: a suppression with a resource cannot
/// be told from outside.
pub fn cfn_lint(suppressions: &[Suppression]) -> Result<String, String> {
    let mut rules = BTreeSet::new();
    for suppression in suppressions
        .iter()
        .filter(|suppression| suppression.tool == Tool::CfnLint)
    {
        if let Some(resource) = &suppression.resource {
            return Err(format!(
                "the suppression of cfn-lint's {} names {resource}, and cfn-lint ignores a rule in all resources only; leave `resource` out",
                suppression.rule
            ));
        }
        rules.insert(json!(suppression.rule).to_string());
    }
    let rules: Vec<String> = rules.into_iter().collect();
    Ok(format!("ignore_checks: [{}]\n", rules.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::template;

    fn accept(tool: Tool, rule: &str, resource: Option<&str>) -> Suppression {
        Suppression {
            tool,
            rule: rule.to_owned(),
            resource: resource.map(str::to_owned),
            reason: "known".to_owned(),
        }
    }

    #[test]
    fn checkov_is_told_of_resources() {
        let template = template::read("Resources: {A: {Type: AWS::SQS::Queue}, B: {Type: AWS::S3::Bucket}}\n").unwrap();
        let suppressions = [
            accept(Tool::Checkov, "CKV_AWS_18", Some("B")),
            accept(Tool::Checkov, "CKV_AWS_27", None),
            accept(Tool::Checkov, "CKV_AWS_99", Some("Gone")),
            accept(Tool::Oort, "retention", None),
        ];
        let baseline = checkov(&suppressions, &resources(&template));
        assert_eq!(
            baseline["failed_checks"][0]["findings"],
            json!([
                {"resource": "AWS::S3::Bucket.B", "check_ids": ["CKV_AWS_18", "CKV_AWS_27"]},
                {"resource": "AWS::SQS::Queue.A", "check_ids": ["CKV_AWS_27"]},
            ])
        );
    }

    #[test]
    fn cfn_lint_is_told_of_rules() {
        let suppressions = [
            accept(Tool::CfnLint, "W3005", None),
            accept(Tool::CfnLint, "I3011", None),
            accept(Tool::Checkov, "CKV_AWS_18", None),
        ];
        assert_eq!(
            cfn_lint(&suppressions).unwrap(),
            "ignore_checks: [\"I3011\", \"W3005\"]\n"
        );
        assert_eq!(cfn_lint(&[]).unwrap(), "ignore_checks: []\n");
        assert!(cfn_lint(&[accept(Tool::CfnLint, "W3005", Some("A"))]).is_err());
    }
}
