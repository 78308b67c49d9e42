//! Rules as one tenant wants them: of which somebody is told, how grave they are, their numbers, and exceptions. Pure.

use core::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rsigma_eval::Event as _;
use rsigma_parser::Level;

use super::about::About;
use super::behaviour::Behaviour;
use super::correlation::Correlation;
use super::judge::{Judged, Named};
use super::load::LoadedRule;
use super::windows::Condition;
use super::{OktaEvent, RuleSet};
use crate::model::finding::Severity;
use crate::model::tuning::{Exception, RuleTuning, Thresholds, Tuning};

/// An exception that is ready to be held against events.
#[derive(Debug, Clone)]
pub struct Excepted {
    rule_id: String,
    field: String,
    values: Vec<Value>,
    until: Date,
    reason: String,
}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Network(IpNet),
}

impl RuleSet {
    /// Makes the rules a tenant's own. Returns what has no effect, for whoever wrote it.
    pub fn tune(&mut self, tuning: &Tuning) -> Vec<String> {
        let mut idle = Vec::new();
        for settings in &tuning.rules {
            let left = match self.find(&settings.rule) {
                Some(Named::Rule(index)) => {
                    let is_silent = &mut self.links.is_silent[index];
                    *is_silent = settings.enabled.map_or(*is_silent, |enabled| !enabled);
                    self.rules[index].tune(settings)
                }
                Some(Named::Correlation(index)) => {
                    let is_silent = &mut self.links.is_silent_correlation[index];
                    *is_silent = settings.enabled.map_or(*is_silent, |enabled| !enabled);
                    self.links.correlations[index].tune(settings)
                }
                None => Some("there is no such rule".to_owned()),
            };
            idle.extend(left.map(|why| format!("{}: {why}", settings.rule)));
        }
        for exception in &tuning.exceptions {
            let id = match self.find(&exception.rule) {
                Some(Named::Rule(index)) => &self.rules[index].id,
                Some(Named::Correlation(index)) => &self.links.correlations[index].about.id,
                None => {
                    idle.push(format!("{}: there is no such rule to except from", exception.rule));
                    continue;
                }
            };
            self.exceptions.push(Excepted::new(id.clone(), exception));
        }
        idle
    }

    /// What a name means: an id, or a file's name without the ending. Of a file with a correlation and what that counts, the
    /// correlation is meant.
    fn find(&self, name: &str) -> Option<Named> {
        let by_id = |about: &About| about.id.eq_ignore_ascii_case(name);
        let by_stem = |about: &About| about.stem() == name;
        let rule = |is: &dyn Fn(&About) -> bool| self.rules.iter().position(|rule| is(&rule.about)).map(Named::Rule);
        let correlation = |is: &dyn Fn(&About) -> bool| {
            let place = self
                .links
                .correlations
                .iter()
                .rposition(|correlation| is(&correlation.about));
            place.map(Named::Correlation)
        };
        let of_id = rule(&by_id).or_else(|| correlation(&by_id));
        of_id.or_else(|| correlation(&by_stem)).or_else(|| rule(&by_stem))
    }

    /// Sets aside what an exception speaks of: it is kept, under a name of its own, and nobody is told.
    pub(super) fn except(&self, judged: &mut Judged, event: &OktaEvent<'_>, at: i64) {
        let mut of_rule = self
            .exceptions
            .iter()
            .filter(|exception| exception.rule_id == judged.matched.rule_id);
        if let Some(exception) = of_rule.find(|exception| exception.holds(event, at)) {
            judged.identity.push_str("\u{1f}excepted");
            judged.exception = Some(format!("an exception until {}: {}", exception.until, exception.reason));
        }
    }
}

fn level(severity: Severity) -> Level {
    match severity {
        Severity::Informational => Level::Informational,
        Severity::Low => Level::Low,
        Severity::Medium => Level::Medium,
        Severity::High => Level::High,
        Severity::Critical => Level::Critical,
    }
}

