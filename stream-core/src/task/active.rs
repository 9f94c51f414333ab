//! [`Task`]: one partition of one sub-topology, running on one worker.

mod commit;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::collector::{Collector, Outgoing};
use super::graph::TaskGraph;
use super::partition_group::{Choice, PartitionGroup, TaskIdle};
use super::prepared::{InputPosition, PreparedStore, PreparedTask, TaskChangelog};
use super::progress::Progress;
use super::start_failure::StartFailure;
use crate::application::ApplicationContext;
use crate::client::{DeliverySlot, Message};
use crate::config::EmitIntervals;
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{KillPoint, SeededFault, fail_point, is_seeded};
use crate::handler::Handlers;
use crate::id::{TaskId, TopicPartition};
use crate::node::{DroppedRecord, Head, PunctuationType, SourceInlet, Stopped, TaskContext, TaskWaker, Wakeups};
use crate::store::{CurrentRecord, SharedStore, StateStore, StoreAccess, StoreOwner, WorkerMemory};
use crate::time::Clock;
use crate::topology::{BuiltTopology, Subtopology};

/// How often the wall clock is read while records are processed.
const CLOCK_STRIDE: usize = 32;

/// What a worker gives each of its tasks.
pub(crate) struct TaskEnvironment<'a> {
    pub(crate) topology: &'a Arc<BuiltTopology>,
    pub(crate) subtopology: &'a Subtopology,
    pub(crate) outgoing: Rc<dyn Outgoing>,
    pub(crate) memory: &'a Rc<WorkerMemory>,
    pub(crate) handlers: &'a Handlers,
    pub(crate) clock: &'a Arc<dyn Clock>,
    /// `max.task.idle.ms`.
    pub(crate) max_task_idle_ms: i64,
    pub(crate) emit_intervals: EmitIntervals,
    /// What all tasks share.
    pub(crate) application: &'a Arc<ApplicationContext>,
    /// Lets the worker look at its tasks.
    pub(crate) waker: TaskWaker,
    /// What all nodes may read.
    pub(crate) global_stores: &'a [Arc<dyn SharedStore>],
}

struct TaskStore {
    store: Rc<dyn StateStore>,
    changelog: Option<TaskChangelog>,
    slot: DeliverySlot,
}

struct Input {
    position: InputPosition,
    inlet: Rc<RefCell<dyn SourceInlet>>,
    committed: Option<i64>,
}

/// A running task. It ends by [`close`](Self::close); its uncommitted writes are gone unless it was committed before.
pub(crate) struct Task {
    id: TaskId,
    graph: TaskGraph,
    context: TaskContext,
    group: PartitionGroup<Message>,
    inputs: Vec<Input>,
    stores: Vec<TaskStore>,
    clock: Arc<dyn Clock>,
    outgoing: Rc<dyn Outgoing>,
    membership: u64,
    directory: Option<super::TaskDirectoryLock>,
    /// What processors had kept beside the offsets at the last commit.
    committed_metadata: BTreeMap<String, i64>,
    /// Records, punctuations or drains since the last commit.
    touched: bool,
}

impl Task {
    /// Wires a prepared task and initialises its processors.
    ///
    /// # Errors
    /// The first failure, with the task as it can be prepared again.
    pub(crate) fn start(prepared: PreparedTask, environment: &TaskEnvironment<'_>) -> Result<Self, StartFailure> {
        let id = prepared.id;
        let mut task = Self::wire(prepared, environment).map_err(|error| StartFailure { task: None, error: error.of_task(id) })?;
        match task.graph.init(&mut task.context) {
            Ok(()) => {
                // Writes of `init` are part of the first commit.
                task.touched = task.stores.iter().any(|store| store.store.is_dirty());
                Ok(task)
            }
            Err(error) => {
                let (task, closed) = task.close();
                // A panic in `close` outranks an error that would be tried again.
                let error = match closed {
                    Err(panic) if error.kind() != ErrorKind::User => panic,
                    _ => error.of_task(id),
                };
                Err(StartFailure { task: Some(Box::new(task)), error })
            }
        }
    }

