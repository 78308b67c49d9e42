//! From the text of Sigma files to compiled rules, with every problem and every warning tied to its file and line.

use std::collections::HashMap;
use std::fmt;

use rsigma_eval::{CompiledRule, compile_rule};
use rsigma_parser::{
    ConditionExpr, CorrelationRule, Detections, Level, SigmaCollection, SigmaRule, Status, parse_sigma_yaml,
};

use super::RuleFile;
use super::about::About;
use super::behaviour::Behaviour;
use super::correlation::Correlation;
use super::documents::{documents, in_file, yaml_line};
use super::grouping::Grouping;
use super::limits::{self, MOST_COMPILED};
use super::needles::{Needs, needs};
use super::placeholders::silence_placeholders;

/// What is to be said of one place in a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    pub path: String,
    /// From 1. The document's first line where the place is not known better.
    pub line: usize,
    pub why: String,
    /// The next thing to do.
    pub hint: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {} ({})", self.path, self.line, self.why, self.hint)
    }
}

/// A rule that is ready to run.
pub struct LoadedRule {
    pub compiled: CompiledRule,
    pub needs: Needs,
    pub id: String,
    pub level: Level,
    pub about: About,
    /// By which the rule's events are held against what is usual.
    pub behaviour: Option<Behaviour>,
    /// Which of its events are one finding.
    pub grouping: Grouping,
    /// By which correlations may refer to it, beside its id.
    pub name: Option<String>,
}

/// What became of all files.
#[derive(Default)]
pub struct Loaded {
    pub rules: Vec<LoadedRule>,
    pub correlations: Vec<Correlation>,
    pub problems: Vec<Remark>,
    pub warnings: Vec<Remark>,
    /// About how many bytes the rules take.
    weight: usize,
}

/// Reads every document of every file. A file with problems does not keep the others from being read.
pub fn load(files: &[RuleFile]) -> Loaded {
    let mut loaded = Loaded::default();
    let mut places = HashMap::new();
    for file in files {
        let documents = documents(&file.text);
        if documents.is_empty() {
            let at = Place {
                path: &file.path,
                first_line: 1,
                text: "",
            };
            loaded
                .problems
                .push(at.remark("", "the file holds no rule", "write a rule into it or delete it"));
        }
        for (first_line, text) in documents {
            let place = Place {
                path: &file.path,
                first_line,
                text,
            };
            read_document(&place, &mut loaded, &mut places);
        }
    }
    loaded
}

/// One YAML document of a file.
struct Place<'a> {
    path: &'a str,
    first_line: usize,
    text: &'a str,
}

impl Place<'_> {
    /// A remark on the first line that holds `mark`, or on the document's first line.
    fn remark(&self, mark: &str, why: impl Into<String>, hint: &str) -> Remark {
        let offset = self
            .text
            .lines()
            .position(|line| !mark.is_empty() && line.contains(mark));
        Remark {
            path: self.path.to_owned(),
            line: self.first_line + offset.unwrap_or(0),
            why: why.into(),
            hint: hint.to_owned(),
        }
    }
}

fn read_document(place: &Place<'_>, loaded: &mut Loaded, places: &mut HashMap<String, String>) {
    let parsed = limits::look_over(place.text)
        .map_err(|(line, why)| format!("{why} at line {line}"))
        .and_then(|()| parse_sigma_yaml(place.text).map_err(|error| error.to_string()));
    let collection = match parsed {
        Ok(collection) if collection.errors.is_empty() => collection,
        Ok(SigmaCollection { errors, .. }) => return unreadable(place, errors, loaded),
        Err(error) => return unreadable(place, vec![error], loaded),
    };
    for rule in &collection.correlations {
        read_correlation(place, rule, loaded, places);
    }
    if !collection.filters.is_empty() {
        loaded.problems.push(place.remark(
            "filter:",
            "Sigma filters are not supported",
            "write the exception into the rule's own condition",
        ));
    } else if collection.rules.is_empty() && collection.correlations.is_empty() {
        loaded.problems.push(place.remark(
            "action:",
            "collection actions are not supported",
            "write each rule out in full",
        ));
    }
    for rule in collection.rules {
        read_rule(place, rule, loaded, places);
    }
}

