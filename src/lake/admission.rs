//! What may not enter the table again: what retention has dropped, and the rows of users who were erased.
//!
//! Both are properties of the table itself, so that they change in the very commit that takes the rows out, and whoever
//! computes new rows reads them with the table that the rows are compared with.

use std::collections::BTreeMap;

use iceberg::spec::TableMetadata;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::model::activity::{RowKey, date_of, day_of_date};
use crate::ports::{Error, Kind, Result};

/// The first day that retention has kept, as in `2026-01-31`.
const RETAINED_FROM: &str = "oort.retained-from";
/// Followed by the SHA-256 of an Okta user ID; its value is a time. The ID itself would be readable for ever.
const ERASED: &str = "oort.erased.";

/// Which rows a table takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// The first day, in days since 1970-01-01 (UTC).
    first_day: Option<i32>,
    /// Microseconds since 1970-01-01 (UTC), by the digest of a user's ID: what happened before is gone.
    erased: BTreeMap<String, i64>,
}

impl Admission {
    /// What a table says.
    pub fn of(metadata: &TableMetadata) -> Result<Self> {
        let mut admission = Self::default();
        for (name, value) in metadata.properties() {
            let invalid = || Error::new(Kind::Invalid, format!("read {name} {value:?} of the Activity table"));
            if name == RETAINED_FROM {
                admission.first_day = Some(value.parse().map_err(|_| invalid()).map(day_of_date)?);
            } else if let Some(digest) = name.strip_prefix(ERASED) {
                let before: Timestamp = value.parse().map_err(|_| invalid())?;
                admission.erased.insert(digest.to_owned(), before.as_microsecond());
            }
        }
        Ok(admission)
    }

    /// Whether the table takes this row.
    pub fn admits(&self, key: &RowKey<'_>) -> bool {
        self.first_day.is_none_or(|first| key.day >= first) && !self.has_erased(key)
    }

    fn has_erased(&self, key: &RowKey<'_>) -> bool {
        // Spares everybody else the digests.
        if self.erased.is_empty() {
            return false;
        }
        let before = self.erased.get(&digest(&key.user_id));
        before.is_some_and(|&before| key.published < before)
    }

    /// The first day that retention has kept, in days since 1970-01-01 (UTC).
    pub fn first_day(&self) -> Option<i32> {
        self.first_day
    }

    /// Until when a user's rows are erased; `None` for one who never was.
    pub fn erased_before(&self, user_id: &str) -> Option<Timestamp> {
        let before = self.erased.get(&digest(user_id))?;
        Timestamp::from_microsecond(*before).ok()
    }
}

/// The property that keeps out what is older than a day.
pub fn retained_from(day: i32) -> (String, String) {
    (RETAINED_FROM.to_owned(), date_of(day).to_string())
}

/// The property that keeps out what a user did, and what was done to them, before a time.
pub fn erased(user_id: &str, before: Timestamp) -> (String, String) {
    (format!("{ERASED}{}", digest(user_id)), before.to_string())
}

/// Names a user without telling who it is to those who do not know the ID: the SHA-256 in hexadecimal.
pub fn digest(user_id: &str) -> String {
    format!("{:x}", Sha256::digest(user_id.as_bytes()))
}
