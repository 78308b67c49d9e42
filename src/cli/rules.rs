//! `oort rules`: what is looked for, why, and whether it is found.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::cli::backtest::Backtest;
use crate::cli::context::Loaded;
use crate::cli::measure::Measure;
use crate::cli::output::{self, Format};
use crate::cli::task::{DetectionArgs, EnvironmentArgs};
use crate::cli::{Exit, Failure, Global, Outcome};
use crate::model::tuning::Tuning;
use crate::runtime::detect::prove::{self, Proof};
use crate::runtime::detect::{About, RuleSet};

/// Look at the rules that events are judged by, and test them.
#[derive(Debug, Subcommand)]
pub enum Rules {
    List(List),
    Show(Show),
    Test(Test),
    Lint(Lint),
    Coverage(Coverage),
    Backtest(Box<Backtest>),
    Measure(Measure),
}

/// Show a line a rule, as the files have it or as a tenant has it.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// The tenant whose settings the rules are shown with; rules of which it is told nothing are left out.
    #[arg(long, short)]
    tenant: Option<String>,
    #[command(flatten)]
    detections: DetectionArgs,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Show all that a rule says of itself: what it looks for, what else may cause it, and what to do.
#[derive(Debug, Args)]
pub struct Show {
    /// The rule's id, or its file without the ending.
    rule: String,
    #[command(flatten)]
    detections: DetectionArgs,
}

/// Run every rule over the events that stand beside it in `<rule>.events.json`: it must fire on each of `match` and on none of
/// `no_match`. Exits with 2 when a rule does not.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    detections: DetectionArgs,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Say what rules lack for whoever has to act on them: a technique, false positives, what to do. Exits with 2 when one does.
#[derive(Debug, Args)]
pub struct Lint {
    #[command(flatten)]
    detections: DetectionArgs,
}

/// Show which techniques of MITRE ATT&CK the rules look for.
#[derive(Debug, Args)]
pub struct Coverage {
    #[command(flatten)]
    detections: DetectionArgs,
    #[arg(long, value_enum, default_value = "table")]
    format: CoverageFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CoverageFormat {
    /// Columns for people.
    Table,
    /// One JSON value for machines.
    Json,
    /// A layer for the ATT&CK Navigator.
    Navigator,
}

impl Rules {
    pub async fn run(self, global: &Global) -> Outcome {
        match self {
            Self::Backtest(verb) => Box::pin(verb.run(global)).await,
            Self::Measure(verb) => verb.run(global),
            Self::List(verb) => verb.run(global),
            Self::Show(verb) => verb.run(global),
            Self::Test(verb) => verb.run(global),
            Self::Lint(verb) => verb.run(global),
            Self::Coverage(verb) => verb.run(global),
        }
    }
}

impl List {
    fn run(self, global: &Global) -> Outcome {
        let tuning = match &self.tenant {
            Some(tenant) => {
                let environment = Loaded::read(global, &self.environment.environment, Some(tenant))?.environment;
                environment
                    .tenants
                    .into_iter()
                    .next()
                    .map(|tenant| tenant.tuning)
                    .unwrap_or_default()
            }
            None => Tuning::default(),
        };
        let rules = self.detections.tuned(global, &tuning)?;
        if self.format == Format::Json {
            output::json(&rules.about().collect::<Vec<_>>());
            return Ok(Exit::Done);
        }
        let row = |about: &About| {
            vec![
                about.severity.as_str().to_owned(),
                about.title.clone(),
                joined(&about.techniques()),
                format!("{}:{}", about.path, about.line),
            ]
        };
        let rows: Vec<Vec<String>> = rules.about().map(row).collect();
        output::table_in_full(&["SEVERITY", "TITLE", "TECHNIQUES", "FILE"], &rows);
        Ok(Exit::Done)
    }
}

impl Show {
    fn run(self, global: &Global) -> Outcome {
        let rules = self.detections.load(global)?;
        let is_meant = |about: &&About| about.id == self.rule || stem(&about.path) == self.rule;
        let Some(about) = rules.about().find(is_meant) else {
            return Err(
                Failure::input(format!("no rule has the id or the file `{}`", self.rule))
                    .hint("oort rules list --format json shows every id"),
            );
        };
        output::line(format!("{} ({})", about.title, about.severity.as_str()));
        output::line(format!("{}  {}:{}\n", about.id, about.path, about.line));
        output::line(&about.description);
        let types: Vec<String> = about.event_types.iter().cloned().collect();
        let techniques: Vec<String> = about.techniques().into_iter().collect();
        for (heading, items) in [
            ("Looks at", &types),
            ("MITRE ATT&CK", &techniques),
            ("What else may cause it", &about.false_positives),
            ("What to do", &about.response),
            ("See also", &about.references),
        ] {
            if !items.is_empty() {
                output::line(format!("\n{heading}"));
                for item in items {
                    output::line(format!("  - {}", item.trim()));
                }
            }
        }
        Ok(Exit::Done)
    }
}

impl Test {
    fn run(self, global: &Global) -> Outcome {
        let mut proofs = Vec::new();
        for file in self.detections.files(global)? {
            let examples = std::fs::read_to_string(prove::examples_of(&file.path)).ok();
            proofs.push(prove::prove(&file, examples.as_deref()).map_err(Failure::input)?);
        }
        let failed = proofs.iter().filter(|proof| !proof.failures.is_empty()).count();
        match self.format {
            Format::Json => output::json(&proofs),
            Format::Table => {
                let failures = |proof: &Proof| {
                    let told = proof.failures.iter().map(|why| format!("{}: {why}", proof.path));
                    told.collect::<Vec<_>>()
                };
                proofs.iter().flat_map(failures).for_each(output::line);
                let (fired, silent): (usize, usize) = proofs.iter().fold((0, 0), |(fired, silent), proof| {
                    (fired + proof.fired, silent + proof.silent)
                });
                output::line(format!(
                    "{} rule files, {failed} of them failed: {fired} events found, {silent} left alone",
                    proofs.len()
                ));
            }
        }
        Ok(found(failed))
    }
}

impl Lint {
    fn run(self, global: &Global) -> Outcome {
        let files = self.detections.files(global)?;
        let rules = RuleSet::load(&files).map_err(Failure::input)?;
        let mut remarks: Vec<String> = rules.warnings().iter().map(ToString::to_string).collect();
        for about in rules.about() {
            let place = format!("{}:{}", about.path, about.line);
            remarks.extend(lacks(about).into_iter().map(|what| format!("{place}: {what}")));
        }
        remarks.iter().for_each(output::line);
        output::line(format!("{} rules, {} remarks", rules.len(), remarks.len()));
        Ok(found(remarks.len()))
    }
}

/// What a person who is woken by the rule would miss.
fn lacks(about: &About) -> Vec<&'static str> {
    [
        (
            about.description.is_empty(),
            "no `description`: say what it looks for, and why that matters",
        ),
        (
            about.status.is_none(),
            "no `status`: say `experimental`, `test` or `stable`",
        ),
        (
            about.techniques().is_empty(),
            "no technique of MITRE ATT&CK: add a tag such as attack.t1078.004",
        ),
        (
            about.false_positives.is_empty(),
            "no `falsepositives`: say what else may cause it",
        ),
        (
            about.response.is_empty(),
            "no `response`: say what to do when it fires, as a list",
        ),
    ]
    .into_iter()
    .filter_map(|(is_lacking, what)| is_lacking.then_some(what))
    .collect()
}

