//! Commits by the membership consumer.

use std::sync::{Arc, Mutex, PoisonError};

use super::consumer::MembershipConsumer;
use crate::client::CommitOffset;
use crate::error::{Error, ErrorKind, Result};
use crate::membership::{CommitLease, OffsetCommitter};

/// Commits as whichever consumer is the member now. A non-member's commits are refused while the group has members, so the consumers
/// that fetch cannot commit.
#[derive(Default)]
pub(super) struct MemberCommitter(Mutex<Option<Arc<MembershipConsumer>>>);

impl MemberCommitter {
    /// To be called with no lease held, so that the last reference to a consumer is never dropped by a worker.
    pub(super) fn set(&self, consumer: Option<&Arc<MembershipConsumer>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = consumer.cloned();
    }
}

impl OffsetCommitter for MemberCommitter {
    fn commit(&self, _lease: &CommitLease<'_>, offsets: &[CommitOffset]) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let consumer = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match consumer {
            Some(consumer) => consumer.commit(offsets),
            None => Err(Error::new(ErrorKind::Fenced, "this process has left its group; its offsets are not committed")),
        }
    }
}
