//! The stores of a [`TaskDriver`](super::TaskDriver): opened, restored and read.

use std::sync::Arc;

use super::{DriverOptions, TASK};
use crate::error::{Error, Result, ResultExt};
use crate::id::TopicPartition;
use crate::metrics::TaskMetrics;
use crate::record::OwnedRecord;
use crate::store::{ChangelogRecord, ChangelogSink, StoreOpen, StoreOwner};
use crate::task::prepared::{PreparedStore, TaskChangelog};
use crate::time::Clock;
use crate::topology::{BuiltTopology, Subtopology};

/// A row of a store, as its changelog holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRow {
    /// The key's bytes in the changelog: of a windowed row with its window.
    pub key: Vec<u8>,
    /// The value's bytes; none for a version that says that the key was deleted, in stores that keep versions.
    pub value: Option<Vec<u8>>,
    /// The row's timestamp, ms; -1 where the store keeps none.
    pub timestamp: i64,
}

/// Takes the rows of a store.
pub(super) struct Rows(pub(super) Vec<StoreRow>);

impl ChangelogSink for Rows {
    fn log(&mut self, record: &ChangelogRecord<'_>) -> Result<()> {
        let value = record.value.map(<[u8]>::to_vec);
        self.0.push(StoreRow { key: record.key.to_vec(), value, timestamp: record.timestamp });
        Ok(())
    }
}

/// Opens a store of the task.
pub(super) fn open(
    built: &BuiltTopology,
    subtopology: &Subtopology,
    index: usize,
    options: &DriverOptions,
    clock: &Arc<dyn Clock>,
) -> Result<PreparedStore> {
    let definition = built.store(index);
    let name = definition.factory.name();
    let changelog = subtopology.changelogs.iter().find(|changelog| changelog.store == index);
    let opened = definition.factory.open(&StoreOpen {
        task: TASK,
        directory: options.state_dir.join(&options.application_id).join(TASK.to_string()).join("rocksdb").join(name),
        changelog_topic: changelog.map_or_else(|| Arc::from(name), |changelog| Arc::clone(&changelog.topic)),
        persistent_memory_bytes: 1 << 20,
        cache_max_bytes: options.cache_max_bytes,
        clock: Arc::clone(clock),
    })?;
    let changelog = changelog.map(|changelog| TaskChangelog {
        partition: TopicPartition::new(Arc::clone(&changelog.topic), 0),
        is_source: changelog.is_source_topic(),
    });
    Ok(PreparedStore { store: opened.store, changelog })
}

/// Applies to a store what its changelog holds behind the store's position.
pub(super) fn restored(
    store: PreparedStore,
    log: &[OwnedRecord],
    end: i64,
    owner: &StoreOwner,
    metrics: &TaskMetrics,
) -> Result<PreparedStore> {
    let PreparedStore { store, changelog } = store;
    let name = store.name().to_owned();
    let store = store.attach(owner);
    let from = store.changelog_position().unwrap_or(0);
    let tail = log.iter().filter(|record| (from..end).contains(&record.offset));
    let mut records = tail.filter_map(|record| {
        metrics.restored.add(1);
        let (key, value, headers) = (record.key.as_deref()?, record.value.as_deref(), &record.headers);
        Some(ChangelogRecord { key, value, timestamp: record.timestamp, headers })
    });
    store.restore(&mut records, end).at(|| format!("store {name}"))?;
    let store = store.detach().ok_or_else(|| Error::internal(format!("store {name} is held while it is restored")))?;
    Ok(PreparedStore { store, changelog })
}
