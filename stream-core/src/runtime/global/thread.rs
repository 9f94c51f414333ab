//! The thread that keeps the global stores.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::super::RuntimeSettings;
use super::positions::AppliedPositions;
use crate::application::ApplicationContext;
use crate::client::{Admin, DataConsumer, DeliverySlot, IsolationLevel, OffsetSpec, Polled};
use crate::config::ProcessingGuarantee;
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::handler::Handlers;
use crate::id::{TaskId, TopicPartition};
use crate::metrics::TaskMetrics;
use crate::node::OutgoingRecord;
use crate::store::{CurrentRecord, MemoryBudget, SharedStore, StateStore, StoreAccess, StoreOwner, WorkerMemory, WriterOf};
use crate::task::{InputPosition, Outgoing, PreparedStore, PreparedTask, Progress, Task, TaskEnvironment};
use crate::time::{Clock, Retry, RetryPolicy, UNKNOWN_TIME};
use crate::topology::BuiltTopology;

const BATCH: usize = 2_000;
/// How long the thread waits for records before it looks whether it is to end and whether stores are due for a flush.
const POLL: Duration = Duration::from_millis(100);

/// What the global thread tells the control thread.
pub(crate) enum GlobalEvent {
    /// The stores have reached the ends that their topics had at the start.
    Ready,
    /// The thread ended with an error.
    Failed(Error),
}

/// A global store that was opened.
pub(super) struct GlobalStore {
    pub(super) task: TaskId,
    /// How many records it holds that were applied, as it remembers; `None`: it is empty.
    pub(super) applied: Option<i64>,
    pub(super) store: Arc<dyn SharedStore>,
}

/// What the global thread needs.
pub(super) struct GlobalThreadEnvironment {
    pub(super) topology: Arc<BuiltTopology>,
    pub(super) settings: Arc<RuntimeSettings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) handlers: Handlers,
    pub(super) application: Arc<ApplicationContext>,
    pub(super) budget: Arc<MemoryBudget>,
    /// Of each global sub-topology.
    pub(super) metrics: Vec<Arc<TaskMetrics>>,
    /// `None` when all stores are in memory.
    pub(super) applied: Option<AppliedPositions>,
    pub(super) admin: Admin,
    pub(super) commands: Receiver<()>,
    pub(super) tell: Box<dyn Fn(GlobalEvent) + Send>,
}

/// The global thread's state. Made and dropped on its own thread, apart from the stores.
pub(super) struct GlobalThread {
    environment: GlobalThreadEnvironment,
    consumer: DataConsumer,
    stores: Vec<GlobalStore>,
}

impl GlobalThread {
    pub(super) fn new(environment: GlobalThreadEnvironment, consumer: DataConsumer, stores: Vec<GlobalStore>) -> Self {
        Self { environment, consumer, stores }
    }

    /// Runs until it is told to close, or fails.
    pub(super) fn run(mut self) {
        let ran = catch_unwind(AssertUnwindSafe(|| self.follow())).unwrap_or_else(|panic| Err(Error::panicked(&*panic)));
        if let Err(error) = ran {
            tracing::error!(%error, "the global thread stops");
            (self.environment.tell)(GlobalEvent::Failed(error.at("global stores")));
        }
    }

    fn follow(&mut self) -> Result<()> {
        let Some(log) = self.retried(Self::read_topics)? else {
            return Ok(());
        };
        let memory = Rc::new(WorkerMemory::new(Arc::clone(&self.environment.budget)));
        let starts = self.starts(&log, &memory)?;
        let mut followers = Vec::new();
        let followed = self.start_followers(&starts, &memory, &mut followers).and_then(|()| {
            let mut assigned: Vec<(TopicPartition, i64)> = starts.into_iter().collect();
            assigned.sort();
            self.consumer.assign(&assigned)?;
            self.apply_until_closed(&log, &memory, &mut followers)
        });
        followers.into_iter().fold(followed, |ended, follower| {
            let (_, closed) = follower.task.close();
            ended.and(closed)
        })
    }

