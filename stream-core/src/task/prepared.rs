//! [`PreparedTask`]: everything of a task that can move between threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::{TaskId, TopicPartition};
use crate::metrics::TaskMetrics;
use crate::store::DetachedStore;

/// Where a task reads one of its source partitions from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InputPosition {
    pub(crate) partition: TopicPartition,
    /// The index of the source node in the topology.
    pub(crate) source: usize,
    /// The offset of the next record.
    pub(crate) offset: i64,
    /// The partition's time (ms), from the commit metadata, or -1.
    pub(crate) partition_time: i64,
    /// Numbers that processors committed with the offset.
    pub(crate) processors: BTreeMap<String, i64>,
    /// Whether the offset was read from the group, not resolved by the reset policy.
    pub(crate) committed: bool,
}

/// The changelog of one store of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TaskChangelog {
    pub(crate) partition: TopicPartition,
    /// A source topic serves as changelog: the store sends nothing, its position is the committed source offset.
    pub(crate) is_source: bool,
}

/// A store that is restored and waits for its task.
pub(crate) struct PreparedStore {
    pub(crate) store: Box<dyn DetachedStore>,
    pub(crate) changelog: Option<TaskChangelog>,
}

/// A task whose stores are restored and whose positions are known: a worker can run it.
pub(crate) struct PreparedTask {
    pub(crate) id: TaskId,
    pub(crate) stores: Vec<PreparedStore>,
    pub(crate) inputs: Vec<InputPosition>,
    pub(crate) metrics: Arc<TaskMetrics>,
    /// The membership under which it starts.
    pub(crate) membership: u64,
    /// Held as long as the task's directory is in use.
    pub(crate) directory: Option<crate::task::TaskDirectoryLock>,
}

impl std::fmt::Debug for PreparedTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedTask").field("id", &self.id).field("inputs", &self.inputs).finish_non_exhaustive()
    }
}