impl Coverage {
    fn run(self, global: &Global) -> Outcome {
        let rules = self.detections.load(global)?;
        let mut techniques: BTreeMap<String, Vec<&About>> = BTreeMap::new();
        for about in rules.about() {
            for technique in about.techniques() {
                techniques.entry(technique).or_default().push(about);
            }
        }
        match self.format {
            CoverageFormat::Table => {
                let row = |(technique, rules): (&String, &Vec<&About>)| {
                    let titles: Vec<&str> = rules.iter().map(|about| about.title.as_str()).collect();
                    vec![technique.clone(), rules.len().to_string(), titles.join("; ")]
                };
                let rows: Vec<Vec<String>> = techniques.iter().map(row).collect();
                output::table(&["TECHNIQUE", "RULES", "TITLES"], &rows);
                let types: BTreeSet<&String> = rules.about().flat_map(|about| &about.event_types).collect();
                output::line(format!(
                    "\n{} rules look for {} techniques in {} event types",
                    rules.len(),
                    techniques.len(),
                    types.len()
                ));
            }
            CoverageFormat::Json => {
                let ids = |rules: &Vec<&About>| rules.iter().map(|about| about.id.clone()).collect::<Vec<_>>();
                let all: BTreeMap<&String, Vec<String>> =
                    techniques.iter().map(|(name, rules)| (name, ids(rules))).collect();
                output::json(&all);
            }
            CoverageFormat::Navigator => output::json(&layer(&techniques)),
        }
        Ok(Exit::Done)
    }
}

/// A layer of the ATT&CK Navigator, version 4.5: a technique's score is how many rules look for it. Source: the layer format
/// of <https://github.com/mitre-attack/attack-navigator/tree/master/layers>.
fn layer(techniques: &BTreeMap<String, Vec<&About>>) -> Value {
    let technique = |(name, rules): (&String, &Vec<&About>)| {
        let titles: Vec<&str> = rules.iter().map(|about| about.title.as_str()).collect();
        json!({"techniqueID": name, "score": rules.len(), "comment": titles.join("\n")})
    };
    json!({
        "name": "Oort log streams",
        "versions": {"layer": "4.5"},
        "domain": "enterprise-attack",
        "techniques": techniques.iter().map(technique).collect::<Vec<_>>(),
    })
}

fn found(count: usize) -> Exit {
    if count == 0 { Exit::Done } else { Exit::Changes }
}

fn joined(items: &BTreeSet<String>) -> String {
    items.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A file's name without its folder and ending.
fn stem(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
