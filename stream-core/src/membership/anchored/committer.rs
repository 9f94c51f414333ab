//! Commits by the membership consumer.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::consumer::MembershipConsumer;
use crate::client::CommitOffset;
use crate::error::{Error, ErrorKind, Result};
use crate::membership::{CommitLease, OffsetCommitter};

/// Commits as whichever consumer is the member now. A non-member's commits are refused while the group has members, so the consumers
/// that fetch cannot commit.
#[derive(Default)]
pub(super) struct MemberCommitter {
    consumer: Mutex<Option<Arc<MembershipConsumer>>>,
    /// When the process that leaves waits for no answer any more.
    until: OnceLock<Instant>,
}

impl MemberCommitter {
    /// To be called with no lease held, so that the last reference to a consumer is never dropped by a worker.
    pub(super) fn set(&self, consumer: Option<&Arc<MembershipConsumer>>) {
        *self.consumer.lock().unwrap_or_else(PoisonError::into_inner) = consumer.cloned();
    }
}

impl OffsetCommitter for MemberCommitter {
    fn commit(&self, _lease: &CommitLease<'_>, offsets: &[CommitOffset]) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match consumer {
            Some(consumer) => consumer.commit(offsets, &|| self.until.get().is_some_and(|until| Instant::now() >= *until)),
            None => Err(Error::new(ErrorKind::Fenced, "this process has left its group; its offsets are not committed")),
        }
    }

    fn leaves(&self, within: Duration) {
        // The first call counts. A time beyond all clocks is no limit.
        if let Some(until) = Instant::now().checked_add(within) {
            self.until.get_or_init(|| until);
        }
    }
}
