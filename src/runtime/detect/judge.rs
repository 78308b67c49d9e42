//! What an event means: by itself, as one of several, and beside what is usual. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::about::About;
use super::correlation::{Correlation, SEPARATOR};
use super::load::{LoadedRule, Remark};
use super::memory::Memory;
use super::windows::{Episode, Found};
use super::{OktaEvent, RuleSet};
use crate::model::event::{Head, Unusable};
use crate::model::finding::RuleMatch;

/// So many event types of a rule are told of with each correlation that counts it.
const MOST_EVENT_TYPES: usize = 1_000;

/// What one rule says of an event, and which finding it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub matched: RuleMatch,
    /// What the finding is known by, beside its tenant and rule.
    pub identity: String,
    /// Whose events they are, as a correlation groups them; empty where each event says that for itself.
    pub entity: String,
    /// The events of the finding that are known here: this one alone, or those that a correlation counts.
    pub episode: Episode,
    /// Whether it may be the first that is told of it.
    pub is_new: bool,
    /// Why nobody is told.
    pub exception: Option<String>,
}

/// Which rule is counted by which correlation.
pub struct Links {
    pub correlations: Vec<Correlation>,
    /// By rule: each correlation that counts it, and its place among that one's rules.
    of_rules: Vec<Vec<(usize, usize)>>,
    /// The same by correlation.
    of_correlations: Vec<Vec<(usize, usize)>>,
    /// Rules and correlations that are told of only through others.
    pub is_silent: Vec<bool>,
    pub is_silent_correlation: Vec<bool>,
}

/// What a name means: a place among the rules, or among the correlations.
#[derive(Clone, Copy)]
pub enum Named {
    Rule(usize),
    Correlation(usize),
}

impl Links {
    /// Ties correlations to the rules that they name. A name that no rule has, and a circle, are problems.
    pub fn of(rules: &[LoadedRule], correlations: Vec<Correlation>, problems: &mut Vec<Remark>) -> Self {
        let mut links = Self {
            of_rules: vec![Vec::new(); rules.len()],
            of_correlations: vec![Vec::new(); correlations.len()],
            is_silent: vec![false; rules.len()],
            is_silent_correlation: vec![false; correlations.len()],
            correlations: Vec::new(),
        };
        let mut names = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            for name in [Some(&rule.id), rule.name.as_ref()].into_iter().flatten() {
                names.insert(name.to_ascii_lowercase(), Named::Rule(index));
            }
        }
        for (number, mut correlation) in correlations.into_iter().enumerate() {
            let mut event_types: BTreeSet<String> = BTreeSet::new();
            let mut seen = HashSet::new();
            let mut listen =
                |types: &BTreeSet<String>| event_types.extend(types.iter().take(MOST_EVENT_TYPES).cloned());
            for (place, name) in correlation.rules.iter().enumerate() {
                let is_silent = !correlation.generates;
                match names.get(&name.to_ascii_lowercase()) {
                    Some(&Named::Rule(index)) => {
                        if seen.insert((true, index)) {
                            listen(&rules[index].about.event_types);
                        }
                        links.of_rules[index].push((number, place));
                        links.is_silent[index] |= is_silent;
                    }
                    Some(&Named::Correlation(index)) => {
                        if seen.insert((false, index)) {
                            listen(&links.correlations[index].about.event_types);
                        }
                        links.of_correlations[index].push((number, place));
                        links.is_silent_correlation[index] |= is_silent;
                    }
                    None => problems.push(Remark {
                        path: correlation.about.path.clone(),
                        line: correlation.about.line,
                        why: format!("no rule before this one has the id or the name `{name}`"),
                        hint: "give the rule a `name:`, and write correlations behind those that they refer to"
                            .to_owned(),
                    }),
                }
            }
            // Known from here on only, so that there is no circle.
            for name in [Some(&correlation.about.id), correlation.name.as_ref()]
                .into_iter()
                .flatten()
            {
                names.insert(name.to_ascii_lowercase(), Named::Correlation(number));
            }
            correlation.about.event_types = event_types;
            links.correlations.push(correlation);
        }
        links
    }

    /// What the correlations that tell of something say of themselves.
    pub fn about(&self) -> impl Iterator<Item = &About> {
        let correlations = self.correlations.iter().enumerate();
        let told = correlations.filter(|(number, _)| !self.is_silent_correlation[*number]);
        told.map(|(_, correlation)| &correlation.about)
    }
}

/// An event on its way through the correlations.
struct Counted<'a> {
    event: &'a OktaEvent<'a>,
    uuid: &'a str,
    /// Milliseconds since 1970.
    at: i64,
}

