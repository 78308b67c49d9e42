//! Prerequisites as a test report. For people and as JSON they are written where commands print.

use std::fmt::Write as _;

use super::{Line, Verdict};
use crate::deploy::xml::escape;

/// `JUnit`'s XML: a suite, and a case for each prerequisite. What could not be learned is skipped, with its reason.
pub fn junit(tenant: &str, lines: &[Line]) -> String {
    let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    let mut cases = String::new();
    for line in lines {
        let (id, tenant, seen) = (line.id, escape(tenant), escape(&line.seen));
        let case = format!("    <testcase name=\"{id}\" classname=\"{tenant}\"");
        let _ = match line.verdict {
            Verdict::Passed => writeln!(cases, "{case}/>"),
            Verdict::Failed => writeln!(
                cases,
                "{case}>\n      <failure message=\"{seen}\">{}</failure>\n    </testcase>",
                escape(&line.to_do)
            ),
            Verdict::Unknown => writeln!(cases, "{case}>\n      <skipped message=\"{seen}\"/>\n    </testcase>"),
        };
    }
    let (failures, skipped, name) = (count(Verdict::Failed), count(Verdict::Unknown), escape(tenant));
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"",
        lines.len()
    );
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"oort tenant check\" {counts}>\n  <testsuite name=\"{name}\" \
         {counts}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}
