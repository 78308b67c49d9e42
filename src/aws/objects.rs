//! One tenant's objects in the environment's bucket. Every compare-and-swap is a conditional write of S3.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use futures::TryStreamExt as _;
use opendal::options::{ReadOptions, WriteOptions};
use opendal::{EntryMode, ErrorKind};
use tokio::time::sleep;

use crate::aws::bucket::{Bucket, failed};
use crate::ports::jitter::jittered;
use crate::ports::{Error, Kind, Objects, Precondition, Result, Version};

/// How often a call is made before its failure is told.
const ATTEMPTS: u32 = 6;
/// The pause after the first failure; it doubles with each.
const PAUSE: Duration = Duration::from_millis(100);
/// S3 takes keys up to this long.
const KEY_BYTES: usize = 1_024;

/// The objects under one prefix of a bucket.
#[derive(Debug, Clone)]
pub struct S3Objects {
    bucket: Bucket,
    /// With a slash at its end.
    prefix: String,
}

impl S3Objects {
    /// `prefix` has no slash at its end, as in `tenants/acme`. Makes no call.
    pub fn open(config: &SdkConfig, bucket: &str, prefix: &str) -> Result<Self> {
        if !is_key(prefix) {
            return Err(Error::new(Kind::Invalid, format!("open the objects under `{prefix}`")));
        }
        Ok(Self {
            bucket: Bucket::new(config, bucket)?,
            prefix: format!("{prefix}/"),
        })
    }

    fn path(&self, op: &str, key: &str) -> Result<String> {
        let path = format!("{}{key}", self.prefix);
        if is_key(key) && path.len() <= KEY_BYTES {
            Ok(path)
        } else {
            Err(Error::new(Kind::Invalid, op))
        }
    }

    /// Reads an object's version and then that version's content; `None` when there is none.
    async fn read(&self, op: &str, path: &str) -> Result<Option<(Vec<u8>, Version)>> {
        loop {
            let version = match self.bucket.operator.stat(path).await {
                Ok(found) => etag(op, found.etag())?,
                Err(error) => return self.absent_or(op, path, &error).await,
            };
            let wanted = ReadOptions {
                if_match: Some(version.clone()),
                ..ReadOptions::default()
            };
            match self.bucket.operator.read_options(path, wanted).await {
                Ok(bytes) => return Ok(Some((bytes.to_vec(), Version(version)))),
                // Somebody wrote or deleted it in between.
                Err(error) if matches!(error.kind(), ErrorKind::ConditionNotMatch | ErrorKind::NotFound) => {}
                Err(error) => return Err(failed(op, &error)),
            }
        }
    }

    /// A role that may list its own prefix only is told of a missing key that it may not read it, so that a list decides.
    async fn absent_or(&self, op: &str, path: &str, error: &opendal::Error) -> Result<Option<(Vec<u8>, Version)>> {
        match error.kind() {
            ErrorKind::NotFound => Ok(None),
            ErrorKind::PermissionDenied => {
                let found = self.page(op, path, None, 1).await?;
                if found.first().is_some_and(|found| found == path) {
                    Err(failed(op, error))
                } else {
                    Ok(None)
                }
            }
            _ => Err(failed(op, error)),
        }
    }

    async fn write(&self, op: &str, path: &str, bytes: Vec<u8>, precondition: &Precondition) -> Result<Version> {
        let (if_not_exists, if_match) = match precondition {
            Precondition::None => (false, None),
            Precondition::Absent => (true, None),
            Precondition::Is(Version(version)) => (false, Some(version.clone())),
        };
        let wanted = WriteOptions {
            if_not_exists,
            if_match,
            ..WriteOptions::default()
        };
        match self.bucket.operator.write_options(path, bytes, wanted).await {
            Ok(written) => etag(op, written.etag()).map(Version),
            // What is gone is no longer as it was read.
            Err(error) if error.kind() == ErrorKind::NotFound && *precondition != Precondition::None => {
                Err(Error::new(Kind::Conflict, op))
            }
            Err(error) => Err(failed(op, &error)),
        }
    }

