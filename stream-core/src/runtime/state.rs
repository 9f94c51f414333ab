//! The states of an application.

use std::fmt;

/// What an application is doing. Mirrors `KafkaStreams.State`.
///
/// ```text
/// Created ─► Rebalancing ◄─► Running
///    │            │             │
///    └────────────┴──────┬──────┘
///                        ├─► PendingShutdown ─► NotRunning
///                        └─► PendingError ────► Error
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Not started.
    Created,
    /// Waiting for topics, the group, or tasks that are being restored. Tasks that run already go on running.
    Rebalancing,
    /// All tasks of this process run (there may be none).
    Running,
    /// Closing as the program asked.
    PendingShutdown,
    /// Closed.
    NotRunning,
    /// Closing after an error.
    PendingError,
    /// Ended by an error.
    Error,
}

impl State {
    /// Whether no other state can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::NotRunning | Self::Error)
    }

    /// Whether the application is on its way to a final state, or there.
    pub(crate) const fn is_ending(self) -> bool {
        !matches!(self, Self::Created | Self::Rebalancing | Self::Running)
    }

    /// Whether `next` may follow.
    pub(crate) const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Created => matches!(next, Self::Rebalancing | Self::PendingShutdown | Self::PendingError),
            Self::Rebalancing => matches!(next, Self::Running | Self::PendingShutdown | Self::PendingError),
            Self::Running => matches!(next, Self::Rebalancing | Self::PendingShutdown | Self::PendingError),
            Self::PendingShutdown => matches!(next, Self::NotRunning | Self::PendingError),
            Self::PendingError => matches!(next, Self::Error),
            Self::NotRunning | Self::Error => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "CREATED",
            Self::Rebalancing => "REBALANCING",
            Self::Running => "RUNNING",
            Self::PendingShutdown => "PENDING_SHUTDOWN",
            Self::NotRunning => "NOT_RUNNING",
            Self::PendingError => "PENDING_ERROR",
            Self::Error => "ERROR",
        })
    }
}