impl RuleSet {
    /// What the rules say of an event, given as JSON text, with its head; `memory` takes the event in. `None` when no rule
    /// matches it.
    pub fn judge<'e>(
        &self,
        event: &OktaEvent<'_>,
        text: &'e str,
        memory: &mut Memory,
    ) -> Result<Option<(Head<'e>, Vec<Judged>)>, Unusable> {
        let candidates = self.prefilter.candidates(event.raw()).into_iter();
        let matches: Vec<_> = candidates
            .filter_map(|index| Some((index, self.rules[index].judge(event)?)))
            .collect();
        if matches.is_empty() {
            return Ok(None);
        }
        let head = Head::parse(text)?;
        let counted = Counted {
            event,
            uuid: &head.uuid,
            at: head.published.as_millisecond(),
        };
        memory.see(counted.at);
        let mut judged = Vec::new();
        for (index, mut matched) in matches {
            let rule = &self.rules[index];
            if !rule.is_unusual(&counted, memory, &mut matched) {
                continue;
            }
            for &(number, place) in &self.links.of_rules[index] {
                self.count((number, place), &counted, memory, &mut judged);
            }
            if !self.links.is_silent[index] {
                judged.push(rule.alone(matched, &counted));
            }
        }
        for judged in &mut judged {
            self.except(judged, event, counted.at);
        }
        Ok(Some((head, judged)))
    }

    /// Counts an event as that of the rule at `place` of a correlation, and what follows for those that refer to that one.
    fn count(
        &self,
        (number, place): (usize, usize),
        counted: &Counted<'_>,
        memory: &mut Memory,
        judged: &mut Vec<Judged>,
    ) {
        let correlation = &self.links.correlations[number];
        let hit = correlation.hit(counted.event, counted.uuid, counted.at, place);
        let (Some(group), Some(hit)) = (correlation.group(counted.event, place), hit) else {
            return;
        };
        let entity = group.replace(SEPARATOR, " ");
        let id = &correlation.about.id;
        let Some(track) = memory.track(id, group, counted.at, correlation.span) else {
            return;
        };
        let (episode, is_new) = match track.observe(hit, correlation.span, correlation.condition) {
            Some(Found::New(episode)) => (episode.clone(), true),
            Some(Found::Grown(episode)) => (episode.clone(), false),
            None => return,
        };
        if is_new {
            let whole = Counted {
                event: counted.event,
                uuid: &format!("{id}/{}", episode.anchor),
                at: episode.at,
            };
            for &parent in &self.links.of_correlations[number] {
                self.count(parent, &whole, memory, judged);
            }
        }
        if !self.links.is_silent_correlation[number] {
            judged.push(Judged {
                matched: correlation.matched(&entity),
                identity: format!("{entity}{SEPARATOR}{}", episode.anchor),
                entity,
                episode,
                is_new,
                exception: None,
            });
        }
    }

    /// Drops from memory what no rule needs any more.
    pub fn tidy(&self, memory: &mut Memory) {
        memory.forget(
            |id| {
                let behaviour = self.rules.iter().find(|rule| rule.id == id)?.behaviour.as_ref();
                behaviour.map(super::behaviour::Behaviour::memory)
            },
            |id| {
                let mut correlations = self.links.correlations.iter();
                correlations
                    .find(|correlation| correlation.about.id == id)
                    .map(|correlation| correlation.span)
            },
        );
    }
}

impl LoadedRule {
    /// An event that means something by itself.
    fn alone(&self, matched: RuleMatch, counted: &Counted<'_>) -> Judged {
        Judged {
            matched,
            identity: self.grouping.identity(counted.event, counted.at),
            entity: String::new(),
            episode: Episode {
                anchor: counted.uuid.into(),
                at: counted.at,
                first: counted.at,
                last: counted.at,
                count: 1,
                events: vec![counted.uuid.into()],
            },
            is_new: true,
            exception: None,
        }
    }

    /// Whether an event is out of the usual for a rule that asks for that; what is so is added to what matched.
    fn is_unusual(&self, counted: &Counted<'_>, memory: &mut Memory, matched: &mut RuleMatch) -> bool {
        let Some(behaviour) = &self.behaviour else { return true };
        let Some(group) = behaviour.group(counted.event) else {
            return false;
        };
        let Some(habits) = memory.habits() else {
            return false;
        };
        let found = behaviour.observe((&self.id, &group), habits, counted.event, (counted.uuid, counted.at));
        let is_unusual = found.is_some();
        matched.fields.extend(found.into_iter().flatten());
        is_unusual
    }
}

impl Correlation {
    fn matched(&self, entity: &str) -> RuleMatch {
        let entity = (!entity.is_empty()).then(|| (self.group_names(), entity.into()));
        RuleMatch {
            rule_id: self.about.id.clone(),
            title: self.about.title.clone(),
            severity: self.about.severity,
            tags: self.about.tags.clone(),
            fields: entity.into_iter().collect(),
        }
    }
}