/// A document that cannot be read is a problem unless it says that it is not meant for Okta.
fn unreadable(place: &Place<'_>, errors: Vec<String>, loaded: &mut Loaded) {
    let product = place.text.lines().find_map(|line| line.trim().strip_prefix("product:"));
    let product = product.map(|name| name.trim().trim_matches(['\'', '"']));
    if let Some(other) = product.filter(|name| !name.eq_ignore_ascii_case("okta")) {
        return loaded.warnings.push(not_okta(place, other));
    }
    for why in errors {
        let why = in_file(&why, place.first_line);
        let remark = place.remark(mark_of(&why), why.as_str(), "correct the rule, or take the file out");
        // What is quoted may speak of lines, too.
        let last = place.first_line + place.text.lines().count().saturating_sub(1);
        let line = yaml_line(&why).map_or(remark.line, |line| line.clamp(place.first_line, last));
        loaded.problems.push(Remark { line, ..remark });
    }
}

/// The part of an error text that is likely to stand in the rule: what is quoted, else the key it speaks of.
fn mark_of(why: &str) -> &str {
    let quoted = why.split('\'').nth(1).filter(|text| !text.is_empty());
    let of_condition = why.contains("ondition") || why.contains("detection identifier");
    quoted.unwrap_or(if of_condition { "condition:" } else { "" })
}

fn not_okta(place: &Place<'_>, product: &str) -> Remark {
    place.remark(
        "product:",
        format!("the rule is for the log source `{product}`, not for Okta: ignored"),
        "nothing to do, or set logsource.product to okta",
    )
}

fn read_rule(place: &Place<'_>, mut rule: SigmaRule, loaded: &mut Loaded, places: &mut HashMap<String, String>) {
    let product = rule.logsource.product.as_deref().unwrap_or("none");
    if !product.eq_ignore_ascii_case("okta") {
        return loaded.warnings.push(not_okta(place, product));
    }
    let problems = problems_of(place, &rule, places);
    if !problems.is_empty() {
        return loaded.problems.extend(problems);
    }
    loaded.warnings.extend(warnings_of(place, &rule));
    for placeholder in silence_placeholders(&mut rule.detection) {
        let why = format!("the placeholder {placeholder} has no value: a comparison with it matches nothing");
        loaded
            .warnings
            .push(place.remark(&placeholder, why, "write the values in its place and take `expand` off"));
    }
    let id = rule.id.clone().unwrap_or_default();
    let behaviour = match Behaviour::read(&rule.custom_attributes) {
        Ok(behaviour) => behaviour,
        Err((mark, why)) => return loaded.problems.push(place.remark(mark, why, "correct the behaviour")),
    };
    let grouping = match Grouping::read(&rule.custom_attributes) {
        Ok(grouping) => grouping,
        Err((mark, why)) => {
            return loaded
                .problems
                .push(place.remark(mark, why, "correct it, or take it off"));
        }
    };
    match limits::weight(&rule.detection) {
        Ok(weight) if loaded.weight + weight <= MOST_COMPILED => loaded.weight += weight,
        Ok(_) => {
            let why = "with the rules before it, it becomes too large for the memory of a run";
            let hint = "use fewer or simpler values, or fewer rules";
            return loaded.problems.push(place.remark("detection:", why, hint));
        }
        Err((mark, why)) => {
            let hint = "use smaller numbers in braces, or several expressions";
            return loaded.problems.push(place.remark(&mark, why, hint));
        }
    }
    match compile_rule(&rule) {
        Ok(compiled) => loaded.rules.push(LoadedRule {
            needs: needs(&rule),
            about: About::of(&rule, place.path, place.first_line),
            behaviour,
            grouping,
            name: rule.name.clone(),
            compiled,
            id,
            level: rule.level.unwrap_or(Level::Medium),
        }),
        Err(error) => {
            let why = error.to_string();
            loaded
                .problems
                .push(place.remark(mark_of(&why), why.as_str(), "correct the detection"));
        }
    }
}

fn read_correlation(
    place: &Place<'_>,
    rule: &CorrelationRule,
    loaded: &mut Loaded,
    places: &mut HashMap<String, String>,
) {
    if let Err(problem) = claim_id(place, rule.id.as_deref(), places) {
        return loaded.problems.push(problem);
    }
    loaded.warnings.extend(misread_items(place));
    let about = About::of_correlation(rule, place.path, place.first_line);
    match Correlation::read(rule, about) {
        Ok(correlation) => loaded.correlations.push(correlation),
        Err((mark, why)) => {
            let problem = place.remark(mark, why, "correct the correlation, or take the file out");
            loaded.problems.push(problem);
        }
    }
}

