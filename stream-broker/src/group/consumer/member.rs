//! A member of a consumer group.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;

use super::TopicPartition;

/// The member epoch of a static member that has left for a while.
pub(crate) const STATIC_LEAVE_EPOCH: i32 = -2;

/// What keeps a member from its part of the target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// Nothing; or the target assignment is new.
    Stable,
    /// Partitions that it has to give up first.
    UnrevokedPartitions,
    /// Partitions that others have not given up yet.
    UnreleasedPartitions,
}

impl MemberState {
    /// The number in Kafka's records.
    pub(crate) fn code(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
        }
    }

    /// The state of a number.
    pub(crate) fn from_code(code: i8) -> Option<Self> {
        [MemberState::Stable, MemberState::UnrevokedPartitions, MemberState::UnreleasedPartitions]
            .into_iter()
            .find(|state| state.code() == code)
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerMember {
    pub(crate) id: StrBytes,
    pub(crate) instance_id: Option<StrBytes>,
    pub(crate) rack_id: Option<StrBytes>,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) subscribed_topics: BTreeSet<String>,
    /// A regular expression; none subscribes to nothing, as an empty one does.
    pub(crate) subscribed_regex: Option<StrBytes>,
    /// The assignor that it prefers.
    pub(crate) server_assignor: Option<StrBytes>,
    pub(crate) epoch: i32,
    /// The epoch before: the answer that brought the present one may have been lost.
    pub(crate) previous_epoch: i32,
    pub(crate) state: MemberState,
    /// What it may read, each with the epoch in which it got it.
    pub(crate) assigned: BTreeMap<TopicPartition, i32>,
    /// What it still has to give up.
    pub(crate) revoking: BTreeMap<TopicPartition, i32>,
    pub(crate) session_deadline: i64,
    /// When it must have given up what it has to.
    pub(crate) rebalance_deadline: Option<i64>,
}

impl ConsumerMember {
    pub(crate) fn new(id: StrBytes) -> Self {
        ConsumerMember {
            id,
            instance_id: None,
            rack_id: None,
            client_id: StrBytes::default(),
            client_host: StrBytes::default(),
            rebalance_timeout_ms: -1,
            subscribed_topics: BTreeSet::new(),
            subscribed_regex: None,
            server_assignor: None,
            epoch: 0,
            previous_epoch: 0,
            state: MemberState::Stable,
            assigned: BTreeMap::new(),
            revoking: BTreeMap::new(),
            session_deadline: i64::MAX,
            rebalance_deadline: None,
        }
    }

    /// The regular expression, if it is one that can match.
    pub(crate) fn regex(&self) -> Option<&str> {
        self.subscribed_regex.as_ref().map(|regex| regex.as_str()).filter(|regex| !regex.is_empty())
    }

    /// Whether it has all that the target assignment of this epoch gives it, and nothing else.
    pub(crate) fn has_reached(&self, assignment_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == assignment_epoch
    }

    /// The epoch in which it got a partition that it still holds.
    pub(crate) fn held_since(&self, partition: &TopicPartition) -> Option<i32> {
        self.assigned.get(partition).or_else(|| self.revoking.get(partition)).copied()
    }

    pub(super) fn enter_epoch(&mut self, epoch: i32) {
        self.previous_epoch = self.epoch;
        self.epoch = epoch;
    }
}
