//! How stores come into being: one factory per store of a topology, one opened store per task.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::DetachedStore;
use crate::error::Result;
use crate::id::TaskId;
use crate::time::Clock;

/// How a changelog topic forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CleanupPolicy {
    /// `compact`: the last record of each key stays.
    Compact,
    /// `compact,delete`: and records older than the retention go (windowed stores).
    CompactDelete,
    /// `delete`: records older than the retention go, all others stay (windowed stores that keep duplicates: no key repeats).
    Delete,
}

/// The changelog of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangelogConfig {
    /// The cleanup policy.
    pub cleanup_policy: CleanupPolicy,
    /// How long windowed rows are kept, ms; `windowstore.changelog.additional.retention.ms` is added for the topic.
    pub retention_ms: Option<i64>,
    /// The topic's `min.compaction.lag.ms`, for stores that read their history from the changelog; nothing is added to it.
    pub min_compaction_lag_ms: Option<i64>,
    /// Topic configs set by the program; they win over all others.
    pub topic_configs: BTreeMap<String, String>,
}

impl ChangelogConfig {
    /// A compacted changelog.
    pub fn compact() -> Self {
        Self { cleanup_policy: CleanupPolicy::Compact, retention_ms: None, min_compaction_lag_ms: None, topic_configs: BTreeMap::new() }
    }

    /// A compacted changelog whose records expire after `retention_ms`.
    pub fn windowed(retention_ms: i64) -> Self {
        Self { cleanup_policy: CleanupPolicy::CompactDelete, retention_ms: Some(retention_ms), ..Self::compact() }
    }
}

/// What a factory is told when a task opens its store.
#[derive(Clone)]
pub struct StoreOpen {
    /// The task.
    pub task: TaskId,
    /// The folder of the store, below the task's; may not exist yet.
    pub directory: PathBuf,
    /// The name of the changelog topic, or of the source topic that serves as one; serdes see it.
    pub changelog_topic: Arc<str>,
    /// Bytes that RocksDB's block cache and memtables of this store may take.
    pub persistent_memory_bytes: usize,
    /// `statestore.cache.max.bytes`: with 0 no table holds changes back until the commit.
    pub cache_max_bytes: usize,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// A store that was just opened.
pub struct OpenedStore {
    /// The store.
    pub store: Box<dyn DetachedStore>,
    /// The changelog offset from which it must be restored; `None`: from the beginning.
    pub position: Option<i64>,
    /// When its last flush was, ms since the epoch; `None` for a store that starts empty. A store whose last flush is older than the
    /// changelog's `delete.retention.ms` must be rebuilt: a deletion that it has not seen may be gone.
    pub flushed_at_ms: Option<i64>,
    /// Why an older directory was set aside, when one was.
    pub quarantined: Option<String>,
}

/// Describes a store of a topology and opens it for a task.
pub trait StoreFactory: Send + Sync + 'static {
    /// The store's name, unique in the topology.
    fn name(&self) -> &str;

    /// Its changelog; `None` when logging is disabled or another topic serves as changelog.
    fn changelog(&self) -> Option<&ChangelogConfig>;

    /// Whether it keeps data on disk.
    fn is_persistent(&self) -> bool;

    /// How far behind the stream time it answers look-ups as of a time; `None`: it knows only the latest row of a key.
    fn history_retention(&self) -> Option<Duration> {
        None
    }

    /// The same store in memory, when its program leaves it to `dsl.store.suppliers.class` where the store is; `None` when the program says it.
    fn default_in_memory(&self) -> Option<Arc<dyn StoreFactory>> {
        None
    }

    /// Opens it. A directory that cannot be read is set aside, and the store starts empty.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`](crate::ErrorKind::Storage) with path and cause when the disk fails;
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when the directory was written by a newer version.
    fn open(&self, open: &StoreOpen) -> Result<OpenedStore>;
}
