//! The restore thread: owns stores, a consumer and an admin client; never runs user code.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::preparation::{Preparation, PrepareTask, StoreSettings};
use super::rebuild::{self, Log, Rows};
use super::{Cluster, positions};
use crate::client::{DataConsumer, Message, OffsetSpec, Polled};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{KillPoint, kill_point};
use crate::id::{TaskId, TopicPartition};
use crate::record::Headers;
use crate::store::{ChangelogRecord, CurrentRecord, MemoryBudget, StoreOwner, WorkerMemory};
use crate::task::{PreparedTask, StateDirectory};
use crate::time::{Clock, RetryPolicy};
use crate::topology::BuiltTopology;

/// How long the thread waits for changelog records before it looks at its commands.
const POLL: Duration = Duration::from_millis(50);
const BATCH: usize = 2_000;
/// How long the thread asks the cluster on behalf of tasks, one after the other, before commands and records have their turn.
const ROUND: Duration = Duration::from_millis(200);
/// A task for which the cluster did not answer waits at least so many times as long as that took: this thread has other tasks, too.
const UNANSWERED_SHARE: u32 = 4;

/// What the control thread asks of the restore thread.
pub(crate) enum RestoreCommand {
    Prepare(Vec<PrepareTask>),
    /// Give these up; answered by [`RestoreEvent::Released`].
    Cancel(Vec<TaskId>),
    /// A worker gave these up: flush and close the stores of those that it had; answered by [`RestoreEvent::Released`] for all.
    Retire {
        ids: Vec<TaskId>,
        tasks: Vec<PreparedTask>,
    },
    Close,
}

/// What the restore thread tells the control thread.
pub(crate) enum RestoreEvent {
    /// A task can run.
    Prepared(Box<PreparedTask>),
    /// A task cannot be prepared.
    Failed { task: TaskId, error: Error },
    /// These were given up.
    Released(Vec<TaskId>),
}

/// What the restore thread needs.
pub(crate) struct RestorerEnvironment {
    pub(crate) topology: Arc<BuiltTopology>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) directory: Arc<StateDirectory>,
    pub(crate) settings: StoreSettings,
    pub(crate) retry: RetryPolicy,
    pub(crate) flush_max_bytes: usize,
    pub(crate) tell: Box<dyn Fn(RestoreEvent) + Send>,
    pub(crate) commands: Receiver<RestoreCommand>,
}

/// The restore thread's state.
pub(crate) struct Restorer {
    environment: RestorerEnvironment,
    consumer: DataConsumer,
    cluster: Cluster,
    preparations: BTreeMap<TaskId, Preparation>,
    /// Which store a changelog partition belongs to: task and index.
    fetching: HashMap<TopicPartition, (TaskId, usize)>,
    /// Has a share of the memory budget only while tasks are restored.
    owner: Option<StoreOwner>,
    polled: Vec<Polled>,
}

impl Restorer {
    pub(crate) fn new(environment: RestorerEnvironment, consumer: DataConsumer, cluster: Cluster) -> Self {
        Self { environment, consumer, cluster, preparations: BTreeMap::new(), fetching: HashMap::new(), owner: None, polled: Vec::new() }
    }

    /// Runs until it is told to close.
    pub(crate) fn run(mut self) {
        loop {
            match self.receive() {
                Some(true) => {}
                Some(false) => continue,
                None => break,
            }
            self.advance();
            if let Err(error) = self.fetch() {
                tracing::warn!(%error, "reading changelogs failed; trying again");
            }
            self.finish();
            if self.preparations.is_empty() {
                self.owner = None;
            }
            if let Some(owner) = &self.owner {
                owner.memory.report();
            }
        }
        let tasks: Vec<TaskId> = self.preparations.keys().copied().collect();
        self.cancel(&tasks);
    }