    /// Applies what arrives until the thread is told to close.
    fn apply_until_closed(
        &mut self,
        log: &BTreeMap<TopicPartition, LogRange>,
        memory: &WorkerMemory,
        followers: &mut [Follower],
    ) -> Result<()> {
        // Tasks wait for these; a partition that was at its end already still reports it.
        let mut behind: BTreeSet<TopicPartition> = log.keys().cloned().collect();
        let (mut is_ready, mut last_flush) = (false, self.environment.clock.monotonic());
        let mut polled = Vec::new();
        loop {
            if !is_ready && behind.is_empty() {
                is_ready = true;
                tracing::info!(partitions = log.len(), "the global stores have reached the ends of their topics");
                (self.environment.tell)(GlobalEvent::Ready);
            }
            if !matches!(self.environment.commands.try_recv(), Err(TryRecvError::Empty)) {
                return self.flush(followers);
            }
            let result = self.consumer.poll(POLL, BATCH, &mut polled);
            for item in polled.drain(..) {
                route(item, followers, &mut behind)?;
            }
            match result {
                Err(error) if error.kind() == ErrorKind::Retriable => {
                    tracing::warn!(%error, "the topics of global stores cannot be read now")
                }
                result => result?,
            }
            for follower in followers.iter_mut() {
                follower.apply(self.environment.clock.monotonic(), &self.environment.settings.retry)?;
                follower.note_reached(log, &mut behind);
            }
            let now = self.environment.clock.monotonic();
            if self.is_flush_due(followers, now.saturating_sub(last_flush), memory) {
                last_flush = now;
                self.flush(followers)?;
                if memory.excess() > 0 {
                    for store in followers.iter().flat_map(Follower::stores) {
                        store.evict(memory.excess());
                    }
                }
            }
            memory.report();
        }
    }

    /// Tries until the cluster answers, for `task.timeout.ms` at most. `None`: told to close meanwhile.
    fn retried<T>(&mut self, attempt: impl Fn(&mut Self) -> Result<T>) -> Result<Option<T>> {
        let mut retry = Retry::default();
        loop {
            let error = match attempt(self) {
                Ok(done) => return Ok(Some(done)),
                Err(error) if error.kind() == ErrorKind::Retriable => error,
                Err(error) => return Err(error),
            };
            tracing::warn!(%error, "waiting for the topics of global stores");
            let backoff = retry.failed(error, self.environment.clock.monotonic(), &self.environment.settings.retry)?;
            if !matches!(self.environment.commands.recv_timeout(backoff), Err(RecvTimeoutError::Timeout)) {
                return Ok(None);
            }
        }
    }

    /// The first offset and the end of every partition of the global topics.
    fn read_topics(&mut self) -> Result<BTreeMap<TopicPartition, LogRange>> {
        let GlobalThreadEnvironment { topology, admin, settings, .. } = &self.environment;
        let names: BTreeSet<&str> =
            topology.global_subtopologies().iter().flat_map(|subtopology| &subtopology.source_topics).map(|topic| &**topic).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let topics = admin.topics(&names, settings.admin_timeout)?;
        if let Some(missing) = names.iter().find(|name| !topics.contains_key(**name)) {
            return Err(Error::retriable(format!("topic {missing} of a global store does not exist; create it")));
        }
        let partitions: Vec<TopicPartition> = topics
            .iter()
            .flat_map(|(name, info)| {
                let name: Arc<str> = Arc::from(name.as_str());
                (0..info.partitions).map(move |partition| TopicPartition::new(Arc::clone(&name), partition))
            })
            .collect();
        let isolation = match settings.guarantee {
            ProcessingGuarantee::AtLeastOnce => IsolationLevel::ReadUncommitted,
            ProcessingGuarantee::ExactlyOnceV2 => IsolationLevel::ReadCommitted,
        };
        let first = admin.list_offsets(&partitions, OffsetSpec::Earliest, isolation, settings.admin_timeout)?;
        let end = admin.list_offsets(&partitions, OffsetSpec::Latest, isolation, settings.admin_timeout)?;
        partitions
            .into_iter()
            .map(|partition| match (first.get(&partition), end.get(&partition)) {
                (Some(first), Some(end)) => Ok((partition, LogRange { first: *first, end: *end })),
                _ => Err(Error::retriable(format!("the cluster gave no offsets for {partition}"))),
            })
            .collect()
    }

