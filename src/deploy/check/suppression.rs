//! Violations that an environment's files accept, and acceptances that nothing needs any more.

use crate::deploy::check::{Rule, Severity, Violation};
use crate::deploy::profile::{Suppression, Tool};

pub const IDLE: Rule = Rule {
    id: "idle-suppression",
    severity: Severity::Warning,
    demand: "A suppression suppresses something.",
    why: "An acceptance that nothing needs any more hides the next violation of the same kind.",
    help: "Remove it from the profile or from environments/defaults.yaml.",
    admits: &[],
    find: |_| Vec::new(),
};

/// Applies the suppressions of environments to what was found in their stacks, and remembers which were of use.
#[derive(Debug, Default)]
pub struct Judge {
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    suppression: Suppression,
    environment: String,
    is_used: bool,
}

impl Judge {
    /// The suppressions that hold in an environment. One that several environments share counts once.
    pub fn hear(&mut self, environment: &str, suppressions: &[Suppression]) {
        for suppression in suppressions.iter().filter(|suppression| suppression.tool == Tool::Oort) {
            if !self.seen.iter().any(|seen| seen.suppression == *suppression) {
                self.seen.push(Seen {
                    suppression: suppression.clone(),
                    environment: environment.to_owned(),
                    is_used: false,
                });
            }
        }
    }

    /// Marks what the environment's suppressions accept.
    pub fn judge(&mut self, violations: &mut [Violation], suppressions: &[Suppression]) {
        for violation in violations {
            let Some(suppression) = suppressions.iter().find(|suppression| covers(suppression, violation)) else {
                continue;
            };
            violation.suppressed = Some(suppression.reason.clone());
            if let Some(seen) = self.seen.iter_mut().find(|seen| seen.suppression == *suppression) {
                seen.is_used = true;
            }
        }
    }

    /// A warning for each suppression that accepted nothing, once all stacks were judged.
    pub fn idle(self) -> Vec<Violation> {
        let idle = self.seen.into_iter().filter(|seen| !seen.is_used);
        idle.map(|seen| {
            let rule = &seen.suppression.rule;
            let message = match (&seen.suppression.resource, super::rules().any(|known| known.id == rule)) {
                (_, false) => format!("there is no rule `{rule}`; oort check --list shows the rules"),
                (Some(resource), true) => format!("`{rule}` finds nothing in `{resource}`"),
                (None, true) => format!("`{rule}` finds nothing"),
            };
            Violation {
                rule: &IDLE,
                file: format!("environments/{}/profile.yaml", seen.environment),
                environment: seen.environment,
                stack: None,
                resource: seen.suppression.resource.clone(),
                path: Vec::new(),
                line: None,
                message,
                suppressed: None,
            }
        })
        .collect()
    }
}

fn covers(suppression: &Suppression, violation: &Violation) -> bool {
    suppression.tool == Tool::Oort
        && suppression.rule == violation.rule.id
        && suppression
            .resource
            .as_ref()
            .is_none_or(|resource| violation.resource.as_ref() == Some(resource))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::check::planted::violations;

    fn accept(tool: Tool, rule: &str, resource: Option<&str>) -> Suppression {
        Suppression {
            tool,
            rule: rule.to_owned(),
            resource: resource.map(str::to_owned),
            reason: "known".to_owned(),
        }
    }

    #[test]
    fn a_suppression_accepts_its_rule_and_resource_and_an_idle_one_is_told() {
        let mut found = violations(
            "Resources: {A: {Type: AWS::SNS::Topic}, B: {Type: AWS::SNS::Topic}, C: {Type: AWS::KMS::Key}}\n",
        );
        let suppressions = [
            accept(Tool::Oort, "encrypted-at-rest", Some("A")),
            accept(Tool::Oort, "deletion-policy", None),
            accept(Tool::Oort, "key-rotated", Some("A")),
            accept(Tool::Oort, "key-rotatd", None),
            accept(Tool::Checkov, "key-rotated", None),
        ];
        let mut judge = Judge::default();
        judge.hear("staging", &suppressions);
        judge.hear("production", &suppressions);
        judge.judge(&mut found, &suppressions);
        let left: Vec<(&str, Option<&str>)> = found
            .iter()
            .filter(|violation| violation.is_error())
            .map(|violation| (violation.rule.id, violation.resource.as_deref()))
            .collect();
        assert_eq!(left, [("encrypted-at-rest", Some("B")), ("key-rotated", Some("C"))]);
        let idle: Vec<String> = judge
            .idle()
            .into_iter()
            .map(|idle| idle.file + ": " + &idle.message)
            .collect();
        assert_eq!(
            idle,
            [
                "environments/staging/profile.yaml: `key-rotated` finds nothing in `A`",
                "environments/staging/profile.yaml: there is no rule `key-rotatd`; oort check --list shows the rules"
            ]
        );
    }
}