    fn wire(prepared: PreparedTask, environment: &TaskEnvironment<'_>) -> Result<Self> {
        let PreparedTask { id, stores, inputs, metrics, membership, directory } = prepared;
        let (topology, subtopology) = (environment.topology, environment.subtopology);
        let current = Rc::new(CurrentRecord::default());
        let collector = Collector { outgoing: Rc::clone(&environment.outgoing) };
        let mut context = TaskContext::new(
            id,
            Arc::clone(topology.application_id()),
            Box::new(collector),
            Rc::clone(&current),
            environment.handlers.clone(),
            metrics,
        );
        context.system_time = environment.clock.now_ms();
        context.emit_intervals = environment.emit_intervals;
        context.application = Arc::clone(environment.application);
        context.wakeups = Wakeups::new(Arc::clone(&environment.waker));
        for (name, value) in inputs.iter().flat_map(|input| &input.processors) {
            // Each partition has what its own last commit knew: the newest is the largest.
            let newest = context.processor_metadata.entry(name.clone()).or_insert(*value);
            *newest = (*newest).max(*value);
        }
        let committed_metadata = context.processor_metadata.clone();

        let owner = StoreOwner { current, memory: Rc::clone(environment.memory) };
        let stores: Vec<TaskStore> = stores
            .into_iter()
            .map(|PreparedStore { store, changelog }| {
                let slot = match &changelog {
                    Some(changelog) if !changelog.is_source => environment.outgoing.track(),
                    _ => DeliverySlot::UNTRACKED,
                };
                TaskStore { store: store.attach(&owner), changelog, slot }
            })
            .collect();
        let read = |store: &Arc<dyn SharedStore>| (store.name().to_owned(), store.attach(&owner, StoreAccess::Read));
        context.global_stores = environment.global_stores.iter().map(read).collect();
        context.stores = Rc::new(stores.iter().map(|store| (store.store.name().to_owned(), Rc::clone(&store.store))).collect());

        let graph = TaskGraph::wire(topology, subtopology, &mut context)?;
        let mut group = PartitionGroup::new(inputs.len(), TaskIdle::from_ms(environment.max_task_idle_ms));
        for (slot, input) in inputs.iter().enumerate() {
            group.set_partition_time(slot, input.partition_time);
        }
        context.stream_time = group.stream_time();
        let inputs = inputs
            .into_iter()
            .map(|position| {
                let inlet = graph.source(position.source).cloned();
                let inlet = inlet.ok_or_else(|| Error::internal(format!("no source node reads {}", position.partition)))?;
                Ok(Input { committed: position.committed.then_some(position.offset), position, inlet })
            })
            .collect::<Result<Vec<Input>>>()?;
        Ok(Self {
            id,
            graph,
            context,
            group,
            inputs,
            stores,
            clock: Arc::clone(environment.clock),
            outgoing: Rc::clone(&environment.outgoing),
            membership,
            directory,
            committed_metadata,
            touched: false,
        })
    }

    pub(crate) fn id(&self) -> TaskId {
        self.id
    }

    /// The membership under which it started: only under that one may it be committed.
    pub(crate) fn membership(&self) -> u64 {
        self.membership
    }

