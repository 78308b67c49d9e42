//! `oort rules measure`: what the rules find of made attacks, how soon, and how often they cry wolf in between.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::output::{self, Format};
use crate::cli::task::DetectionArgs;
use crate::cli::{Exit, Failure, Global, Outcome};
use crate::model::event::Head;
use crate::model::finding::Severity;
use crate::runtime::detect::{Memory, OktaEvent, RuleSet};
use crate::sample::{Generator, Settings, Story, stories};

/// Run the rules over the sample's attack stories and ordinary days: which stories are found, how long after their first event,
/// and how many findings of medium severity or more a day there are in what is no attack. Exits with 2 when a story is missed.
#[derive(Debug, Args)]
pub struct Measure {
    #[command(flatten)]
    detections: DetectionArgs,
    /// How many people work in the org.
    #[arg(long, default_value_t = 2_000)]
    users: u32,
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// How many different events there are.
    #[arg(long, default_value_t = 600_000)]
    events: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What is told at least.
const LOUD: Severity = Severity::Medium;

#[derive(Debug, Serialize)]
struct Report {
    events: u64,
    stories: Vec<Found>,
    /// Findings that are told, in events that belong to no story.
    false_alarms: u64,
    false_alarms_a_day: f64,
    /// By rule.
    of_rules: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Found {
    story: &'static str,
    /// The rules that tell of it.
    rules: BTreeSet<String>,
    /// From its first event to the first with which somebody is told; the run that tells comes within the hour.
    minutes: Option<f64>,
}

impl Measure {
    pub fn run(self, global: &Global) -> Outcome {
        let rules = self.detections.load(global)?;
        let settings = Settings {
            users: self.users,
            days: self.days,
            events: self.events,
            seed: self.seed,
            ..Settings::default()
        };
        let report = measure(&rules, &settings)?;
        let is_missed = report.stories.iter().any(|story| story.minutes.is_none());
        match self.format {
            Format::Json => output::json(&report),
            Format::Table => table(&report),
        }
        Ok(if is_missed { Exit::PartlyFailed } else { Exit::Done })
    }
}

fn measure(rules: &RuleSet, settings: &Settings) -> Result<Report, Failure> {
    let stories: Vec<Story> = stories(settings);
    let of_story: HashMap<&str, usize> = stories
        .iter()
        .enumerate()
        .flat_map(|(index, story)| story.uuids.iter().map(move |uuid| (uuid.as_str(), index)))
        .collect();
    let mut found: Vec<Found> = stories
        .iter()
        .map(|story| Found {
            story: story.name,
            rules: BTreeSet::new(),
            minutes: None,
        })
        .collect();
    let mut memory = Memory::default();
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    let mut of_rules: BTreeMap<String, u64> = BTreeMap::new();
    let mut events = 0;
    for line in Generator::new(*settings) {
        events += 1;
        let judged = rules.judge(&OktaEvent::new(line.as_bytes()), &line, &mut memory);
        let Some((head, judged)) = judged.map_err(Failure::input)? else {
            continue;
        };
        for judged in judged.into_iter().filter(|judged| judged.matched.severity >= LOUD) {
            if !told.insert((judged.matched.rule_id, judged.identity)) {
                continue;
            }
            match of_story.get(&*head.uuid) {
                Some(&index) => found[index].add(&stories[index], judged.matched.title, &head),
                None => *of_rules.entry(judged.matched.title).or_default() += 1,
            }
        }
        // As between two runs.
        if events % 20_000 == 0 {
            rules.tidy(&mut memory);
        }
    }
    let false_alarms = of_rules.values().sum();
    Ok(Report {
        events,
        stories: found,
        false_alarms,
        false_alarms_a_day: f64::from(u32::try_from(false_alarms).unwrap_or(u32::MAX))
            / f64::from(settings.days.max(1)),
        of_rules,
    })
}

impl Found {
    fn add(&mut self, story: &Story, title: String, head: &Head<'_>) {
        let after = minutes(story.start, head.published);
        self.minutes = Some(self.minutes.map_or(after, |least| least.min(after)));
        self.rules.insert(title);
    }
}

fn minutes(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 60.0
}

fn table(report: &Report) {
    let row = |story: &Found| {
        vec![
            story.story.to_owned(),
            story
                .minutes
                .map_or("missed".to_owned(), |minutes| format!("{minutes:.1} min")),
            story.rules.len().to_string(),
            story.rules.iter().cloned().collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<Vec<String>> = report.stories.iter().map(row).collect();
    output::table_in_full(&["STORY", "FOUND AFTER", "RULES", "TITLES"], &rows);
    output::line("");
    for (title, count) in &report.of_rules {
        output::line(format!("{count:>6}  {title}"));
    }
    output::line(format!(
        "{} findings of medium severity or more in {} ordinary events: {:.2} a day",
        report.false_alarms, report.events, report.false_alarms_a_day
    ));
}
