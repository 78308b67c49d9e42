//! Erasure of one user on request, with a receipt that is stored before anything is deleted.
//!
//! What is erased are the user's rows, those of events that they did or that were done to them, and what the directory knows of
//! them. Segments, findings, and rows
//! of other users whose event names the user stay until retention drops them.

use crate::lake::Upkeep;
use crate::lake::erase::{Receipt, erase, forget};
use crate::lake::objects::encode;
use crate::ports::{Error, Kind, Objects, Precondition, Result};
use crate::runtime::directory;

const PREFIX: &str = "erasures/";

/// Erases every row of a user up to now. `user_id` is an Okta user ID: a login may have been another's before.
///
/// Repeated, it finishes what a run that died has left; each run has a receipt of its own.
pub async fn run(upkeep: &Upkeep<'_>, objects: &dyn Objects, user_id: &str) -> Result<Receipt> {
    if user_id.is_empty() || user_id.contains('@') {
        return Err(Error::new(
            Kind::Invalid,
            "erase a user: an Okta user ID is wanted, as in 00u1abcd; a login may have been another's before",
        ));
    }
    let receipt = erase(upkeep, user_id).await?;
    store(upkeep, objects, &receipt).await?;
    let mut receipt = forget(upkeep, receipt).await?;
    receipt.versions_in_directory = Some(directory::forget(objects, upkeep, user_id).await?);
    store(upkeep, objects, &receipt).await?;
    Ok(receipt)
}

async fn store(upkeep: &Upkeep<'_>, objects: &dyn Objects, receipt: &Receipt) -> Result<()> {
    let key = format!("{PREFIX}{}.json", upkeep.run);
    objects.put(&key, encode(receipt)?, Precondition::None).await?;
    Ok(())
}
