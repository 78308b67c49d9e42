//! Templates with planted violations, for the tests of rules.

use crate::deploy::check::{Subject, Violation, check, rules};
use crate::deploy::template;
use crate::model::name::TenantId;

/// What a rule finds in the template of tenant `acme` in `staging`, each as `<pointer>: <message>`.
pub fn found(rule: &str, text: &str) -> Vec<String> {
    told(rule, &violations(text))
}

/// The same in a foundation's template.
pub fn found_in_foundation(rule: &str, text: &str) -> Vec<String> {
    told(rule, &check_as(None, text))
}

/// All that is found in a tenant's template.
pub fn violations(text: &str) -> Vec<Violation> {
    check_as(Some(&TenantId::parse("acme").unwrap()), text)
}

fn check_as(tenant: Option<&TenantId>, text: &str) -> Vec<Violation> {
    let template = template::read(text).unwrap();
    check(&Subject {
        environment: "staging",
        stack: "oort-staging-acme",
        tenant,
        template: &template,
        file: "templates/tenant.yaml.j2",
        line_of: &|path| path.len(),
    })
}

fn told(rule: &str, violations: &[Violation]) -> Vec<String> {
    assert!(rules().any(|known| known.id == rule), "there is no rule {rule}");
    violations
        .iter()
        .filter(|violation| violation.rule.id == rule)
        .map(|violation| format!("{}: {}", violation.pointer(), violation.message))
        .collect()
}
