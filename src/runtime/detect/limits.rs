//! What a rule may ask of whoever reads it. Sigma's library has few bounds of its own, so that a file could take all memory, time
//! or stack; no published rule comes near to these. Pure.

use granit_parser::{Event, Parser};
use regex::RegexBuilder;
use rsigma_parser::value::StringPart;
use rsigma_parser::{Detection, DetectionItem, Detections, Modifier, SigmaValue};

/// Of one rule.
const MOST_BYTES: usize = 512 << 10;
/// Lists and maps stand in each other so deep.
const MOST_DEPTH: usize = 32;
/// Within one text, which may be a condition: open brackets, `not` in a row, and all `and` and `or`.
const MOST_NESTED: usize = 50;
const MOST_JOINED: usize = 1_000;
/// About what all rules together become in memory.
pub const MOST_COMPILED: usize = 128 << 20;
/// What a regular expression may become. The first size that it fits is what it is taken for; the last is the library's own bound.
const EXPRESSIONS: [usize; 4] = [64 << 10, 256 << 10, 1 << 20, 10 << 20];
/// About what a value takes besides its text, and what a wildcard and another character become in an expression.
const A_VALUE: usize = 100;
const A_WILDCARD: usize = 500;
const A_CHARACTER: usize = 100;
/// What a dash may stand for, and how many of them Sigma's library takes.
const DASHES: usize = 5;
const MOST_DASHES: u32 = 8;

/// Looks a rule's text over before Sigma's library reads it; otherwise the line, from 1, and what is too much there.
pub fn look_over(text: &str) -> Result<(), (usize, String)> {
    if text.len() > MOST_BYTES {
        return Err((1, format!("the rule has more than {MOST_BYTES} bytes")));
    }
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| (error.marker().line(), error.info().clone()))?;
        let refused = |why: &str| Err((span.start.line(), why.to_owned()));
        match event {
            Event::Alias(_) => return refused("aliases are not read here; write the value out"),
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            Event::Scalar(text, ..) if is_overgrown(&text) => {
                return refused("brackets, `not`, `and` and `or` stand here more often than is read");
            }
            _ => {}
        }
        if depth > MOST_DEPTH {
            return refused("values stand in each other deeper than is read here");
        }
    }
    Ok(())
}

/// As a condition.
fn is_overgrown(text: &str) -> bool {
    let (mut open, mut joined, mut negated) = (0_usize, 0, 0);
    for word in text.split_inclusive(['(', ')', ' ', '\t', '\n']) {
        let (end, bare) = (
            word.chars().next_back(),
            word.trim_end_matches(['(', ')', ' ', '\t', '\n']),
        );
        match bare {
            "" => {}
            "not" => negated += 1,
            "and" | "or" => joined += 1,
            _ => negated = 0,
        }
        match end {
            Some('(') => open += 1,
            Some(')') => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MOST_NESTED || negated > MOST_NESTED || joined > MOST_JOINED {
            return true;
        }
    }
    false
}

/// About how many bytes a rule's values become once they are compiled; otherwise the text that is too much, and why.
pub fn weight(detections: &Detections) -> Result<usize, (String, String)> {
    detections.named.values().map(of_detection).sum()
}

fn of_detection(detection: &Detection) -> Result<usize, (String, String)> {
    match detection {
        Detection::AllOf(items) => items.iter().map(of_item).sum(),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().map(of_detection).sum(),
        Detection::ArrayMatch { body, .. } => of_detection(body),
        Detection::Conditional { named, .. } => named.values().map(of_detection).sum(),
        Detection::Keywords(values) => Ok(values.iter().map(of_value).sum()),
    }
}

fn of_item(item: &DetectionItem) -> Result<usize, (String, String)> {
    let has = |modifier| item.field.has_modifier(modifier);
    let of = |value: &SigmaValue| match value {
        SigmaValue::String(text) if has(Modifier::Re) => of_expression(&text.original, has(Modifier::IgnoreCase)),
        SigmaValue::String(text) if has(Modifier::WindAsh) => {
            let dashes = u32::try_from(text.original.matches('-').count()).unwrap_or(u32::MAX);
            Ok(DASHES.pow(dashes.min(MOST_DASHES)) * (A_VALUE + text.original.len()))
        }
        value => Ok(of_value(value)),
    };
    item.values.iter().map(of).sum()
}

fn of_value(value: &SigmaValue) -> usize {
    let SigmaValue::String(text) = value else {
        return A_VALUE;
    };
    let of_part = |part: &StringPart| match part {
        StringPart::Plain(plain) => plain.len() * A_CHARACTER,
        StringPart::Special(_) => A_WILDCARD,
    };
    match &text.parts[..] {
        [] | [StringPart::Plain(_)] => A_VALUE + text.original.len(),
        parts => A_VALUE + parts.iter().map(of_part).sum::<usize>(),
    }
}

/// One that cannot be read weighs nothing: whoever compiles it says what is wrong with it.
fn of_expression(text: &str, ignores_case: bool) -> Result<usize, (String, String)> {
    let build = |most| {
        let mut builder = RegexBuilder::new(text);
        builder.case_insensitive(ignores_case).size_limit(most).build()
    };
    for most in EXPRESSIONS {
        match build(most) {
            Ok(_) => return Ok(most),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => return Ok(0),
        }
    }
    Err((text.to_owned(), "the regular expression becomes too large".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for text in [
            "a: [b, {c: d}]\n",
            "condition: (a or b) and not (c and not d)\n",
            "description: (a) (b) not (c), and not not d\n",
        ] {
            assert_eq!(look_over(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_would_take_a_readers_stack_time_or_memory_is_refused_at_its_line() {
        let brackets = format!("a: b\ncondition: {}s\n", "(".repeat(60));
        let escaped = format!("a: b\ncondition: \"{}s\"\n", "\\x28".repeat(60));
        let negated = format!("a: b\ncondition: {}s\n", "not ".repeat(60));
        let joined = format!("a: b\ncondition: s{}\n", " or s".repeat(1_100));
        let deep = format!("a: b\nc: {}{}\n", "[".repeat(40), "]".repeat(40));
        for text in [&brackets, &escaped, &negated, &joined, &deep, "a: &a b\nc: *a\n"] {
            assert_eq!(look_over(text).map_err(|(line, _)| line), Err(2), "{text}");
        }
        assert!(look_over(&"# a\n".repeat(200_000)).is_err());
    }
}