/// Findings are told apart by their rule's id, so that each has one of its own.
fn claim_id(place: &Place<'_>, id: Option<&str>, places: &mut HashMap<String, String>) -> Result<(), Remark> {
    let Some(id) = id.map(str::trim).filter(|id| !id.is_empty()) else {
        return Err(place.remark(
            "title:",
            "the rule has no `id`",
            "add `id:` with a random UUID: findings are told apart by it",
        ));
    };
    if let Some(first) = places.get(&id.to_ascii_lowercase()) {
        return Err(place.remark(
            id,
            format!("the id {id} is taken by {first}"),
            "give one of the two rules an id of its own",
        ));
    }
    let here = place.remark(id, "", "");
    places.insert(id.to_ascii_lowercase(), format!("{}:{}", here.path, here.line));
    Ok(())
}

fn problems_of(place: &Place<'_>, rule: &SigmaRule, places: &mut HashMap<String, String>) -> Vec<Remark> {
    let mut problems = Vec::new();
    problems.extend(claim_id(place, rule.id.as_deref(), places).err());
    if rsigma_parser::array_matching_enabled(rule.sigma_version) {
        problems.push(place.remark(
            "sigma-version:",
            "the rule is written for Sigma 3 or later",
            "write it for Sigma 2, or take the file out",
        ));
    }
    if rule.detection.timeframe.is_some() {
        problems.push(place.remark(
            "timeframe:",
            "`timeframe` is not supported: each event is judged by itself",
            "take it off, or take the file out",
        ));
    }
    if rule.detection.conditions.is_empty() {
        problems.push(place.remark(
            "condition:",
            "the rule has no condition",
            "name the detections that must match",
        ));
    }
    for pattern in rule
        .detection
        .conditions
        .iter()
        .flat_map(|condition| empty_selectors(condition, &rule.detection))
    {
        problems.push(place.remark(
            "condition:",
            format!("`of {pattern}` in the condition names no detection"),
            "correct the name",
        ));
    }
    problems
}

fn warnings_of(place: &Place<'_>, rule: &SigmaRule) -> Vec<Remark> {
    let mut warnings = Vec::new();
    if rule.level.is_none() {
        warnings.push(place.remark("title:", "the rule has no `level`: medium is taken", "add `level:`"));
    }
    if let Some(status @ (Status::Deprecated | Status::Unsupported)) = rule.status {
        let name = if status == Status::Deprecated {
            "deprecated"
        } else {
            "unsupported"
        };
        warnings.push(place.remark(
            "status:",
            format!("the rule's authors call it {name}"),
            "look for its successor",
        ));
    }
    warnings.extend(misread_items(place));
    warnings
}

/// What people are told, in lists whose items are texts.
const LISTS_OF_TEXTS: [&str; 4] = ["falsepositives:", "references:", "response:", "tags:"];

/// Items of such lists that YAML takes for a map, because a colon and a space stand in them without quotes. Nobody would be
/// told of them.
fn misread_items(place: &Place<'_>) -> Vec<Remark> {
    let mut list = None;
    let mut found = Vec::new();
    for (offset, line) in place.text.lines().enumerate() {
        if line.starts_with(|first: char| !first.is_whitespace() && !matches!(first, '-' | '#')) {
            list = LISTS_OF_TEXTS.into_iter().find(|name| line.starts_with(name));
        }
        let item = line.trim_start().strip_prefix("- ").map(str::trim_start);
        if let (Some(name), Some(item)) = (list, item)
            && !item.starts_with(['"', '\'', '|', '>'])
            && item.contains(": ")
        {
            found.push(Remark {
                path: place.path.to_owned(),
                line: place.first_line + offset,
                why: format!("this item of `{name}` is a map for YAML: nobody would be told of it"),
                hint: "put it into quotes".to_owned(),
            });
        }
    }
    found
}

/// `all of filter_*` without any `filter_...` would hold for every event.
fn empty_selectors(condition: &ConditionExpr, detections: &Detections) -> Vec<String> {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => parts
            .iter()
            .flat_map(|part| empty_selectors(part, detections))
            .collect(),
        ConditionExpr::Not(inner) => empty_selectors(inner, detections),
        ConditionExpr::Selector { pattern, .. }
            if !detections.named.keys().any(|name| pattern.matches_detection_name(name)) =>
        {
            vec![pattern.to_string()]
        }
        ConditionExpr::Selector { .. } | ConditionExpr::Identifier(_) => Vec::new(),
    }
}
