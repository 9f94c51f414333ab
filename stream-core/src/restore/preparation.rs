//! One task on its way to a worker.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::positions::WantedInput;
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::id::{TaskId, TopicPartition};
use crate::metrics::TaskMetrics;
use crate::store::{OpenedStore, StateStore, StoreOpen, StoreOwner};
use crate::task::{InputPosition, PreparedStore, PreparedTask, TaskChangelog, TaskDirectoryLock};
use crate::time::Retry;
use crate::topology::{BuiltTopology, StoreDefinition};

/// What the control thread asks for: this task, with its stores when they are open already.
pub(crate) struct PrepareTask {
    pub(crate) id: TaskId,
    pub(crate) inputs: Vec<WantedInput>,
    pub(crate) stores: Vec<PreparedStore>,
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) directory: Option<TaskDirectoryLock>,
    /// How long to wait before the first attempt.
    pub(crate) backoff: Duration,
}

/// How a store is opened, apart from the task.
pub(crate) struct StoreSettings {
    pub(crate) persistent_memory_bytes: usize,
    pub(crate) cache_max_bytes: usize,
    pub(crate) clock: Arc<dyn crate::time::Clock>,
}

pub(crate) struct RestoringStore {
    pub(crate) store: Rc<dyn StateStore>,
    pub(crate) changelog: Option<TaskChangelog>,
    /// The offset at which the store is restored.
    pub(crate) target: Option<i64>,
    /// The next offset that it needs.
    pub(crate) position: i64,
    /// Since when it has seen every deletion, ms since the epoch: the time of its last flush, or when it began empty. What is flushed
    /// while it is restored keeps this time; only the owner of a restored store may say 'now'.
    pub(crate) complete_since_ms: i64,
    pub(crate) is_fetching: bool,
    pub(crate) records: u64,
}

impl RestoringStore {
    pub(crate) fn is_restored(&self) -> bool {
        self.changelog.is_none() || self.target.is_some_and(|target| self.position >= target)
    }
}

/// A task between assignment and the worker.
pub(crate) struct Preparation {
    pub(crate) id: TaskId,
    pub(crate) wanted: Vec<WantedInput>,
    pub(crate) inputs: Option<Vec<InputPosition>>,
    pub(crate) stores: Vec<RestoringStore>,
    pub(crate) given: Vec<PreparedStore>,
    pub(crate) are_stores_open: bool,
    pub(crate) metrics: Arc<TaskMetrics>,
    pub(crate) directory: Option<TaskDirectoryLock>,
    pub(crate) started: Duration,
    /// From the request to the last record: what is logged on the way belongs to it.
    pub(crate) span: tracing::Span,
    pub(crate) not_before: Duration,
    pub(crate) retry: Retry,
}

impl Preparation {
    pub(crate) fn new(request: PrepareTask, now: Duration) -> Self {
        Self {
            id: request.id,
            wanted: request.inputs,
            inputs: None,
            stores: Vec::new(),
            given: request.stores,
            are_stores_open: false,
            metrics: request.metrics,
            directory: request.directory,
            started: now,
            span: tracing::info_span!("restore", task = %request.id),
            not_before: now + request.backoff,
            retry: Retry::default(),
        }
    }

    /// When the next attempt is due.
    pub(crate) fn due(&self) -> Duration {
        self.not_before.max(self.retry.due())
    }

    /// Opens the stores, or takes over those that came with the task.
    pub(crate) fn open_stores(
        &mut self,
        topology: &BuiltTopology,
        lock: impl FnOnce(TaskId) -> Result<TaskDirectoryLock>,
        settings: &StoreSettings,
        owner: &StoreOwner,
    ) -> Result<()> {
        let subtopology =
            topology.subtopology(self.id.subtopology).ok_or_else(|| Error::internal("the task's sub-topology does not exist"))?;
        if subtopology.stores.is_empty() {
            self.are_stores_open = true;
            return Ok(());
        }
        if self.directory.is_none() {
            self.directory = Some(lock(self.id)?);
        }
        for &index in &subtopology.stores {
            let definition = topology.store(index);
            let name = definition.factory.name();
            // After a failure this is called again.
            if self.stores.iter().any(|opened| opened.store.name() == name) {
                continue;
            }
            let changelog = subtopology.changelogs.iter().find(|changelog| changelog.store == index).map(|changelog| TaskChangelog {
                partition: TopicPartition::new(Arc::clone(&changelog.topic), self.id.partition),
                is_source: changelog.is_source_topic(),
            });
            let (store, flushed_at_ms) = match self.given.iter().position(|prepared| prepared.store.name() == name) {
                Some(found) => (self.given.swap_remove(found).store, None),
                None => {
                    let opened = self.open_store(definition, changelog.as_ref(), settings).at(|| format!("store {name}"))?;
                    (opened.store, opened.flushed_at_ms)
                }
            };
            let complete_since_ms = flushed_at_ms.unwrap_or_else(|| settings.clock.now_ms());
            let store = store.attach(owner);
            let position = store.changelog_position().unwrap_or(0);
            let target = changelog.is_none().then_some(position);
            self.stores.push(RestoringStore { store, changelog, target, position, complete_since_ms, is_fetching: false, records: 0 });
        }
        self.are_stores_open = true;
        Ok(())
    }

    fn open_store(&self, definition: &StoreDefinition, changelog: Option<&TaskChangelog>, settings: &StoreSettings) -> Result<OpenedStore> {
        let directory = self.directory.as_ref().ok_or_else(|| Error::internal("a store is opened without its task's directory"))?;
        let name = definition.factory.name();
        let opened: OpenedStore = definition.factory.open(&StoreOpen {
            task: self.id,
            directory: directory.store_directory(name),
            changelog_topic: changelog.map_or_else(|| Arc::from(name), |changelog| Arc::clone(&changelog.partition.topic)),
            persistent_memory_bytes: settings.persistent_memory_bytes,
            cache_max_bytes: settings.cache_max_bytes,
            clock: Arc::clone(&settings.clock),
        })?;
        if let Some(reason) = &opened.quarantined {
            tracing::warn!(task = %self.id, store = name, reason, "the store's directory was set aside; it is rebuilt from its changelog");
        }
        Ok(opened)
    }

    /// The changelog partitions whose target is not known yet.
    pub(crate) fn unknown_targets(&self) -> impl Iterator<Item = &TopicPartition> {
        self.stores.iter().filter(|store| store.target.is_none()).filter_map(|store| Some(&store.changelog.as_ref()?.partition))
    }

    /// Whether it only waits for records.
    pub(crate) fn is_fetching(&self) -> bool {
        self.are_stores_open
            && self.inputs.is_some()
            && !self.stores.is_empty()
            && self.stores.iter().all(|store| store.is_fetching || store.is_restored())
    }

    pub(crate) fn is_restored(&self) -> bool {
        self.are_stores_open && self.inputs.is_some() && self.stores.iter().all(RestoringStore::is_restored)
    }

    /// Hands the stores over.
    pub(crate) fn finish(self) -> Result<PreparedTask> {
        let Self { id, inputs, stores, metrics, directory, .. } = self;
        let stores = stores
            .into_iter()
            .map(|restoring| {
                let name = restoring.store.name().to_owned();
                let store = restoring
                    .store
                    .detach()
                    .ok_or_else(|| Error::new(ErrorKind::Internal, format!("store {name} is held by two owners")))?;
                Ok(PreparedStore { store, changelog: restoring.changelog })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(PreparedTask { id, stores, inputs: inputs.unwrap_or_default(), metrics, membership: 0, directory })
    }
}
