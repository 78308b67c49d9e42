//! Mistakes that a test can switch on in its own thread, to show that it would see them. A release build has none of them.

/// What the runtime must not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A message is taken out of the queue before it is kept.
    AcknowledgeEarly,
    /// The watermark moves in a commit of its own, before the rows.
    WatermarkOutsideTheCommit,
    /// A finding is another each time it is found.
    NondeterministicId,
    /// Whoever lost its lease may write all the same.
    LeaseWithoutFencing,
    /// Rows are added without a look at what the table has.
    CompactionIgnoringRefresh,
}

impl Mistake {
    pub const ALL: [Self; 5] = [
        Self::AcknowledgeEarly,
        Self::WatermarkOutsideTheCommit,
        Self::NondeterministicId,
        Self::LeaseWithoutFencing,
        Self::CompactionIgnoringRefresh,
    ];
}

#[cfg(debug_assertions)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Mistake>> = const { std::cell::Cell::new(None) };
    static ANOTHER: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// From now on this thread makes the mistake; none with `None`.
#[cfg(debug_assertions)]
pub fn plant(mistake: Option<Mistake>) {
    PLANTED.set(mistake);
}

/// Does nothing in a release build.
#[cfg(not(debug_assertions))]
pub fn plant(_: Option<Mistake>) {}

/// Whether this thread is to make the mistake.
#[cfg(debug_assertions)]
pub fn is_planted(mistake: Mistake) -> bool {
    PLANTED.get() == Some(mistake)
}

/// Never, in a release build.
#[cfg(not(debug_assertions))]
pub const fn is_planted(_: Mistake) -> bool {
    false
}

/// A number that is another each time, for what must not be: always 0 in a release build, where nobody asks.
pub fn another() -> u64 {
    #[cfg(debug_assertions)]
    ANOTHER.set(ANOTHER.get() + 1);
    #[cfg(debug_assertions)]
    return ANOTHER.get();
    #[cfg(not(debug_assertions))]
    0
}
