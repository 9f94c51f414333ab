//! Mistakes that tests seed into the broker, to show that its simulation would find them. Outside of tests there are none.

/// A mistake that a broker could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// Members of past generations may commit.
    GenerationUnchecked,
    /// A rebalance does not begin a new generation.
    GenerationKept,
    /// Offsets are acknowledged that are not in the log.
    CommitUnwritten,
    /// Offsets of an aborted transaction are applied.
    AbortedOffsetsApplied,
    /// Consumers see records of open transactions.
    StableOffsetTooHigh,
    /// A restart forgets which transactions were aborted.
    AbortedForgotten,
    /// A restart forgets the markers that were still to be written.
    MarkersForgotten,
    /// A repeated batch is written again.
    SequenceUnchecked,
    /// A fenced producer may go on.
    FencingForgotten,
    /// A restart forgets which transactions are open in a partition.
    OpenTransactionsForgotten,
}

#[cfg(test)]
pub(crate) const ALL: [Mistake; 10] = [
    Mistake::GenerationUnchecked,
    Mistake::GenerationKept,
    Mistake::CommitUnwritten,
    Mistake::AbortedOffsetsApplied,
    Mistake::StableOffsetTooHigh,
    Mistake::AbortedForgotten,
    Mistake::MarkersForgotten,
    Mistake::SequenceUnchecked,
    Mistake::FencingForgotten,
    Mistake::OpenTransactionsForgotten,
];

#[cfg(test)]
thread_local! {
    static SEEDED: std::cell::Cell<Option<Mistake>> = const { std::cell::Cell::new(None) };
}

/// Seeds a mistake into all brokers of this thread, or none.
#[cfg(test)]
pub(crate) fn seed(mistake: Option<Mistake>) {
    SEEDED.set(mistake);
}

/// Whether the broker is to make a mistake.
#[cfg(test)]
pub(crate) fn is_made(mistake: Mistake) -> bool {
    SEEDED.get() == Some(mistake)
}

/// Whether the broker is to make a mistake: never.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn is_made(_: Mistake) -> bool {
    false
}
