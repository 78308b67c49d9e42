//! `oort findings`: what the rules found, with the evidence.

use clap::Args;

use crate::cli::output::Format;
use crate::cli::target::Target;
use crate::cli::task::TenantArgs;
use crate::cli::{Exit, Global, Outcome, output};
use crate::model::finding::Finding;
use crate::runtime::findings;

/// Show a tenant's findings, newest first.
#[derive(Debug, Args)]
pub struct Findings {
    #[command(flatten)]
    tenant: TenantArgs,
    /// How many of the newest findings to show.
    #[arg(long, default_value_t = 100, value_name = "FINDINGS")]
    limit: usize,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Findings {
    pub async fn run(self, global: &Global) -> Outcome {
        let target = Target::open(global, &self.tenant).await?;
        let mut findings = findings::all(&*target.objects).await?;
        findings.truncate(self.limit);
        match self.format {
            Format::Json => output::json(&findings),
            Format::Table => print(&findings),
        }
        Ok(Exit::Done)
    }
}

/// The findings as columns for people.
pub fn print(findings: &[Finding]) {
    if findings.is_empty() {
        output::line("no findings");
        return;
    }
    let cells: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            vec![
                finding.published.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                finding.matched.severity.as_str().to_owned(),
                finding.matched.title.clone(),
                finding.actor.clone(),
                finding.event_type.clone(),
                finding.id[..finding.id.len().min(12)].to_owned(),
            ]
        })
        .collect();
    output::table(&["TIME", "SEVERITY", "RULE", "ACTOR", "EVENT", "FINDING"], &cells);
}

/// The fields of the event that made the rule match.
pub fn print_evidence(finding: &Finding) {
    output::line(format!(
        "{} ({})",
        finding.matched.title,
        finding.matched.severity.as_str()
    ));
    output::line(format!("  event {} of {}", finding.event_uuid, finding.published));
    for (field, value) in &finding.matched.fields {
        output::line(format!("  {field} = {value}"));
    }
}
