//! Files of a revision of the repository, read through `git`. Decides nothing.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::deploy::source::SourceError;

/// A revision.
pub struct Revision {
    commit: String,
    /// One process answers for all files.
    reader: Mutex<Reader>,
}

struct Reader {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Revision {
    /// A branch, tag or commit of the repository that `root` is in.
    pub fn open(root: &Path, name: &str) -> Result<Self, SourceError> {
        let failed = |why: String| SourceError::Git {
            revision: name.to_owned(),
            why,
        };
        let commit = output(
            git(root)
                .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
                .arg(format!("{name}^{{commit}}")),
        )
        .map_err(|why| {
            failed(if why.is_empty() {
                "there is no such revision".to_owned()
            } else {
                why
            })
        })?;
        let mut process = git(root)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(failed("git has no input or output".to_owned()));
        };
        Ok(Self {
            commit: commit.trim().to_owned(),
            reader: Mutex::new(Reader {
                process,
                questions,
                answers: BufReader::new(answers),
            }),
        })
    }

    /// The names of the files in a folder below `root`.
    pub fn names(&self, root: &Path, folder: &str) -> Result<BTreeSet<String>, SourceError> {
        // Paths count from `root`, wherever in the repository it is.
        let listed = output(
            git(root)
                .args(["ls-tree", "-z", "--name-only", &self.commit, "--"])
                .arg(format!("{folder}/")),
        );
        let listed = listed.map_err(|why| self.failed(why))?;
        let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
        Ok(listed
            .split('\0')
            .filter(|path| !path.is_empty())
            .filter_map(name)
            .collect())
    }

    /// A file's text; `None` when the revision has no such file.
    pub fn read(&self, path: &str) -> Result<Option<String>, SourceError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader
            .ask(&format!("{}:./{path}", self.commit))
            .map_err(|error| self.failed(error.to_string()))
    }

    fn failed(&self, why: String) -> SourceError {
        SourceError::Git {
            revision: self.commit.clone(),
            why,
        }
    }
}

impl Reader {
    fn ask(&mut self, question: &str) -> std::io::Result<Option<String>> {
        writeln!(self.questions, "{question}")?;
        self.questions.flush()?;
        let mut head = String::new();
        self.answers.read_line(&mut head)?;
        // `<object> <type> <size>`, or `<question> missing`.
        let Some(size) = head
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|size| size.parse::<usize>().ok())
        else {
            return Ok(None);
        };
        let mut text = vec![0; size];
        self.answers.read_exact(&mut text)?;
        self.answers.read_exact(&mut [0])?;
        String::from_utf8(text)
            .map(Some)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It ends with its input in any case; nothing depends on how.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(root);
    command
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