    /// Where each partition goes on. A store whose rows and positions do not belong together, or whose position is not in the log any
    /// more, begins anew.
    fn starts(&mut self, log: &BTreeMap<TopicPartition, LogRange>, memory: &Rc<WorkerMemory>) -> Result<HashMap<TopicPartition, i64>> {
        let known = self.environment.applied.as_mut().map_or_else(|| Ok(BTreeMap::new()), AppliedPositions::read)?;
        let mut starts = HashMap::new();
        let owner = StoreOwner { current: Rc::new(CurrentRecord::default()), memory: Rc::clone(memory) };
        for store in &mut self.stores {
            let subtopologies = self.environment.topology.global_subtopologies();
            let topics = subtopologies.iter().find(|subtopology| subtopology.id == store.task.subtopology);
            let own = |partition: &TopicPartition| topics.is_some_and(|subtopology| subtopology.source_topics.contains(&partition.topic));
            let positions: BTreeMap<&TopicPartition, i64> = log
                .keys()
                .filter(|partition| own(partition))
                .map(|partition| (partition, known.get(partition).copied().unwrap_or(0)))
                .collect();
            let total: i64 = positions.values().sum();
            let reason = match store.applied {
                None => None,
                Some(applied) if applied < total => Some(format!("it holds {applied} records, its positions say {total}")),
                Some(_) => positions.iter().find_map(|(partition, position)| {
                    let LogRange { first, end } = log[*partition];
                    let is_gone = *position > end || (*position < first && *position > 0);
                    is_gone.then(|| format!("its position {position} of {partition} is not in the log from {first} to {end}"))
                }),
            };
            let begins_anew = store.applied.is_none() || reason.is_some();
            if let Some(reason) = reason {
                tracing::warn!(store = store.store.name(), reason, "the global store is rebuilt from its topic");
                store.store.attach(&owner, StoreAccess::Write).reset(&reason, self.environment.clock.now_ms())?;
            }
            for (partition, position) in positions {
                let position = if begins_anew { 0 } else { position };
                starts.insert(partition.clone(), position.max(log[partition].first));
            }
        }
        Ok(starts)
    }

    fn start_followers(
        &self,
        starts: &HashMap<TopicPartition, i64>,
        memory: &Rc<WorkerMemory>,
        followers: &mut Vec<Follower>,
    ) -> Result<()> {
        let environment = &self.environment;
        for (subtopology, metrics) in environment.topology.global_subtopologies().iter().zip(&environment.metrics) {
            let id = TaskId::new(subtopology.id, 0);
            let mut inputs = Vec::new();
            for (partition, offset) in starts {
                if let Some(source) = subtopology.source_of(&partition.topic) {
                    inputs.push(InputPosition {
                        partition: partition.clone(),
                        source: source.node,
                        offset: *offset,
                        partition_time: UNKNOWN_TIME,
                        processors: BTreeMap::new(),
                        committed: true,
                    });
                }
            }
            inputs.sort_by(|one, two| one.partition.cmp(&two.partition));
            let slots = inputs.iter().enumerate().map(|(slot, input)| (input.partition.clone(), slot)).collect();
            let positions = inputs.iter().map(|input| (input.partition.clone(), input.offset)).collect();
            let own = self.stores.iter().filter(|store| store.task == id);
            let stores = own.map(|store| PreparedStore { store: Box::new(WriterOf(Arc::clone(&store.store))), changelog: None }).collect();
            let task = Task::start(
                PreparedTask { id, stores, inputs, metrics: Arc::clone(metrics), membership: 0, directory: None },
                &TaskEnvironment {
                    topology: &environment.topology,
                    subtopology,
                    outgoing: Rc::new(Nowhere),
                    memory,
                    handlers: &environment.handlers,
                    clock: &environment.clock,
                    max_task_idle_ms: -1,
                    emit_intervals: environment.settings.emit_intervals,
                    application: &environment.application,
                    waker: Arc::new(|| {}),
                    global_stores: &[],
                },
            )?;
            followers.push(Follower { task, slots, positions, retry: Retry::default() });
        }
        Ok(())
    }

    fn is_flush_due(&self, followers: &[Follower], since: Duration, memory: &WorkerMemory) -> bool {
        let unflushed: usize = followers.iter().flat_map(Follower::stores).map(|store| store.unflushed().bytes).sum();
        unflushed > 0
            && (unflushed >= self.environment.settings.flush_max_bytes
                || since >= self.environment.settings.flush_interval
                || memory.excess() > 0)
    }

    /// Writes the stores, and then the positions that they reach.
    fn flush(&mut self, followers: &[Follower]) -> Result<()> {
        let now_ms = self.environment.clock.now_ms();
        for store in followers.iter().flat_map(Follower::stores) {
            store.flush(now_ms).at(|| format!("store {}", store.name()))?;
        }
        let Some(applied) = &mut self.environment.applied else {
            return Ok(());
        };
        let persistent = followers.iter().filter(|follower| follower.stores().any(|store| store.is_persistent()));
        let positions = persistent.flat_map(|follower| follower.positions.clone()).collect();
        applied.write(&positions)
    }
}

