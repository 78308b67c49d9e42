//! The template engine as it is used here: every value becomes a hole, and every error is told without values. Pure.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{
    AutoEscape, Environment, ErrorKind, Output, OutputSpan, OutputSpanKind, State, UndefinedBehavior, Value,
    escape_formatter,
};

use crate::deploy::render::RenderError;
use crate::deploy::skeleton;
use crate::deploy::source::Source;
use crate::deploy::tree::Tree;

/// Instructions a template may take; a template of ours takes a few thousand.
const FUEL: u64 = 1_000_000;
/// A template, ready to run.
pub struct Engine<'a> {
    source: &'a Source,
    environment: Environment<'static>,
}

impl<'a> Engine<'a> {
    pub fn new(source: &'a Source) -> Result<Self, RenderError> {
        let mut environment = Environment::empty();
        // Data stands in holes that JSON could fill: no value can change the structure around it.
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.set_formatter(leave_hole);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.add_filter("json_text", json_text);
        let failed = |error: &minijinja::Error| template_error(source, error);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        environment.set_syntax(syntax.build().map_err(|error| failed(&error))?);
        if skeleton::is_marked(&source.text) {
            let why = "U+FDD0 marks the renderer's holes and may not stand in a template";
            return Err(at_line(source, 1, why.to_owned()));
        }
        environment
            .add_template_owned(source.path.clone(), source.text.clone())
            .map_err(|error| failed(&error))?;
        Ok(Self { source, environment })
    }

    /// The template's output with holes, and what goes into them.
    pub fn run(&self, context: &Value) -> Result<(String, Vec<Tree>), RenderError> {
        let template = self.environment.get_template(&self.source.path);
        let mut captured = template
            .and_then(|template| template.render_captured(context))
            .map_err(|error| template_error(self.source, &error))?;
        let values = captured.with_state_mut(|state| std::mem::take(&mut holes(state).0));
        Ok((captured.into_output(), values))
    }

    /// The template's line of each line of its output: of the first character that is no blank. Runs the template.
    pub fn lines(&self, context: &Value) -> Result<Vec<usize>, RenderError> {
        let template = self.environment.get_template(&self.source.path);
        let (given, spans) = template
            .and_then(|template| template.render_with_spans(context))
            .map_err(|error| template_error(self.source, &error))?;
        Ok(lines(&given, &spans, &self.source.text))
    }

    /// An error in a line of the template.
    pub fn failed_at(&self, line: usize, why: String) -> RenderError {
        at_line(self.source, line, why)
    }
}

fn lines(given: &str, spans: &[OutputSpan], source: &str) -> Vec<usize> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in given.split_inclusive('\n') {
        let first = start + (line.len() - line.trim_start().len());
        let index = spans.partition_point(|span| span.output_range().end <= first);
        lines.push(spans.get(index).map_or(1, |span| {
            let before = match span.kind() {
                OutputSpanKind::Raw => first.saturating_sub(span.output_range().start),
                _ => 0,
            };
            let from = span.source_range().start;
            let passed = source.get(from..from + before).unwrap_or_default();
            span.line() + passed.matches('\n').count()
        }));
        start += line.len();
    }
    lines
}

/// A value as the text of its JSON, for properties that CloudFormation takes as a text.
fn json_text(value: &Value) -> Result<String, minijinja::Error> {
    serde_json::to_string(value).map_err(|error| minijinja::Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// The values of one run of a template.
#[derive(Default)]
struct Holes(Vec<Tree>);

fn holes<'s>(state: &'s mut State<'_, '_>) -> &'s mut Holes {
    state.get_or_insert_extension_with(Holes::default)
}

/// Writes a hole for a value, and keeps the value.
fn leave_hole(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    // Text of a macro has its holes already, and what is undefined is refused by the engine's own writer.
    if value.is_safe() || value.is_undefined() {
        return escape_formatter(out, state, value);
    }
    let tree = tree(value).map_err(|why| minijinja::Error::new(ErrorKind::InvalidOperation, why))?;
    let holes = holes(state);
    holes.0.push(tree);
    Ok(skeleton::write_hole(holes.0.len() - 1, out)?)
}

fn tree(value: &Value) -> Result<Tree, &'static str> {
    if let Some(text) = value.as_str() {
        return if skeleton::is_torn(text) {
            Err("what a macro wrote is joined to a text; write it alone")
        } else {
            Ok(Tree::text(text))
        };
    }
    let inside = |value: Option<Value>| tree(&value.unwrap_or_default());
    match value.kind() {
        ValueKind::None => Ok(Tree::Null),
        ValueKind::Bool => Ok(Tree::Bool(value.is_true())),
        ValueKind::Number => value
            .as_i64()
            .map(Tree::Int)
            .ok_or("a number that is no whole number of 64 bits"),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter().map_err(|_| "a list that cannot be read")?;
            items.map(|item| tree(&item)).collect::<Result<_, _>>().map(Tree::List)
        }
        ValueKind::Map => {
            let keys = value.try_iter().map_err(|_| "a map that cannot be read")?;
            keys.map(|key| {
                let name = key.as_str().ok_or("a map with a key that is no text")?.to_owned();
                Ok((name, inside(value.get_item(&key).ok())?))
            })
            .collect::<Result<_, _>>()
            .map(Tree::Map)
        }
        _ => Err("a value that is no text, number, truth value, list or map"),
    }
}

fn at_line(template: &Source, line: usize, why: String) -> RenderError {
    RenderError::Template {
        path: template.path.clone(),
        line,
        why,
        text: template
            .text
            .lines()
            .nth(line - 1)
            .unwrap_or_default()
            .trim_end()
            .to_owned(),
    }
}

/// The innermost cause, with the template's own line; the engine's long form would print variables.
fn template_error(template: &Source, error: &minijinja::Error) -> RenderError {
    let mut innermost = error;
    while let Some(deeper) = std::error::Error::source(innermost).and_then(|source| source.downcast_ref()) {
        innermost = deeper;
    }
    let line = innermost.line().or_else(|| error.line()).unwrap_or(1);
    // The one message of the engine that shows operands.
    let shows_no_value = |detail: &&str| !detail.starts_with("unable to calculate");
    let detail = innermost
        .detail()
        .filter(shows_no_value)
        .map(|detail| format!(": {detail}"))
        .unwrap_or_default();
    at_line(template, line, format!("{}{detail}", innermost.kind()))
}
