//! Objects as files on the local disk: a key is a path below the tenant's folder.
//!
//! A write goes to a scratch file outside that folder and takes its place in one step, so that a killed process leaves
//! nothing that could be taken for an object.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::local::is_plain_name;
use crate::ports::{Error, Kind, Objects, Precondition, Result, Version};

/// S3 takes keys up to this long.
const KEY_BYTES: usize = 1_024;

/// One tenant's objects: `<data>/objects/<tenant>/<key>`.
///
/// Unlike in S3, an object cannot have a key that is a folder of another's: `a` and `a/b` exclude each other.
#[derive(Clone)]
pub struct LocalObjects(Arc<Store>);

struct Store {
    root: PathBuf,
    /// Half-written objects. Beside the tenants' folders, so that no listing sees them.
    scratch: PathBuf,
    /// Locked while an object changes, so that a precondition still holds when its object is written.
    changing: PathBuf,
    /// Shared by everyone who may write; whoever gets it alone knows that each scratch file is a dead process's.
    _open: File,
}

impl LocalObjects {
    pub fn open(data: &Path, tenant: &str) -> Result<Self> {
        let op = format!("open the objects of tenant `{tenant}` in {}", data.display());
        if !is_plain_name(tenant) {
            return Err(Error::new(Kind::Invalid, op));
        }
        Store::open(&data.join("objects"), tenant)
            .map(|store| Self(Arc::new(store)))
            .map_err(|error| failed(op, error))
    }

    /// Runs file operations where they may block.
    async fn with<T: Send + 'static>(
        &self,
        op: String,
        work: impl FnOnce(&Store) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(done) => done.map_err(|error| failed(op, error)),
            Err(error) => Err(Error::caused(Kind::Unavailable, op, error)),
        }
    }
}

