//! A consumer group of KIP-848: the coordinator assigns, and brings every member to its part step by step.
//!
//! Three epochs tell how far each has come. The *group epoch* rises with every change of members, subscriptions or topics. The
//! *assignment epoch* is that of the target assignment, which is computed when it lags behind. A *member epoch* is that of the
//! target that the member has reached: it first gives up what it must, and gets a partition only after its former owner has said
//! that it let go of it.
//!
//! A member is known by its heartbeats alone; nothing is parked.

mod assignor;
mod commit;
mod groups;
mod heartbeat;
mod leave;
mod member;
mod reconciliation;
mod record;
mod refusal;
mod state;
mod subscription;
mod target;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::offsets::Offsets;
use super::record::Key;

pub(crate) use assignor::{ASSIGNORS, Assignor};
pub(crate) use heartbeat::{Answer, Heartbeat};
pub(crate) use member::ConsumerMember;
pub(crate) use record::value;
pub(crate) use refusal::Refusal;
pub(crate) use state::State;

/// A partition by the id of its topic.
pub(crate) type TopicPartition = (Uuid, i32);

/// Partitions by topic, as requests and answers have them.
pub(crate) fn by_topic(partitions: impl IntoIterator<Item = TopicPartition>) -> BTreeMap<Uuid, Vec<i32>> {
    let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic).or_default().push(index);
    }
    topics
}

/// The timers of consumer groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsumerGroupSettings {
    /// `group.consumer.session.timeout.ms`.
    pub(crate) session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`.
    pub(crate) heartbeat_interval_ms: i32,
    /// `group.consumer.assignment.interval.ms`: the least time between two target assignments.
    pub(crate) assignment_interval_ms: i64,
}

/// The epoch of a group before anybody has joined. It is beyond that of the target, so that even a member that subscribes to nothing
/// enters an epoch.
const FIRST_EPOCH: i32 = 1;

/// See the module.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    pub(crate) id: StrBytes,
    /// The group epoch.
    pub(crate) epoch: i32,
    /// What the topics that are subscribed to were when the epoch began: their ids and partition counts.
    pub(crate) metadata_hash: i64,
    /// The version of all topics for which the two above are known to be right; `None` if they are to be looked at again.
    metadata_version: Option<u64>,
    /// The epoch of the target assignment.
    pub(crate) assignment_epoch: i32,
    /// When the target assignment was computed; 0 for none.
    pub(crate) assigned_at: i64,
    pub(crate) members: BTreeMap<StrBytes, ConsumerMember>,
    /// Member ids by `group.instance.id`.
    pub(crate) static_members: BTreeMap<StrBytes, StrBytes>,
    /// What each member is to have, by member id.
    pub(crate) target: BTreeMap<StrBytes, BTreeSet<TopicPartition>>,
    /// The topics that each subscribed regular expression matches.
    pub(crate) resolved: BTreeMap<String, BTreeSet<String>>,
    pub(crate) offsets: Offsets,
    /// What is to be written down.
    pub(crate) unsaved: Vec<Key>,
}

impl ConsumerGroup {
    pub(crate) fn new(id: StrBytes, offsets: Offsets) -> Self {
        ConsumerGroup {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            metadata_version: None,
            assignment_epoch: 0,
            assigned_at: 0,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            target: BTreeMap::new(),
            resolved: BTreeMap::new(),
            offsets,
            unsaved: Vec::new(),
        }
    }

    /// Where the group stands as a whole.
    pub(crate) fn state(&self) -> State {
        if self.members.is_empty() {
            State::Empty
        } else if self.epoch > self.assignment_epoch {
            State::Assigning
        } else if self.members.values().all(|member| member.has_reached(self.assignment_epoch)) {
            State::Stable
        } else {
            State::Reconciling
        }
    }

    /// Nobody has joined yet, so nothing is written down.
    pub(crate) fn is_new(&self) -> bool {
        self.epoch == FIRST_EPOCH && self.assignment_epoch == 0
    }

    /// The keys of the records that say that the group is there.
    pub(crate) fn keys(&self) -> [Key; 2] {
        let group = self.id.to_string();
        [Key::ConsumerGroup { group: group.clone() }, Key::TargetAssignment { group }]
    }

    /// The earliest time at which [`ConsumerGroup::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.members.values().flat_map(|member| [Some(member.session_deadline), member.rebalance_deadline]).flatten().min()
    }

    fn bump(&mut self) {
        self.epoch += 1;
        self.unsaved.push(Key::ConsumerGroup { group: self.id.to_string() });
    }
}

#[cfg(test)]
mod tests;
