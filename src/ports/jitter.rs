//! Pauses of different lengths, so that those who were refused together do not come back together.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// Between half of a pause and all of it.
pub fn jittered(pause: Duration) -> Duration {
    const PARTS: u64 = 1_024;
    // Keys of a hasher are as random as this needs, and come with the language.
    let part = u32::try_from(RandomState::new().build_hasher().finish() % PARTS).unwrap_or(0);
    pause / 2 + pause / 2 * part / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_within_their_bounds() {
        let pauses: Vec<Duration> = (0..50).map(|_| jittered(Duration::from_secs(8))).collect();
        assert!(pauses.iter().all(|pause| (4..8).contains(&pause.as_secs())));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
