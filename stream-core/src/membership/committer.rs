//! Offset commits outside of transactions (at-least-once).

use std::time::Duration;

use super::CommitLease;
use crate::client::CommitOffset;
use crate::error::Result;

/// Commits offsets as the member that the process is.
pub trait OffsetCommitter: Send + Sync {
    /// Commits, and waits for the coordinator's answer. The lease proves that the tasks are owned, and keeps the membership from
    /// being replaced meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::Retriable`](crate::ErrorKind::Retriable): nothing is committed or the outcome is unknown, and the tasks stay: commit again (also
    /// while a rebalance is being completed). [`ErrorKind::Fenced`](crate::ErrorKind::Fenced): the group has replaced this member.
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid): the commit can never succeed (authorization, offset metadata too large).
    fn commit(&self, lease: &CommitLease<'_>, offsets: &[CommitOffset]) -> Result<()>;

    /// The process is about to leave its group: no commit, also not one that is under way, waits for longer than `within` from now on.
    ///
    /// Until then a commit waits for its answer as long as the client does: one that was given up could still arrive behind a later one,
    /// and take positions back. Of a process that leaves there is no later one.
    fn leaves(&self, within: Duration);
}
