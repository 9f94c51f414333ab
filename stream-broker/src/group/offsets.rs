//! The offsets that a group has committed, and those that wait for the end of a transaction.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::protocol::StrBytes;

use crate::mistake::{self, Mistake};

/// A committed position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    /// -1 if the client did not say.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: StrBytes,
    pub(crate) committed_at: i64,
    /// When it expires regardless of the group, from the retention time of an old request.
    pub(crate) expires_at: Option<i64>,
    /// The offset of the commit's record in its partition of `__consumer_offsets`. A transaction's offsets take effect at its end
    /// but keep the place of their TxnOffsetCommit, so a late marker cannot undo a younger commit.
    pub(crate) position: i64,
}

type ByPartition = BTreeMap<String, BTreeMap<i32, CommittedOffset>>;

/// The offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: ByPartition,
    /// By producer id.
    pending: BTreeMap<i64, ByPartition>,
    /// Committed offsets that were deleted since it was last asked for.
    deleted: Vec<(String, i32)>,
}

impl Offsets {
    pub(crate) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.committed.get(topic)?.get(&partition)
    }

    pub(crate) fn commit(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        put(&mut self.committed, topic, partition, offset);
    }

    /// Keeps an offset back until [`Offsets::complete`].
    pub(crate) fn commit_in_transaction(&mut self, producer_id: i64, topic: &str, partition: i32, offset: CommittedOffset) {
        let pending = self.pending.entry(producer_id).or_default();
        put(pending, topic, partition, offset);
    }

    /// Ends the producer's transaction in this group.
    pub(crate) fn complete(&mut self, producer_id: i64, commit: bool) {
        let Some(pending) = self.pending.remove(&producer_id) else {
            return;
        };
        if !commit && !mistake::is_made(Mistake::AbortedOffsetsApplied) {
            return;
        }
        for (topic, partitions) in pending {
            for (partition, offset) in partitions {
                let newest = self.get(&topic, partition).is_none_or(|c| c.position < offset.position);
                if newest {
                    self.commit(&topic, partition, offset);
                }
            }
        }
    }

    /// Whether an open transaction may still change the offset.
    pub(crate) fn is_pending(&self, topic: &str, partition: i32) -> bool {
        self.pending.values().any(|topics| topics.get(topic).is_some_and(|partitions| partitions.contains_key(&partition)))
    }

    /// All committed offsets, by topic and partition.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (i32, &CommittedOffset)>)> {
        self.committed.iter().map(|(topic, partitions)| (topic.as_str(), partitions.iter().map(|(partition, offset)| (*partition, offset))))
    }

    pub(crate) fn delete(&mut self, topic: &str, partition: i32) {
        self.retain(|t, p, _| t != topic || p != partition);
    }

    /// Forgets everything about a deleted topic, so that a new one of the same name does not begin at its offsets.
    pub(crate) fn topic_deleted(&mut self, topic: &str) {
        self.retain(|other, _, _| other != topic);
        let partitions: BTreeSet<i32> =
            self.pending.values().filter_map(|topics| topics.get(topic)).flat_map(BTreeMap::keys).copied().collect();
        for partition in partitions {
            self.delete_pending(topic, partition);
            self.deleted.push((topic.to_owned(), partition));
        }
    }

    /// Forgets an offset that waits for the end of a transaction.
    pub(crate) fn delete_pending(&mut self, topic: &str, partition: i32) {
        for topics in self.pending.values_mut() {
            if let Some(partitions) = topics.get_mut(topic) {
                partitions.remove(&partition);
                if partitions.is_empty() {
                    topics.remove(topic);
                }
            }
        }
        self.pending.retain(|_, topics| !topics.is_empty());
    }

    /// Keeps the committed offsets that `keep` wants.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, i32, &CommittedOffset) -> bool) {
        let deleted = &mut self.deleted;
        self.committed.retain(|topic, partitions| {
            partitions.retain(|partition, offset| {
                let stays = keep(topic, *partition, offset);
                if !stays {
                    deleted.push((topic.clone(), *partition));
                }
                stays
            });
            !partitions.is_empty()
        });
    }

    /// The committed offsets that were deleted since the last call.
    pub(crate) fn take_deleted(&mut self) -> Vec<(String, i32)> {
        std::mem::take(&mut self.deleted)
    }
}

fn put(offsets: &mut ByPartition, topic: &str, partition: i32, offset: CommittedOffset) {
    match offsets.get_mut(topic) {
        Some(partitions) => {
            partitions.insert(partition, offset);
        }
        None => {
            let partitions = BTreeMap::from([(partition, offset)]);
            offsets.insert(topic.to_owned(), partitions);
        }
    }
}