/// The records that a partition had when they were looked at.
#[derive(Clone, Copy, Debug)]
struct LogRange {
    first: i64,
    end: i64,
}

/// Applies the records of one global sub-topology.
struct Follower {
    task: Task,
    slots: HashMap<TopicPartition, usize>,
    /// The next offset of each partition, behind what was applied.
    positions: BTreeMap<TopicPartition, i64>,
    /// Of a record that cannot be read yet.
    retry: Retry,
}

impl Follower {
    fn stores(&self) -> impl Iterator<Item = &Rc<dyn StateStore>> {
        self.task.stores()
    }

    /// Applies what was fetched.
    fn apply(&mut self, now: Duration, policy: &RetryPolicy) -> Result<()> {
        while self.retry.due() <= now {
            let (processed, progress) = self.task.process(BATCH);
            if processed > 0 {
                self.retry.succeeded();
            }
            match progress {
                Err(error) if error.kind() == ErrorKind::Retriable => {
                    tracing::warn!(%error, "a record of a global store has to wait");
                    self.retry.failed(error, now, policy)?;
                }
                Err(error) => return Err(error),
                Ok(Progress::More) if processed > 0 => {}
                Ok(_) => break,
            }
        }
        self.task.punctuate()?;
        self.task.drain()?;
        if !self.task.is_touched() && !self.task.has_moved() {
            return Ok(());
        }
        let offsets = self.task.offsets();
        for offset in &offsets {
            self.positions.insert(offset.partition.clone(), offset.offset);
        }
        self.task.committed(&offsets)?;
        // A store remembers one number: the sum, which grows with each of its partitions.
        let total: i64 = self.positions.values().sum();
        self.task.stores().try_for_each(|store| store.commit(Some(total)))
    }

    /// What has come to the end that it had at the start.
    fn note_reached(&self, log: &BTreeMap<TopicPartition, LogRange>, behind: &mut BTreeSet<TopicPartition>) {
        behind.retain(|partition| {
            let position = self.positions.get(partition);
            position.is_none_or(|position| *position < log[partition].end)
        });
    }
}

fn route(item: Polled, followers: &mut [Follower], behind: &mut BTreeSet<TopicPartition>) -> Result<()> {
    let of = |followers: &mut [Follower], partition: &TopicPartition, act: &mut dyn FnMut(&mut Task, usize)| {
        for follower in followers {
            if let Some(&slot) = follower.slots.get(partition) {
                act(&mut follower.task, slot);
            }
        }
    };
    match item {
        Polled::Message(message) => {
            let partition = TopicPartition::new(Arc::clone(message.topic()), message.partition());
            let mut message = Some(message);
            of(followers, &partition, &mut |task, slot| {
                if let Some(message) = message.take() {
                    task.add(slot, message);
                }
            });
        }
        Polled::Eof { partition, position } => {
            of(followers, &partition, &mut |task, slot| task.reached_end(slot, position));
            // Whatever was fetched before is applied before anybody is told.
            behind.remove(&partition);
        }
        Polled::OffsetOutOfRange { partition, error } => {
            return Err(error.with_kind(ErrorKind::Invalid).at(format_args!(
                "{partition}: records that this process has not read are gone from the log; a restart rebuilds the store from what is left"
            )));
        }
        Polled::Error { partition, error } if error.kind() == ErrorKind::Retriable => {
            tracing::debug!(?partition, %error, "fetching for global stores");
        }
        Polled::Error { partition: Some(partition), error } => return Err(error.at(partition)),
        Polled::Error { partition: None, error } => return Err(error),
    }
    Ok(())
}

/// A processor of a global store writes no topic; what a handler sends elsewhere is left out (as in Kafka Streams, which has no producer
/// here).
struct Nowhere;

impl Outgoing for Nowhere {
    fn send(&self, record: &OutgoingRecord<'_>, _slot: DeliverySlot) -> Result<()> {
        tracing::warn!(topic = %record.topic, "a record about a global store was left out: the global thread writes no topic");
        Ok(())
    }

    fn track(&self) -> DeliverySlot {
        DeliverySlot::UNTRACKED
    }

    fn untrack(&self, _slot: DeliverySlot) {}

    fn take_acknowledged(&self, _slot: DeliverySlot) -> Option<i64> {
        None
    }

    fn partition_count(&self, topic: &Arc<str>) -> Result<i32> {
        Err(Error::invalid(format!("topic {topic} is written by a processor of a global store, which can write no topic")))
    }
}
