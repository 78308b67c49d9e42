//! For test reports: a suite for each wave, and a case for each stack.

use std::fmt::Write as _;

use crate::deploy::apply::report::{Report, Result, StackReport};
use crate::deploy::xml::escape;

pub fn junit(report: &Report) -> String {
    let (_, failed, skipped) = report.counts();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"oort apply\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">\n",
        report.stacks.len()
    );
    let mut rest = report.stacks.as_slice();
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|stack| stack.wave == first.wave).count();
        let (wave, later) = rest.split_at(length);
        rest = later;
        suite(wave, &mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(wave: &[StackReport], out: &mut String) {
    let Some(first) = wave.first() else { return };
    let failed = wave.iter().filter(|stack| stack.result.is_failure()).count();
    let skipped = wave.iter().filter(|stack| stack.result == Result::NotStarted).count();
    let _ = writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">",
        escape(&first.wave),
        wave.len()
    );
    for stack in wave {
        let _ = write!(
            out,
            "    <testcase name=\"{}\" classname=\"{}\"",
            escape(&stack.stack),
            escape(stack.action.as_str())
        );
        match &stack.result {
            Result::Done => out.push_str("/>\n"),
            Result::NotStarted => out.push_str(">\n      <skipped message=\"not started\"/>\n    </testcase>\n"),
            Result::Failed(cause) => {
                let status = cause.status.as_deref().unwrap_or("failed");
                let resource = cause
                    .resource
                    .as_ref()
                    .map(|event| event.resource.as_str())
                    .unwrap_or_default();
                let _ = writeln!(
                    out,
                    ">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>",
                    escape(status),
                    escape(&cause.why),
                    escape(resource)
                );
            }
        }
    }
    out.push_str("  </testsuite>\n");
}
