//! Everything that is wrong with the files of an environment, each with its place and the line it stands on.

use std::fmt;

use crate::deploy::yaml::At;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    pub at: At,
    /// What is wrong and what to do.
    pub what: String,
    /// The line of the file.
    pub line: String,
}

/// All problems of all files, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let At { line, column } = self.at;
        writeln!(formatter, "{}:{line}:{column}: {}", self.path, self.what)?;
        writeln!(formatter, "  {line:>4} | {}", self.line)?;
        let before: String = self
            .line
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        write!(formatter, "       | {before}^")
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(formatter, "{} problem{plural} in the environment's files", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(formatter, "\n{problem}"))
    }
}
