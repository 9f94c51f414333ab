//! The states of a transactional id.

/// Where a transactional id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Initialised; no transaction since.
    Empty,
    /// A transaction has partitions or groups.
    Ongoing,
    /// Decided to commit; markers are being written.
    PrepareCommit,
    /// Decided to abort; markers are being written.
    PrepareAbort,
    /// All markers of a committed transaction are written.
    CompleteCommit,
    /// All markers of an aborted transaction are written.
    CompleteAbort,
}

impl State {
    /// Markers are being written: whatever else is asked has to wait.
    pub(crate) fn is_ending(self) -> bool {
        matches!(self, State::PrepareCommit | State::PrepareAbort)
    }
}