    /// A page of keys with the prefix, in byte order.
    async fn page(&self, op: &str, path: &str, after: Option<String>, limit: usize) -> Result<Vec<String>> {
        let lister = self
            .bucket
            .operator
            .lister_with(path)
            .recursive(true)
            .limit(limit.clamp(1, 1_000));
        let lister = match after {
            Some(after) => lister.start_after(&after),
            None => lister,
        };
        let mut found = lister.await.map_err(|error| failed(op, &error))?;
        let mut keys = Vec::new();
        while keys.len() < limit
            && let Some(entry) = found.try_next().await.map_err(|error| failed(op, &error))?
        {
            if entry.metadata().mode() == EntryMode::FILE && entry.path().starts_with(path) {
                keys.push(entry.path().to_owned());
            }
        }
        Ok(keys)
    }
}

/// Whether S3 and a file system take it for one and the same object's key.
fn is_key(key: &str) -> bool {
    key.len() <= KEY_BYTES && !key.contains('\0') && key.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn etag(op: &str, etag: Option<&str>) -> Result<String> {
    crate::aws::error::required(op, "ETag", etag)
}

/// The attempts at one call.
struct Attempts {
    left: u32,
    pause: Duration,
    /// Whether an attempt may have been carried out without an answer.
    is_unsure: bool,
}

impl Attempts {
    fn new() -> Self {
        Self {
            left: ATTEMPTS,
            pause: PAUSE,
            is_unsure: false,
        }
    }

    /// Whether a call that failed so is made again; waits before it.
    async fn again(&mut self, failed: Option<Kind>) -> bool {
        let is_worth_it = matches!(failed, Some(Kind::Throttled | Kind::Unavailable));
        self.left -= 1;
        if !is_worth_it || self.left == 0 {
            return false;
        }
        self.is_unsure |= failed == Some(Kind::Unavailable);
        sleep(jittered(self.pause)).await;
        self.pause *= 2;
        true
    }
}

fn kind<T>(done: &Result<T>) -> Option<Kind> {
    done.as_ref().err().map(|error| error.kind)
}

#[async_trait]
impl Objects for S3Objects {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>> {
        let op = format!("s3:GetObject {key}");
        let path = self.path(&op, key)?;
        let mut attempts = Attempts::new();
        loop {
            let done = self.read(&op, &path).await;
            if !attempts.again(kind(&done)).await {
                return done;
            }
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, precondition: Precondition) -> Result<Version> {
        let op = format!("s3:PutObject {key}");
        let path = self.path(&op, key)?;
        let mut attempts = Attempts::new();
        loop {
            let mut done = self.write(&op, &path, bytes.clone(), &precondition).await;
            // An attempt that got no answer may have been the one that is in the way now.
            if kind(&done) == Some(Kind::Conflict)
                && attempts.is_unsure
                && let Some((stored, version)) = self.read(&op, &path).await?
                && stored == bytes
            {
                done = Ok(version);
            }
            if !attempts.again(kind(&done)).await {
                return done;
            }
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let op = format!("s3:ListObjectsV2 {prefix}");
        // A path with such parts is another path to whoever tidies it.
        let is_plain = !prefix.contains("//") && prefix.split('/').all(|part| !matches!(part, "." | ".."));
        if limit == 0 || !is_plain || prefix.starts_with('/') {
            return Ok(Vec::new());
        }
        let path = format!("{}{prefix}", self.prefix);
        let after = after.map(|after| format!("{}{after}", self.prefix));
        let mut attempts = Attempts::new();
        loop {
            let done = self.page(&op, &path, after.clone(), limit).await;
            if !attempts.again(kind(&done)).await {
                let own = |key: String| key.strip_prefix(&self.prefix).map(ToOwned::to_owned);
                return Ok(done?.into_iter().filter_map(own).collect());
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let op = format!("s3:DeleteObject {key}");
        let path = self.path(&op, key)?;
        let mut attempts = Attempts::new();
        loop {
            let deleted = self.bucket.operator.delete(&path).await;
            let done = deleted.map_err(|error| failed(&op, &error));
            if !attempts.again(kind(&done)).await {
                return done;
            }
        }
    }
}
