//! How far a long command is: a bar on standard error where that is a terminal, and nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress(ProgressBar);

impl Progress {
    /// `total` steps of something that is named by a verb, such as `rendering`.
    pub fn new(verb: &'static str, total: usize) -> Self {
        // Hidden by itself where standard error is no terminal.
        let bar = ProgressBar::new(total as u64).with_message(verb);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub fn step(&self) {
        self.0.inc(1);
    }

    /// Prints something without the bar in between.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
