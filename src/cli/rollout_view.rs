//! What a person sees while a plan is carried out: on a terminal a bar for the fleet, one for the wave and a line for each
//! running stack; elsewhere a line for each thing that happens.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::output;
use crate::deploy::apply::Progress;
use crate::deploy::plan::Plan;
use crate::deploy::wording::printable;

/// Running stacks that have a line of their own.
const LINES: usize = 12;

pub struct View {
    bars: Option<Bars>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    all: usize,
    running: BTreeMap<String, ProgressBar>,
}

struct Bars {
    all: MultiProgress,
    fleet: ProgressBar,
    wave: ProgressBar,
}

impl View {
    pub fn new(plan: &Plan) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let bar = |length: usize| {
                let bar = all.add(ProgressBar::new(length as u64));
                if let Ok(style) = ProgressStyle::with_template("{msg:20!} [{bar:30}] {pos}/{len} {elapsed}") {
                    bar.set_style(style);
                }
                bar
            };
            let fleet = bar(plan.steps.len()).with_message("fleet");
            let wave = bar(0);
            Bars { all, fleet, wave }
        });
        Self {
            bars,
            state: Mutex::new(State {
                all: plan.steps.len(),
                ..State::default()
            }),
        }
    }

    pub fn show(&self, progress: &Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Wave { name, stacks } => {
                if let Some(bars) = &self.bars {
                    bars.wave.set_message(name.clone());
                    bars.wave.set_length(*stacks as u64);
                    bars.wave.reset();
                }
                self.line(&format!("wave {name}: {stacks} to do"));
            }
            Progress::Begun { stack } => self.begun(&mut state, stack),
            Progress::Done { stack } => self.ended(&mut state, stack, "done"),
            Progress::Failed { stack, cause } => {
                let word = format!("failed: {}", printable(&cause.why));
                self.ended(&mut state, stack, &word);
            }
            Progress::Soaking { wave, seconds } => self.line(&format!("wave {wave}: watched for {seconds} s")),
            Progress::Stopped { why } => self.line(&format!("stopped: {}", printable(why))),
        }
    }

    fn begun(&self, state: &mut State, stack: &str) {
        let Some(bars) = &self.bars else {
            output::progress(format!("{stack}: begun"));
            return;
        };
        if state.running.len() < LINES {
            let line = bars.all.add(ProgressBar::new_spinner().with_message(stack.to_owned()));
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
                line.set_style(style);
            }
            line.enable_steady_tick(Duration::from_millis(200));
            state.running.insert(stack.to_owned(), line);
        }
    }

    fn ended(&self, state: &mut State, stack: &str, word: &str) {
        state.done += 1;
        if let Some(line) = state.running.remove(stack) {
            line.finish_and_clear();
        }
        if let Some(bars) = &self.bars {
            bars.fleet.inc(1);
            bars.wave.inc(1);
            if word != "done" {
                self.line(&format!("{stack}: {word}"));
            }
        } else {
            output::progress(format!("{stack}: {word} ({} of {})", state.done, state.all));
        }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| output::progress(text)),
            None => output::progress(text),
        }
    }

    /// Takes the bars away.
    pub fn close(&self) {
        if let Some(bars) = &self.bars {
            // A terminal that is gone shows nothing more either way.
            let _ = bars.all.clear();
        }
    }
}
