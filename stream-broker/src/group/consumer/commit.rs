//! Who may commit and ask for offsets of a consumer group, and how long they are kept.

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::super::commit::Committer;
use super::{ConsumerGroup, TopicPartition};

/// First version of OffsetCommit whose clients understand STALE_MEMBER_EPOCH.
const STALE_MEMBER_EPOCH: i16 = 9;

impl ConsumerGroup {
    /// Checks a commit of the given version, as a whole.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`; `STALE_MEMBER_EPOCH` for an epoch that the member has not reached; `UNSUPPORTED_VERSION` if the request
    /// has no way to say a member epoch.
    pub(crate) fn accept_commit(&self, committer: &Committer<'_>, version: i16) -> Result<(), ResponseError> {
        if committer.generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(committer.member_id).ok_or(ResponseError::UnknownMemberId)?;
        if version < STALE_MEMBER_EPOCH {
            return Err(ResponseError::UnsupportedVersion);
        }
        if committer.generation > member.epoch { Err(ResponseError::StaleMemberEpoch) } else { Ok(()) }
    }

    /// Checks a commit inside a transaction (KIP-447), as a whole.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`; `ILLEGAL_GENERATION`, which is all that clients of this request know.
    pub(crate) fn accept_transactional_commit(&self, committer: &Committer<'_>) -> Result<(), ResponseError> {
        if !committer.is_member() || (committer.generation < 0 && self.members.is_empty()) {
            return Ok(());
        }
        let member = self.members.get(committer.member_id).ok_or(ResponseError::UnknownMemberId)?;
        if committer.generation > member.epoch { Err(ResponseError::IllegalGeneration) } else { Ok(()) }
    }

    /// Whether a committer may commit for this partition: the epoch may have gone on since its last heartbeat, but the partition must
    /// have been its own all the time (KIP-1251).
    pub(crate) fn may_commit(&self, committer: &Committer<'_>, partition: &TopicPartition) -> bool {
        match self.members.get(committer.member_id) {
            Some(member) if committer.generation != member.epoch => {
                member.held_since(partition).is_some_and(|since| since <= committer.generation)
            }
            // A stranger was let in as a whole, or not at all.
            _ => true,
        }
    }

    /// Checks who asks for offsets; an administrator does not say who it is.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, `STALE_MEMBER_EPOCH`.
    pub(crate) fn accept_fetch(&self, member_id: Option<&StrBytes>, epoch: i32) -> Result<(), ResponseError> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.members.get(id)).ok_or(ResponseError::UnknownMemberId)?;
        if member.epoch == epoch { Ok(()) } else { Err(ResponseError::StaleMemberEpoch) }
    }

    /// Deletes the offsets of topics that no member subscribes to, `retention_ms` after their commit.
    pub(crate) fn expire_offsets(&mut self, retention_ms: i64, now: i64) {
        let subscribed = self.subscribed_topics();
        self.offsets.retain(|topic, _, offset| match offset.expires_at {
            _ if subscribed.contains(topic) => true,
            Some(expires_at) => expires_at > now,
            None => now < offset.committed_at.saturating_add(retention_ms),
        });
    }
}
