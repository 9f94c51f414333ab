//! Offset commits outside of transactions (at-least-once).

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
}
