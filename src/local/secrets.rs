//! A tenant's secrets on the embedded target: files that nobody but their owner may read.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::SecretString;

use crate::local::is_plain_name;
use crate::model::name::is_secret_name;
use crate::ports::{Error, Kind, Result, Secrets};

/// Whatever anybody but the owner may do.
const OF_OTHERS: u32 = 0o077;

/// The files `<data>/secrets/<tenant>/<name>`. A line break at the end of one does not belong to the secret.
#[derive(Debug, Clone)]
pub struct LocalSecrets {
    folder: PathBuf,
}

impl LocalSecrets {
    /// Reads nothing yet.
    pub fn open(data: &Path, tenant: &str) -> Result<Self> {
        if !is_plain_name(tenant) {
            return Err(Error::new(
                Kind::Invalid,
                format!("open the secrets of tenant `{tenant}`"),
            ));
        }
        Ok(Self {
            folder: data.join("secrets").join(tenant),
        })
    }
}

#[async_trait]
impl Secrets for LocalSecrets {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        let path = self.folder.join(name);
        let op = format!("read the secret {}", path.display());
        if !is_secret_name(name) {
            return Err(Error::new(Kind::Invalid, op));
        }
        match read(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(Error::caused(Kind::Invalid, op, error)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Error::caused(Kind::Denied, op, error)),
            Err(error) => Err(Error::caused(Kind::Unavailable, op, error)),
        }
    }
}

fn read(path: &Path) -> io::Result<SecretString> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OF_OTHERS != 0 {
        let why = format!("others may read it: chmod 600 {}", path.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, why));
    }
    let mut text = fs::read_to_string(path)?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(SecretString::from(text))
}
