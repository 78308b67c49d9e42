//! Leases as locks on files. The operating system drops a lock when its process ends, however it ends.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::local::is_plain_name;
use crate::ports::stop::Stop;
use crate::ports::{Error, Held, Kind, LeaseGuard, Leases, Result};

/// The leases of one tenant: `<data>/locks/<tenant>/<role>.lock`.
#[derive(Debug, Clone)]
pub struct LocalLeases {
    folder: PathBuf,
}

impl LocalLeases {
    pub fn open(data: &Path, tenant: &str) -> Result<Self> {
        if !is_plain_name(tenant) {
            return Err(Error::new(
                Kind::Invalid,
                format!("open the leases of tenant `{tenant}`"),
            ));
        }
        let folder = data.join("locks").join(tenant);
        fs::create_dir_all(&folder).map_err(|error| {
            Error::caused(
                Kind::Unavailable,
                format!("make the folder {}", folder.display()),
                error,
            )
        })?;
        Ok(Self { folder })
    }
}

/// The lock is lost with the file only.
struct Lock {
    _file: File,
}

#[async_trait]
impl Held for Lock {
    async fn release(self: Box<Self>) {}
}

#[async_trait]
impl Leases for LocalLeases {
    async fn acquire(&self, role: &str, _: &Stop) -> Result<Option<LeaseGuard>> {
        if !is_plain_name(role) {
            return Err(Error::new(Kind::Invalid, format!("acquire the lease of role `{role}`")));
        }
        let path = self.folder.join(format!("{role}.lock"));
        let unavailable =
            |error: std::io::Error| Error::caused(Kind::Unavailable, format!("lock {}", path.display()), error);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(LeaseGuard(Box::new(Lock { _file: file })))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lease_is_held_once_and_released_when_dropped() {
        let data = tempfile::tempdir().unwrap();
        let mine = LocalLeases::open(data.path(), "acme").unwrap();
        let theirs = LocalLeases::open(data.path(), "acme").unwrap();
        let other_tenant = LocalLeases::open(data.path(), "globex").unwrap();

        let held = mine.acquire("detect", &Stop::default()).await.unwrap();
        assert!(held.is_some());
        assert!(mine.acquire("detect", &Stop::default()).await.unwrap().is_none());
        assert!(theirs.acquire("detect", &Stop::default()).await.unwrap().is_none());
        assert!(theirs.acquire("compact", &Stop::default()).await.unwrap().is_some());
        assert!(
            other_tenant
                .acquire("detect", &Stop::default())
                .await
                .unwrap()
                .is_some()
        );

        drop(held);
        assert!(theirs.acquire("detect", &Stop::default()).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_name_that_leads_out_of_the_folder_is_refused() {
        let data = tempfile::tempdir().unwrap();
        let leases = LocalLeases::open(data.path(), "acme").unwrap();
        for role in ["", "..", "a/b", ".hidden"] {
            assert_eq!(
                leases.acquire(role, &Stop::default()).await.err().unwrap().kind,
                Kind::Invalid,
                "{role}"
            );
        }
        assert_eq!(
            LocalLeases::open(data.path(), "../acme").unwrap_err().kind,
            Kind::Invalid
        );
    }
}
