//! The states of a consumer group.

/// Where a consumer group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No members. The group may still hold offsets.
    Empty,
    /// The target assignment is of an older epoch than the group.
    Assigning,
    /// Some member has not reached the target assignment.
    Reconciling,
    /// Every member has what the target assignment gives it.
    Stable,
}

impl State {
    /// The name that listings use.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Assigning => "Assigning",
            State::Reconciling => "Reconciling",
            State::Stable => "Stable",
        }
    }
}
