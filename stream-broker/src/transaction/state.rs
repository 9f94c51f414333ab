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

const ALL: [State; 6] =
    [State::Empty, State::Ongoing, State::PrepareCommit, State::PrepareAbort, State::CompleteCommit, State::CompleteAbort];

impl State {
    /// The name that clients see.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Ongoing => "Ongoing",
            State::PrepareCommit => "PrepareCommit",
            State::PrepareAbort => "PrepareAbort",
            State::CompleteCommit => "CompleteCommit",
            State::CompleteAbort => "CompleteAbort",
        }
    }

    /// The state of a name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|state| state.name() == name)
    }

    /// The number in Kafka's records.
    pub(crate) fn code(self) -> i8 {
        match self {
            State::Empty => 0,
            State::Ongoing => 1,
            State::PrepareCommit => 2,
            State::PrepareAbort => 3,
            State::CompleteCommit => 4,
            State::CompleteAbort => 5,
        }
    }

    /// The state of a number.
    pub(crate) fn from_code(code: i8) -> Option<Self> {
        ALL.into_iter().find(|state| state.code() == code)
    }

    /// Markers are being written: whatever else is asked has to wait.
    pub(crate) fn is_ending(self) -> bool {
        matches!(self, State::PrepareCommit | State::PrepareAbort)
    }
}