    /// The source partitions with the offsets at which fetching begins; the index is the slot for [`add`](Self::add).
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.inputs.iter().map(|input| (&input.position.partition, input.position.offset))
    }

    /// Buffers a fetched record.
    #[inline]
    pub(crate) fn add(&mut self, slot: usize, message: Message) {
        self.group.add(slot, std::iter::once(message));
    }

    /// A partition was read to its end; `position` is behind the last record, commit marker or aborted record.
    pub(crate) fn reached_end(&mut self, slot: usize, position: i64) {
        self.group.end_seen(slot, position);
    }

    /// How many records a slot has buffered.
    pub(crate) fn buffered(&self, slot: usize) -> usize {
        self.group.buffered_in(slot)
    }

    /// Processes up to `limit` records; says how many.
    ///
    /// # Errors
    /// Inside the tuple: the first failure. `Retriable`: the next record cannot be read yet, and may be tried again; else the task must
    /// not process on.
    pub(crate) fn process(&mut self, limit: usize) -> (usize, Result<Progress>) {
        let mut processed = 0;
        let progress = self.process_until(limit, &mut processed).map_err(|error| error.of_task(self.id));
        self.context.metrics.consumed.add(processed as u64);
        self.count_dropped();
        (processed, progress)
    }

    fn process_until(&mut self, limit: usize, processed: &mut usize) -> Result<Progress> {
        self.context.system_time = self.clock.now_ms();
        let now = self.clock.monotonic();
        while *processed < limit {
            if !self.context.paused.is_empty() {
                return Ok(Progress::Paused);
            }
            let (inputs, context, touched) = (&self.inputs, &mut self.context, &mut self.touched);
            let choice = self.group.choose(now, |slot, message: &Message, partition_time| {
                let head = inputs[slot].inlet.borrow_mut().admit(slot, &message.as_raw(), partition_time, context);
                // A record that is skipped may leave a dead letter in the transaction, which must end together with its position.
                *touched |= !matches!(head, Ok(Head::Ready { .. }));
                head
            })?;
            match choice {
                Choice::Process { slot, enforced } => {
                    if enforced {
                        self.context.metrics.enforced.add(1);
                    }
                    self.process_one(slot)?;
                }
                Choice::Wait { until } => return Ok(Progress::Waiting { until }),
                Choice::Empty => return Ok(Progress::Empty),
            }
            *processed += 1;
            if processed.is_multiple_of(CLOCK_STRIDE) {
                self.context.system_time = self.clock.now_ms();
            }
            if self.context.commit_requested {
                break;
            }
            if !self.context.punctuations.is_empty() {
                self.punctuate_stream_time()?;
            }
        }
        Ok(Progress::More)
    }

    #[inline]
    fn process_one(&mut self, slot: usize) -> Result<()> {
        let Some(message) = self.group.take(slot) else {
            return Err(Error::internal("a partition group chose a partition without a record"));
        };
        self.touched = true;
        fail_point(KillPoint::RecordTaken, ErrorKind::Retriable).map_err(begun)?;
        self.context.stream_time = self.group.stream_time();
        self.context.current.set_source(message.topic(), message.partition(), message.offset());
        self.context.message = Some(message);
        let done = self.inputs[slot].inlet.borrow_mut().process(slot, &mut self.context);
        let message = self.context.message.take();
        match (done, self.context.take_failure()) {
            (_, Some(error)) => Err(begun(error).at(place(message.as_ref()))),
            (Err(Stopped), None) => Err(Error::internal("a node stopped without a reason")),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Calls the processors that were woken; says whether there were any.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn wake(&mut self) -> Result<bool> {
        if !self.context.wakeups.take_pending() {
            return Ok(false);
        }
        self.context.system_time = self.clock.now_ms();
        let called = self.graph.wake(&mut self.context);
        self.count_dropped();
        if let Some(error) = self.context.take_failure() {
            return Err(begun(error).of_task(self.id));
        }
        let called = called.map_err(|Stopped| Error::internal("a processor that was woken stopped without a reason"))?;
        self.touched |= called;
        Ok(called)
    }

    /// Runs the punctuations that are due, stream time first; returns how many.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn punctuate(&mut self) -> Result<u64> {
        if self.context.punctuations.is_empty() {
            return Ok(0);
        }
        self.context.system_time = self.clock.now_ms();
        let calls = self.punctuate_stream_time()?;
        let now = self.context.system_time;
        Ok(calls + self.punctuate_kind(PunctuationType::WallClockTime, now)?)
    }

    /// Runs the punctuations of stream time that are due; returns how many.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn punctuate_stream_time(&mut self) -> Result<u64> {
        let now = self.context.stream_time;
        self.punctuate_kind(PunctuationType::StreamTime, now)
    }

    fn punctuate_kind(&mut self, kind: PunctuationType, now: i64) -> Result<u64> {
        let called = self.graph.punctuate(kind, now, &mut self.context);
        if let Some(error) = self.context.take_failure() {
            return Err(begun(error).at("punctuation").of_task(self.id));
        }
        let calls = called.map_err(|Stopped| Error::internal("a punctuation stopped without a reason"))?;
        if calls > 0 {
            self.touched = true;
            self.context.metrics.punctuations.add(calls);
        }
        Ok(calls)
    }

    /// Counts what stores left out since they were asked last.
    fn count_dropped(&self) {
        self.context.metrics.dropped.add(self.context.current.take_dropped());
    }

    /// Notes down from now on which records are left out, and why.
    pub(crate) fn note_drops(&mut self, drops: Rc<RefCell<Vec<DroppedRecord>>>) {
        self.context.drops = Some(drops);
    }

    /// When the wall clock has the next punctuation due, ms.
    pub(crate) fn next_punctuation_ms(&self) -> Option<i64> {
        self.context.punctuations.next_wall_clock()
    }

    /// The stores.
    pub(crate) fn stores(&self) -> impl Iterator<Item = &Rc<dyn StateStore>> {
        self.stores.iter().map(|store| &store.store)
    }

    /// Closes the processors and takes out what can move to another thread. Uncommitted writes are dropped. `stores` is empty when a
    /// processor still holds a handle: the stores are then closed and must be opened again. Beside it: the first panic of a processor
    /// that was being closed; the rest is closed nevertheless.
    pub(crate) fn close(self) -> (PreparedTask, Result<()>) {
        let Self { id, graph, context, group, inputs, stores, outgoing, membership, directory, committed_metadata, .. } = self;
        // The inlets of the sources go first, so that the graph alone holds its nodes.
        let metrics = Arc::clone(&context.metrics);
        let inputs = inputs
            .into_iter()
            .enumerate()
            .map(|(slot, input)| InputPosition {
                offset: input.committed.unwrap_or(input.position.offset),
                partition_time: group.partition_time(slot),
                processors: committed_metadata.clone(),
                committed: input.committed.is_some(),
                ..input.position
            })
            .collect();
        let closed = graph.close().map_err(|error| error.of_task(id));
        for TaskStore { store, slot, .. } in &stores {
            store.discard();
            outgoing.untrack(*slot);
        }
        drop((context, group));
        let count = stores.len();
        let mut detached: Vec<PreparedStore> = Vec::with_capacity(count);
        for TaskStore { store, changelog, .. } in stores {
            let name = store.name().to_owned();
            match store.detach() {
                Some(store) => detached.push(PreparedStore { store, changelog }),
                None => tracing::warn!(task = %id, store = name, "a handle to the store outlives its processor; the store is opened anew"),
            }
        }
        if detached.len() < count {
            detached.clear();
        }
        (PreparedTask { id, stores: detached, inputs, metrics, membership, directory }, closed)
    }
}

fn place(message: Option<&Message>) -> String {
    message.map_or_else(String::new, |message| format!("record {}-{} offset {}", message.topic(), message.partition(), message.offset()))
}

/// An error of something that has begun: its record is off the queue and it may have had effects, so calling again cannot repeat it.
/// Only a roll-back can; going on would commit past the record.
fn begun(error: Error) -> Error {
    let rolls_back = error.kind() == ErrorKind::Retriable && !is_seeded(SeededFault::CommitPastFailedRecord);
    if rolls_back { error.with_kind(ErrorKind::Abortable) } else { error }
}
