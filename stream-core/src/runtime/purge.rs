//! Repartition topics are only a way between tasks: what is committed behind them is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::TopicPartition;

/// The committed positions of this process's repartition partitions. Workers note them after a commit, the control thread deletes up
/// to them.
#[derive(Debug, Default)]
pub(crate) struct PurgePositions {
    topics: BTreeSet<Arc<str>>,
    positions: Mutex<BTreeMap<TopicPartition, i64>>,
}

impl PurgePositions {
    pub(crate) fn new(topics: impl IntoIterator<Item = Arc<str>>) -> Self {
        Self { topics: topics.into_iter().collect(), positions: Mutex::default() }
    }

    /// Whether a topic is purged.
    pub(crate) fn covers(&self, topic: &str) -> bool {
        self.topics.contains(topic)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub(crate) fn note<'a>(&self, committed: impl Iterator<Item = (&'a TopicPartition, i64)>) {
        let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, position) in committed {
            positions.insert(partition.clone(), position);
        }
    }

    /// What was noted since the last call.
    pub(crate) fn take(&self) -> BTreeMap<TopicPartition, i64> {
        std::mem::take(&mut *self.positions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
