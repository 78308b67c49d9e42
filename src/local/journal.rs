//! A journal as a file of lines. Each line is on the disk before the call returns; the file is locked while it is open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::ports::{Error, Journal, Kind, Result};

/// An open journal.
#[derive(Debug)]
pub struct FileJournal {
    name: String,
    file: Mutex<File>,
}

impl FileJournal {
    /// Opens the journal, or begins it. Fails with [`Kind::Conflict`] while another process has it open.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let failed = |error| Error::caused(Kind::Unavailable, format!("open journal {name}"), error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("open journal {name}: another process applies this plan"),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        end_last_line(&mut file).map_err(failed)?;
        if let Some(folder) = path.parent() {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(failed)?;
        }
        Ok(Self {
            name,
            file: Mutex::new(file),
        })
    }
}

/// Cuts off what a killed process wrote of a line, so that the next line stands for itself.
fn end_last_line(file: &mut File) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        file.set_len(whole as u64)?;
        file.sync_all()?;
    }
    Ok(())
}

impl Journal for FileJournal {
    fn lines(&self) -> Result<Vec<String>> {
        let failed = |error| Error::caused(Kind::Unavailable, format!("read journal {}", self.name), error);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.read_to_string(&mut text).map_err(failed)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn append(&self, line: &str) -> Result<()> {
        let failed = |error| Error::caused(Kind::Unavailable, format!("write journal {}", self.name), error);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{line}\n").as_bytes())
            .and_then(|()| file.sync_data())
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_outlives_its_process_and_drops_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("applies/one.jsonl");
        let journal = FileJournal::open(&path).unwrap();
        journal.append("one").unwrap();
        assert_eq!(FileJournal::open(&path).unwrap_err().kind, Kind::Conflict);
        drop(journal);
        std::fs::write(&path, "one\ntw").unwrap();
        let journal = FileJournal::open(&path).unwrap();
        journal.append("three").unwrap();
        assert_eq!(journal.lines().unwrap(), ["one", "three"]);
    }
}
