//! For test reports: `JUnit`'s XML, with a suite for each stack and a case for each rule. A warning is shown and fails
//! nothing; what is accepted is skipped with its reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::deploy::check::format::Report;
use crate::deploy::check::{IDLE, Rule, Violation, rules};
use crate::deploy::xml::escape;

/// All suites, in the order of the stacks; what belongs to no stack stands in the suite `profile`.
pub fn junit(report: &Report) -> String {
    let mut by_stack: BTreeMap<&str, Vec<&Violation>> = BTreeMap::new();
    for violation in &report.violations {
        by_stack
            .entry(violation.stack.as_deref().unwrap_or_default())
            .or_default()
            .push(violation);
    }
    let mut suites = String::new();
    let (mut cases, mut failures, mut skipped) = (0, 0, 0);
    let of_stacks = report.stacks.iter().map(|stack| (stack.as_str(), stack.as_str()));
    for (key, name) in of_stacks.chain([("", "profile")]) {
        let found = by_stack.get(key).map(Vec::as_slice).unwrap_or_default();
        let rules = rules().filter(|rule| (rule.id == IDLE.id) == key.is_empty());
        let suite = Suite::new(name, rules, found);
        cases += suite.cases;
        failures += suite.failures;
        skipped += suite.skipped;
        suites.push_str(&suite.xml());
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"oort check\" tests=\"{cases}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n{suites}</testsuites>\n"
    )
}

#[derive(Default)]
struct Suite<'n> {
    name: &'n str,
    body: String,
    cases: usize,
    failures: usize,
    skipped: usize,
}

impl<'n> Suite<'n> {
    fn new(name: &'n str, rules: impl Iterator<Item = &'static Rule>, found: &[&Violation]) -> Self {
        let mut suite = Self {
            name,
            ..Self::default()
        };
        for rule in rules {
            let own: Vec<&Violation> = found.iter().copied().filter(|own| own.rule.id == rule.id).collect();
            suite.case(rule, &own);
        }
        suite
    }

    fn case(&mut self, rule: &Rule, found: &[&Violation]) {
        self.cases += 1;
        let _ = write!(
            self.body,
            "    <testcase name=\"{}\" classname=\"{}\"",
            rule.id,
            escape(self.name)
        );
        if found.is_empty() {
            self.body.push_str("/>\n");
            return;
        }
        self.body.push_str(">\n");
        let is_open = |violation: &&&Violation| violation.suppressed.is_none();
        let open: Vec<String> = found.iter().filter(is_open).map(|violation| line(violation)).collect();
        let text = escape(&open.join("\n"));
        let accepted = found.iter().find_map(|violation| violation.suppressed.as_ref());
        if found.iter().any(|violation| violation.is_error()) {
            self.failures += 1;
            let _ = writeln!(
                self.body,
                "      <failure type=\"{}\" message=\"{}\">{text}\n{}</failure>",
                rule.severity.as_str(),
                escape(rule.demand),
                escape(rule.help)
            );
        } else if let Some(reason) = accepted.filter(|_| open.is_empty()) {
            self.skipped += 1;
            let _ = writeln!(self.body, "      <skipped message=\"{}\"/>", escape(reason));
        } else {
            let _ = writeln!(self.body, "      <system-out>{text}</system-out>");
        }
        self.body.push_str("    </testcase>\n");
    }

    fn xml(&self) -> String {
        format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n{}  </testsuite>\n",
            escape(self.name),
            self.cases,
            self.failures,
            self.skipped,
            self.body
        )
    }
}

fn line(violation: &Violation) -> String {
    let line = violation.line.map(|line| format!(":{line}")).unwrap_or_default();
    let resource = violation
        .resource
        .as_deref()
        .map(|id| format!(" {id}"))
        .unwrap_or_default();
    format!("{}{line}{resource}: {}", violation.file, violation.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::check::format::tests::report;

    #[test]
    fn a_stack_is_a_suite_and_a_rule_a_case() {
        let mut report = report();
        report.stacks.truncate(1);
        let text = junit(&report);
        let shown: Vec<&str> = text
            .lines()
            .filter(|line| !line.ends_with("\"oort-staging-t1\"/>"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="oort check" tests="20" failures="1" errors="0" skipped="1">
          <testsuite name="oort-staging-t1" tests="19" failures="1" errors="0" skipped="1">
            <testcase name="encrypted-at-rest" classname="oort-staging-t1">
              <failure type="error" message="Queues, topics, buckets, log groups, tables, streams and file systems are encrypted, and say so.">templates/tenant.yaml.j2:3 A: needs KmsMasterKeyId
        Set the property that the message names. What AWS always encrypts, such as event buses and archives, is not asked for.</failure>
            </testcase>
            <testcase name="key-rotated" classname="oort-staging-t1">
              <skipped message="rotated by hand &lt;yearly&gt;"/>
            </testcase>
          </testsuite>
          <testsuite name="profile" tests="1" failures="0" errors="0" skipped="0">
            <testcase name="idle-suppression" classname="profile">
              <system-out>environments/staging/profile.yaml: `iam-anyone` finds nothing</system-out>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn no_text_breaks_the_xml() {
        assert_eq!(
            escape("<a b=\"&\">\u{1b}\u{0}\u{ffff}\n"),
            "&lt;a b=&quot;&amp;&quot;&gt;\u{fffd}\u{fffd}\u{fffd}\n"
        );
    }
}
