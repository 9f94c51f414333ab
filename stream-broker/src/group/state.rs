//! The states of a classic group.

/// Where a classic group stands between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No members. The group may still hold offsets.
    Empty,
    /// Members are (re)joining; the next generation begins when all have, or when the rebalance timeout ends.
    PreparingRebalance,
    /// The generation has begun and waits for the leader's assignment.
    CompletingRebalance,
    /// Every member can have its assignment.
    Stable,
}

impl State {
    /// The name that `DescribeGroups` and `ListGroups` use.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// What `DescribeGroups` calls a group that does not exist.
pub(crate) const DEAD: &str = "Dead";