#[async_trait]
impl Objects for LocalObjects {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>> {
        let op = format!("read object {key}");
        let path = self.0.path(key).ok_or_else(|| not_a_key(&op))?;
        self.with(op, move |_| {
            let bytes = read(&path)?;
            Ok(bytes
                .map(|bytes| (version(&bytes), bytes))
                .map(|(version, bytes)| (bytes, version)))
        })
        .await
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, precondition: Precondition) -> Result<Version> {
        let op = format!("write object {key}");
        let path = self.0.path(key).ok_or_else(|| not_a_key(&op))?;
        let written = self
            .with(op.clone(), move |store| store.put(&path, &bytes, &precondition))
            .await?;
        written.ok_or_else(|| Error::new(Kind::Conflict, op))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let op = format!("list objects under {prefix}");
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.with(op, move |store| {
            let mut listing = Listing {
                prefix: &prefix,
                after: after.as_deref(),
                limit,
                keys: Vec::new(),
            };
            listing.walk(&store.root, "")?;
            Ok(listing.keys)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let op = format!("delete object {key}");
        let path = self.0.path(key).ok_or_else(|| not_a_key(&op))?;
        self.with(op, move |store| store.delete(&path)).await
    }
}

impl Store {
    fn open(objects: &Path, tenant: &str) -> io::Result<Self> {
        let root = objects.join(tenant);
        let private = objects.join(format!(".{tenant}"));
        let scratch = private.join("scratch");
        fs::create_dir_all(&root)?;
        fs::create_dir_all(&scratch)?;
        let open = lock_file(&private.join("open.lock"))?;
        if open.try_lock().is_ok() {
            for leftover in fs::read_dir(&scratch)? {
                fs::remove_file(leftover?.path())?;
            }
            open.unlock()?;
        }
        open.lock_shared()?;
        Ok(Self {
            root,
            scratch,
            changing: private.join("changing.lock"),
            _open: open,
        })
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        (key.len() <= KEY_BYTES && key.split('/').all(is_name)).then(|| self.root.join(key))
    }

    /// `None` when the precondition does not hold.
    fn put(&self, path: &Path, bytes: &[u8], precondition: &Precondition) -> io::Result<Option<Version>> {
        let folder = path.parent().unwrap_or(&self.root);
        self.make_folders(folder)?;
        let mut scratch = NamedTempFile::new_in(&self.scratch)?;
        scratch.write_all(bytes)?;
        scratch.as_file().sync_all()?;
        let changing = lock_file(&self.changing)?;
        changing.lock()?;
        if path.is_dir() {
            return Err(ErrorKind::IsADirectory.into());
        }
        match precondition {
            Precondition::None => {
                scratch.persist(path)?;
            }
            Precondition::Absent => match scratch.persist_noclobber(path) {
                Ok(_) => {}
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => return Ok(None),
                Err(error) => return Err(error.error),
            },
            Precondition::Is(expected) => {
                if read(path)?.map(|bytes| version(&bytes)).as_ref() != Some(expected) {
                    return Ok(None);
                }
                scratch.persist(path)?;
            }
        }
        File::open(folder)?.sync_all()?;
        Ok(Some(version(bytes)))
    }

    fn delete(&self, path: &Path) -> io::Result<()> {
        let changing = lock_file(&self.changing)?;
        changing.lock()?;
        match fs::remove_file(path) {
            Ok(()) => File::open(path.parent().unwrap_or(&self.root))?.sync_all(),
            Err(error) if is_absence(&error) || path.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes the folder and those above it, each on the disk before what it holds.
    fn make_folders(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let above = folder.parent().unwrap_or(&self.root);
        self.make_folders(above)?;
        match fs::create_dir(folder) {
            Ok(()) => File::open(above)?.sync_all(),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Collects keys in byte order.
struct Listing<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    keys: Vec<String>,
}

impl Listing<'_> {
    /// `above` is what the keys in `folder` start with: empty, or a path and a slash.
    fn walk(&mut self, folder: &Path, above: &str) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|name| io::Error::other(format!("{} is no key", folder.join(name).display())))?;
            // With its slash a folder sorts among the files as the keys below it do.
            let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
            let key = format!("{above}{name}{slash}");
            if self.may_hold(&key) {
                found.push(key);
            }
        }
        found.sort_unstable();
        for key in found {
            if self.keys.len() == self.limit {
                break;
            }
            match key.strip_prefix(above).and_then(|name| name.strip_suffix('/')) {
                Some(name) => self.walk(&folder.join(name), &key)?,
                None => self.keys.push(key),
            }
        }
        Ok(())
    }

    /// Whether a key belongs in the listing, or a folder may hold one that does.
    fn may_hold(&self, key: &str) -> bool {
        let is_folder = key.ends_with('/');
        let is_under = key.starts_with(self.prefix) || is_folder && self.prefix.starts_with(key);
        is_under
            && self
                .after
                .is_none_or(|after| key > after || is_folder && after.starts_with(key))
    }
}

fn lock_file(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// The bytes of a file; `None` when there is no file of this name.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absence(&error) || error.kind() == ErrorKind::IsADirectory => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn version(bytes: &[u8]) -> Version {
    Version(format!("{:x}", Sha256::digest(bytes)))
}

fn not_a_key(op: &str) -> Error {
    Error::caused(
        Kind::Invalid,
        op,
        format!("a key is a path without empty, `.` and `..` parts, of at most {KEY_BYTES} bytes"),
    )
}

fn failed(op: String, error: io::Error) -> Error {
    let kind = match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::AlreadyExists | ErrorKind::InvalidFilename => {
            Kind::Invalid
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Kind::Denied,
        _ => Kind::Unavailable,
    };
    Error::caused(kind, op, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch_files(data: &Path) -> usize {
        fs::read_dir(data.join("objects/.acme/scratch")).unwrap().count()
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_never_listed_and_goes_when_nobody_writes() {
        let data = tempfile::tempdir().unwrap();
        let first = LocalObjects::open(data.path(), "acme").unwrap();
        fs::write(data.path().join("objects/.acme/scratch/half"), "half").unwrap();
        assert!(first.list("", None, 9).await.unwrap().is_empty());
        let second = LocalObjects::open(data.path(), "acme").unwrap();
        assert_eq!(scratch_files(data.path()), 1, "the first might still be writing it");
        drop((first, second));
        let third = LocalObjects::open(data.path(), "acme").unwrap();
        assert_eq!(scratch_files(data.path()), 0);
        third.put("a", b"1".to_vec(), Precondition::None).await.unwrap();
        let lost = third.put("a", b"2".to_vec(), Precondition::Absent).await.unwrap_err();
        assert_eq!((lost.kind, scratch_files(data.path())), (Kind::Conflict, 0));
    }

    #[tokio::test]
    async fn a_key_below_an_object_is_refused_and_an_object_in_place_of_a_folder_too() {
        let data = tempfile::tempdir().unwrap();
        let objects = LocalObjects::open(data.path(), "acme").unwrap();
        objects.put("a/b", b"1".to_vec(), Precondition::None).await.unwrap();
        for (key, precondition) in [
            ("a", Precondition::None),
            ("a", Precondition::Absent),
            ("a/b/c", Precondition::None),
        ] {
            let error = objects.put(key, b"2".to_vec(), precondition).await.unwrap_err();
            assert_eq!(error.kind, Kind::Invalid, "{key}");
        }
        assert_eq!(objects.get("a").await.unwrap(), None);
        assert_eq!(objects.get("a/b/c").await.unwrap(), None);
        objects.delete("a").await.unwrap();
        objects.delete("a/b/c").await.unwrap();
        assert_eq!(objects.list("", None, 9).await.unwrap(), ["a/b"]);
    }
}