    /// Takes commands; waits for one while there is nothing to do. `None`: close; `Some(false)`: nothing to do yet.
    fn receive(&mut self) -> Option<bool> {
        loop {
            let command = if self.preparations.is_empty() {
                match self.environment.commands.recv_timeout(Duration::from_secs(1)) {
                    Ok(command) => command,
                    Err(RecvTimeoutError::Timeout) => return Some(false),
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            } else {
                match self.environment.commands.try_recv() {
                    Ok(command) => command,
                    Err(TryRecvError::Empty) => return Some(true),
                    Err(TryRecvError::Disconnected) => return None,
                }
            };
            match command {
                RestoreCommand::Prepare(tasks) => {
                    let now = self.environment.clock.monotonic();
                    for task in tasks {
                        // A second one would open stores that are open.
                        match self.preparations.entry(task.id) {
                            Entry::Vacant(place) => drop(place.insert(Preparation::new(task, now))),
                            Entry::Occupied(_) => tracing::warn!(task = %task.id, "asked twice to prepare a task"),
                        }
                    }
                }
                RestoreCommand::Cancel(tasks) => self.cancel(&tasks),
                RestoreCommand::Retire { ids, tasks } => self.retire(ids, tasks),
                RestoreCommand::Close => return None,
            }
        }
    }

    fn cancel(&mut self, tasks: &[TaskId]) {
        for id in tasks {
            if let Some(preparation) = self.preparations.remove(id) {
                self.stop_fetching(*id);
                self.flush(&preparation);
            }
        }
        self.tell(RestoreEvent::Released(tasks.to_vec()));
    }

    fn retire(&mut self, ids: Vec<TaskId>, tasks: Vec<PreparedTask>) {
        let now_ms = self.environment.clock.now_ms();
        super::retire::retire(tasks, self.owner(), now_ms);
        if self.preparations.is_empty() {
            self.owner = None;
        }
        self.tell(RestoreEvent::Released(ids));
    }

    fn owner(&mut self) -> &StoreOwner {
        let budget = &self.environment.budget;
        self.owner.get_or_insert_with(|| StoreOwner {
            current: Rc::new(CurrentRecord::default()),
            memory: Rc::new(WorkerMemory::new(Arc::clone(budget))),
        })
    }

    /// What was restored so far need not be read again.
    fn flush(&self, preparation: &Preparation) {
        for store in &preparation.stores {
            if let Err(error) = store.store.flush(store.complete_since_ms) {
                tracing::warn!(task = %preparation.id, store = store.store.name(), %error, "a partly restored store could not be flushed");
            }
        }
    }

    fn tell(&self, event: RestoreEvent) {
        (self.environment.tell)(event);
    }

    /// Moves tasks as far as they come without waiting for records; those that are due for longest first, so that none for which the
    /// cluster has no answer holds up the others.
    fn advance(&mut self) {
        let started = self.environment.clock.monotonic();
        let mut due: Vec<(Duration, TaskId)> = self
            .preparations
            .values()
            .filter(|preparation| preparation.due() <= started && !preparation.is_restored() && !preparation.is_fetching())
            .map(|preparation| (preparation.due(), preparation.id))
            .collect();
        due.sort_unstable();
        for (_, id) in due {
            let Some(mut preparation) = self.preparations.remove(&id) else {
                continue;
            };
            let asked = self.environment.clock.monotonic();
            if asked.saturating_sub(started) >= ROUND {
                self.preparations.insert(id, preparation);
                return;
            }
            let advanced = match self.advance_one(&mut preparation) {
                Ok(()) => {
                    preparation.retry.succeeded();
                    Ok(())
                }
                Err(error) if error.kind() == ErrorKind::Retriable => {
                    tracing::debug!(task = %id, %error, "the task cannot be prepared yet");
                    let now = self.environment.clock.monotonic();
                    preparation.not_before = now + now.saturating_sub(asked) * UNANSWERED_SHARE;
                    preparation.retry.failed(error, now, &self.environment.retry).map(drop)
                }
                Err(error) => Err(error),
            };
            match advanced {
                Ok(()) => drop(self.preparations.insert(id, preparation)),
                Err(error) => {
                    self.stop_fetching(id);
                    self.tell(RestoreEvent::Failed { task: id, error: error.at("the task cannot be prepared").of_task(id) });
                }
            }
        }
    }

    fn advance_one(&mut self, preparation: &mut Preparation) -> Result<()> {
        if preparation.inputs.is_none() {
            preparation.inputs = Some(positions::resolve(&self.cluster, &preparation.wanted, &*self.environment.clock)?);
        }
        if !preparation.are_stores_open {
            let owner = self.owner().clone();
            let environment = &self.environment;
            let directory = Arc::clone(&environment.directory);
            preparation.open_stores(&environment.topology, |task| directory.lock_task(task), &environment.settings, &owner)?;
        }
        self.find_targets(preparation)?;
        self.begin_fetching(preparation)
    }

    /// Reads the ends of the changelogs, after the committed positions (rule 5), and checks that each store can go on from where it is.
    fn find_targets(&self, preparation: &mut Preparation) -> Result<()> {
        let unknown: Vec<TopicPartition> = preparation.unknown_targets().cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let topics = self.cluster.changelog_topics(&unknown.iter().map(|partition| &*partition.topic).collect())?;
        let first = self.cluster.list_offsets(&unknown, OffsetSpec::Earliest)?;
        let end = self.cluster.high_watermarks(&unknown)?;
        let committed: HashMap<TopicPartition, i64> = preparation
            .inputs
            .iter()
            .flatten()
            .map(|input| (input.partition.clone(), if input.committed { input.offset } else { 0 }))
            .collect();
        for store in &mut preparation.stores {
            let Some(changelog) = store.changelog.as_ref().filter(|_| store.target.is_none()) else {
                continue;
            };
            let missing = || Error::retriable(format!("the cluster gave no offsets for changelog {}", changelog.partition));
            let first = first.get(&changelog.partition).copied().ok_or_else(missing)?;
            let mut end = end.get(&changelog.partition).copied().ok_or_else(missing)?;
            if changelog.is_source {
                // Trap T103: never past what is committed; those records are still to be processed.
                end = end.min(committed.get(&changelog.partition).copied().unwrap_or(0));
            }
            let topic = topics.get(&*changelog.partition.topic).ok_or_else(missing)?;
            let rows =
                Rows { position: store.position, changelog_id: store.store.changelog_id(), complete_since_ms: store.complete_since_ms };
            let log = Log { partition: &changelog.partition, topic, first, end: (!changelog.is_source).then_some(end) };
            let now_ms = self.environment.clock.now_ms();
            let holds_data = store.store.changelog_position().is_some();
            if let Some(reason) = rebuild::reason(&rows, &log, now_ms).filter(|_| holds_data) {
                let name = store.store.name();
                tracing::warn!(task = %preparation.id, store = name, reason, "the store's directory is set aside; it is rebuilt from its changelog");
                store.store.reset(&reason, now_ms)?;
                (store.position, store.complete_since_ms) = (0, now_ms);
            }
            store.store.set_changelog_id(topic.id);
            store.position = store.position.max(first.min(end));
            store.target = Some(end);
            if store.position < end {
                tracing::info!(task = %preparation.id, store = store.store.name(), from = store.position, to = end, "restoring");
            }
        }
        Ok(())
    }

    fn begin_fetching(&mut self, preparation: &mut Preparation) -> Result<()> {
        let mut assign = Vec::new();
        for (index, store) in preparation.stores.iter_mut().enumerate() {
            let Some(changelog) = store.changelog.as_ref().filter(|_| !store.is_fetching && !store.is_restored()) else {
                continue;
            };
            assign.push((changelog.partition.clone(), store.position));
            self.fetching.insert(changelog.partition.clone(), (preparation.id, index));
            store.is_fetching = true;
        }
        if assign.is_empty() { Ok(()) } else { self.consumer.assign(&assign) }
    }

    fn stop_fetching(&mut self, task: TaskId) {
        let partitions: Vec<TopicPartition> =
            self.fetching.iter().filter(|(_, (id, _))| *id == task).map(|(partition, _)| partition.clone()).collect();
        self.fetching.retain(|_, (id, _)| *id != task);
        self.unassign(&partitions);
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) {
        if !partitions.is_empty() {
            if let Err(error) = self.consumer.unassign(partitions) {
                tracing::warn!(%error, "a restored changelog could not be unassigned");
            }
        }
    }

    fn fetch(&mut self) -> Result<()> {
        let mut polled = std::mem::take(&mut self.polled);
        let timeout =
            if self.fetching.is_empty() && self.preparations.values().any(Preparation::is_restored) { Duration::ZERO } else { POLL };
        let result = self.consumer.poll(timeout, BATCH, &mut polled);
        let mut run: Vec<Message> = Vec::new();
        for item in polled.drain(..) {
            match item {
                Polled::Message(message) => {
                    if run.first().is_some_and(|first| first.partition() != message.partition() || first.topic() != message.topic()) {
                        self.apply(&mut run);
                    }
                    run.push(message);
                }
                Polled::Eof { partition, position } => {
                    self.apply(&mut run);
                    self.reached_end(&partition, position);
                }
                Polled::OffsetOutOfRange { partition, error } => {
                    self.apply(&mut run);
                    self.failed(Some(&partition), error);
                }
                Polled::Error { partition, error } => {
                    self.apply(&mut run);
                    self.failed(partition.as_ref(), error);
                }
            }
        }
        self.apply(&mut run);
        self.polled = polled;
        result
    }

    /// Applies records of one changelog partition.
    fn apply(&mut self, run: &mut Vec<Message>) {
        let Some(first) = run.first() else {
            return;
        };
        let partition = TopicPartition::new(Arc::clone(first.topic()), first.partition());
        if let Some(&(task, index)) = self.fetching.get(&partition) {
            if let Err(error) = self.restore(task, index, run) {
                self.failed(Some(&partition), error);
            }
        }
        run.clear();
    }

    fn restore(&mut self, task: TaskId, index: usize, run: &[Message]) -> Result<()> {
        let Some((preparation, target)) = self.preparations.get_mut(&task).and_then(|preparation| {
            let target = preparation.stores[index].target?;
            Some((preparation, target))
        }) else {
            return Ok(());
        };
        let is_source = preparation.stores[index].changelog.as_ref().is_some_and(|changelog| changelog.is_source);
        let within = |message: &&Message| !is_source || message.offset() < target;
        let Some(last) = run.iter().rfind(within) else {
            self.advance_position(task, index, target);
            return Ok(());
        };
        let position = last.offset() + 1;
        let store = &mut preparation.stores[index];
        let headers = Headers::new();
        let mut restored = 0;
        let mut records = run.iter().filter(within).filter_map(|message| {
            let raw = message.as_raw();
            let Some(key) = raw.key else {
                tracing::warn!(topic = %raw.topic, partition = raw.partition, offset = raw.offset, "a changelog record without a key was left out");
                return None;
            };
            restored += 1;
            Some(ChangelogRecord { key, value: raw.value, timestamp: raw.timestamp, headers: &headers })
        });
        store.store.restore(&mut records, position)?;
        drop(records);
        store.records += restored;
        preparation.metrics.restored.add(restored);
        if store.records > 0 && position < target {
            kill_point(KillPoint::RestoreHalfway);
        }
        let excess = || self.owner.as_ref().map_or(0, |owner| owner.memory.excess());
        if store.store.unflushed().bytes >= self.environment.flush_max_bytes || excess() > 0 {
            store.store.flush(store.complete_since_ms)?;
            if excess() > 0 {
                store.store.evict(excess());
            }
        }
        self.advance_position(task, index, position);
        Ok(())
    }

    /// A position from `PARTITION_EOF`: behind commit markers and aborted records.
    fn reached_end(&mut self, partition: &TopicPartition, position: i64) {
        if let Some(&(task, index)) = self.fetching.get(partition) {
            let is_source = self
                .preparations
                .get(&task)
                .and_then(|preparation| preparation.stores[index].changelog.as_ref())
                .is_some_and(|changelog| changelog.is_source);
            let target = self.preparations.get(&task).and_then(|preparation| preparation.stores[index].target).unwrap_or(position);
            let position = if is_source { position.min(target) } else { position };
            let restored =
                self.preparations.get(&task).map(|preparation| preparation.stores[index].store.restore(&mut std::iter::empty(), position));
            match restored {
                Some(Err(error)) => self.failed(Some(partition), error),
                _ => self.advance_position(task, index, position),
            }
        }
    }

    fn advance_position(&mut self, task: TaskId, index: usize, position: i64) {
        let Some(store) = self.preparations.get_mut(&task).and_then(|preparation| preparation.stores.get_mut(index)) else {
            return;
        };
        store.position = store.position.max(position);
        if store.is_restored() && store.is_fetching {
            store.is_fetching = false;
            if let Some(partition) = store.changelog.as_ref().map(|changelog| changelog.partition.clone()) {
                self.fetching.remove(&partition);
                self.unassign(&[partition]);
            }
        }
    }

    /// A changelog could not be read or applied: the store is rebuilt when that can help, else the task fails.
    fn failed(&mut self, partition: Option<&TopicPartition>, error: Error) {
        let Some((partition, (task, index))) = partition.and_then(|partition| Some((partition, *self.fetching.get(partition)?))) else {
            tracing::warn!(%error, "the restore consumer reports an error");
            return;
        };
        match error.kind() {
            ErrorKind::Retriable => tracing::debug!(%partition, %error, "a changelog cannot be read now"),
            ErrorKind::Corrupted => {
                self.fetching.remove(partition);
                self.unassign(std::slice::from_ref(partition));
                let now = self.environment.clock.now_ms();
                let Some(store) = self.preparations.get_mut(&task).and_then(|preparation| preparation.stores.get_mut(index)) else {
                    return;
                };
                (store.target, store.position, store.is_fetching, store.complete_since_ms) = (None, 0, false, now);
                if let Err(error) = store.store.reset(&error.to_string(), now) {
                    self.fail_task(task, error);
                }
            }
            _ => self.fail_task(task, error),
        }
    }

    fn fail_task(&mut self, task: TaskId, error: Error) {
        self.stop_fetching(task);
        self.preparations.remove(&task);
        self.tell(RestoreEvent::Failed { task, error: error.at("restoration").of_task(task) });
    }

    /// Hands over the tasks whose stores are restored.
    fn finish(&mut self) {
        let ready: Vec<TaskId> =
            self.preparations.values().filter(|preparation| preparation.is_restored()).map(|preparation| preparation.id).collect();
        for id in ready {
            let Some(preparation) = self.preparations.remove(&id) else {
                continue;
            };
            kill_point(KillPoint::RestoreComplete);
            let records: u64 = preparation.stores.iter().map(|store| store.records).sum();
            let took = self.environment.clock.monotonic().saturating_sub(preparation.started);
            if !preparation.stores.is_empty() {
                tracing::info!(task = %id, records, ms = took.as_millis() as u64, "restored");
            }
            match preparation.finish() {
                Ok(task) => self.tell(RestoreEvent::Prepared(Box::new(task))),
                Err(error) => self.tell(RestoreEvent::Failed { task: id, error }),
            }
        }
    }
}
