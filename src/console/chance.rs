//! Where the console's secrets of a moment come from: names of sessions, tokens of forms.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ports::{Error, Kind, Result};

/// Random bytes by the operating system.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::caused(Kind::Unavailable, "ask for random bytes", error))?;
    Ok(bytes)
}

/// A text of 256 bits that nobody guesses.
pub fn token() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<32>()?))
}
