//! Objects as files on the local disk, with the promises of S3's conditional writes.
//!
//! A write goes to a temporary file that is synced and then linked or renamed into place, so that an object is there whole
//! or not at all. Knows nothing of what an object holds.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::ports::{Error, Kind, Objects, Precondition, Result, Version};

/// Temporary files and the lock live here, where no key can point: keys have no empty and no dotted segment.
const PRIVATE: &str = ".writing";

/// One tenant's objects.
pub struct LocalObjects {
    root: PathBuf,
    private: PathBuf,
    /// Shared by everybody who writes; whoever has it alone may tidy up.
    _writers: File,
}

impl LocalObjects {
    /// Opens or makes `<data>/objects/<tenant>`.
    pub fn open(data: &Path, tenant: &str) -> Result<Self> {
        let root = data.join("objects").join(tenant);
        let private = root.join(PRIVATE);
        fs::create_dir_all(&private).map_err(failed("open", &root))?;
        let writers = join_writers(&private).map_err(failed("open", &root))?;
        Ok(Self {
            _writers: writers,
            root,
            private,
        })
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        let is_plain =
            |segment: &str| !segment.is_empty() && !segment.starts_with('.') && !segment.contains(['\\', '\0']);
        if key.split('/').all(is_plain) {
            Ok(self.root.join(key))
        } else {
            Err(Error::new(Kind::Invalid, format!("use the object key {key:?}")))
        }
    }

    fn write(&self, key: &str, bytes: &[u8], precondition: &Precondition) -> Result<Version> {
        let path = self.path(key)?;
        let op = || failed("write", &path);
        let folder = path.parent().unwrap_or(&self.root);
        create_folders(folder, &self.root).map_err(op())?;
        // Removed when it goes out of scope, unless it became the object.
        let mut temporary = NamedTempFile::new_in(&self.private).map_err(op())?;
        temporary
            .write_all(bytes)
            .and_then(|()| temporary.as_file().sync_all())
            .map_err(op())?;
        let placed = self.place(temporary.path(), &path, precondition);
        if placed.map_err(op())? {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(op())?;
            Ok(version(bytes))
        } else {
            Err(Error::new(Kind::Conflict, format!("write object {key}")))
        }
    }

    /// Whether the precondition held and the file is in place.
    fn place(&self, temporary: &Path, path: &Path, precondition: &Precondition) -> io::Result<bool> {
        match precondition {
            Precondition::None => fs::rename(temporary, path).map(|()| true),
            // A hard link fails when the name is taken: of many at once, one wins.
            Precondition::Absent => match fs::hard_link(temporary, path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            },
            Precondition::Is(expected) => {
                let lock = File::create(self.private.join("lock"))?;
                lock.lock()?;
                let holds = match fs::read(path) {
                    Ok(bytes) => version(&bytes) == *expected,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                    Err(error) => return Err(error),
                };
                if holds {
                    fs::rename(temporary, path)?;
                }
                Ok(holds)
            }
        }
    }
}

/// Removes what killed processes left unfinished, when nobody else is writing, and joins the writers.
fn join_writers(private: &Path) -> io::Result<File> {
    let writers = File::create(private.join("writers"))?;
    if writers.try_lock().is_ok() {
        for entry in fs::read_dir(private)? {
            let path = entry?.path();
            if !path.ends_with("writers") && !path.ends_with("lock") {
                fs::remove_file(path)?;
            }
        }
        writers.unlock()?;
    }
    writers.lock_shared()?;
    Ok(writers)
}

fn version(bytes: &[u8]) -> Version {
    Version(format!("{:x}", Sha256::digest(bytes)))
}

fn failed(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let op = format!("{verb} {}", path.display());
    move |error| Error::caused(Kind::Unavailable, op.clone(), error)
}

/// Makes the folders up to `folder`, and makes their names durable.
fn create_folders(folder: &Path, root: &Path) -> io::Result<()> {
    if folder.exists() || folder == root {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    create_folders(parent, root)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(parent)?.sync_all(),
    }
}

/// Keys below `folder` that start with `prefix`; folders that cannot hold any are not entered.
fn collect(folder: &Path, below: &str, prefix: &str, keys: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let key = format!("{below}{name}");
        if name.starts_with('.') {
            continue;
        }
        if entry.file_type()?.is_dir() {
            let below = format!("{key}/");
            if below.starts_with(prefix) || prefix.starts_with(&below) {
                collect(&entry.path(), &below, prefix, keys)?;
            }
        } else if key.starts_with(prefix) {
            keys.push(key);
        }
    }
    Ok(())
}

#[async_trait]
impl Objects for LocalObjects {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>> {
        let path = self.path(key)?;
        match fs::read(&path) {
            Ok(bytes) => {
                let version = version(&bytes);
                Ok(Some((bytes, version)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, precondition: Precondition) -> Result<Version> {
        self.write(key, &bytes, &precondition)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        collect(&self.root, "", prefix, &mut keys).map_err(failed("list", &self.root))?;
        keys.retain(|key| after.is_none_or(|after| key.as_str() > after));
        keys.sort_unstable();
        keys.truncate(limit);
        Ok(keys)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("delete", &path)(error)),
            _ => Ok(()),
        }
    }
}
