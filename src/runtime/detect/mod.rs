//! Sigma rules: which rules an event matches, by which of its fields, and what it means beside the events before it.
//!
//! Pure: no I/O, and what is remembered from one event to the next is handed in. Where rule files come from is the caller's
//! business.

mod about;
mod behaviour;
mod correlation;
mod documents;
mod event;
mod grouping;
mod habits;
mod judge;
mod limits;
mod load;
mod memory;
mod needles;
mod placeholders;
pub mod prove;
pub mod shipped;
#[cfg(test)]
mod tests;
mod tune;
mod volume;
mod windows;

use std::fmt;

use rsigma_eval::{EvaluationResult, evaluate_rule};
use rsigma_parser::Level;

pub use about::About;
pub use event::OktaEvent;
pub use habits::Habits;
pub use judge::Judged;
pub use load::Remark;
pub use memory::Memory;

use judge::Links;
use load::{Loaded, LoadedRule};
use needles::Prefilter;

use crate::model::finding::{RuleMatch, Severity};
use crate::model::notification::Advice;

/// One Sigma file, as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Names the file in problems and warnings; nothing is read from it.
    pub path: String,
    /// One or more YAML documents, a rule each.
    pub text: String,
}

/// Everything that keeps a list of rule files from being used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RuleProblems(pub Vec<Remark>);

impl fmt::Display for RuleProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} problem(s) in the Sigma rules", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

/// Rules that are ready to run.
pub struct RuleSet {
    rules: Vec<LoadedRule>,
    links: Links,
    prefilter: Prefilter,
    warnings: Vec<Remark>,
    exceptions: Vec<tune::Excepted>,
}

impl RuleSet {
    /// Reads rule files as they are published: Sigma 2, one or more documents a file.
    ///
    /// A rule for another product than `okta` is passed over with a warning, so that a folder with rules for many products
    /// can be given whole. A rule for Okta that cannot do what it says is a problem: filters, `timeframe`,
    /// Sigma 3, no `id`, an `id` twice. All problems of all files come at once.
    pub fn load(files: &[RuleFile]) -> Result<Self, RuleProblems> {
        let Loaded {
            rules,
            correlations,
            mut problems,
            warnings,
            ..
        } = load::load(files);
        let links = Links::of(&rules, correlations, &mut problems);
        let needs: Vec<_> = rules.iter().map(|rule| rule.needs.clone()).collect();
        match Prefilter::new(&needs) {
            Ok(prefilter) if problems.is_empty() => {
                return Ok(Self {
                    rules,
                    links,
                    prefilter,
                    warnings,
                    exceptions: Vec::new(),
                });
            }
            Ok(_) => {}
            Err(error) => problems.push(Remark {
                path: files.first().map(|file| file.path.clone()).unwrap_or_default(),
                line: 1,
                why: format!("the rules together cannot be searched for: {error}"),
                hint: "use fewer rules".to_owned(),
            }),
        }
        Err(RuleProblems(problems))
    }

    /// What a person should know of rules that were loaded or passed over.
    pub fn warnings(&self) -> &[Remark] {
        &self.warnings
    }

    /// How many rules there are that tell of something; those that are only counted by others are not among them.
    pub fn len(&self) -> usize {
        self.about().count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What each of them says of itself, in the order of the files, correlations last.
    pub fn about(&self) -> impl Iterator<Item = &About> {
        let rules = self.rules.iter().enumerate();
        let told = rules.filter(|(index, _)| !self.links.is_silent[*index]);
        told.map(|(_, rule)| &rule.about).chain(self.links.about())
    }

    /// What a rule adds to what is told of its findings; nothing for one that is not there any more.
    pub fn advice(&self, id: &str) -> Advice {
        let about = self.about().find(|about| about.id == id);
        about.map_or_else(Advice::default, |about| Advice {
            description: about.description.clone(),
            response: about.response.clone(),
        })
    }

    /// Their ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.about().map(|about| about.id.as_str())
    }

    /// The rules that `event` matches by itself, in the order of the files.
    pub fn evaluate(&self, event: &OktaEvent<'_>) -> Vec<RuleMatch> {
        let candidates = self.prefilter.candidates(event.raw());
        candidates
            .into_iter()
            .filter_map(|rule| self.rules[rule].judge(event))
            .collect()
    }
}

impl LoadedRule {
    fn judge(&self, event: &OktaEvent<'_>) -> Option<RuleMatch> {
        if !event.value().is_object() {
            return None;
        }
        let matched = evaluate_rule(&self.compiled, event)?;
        Some(RuleMatch {
            rule_id: self.id.clone(),
            title: self.compiled.title.clone(),
            severity: severity(self.level),
            tags: self.compiled.tags.clone(),
            fields: evidence(&matched),
        })
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Informational => Severity::Informational,
        Level::Low => Severity::Low,
        Level::Medium => Severity::Medium,
        Level::High => Severity::High,
        Level::Critical => Severity::Critical,
    }
}

/// The fields that matched, each once and in one order whatever the order of evaluation was.
fn evidence(matched: &EvaluationResult) -> Vec<(String, serde_json::Value)> {
    let fields = matched
        .as_detection()
        .map(|body| body.matched_fields.as_slice())
        .unwrap_or_default();
    let mut evidence: Vec<_> = fields
        .iter()
        .map(|field| (field.field.clone(), field.value.clone()))
        .collect();
    evidence.sort_by_cached_key(|(name, value)| (name.clone(), value.to_string()));
    evidence.dedup();
    evidence
}