impl LoadedRule {
    /// What of the settings has no effect.
    fn tune(&mut self, settings: &RuleTuning) -> Option<String> {
        if let Some(severity) = settings.severity {
            self.level = level(severity);
            self.about.severity = severity;
        }
        let mut left = settings.thresholds;
        let days = |days: u32| days;
        match &mut self.behaviour {
            Some(Behaviour::FirstSeen(first)) => {
                take(&mut left.learning_days, &mut first.learning_days, days);
                take(&mut left.memory_days, &mut first.memory_days, days);
            }
            Some(Behaviour::ReturnsAfter(returns)) => take(&mut left.away_days, &mut returns.days, days),
            Some(Behaviour::ImpossibleTravel(travel)) => {
                take(&mut left.kmh, &mut travel.kmh, f64::from);
                take(&mut left.least_km, &mut travel.least_km, f64::from);
            }
            Some(Behaviour::UnusualVolume(volume)) => {
                take(&mut left.count, &mut volume.least, days);
                take(&mut left.learning_days, &mut volume.learning_days, days);
                take(&mut left.memory_days, &mut volume.memory_days, days);
            }
            None => {}
        }
        idle(left)
    }
}

impl Correlation {
    /// What of the settings has no effect.
    fn tune(&mut self, settings: &RuleTuning) -> Option<String> {
        if let Some(severity) = settings.severity {
            self.about.severity = severity;
        }
        let mut left = settings.thresholds;
        if let Condition::Count(least) | Condition::Different(least) = &mut self.condition {
            take(&mut left.count, least, |count| count as usize);
        }
        take(&mut left.minutes, &mut self.span, |minutes| i64::from(minutes) * 60_000);
        idle(left)
    }
}

fn take<T>(from: &mut Option<u32>, to: &mut T, convert: impl Fn(u32) -> T) {
    if let Some(number) = from.take() {
        *to = convert(number);
    }
}

/// Numbers that nothing was done with.
fn idle(left: Thresholds) -> Option<String> {
    let names = [
        ("count", left.count),
        ("minutes", left.minutes),
        ("learning_days", left.learning_days),
        ("memory_days", left.memory_days),
        ("away_days", left.away_days),
        ("kmh", left.kmh),
        ("least_km", left.least_km),
    ];
    let names: Vec<&str> = names
        .into_iter()
        .filter(|(_, left)| left.is_some())
        .map(|(name, _)| name)
        .collect();
    (!names.is_empty()).then(|| format!("the rule has no use for {}", names.join(", ")))
}

impl Excepted {
    fn new(rule_id: String, exception: &Exception) -> Self {
        let value = |text: &String| match text.parse() {
            Ok(network) => Value::Network(network),
            Err(_) => Value::Text(text.clone()),
        };
        Self {
            rule_id,
            field: exception.field.clone(),
            values: exception.values.iter().map(value).collect(),
            until: exception.until,
            reason: exception.reason.clone(),
        }
    }

    fn holds(&self, event: &OktaEvent<'_>, at: i64) -> bool {
        let day = Timestamp::from_millisecond(at).map(|at| TimeZone::UTC.to_datetime(at).date());
        if !day.is_ok_and(|day| day <= self.until) {
            return false;
        }
        let Some(found) = event.get_field(&self.field).map(|value| value.to_json()) else {
            return false;
        };
        match &found {
            serde_json::Value::Array(all) => all.iter().any(|one| self.names(one)),
            one => self.names(one),
        }
    }

    fn names(&self, found: &serde_json::Value) -> bool {
        let text = match found {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let address: Option<IpAddr> = text.parse().ok();
        self.values.iter().any(|value| match value {
            Value::Text(wanted) => wanted.eq_ignore_ascii_case(&text),
            Value::Network(network) => address.is_some_and(|address| network.contains(&address)),
        })
    }
}
