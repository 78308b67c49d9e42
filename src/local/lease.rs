//! Leases as locked files: the operating system releases one when its process dies, however it dies.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::ports::{Error, Kind, LeaseGuard, Leases, Result};

/// One tenant's leases, in `<data>/locks/<tenant>/<role>.lock`.
pub struct LocalLeases {
    folder: PathBuf,
}

impl LocalLeases {
    pub fn open(data: &Path, tenant: &str) -> Result<Self> {
        let folder = data.join("locks").join(tenant);
        fs::create_dir_all(&folder)
            .map_err(|error| Error::caused(Kind::Unavailable, format!("open {}", folder.display()), error))?;
        Ok(Self { folder })
    }
}

#[async_trait]
impl Leases for LocalLeases {
    async fn acquire(&self, role: &str) -> Result<Option<LeaseGuard>> {
        let path = self.folder.join(format!("{role}.lock"));
        let failed = |error| Error::caused(Kind::Unavailable, format!("lock {}", path.display()), error);
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(LeaseGuard(Box::new(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}
