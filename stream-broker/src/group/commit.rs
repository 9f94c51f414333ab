//! Who may commit offsets to a group, and how long they are kept.

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::classic::ClassicGroup;
use super::state::State;

/// Whom a commit speaks for.
#[derive(Debug)]
pub(crate) struct Committer<'a> {
    /// -1 outside of any generation.
    pub(crate) generation: i32,
    /// Empty outside of any generation.
    pub(crate) member_id: &'a StrBytes,
    pub(crate) instance_id: Option<&'a StrBytes>,
}

impl Committer<'_> {
    pub(crate) fn is_member(&self) -> bool {
        self.generation >= 0 || !self.member_id.is_empty() || self.instance_id.is_some()
    }
}

impl ClassicGroup {
    /// Checks a plain commit and takes it as a sign of life. Partitions are not checked: any member may commit any.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID` for a client outside the group while it has members; `ILLEGAL_GENERATION`,
    /// `FENCED_INSTANCE_ID`; `REBALANCE_IN_PROGRESS` while the assignment of the generation is not known, because the
    /// partition may have been given to another member.
    pub(crate) fn accept_commit(&mut self, committer: &Committer<'_>, now: i64) -> Result<(), ResponseError> {
        if committer.generation < 0 && self.state == State::Empty {
            return Ok(());
        }
        if !committer.is_member() {
            return Err(ResponseError::UnknownMemberId);
        }
        self.check_generation(committer.member_id, committer.instance_id, committer.generation)?;
        if self.state == State::CompletingRebalance {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.renew_session(committer.member_id, now);
        Ok(())
    }

    /// Checks a commit inside a transaction (KIP-447). It is allowed in every state, and to producers that do not say
    /// for whom they commit, as those of before 2.5 never do.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID`, `ILLEGAL_GENERATION`, `FENCED_INSTANCE_ID`: the partitions may have another owner by now.
    pub(crate) fn accept_transactional_commit(&self, committer: &Committer<'_>) -> Result<(), ResponseError> {
        if !committer.is_member() || (committer.generation < 0 && self.state == State::Empty) {
            return Ok(());
        }
        self.check_generation(committer.member_id, committer.instance_id, committer.generation)
    }

    /// Deletes the offsets that nobody has needed for `retention_ms`: of a group without members since it lost the last
    /// one, of a group that never had any since their commit, and of topics that no member subscribes to any more.
    pub(crate) fn expire_offsets(&mut self, retention_ms: i64, now: i64) {
        let subscribed = self.subscribed_topics();
        let (state, since) = (self.state, self.state_since);
        let managed = self.protocol_type.is_some();
        self.offsets.retain(|topic, _, offset| {
            if let Some(expires_at) = offset.expires_at {
                return expires_at > now;
            }
            let unused_since = match (state, &subscribed) {
                (State::Empty, _) if managed => since.max(offset.committed_at),
                (State::Empty, _) => offset.committed_at,
                (_, Some(topics)) if state == State::Stable && !topics.contains(topic) => offset.committed_at,
                _ => return true,
            };
            now < unused_since.saturating_add(retention_ms)
        });
    }
}
