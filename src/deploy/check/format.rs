//! What was found in a fleet, as people and machines read it: one format a file. Pure.

pub mod json;
pub mod junit;
pub mod sarif;
pub mod text;

use std::collections::HashMap;

use crate::deploy::check::{Severity, Violation};

/// What was found in all stacks that were checked.
#[derive(Debug, Default)]
pub struct Report {
    /// The names of the stacks.
    pub stacks: Vec<String>,
    pub violations: Vec<Violation>,
}

/// Violations of many stacks that one place wrote.
#[derive(Debug)]
pub struct Group<'r> {
    /// The first of them, which stands for all.
    pub first: &'r Violation,
    /// The stacks, each once; none for what belongs to no stack.
    pub stacks: Vec<&'r str>,
    pub count: usize,
}

impl Report {
    /// Violations that stand in the way of a deployment.
    pub fn errors(&self) -> usize {
        self.count(Violation::is_error)
    }

    pub fn warnings(&self) -> usize {
        self.count(|violation| violation.suppressed.is_none() && violation.rule.severity == Severity::Warning)
    }

    pub fn accepted(&self) -> usize {
        self.count(|violation| violation.suppressed.is_some())
    }

    fn count(&self, is_meant: impl Fn(&Violation) -> bool) -> usize {
        self.violations.iter().filter(|violation| is_meant(violation)).count()
    }

    /// The same violation of the same line of a template, however many stacks it has: errors first, then warnings, then
    /// what is accepted.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut known = HashMap::new();
        for violation in &self.violations {
            let place = (&violation.file, violation.line, &violation.resource);
            // Without a line only the message tells two violations apart.
            let message = violation.line.is_none().then_some(&violation.message);
            let key = (violation.rule.id, place, message, &violation.suppressed);
            let index = *known.entry(key).or_insert_with(|| {
                groups.push(Group {
                    first: violation,
                    stacks: Vec::new(),
                    count: 0,
                });
                groups.len() - 1
            });
            let group = &mut groups[index];
            group.count += 1;
            let stack = violation.stack.as_deref();
            // Violations come stack by stack.
            group
                .stacks
                .extend(stack.filter(|stack| group.stacks.last() != Some(stack)));
        }
        groups.sort_by_key(|group| (group.first.suppressed.is_some(), group.first.rule.severity));
        groups
    }
}

impl Group<'_> {
    /// `oort-staging-acme, oort-staging-globex and 5 more`, with `most` names.
    fn names(&self, most: usize) -> String {
        let names = self.stacks.iter().take(most).copied().collect::<Vec<_>>().join(", ");
        match self.stacks.len().saturating_sub(most) {
            0 => names,
            more => format!("{names} and {more} more"),
        }
    }
}

/// `1 error`, `2 errors`
fn plural(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::deploy::check::{Judge, planted};
    use crate::deploy::profile::{Suppression, Tool};

    /// An error of seven stacks, one that is accepted, and a suppression that is idle.
    pub fn report() -> Report {
        let template = "Resources:\n  A: {Type: AWS::SNS::Topic, Properties: {TopicName: \"oort-staging-acme-\\u001b[2J<&\\\"\"}}\n  K: {Type: AWS::KMS::Key, DeletionPolicy: Retain, UpdateReplacePolicy: Retain}\n";
        let accept = |rule: &str, reason: &str| Suppression {
            tool: Tool::Oort,
            rule: rule.to_owned(),
            resource: None,
            reason: reason.to_owned(),
        };
        let suppressions = [
            accept("key-rotated", "rotated by hand <yearly>"),
            accept("iam-anyone", ""),
        ];
        let mut report = Report::default();
        let mut judge = Judge::default();
        judge.hear("staging", &suppressions);
        for index in 1..=7 {
            let stack = format!("oort-staging-t{index}");
            let mut found = planted::violations(template);
            for violation in &mut found {
                violation.stack = Some(stack.clone());
            }
            judge.judge(&mut found, &suppressions);
            report.stacks.push(stack);
            report.violations.extend(found);
        }
        report.violations.extend(judge.idle());
        report
    }

    #[test]
    fn what_one_place_wrote_is_one_group() {
        let report = report();
        assert_eq!((report.errors(), report.warnings(), report.accepted()), (7, 1, 7));
        let groups: Vec<_> = report
            .groups()
            .iter()
            .map(|group| (group.first.rule.id, group.count, group.stacks.len(), group.names(2)))
            .collect();
        let seven = "oort-staging-t1, oort-staging-t2 and 5 more".to_owned();
        assert_eq!(
            groups,
            [
                ("encrypted-at-rest", 7, 7, seven.clone()),
                ("idle-suppression", 1, 0, String::new()),
                ("key-rotated", 7, 7, seven),
            ]
        );
    }
}
