//! A worker: the thread that runs tasks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use super::{ControlEvent, PurgePositions, RuntimeSettings, WorkerCommand, WorkerStopped};
use crate::client::{DataConsumer, Polled, Producer};
use crate::commit::fault::{KillPoint, SeededFault, is_seeded, kill_point};
use crate::commit::{CommitEnvironment, commit};
use crate::config::ProcessingGuarantee;
use crate::error::{Error, ErrorKind, Result, ResultExt, panicked};
use crate::handler::{Handlers, UncaughtErrorHandler};
use crate::id::{TaskId, TopicPartition};
use crate::membership::{OffsetCommitter, TokenCell};
use crate::store::{MemoryBudget, SharedStore, WorkerMemory};
use crate::task::{Outgoing, PreparedTask, Task, TaskEnvironment, WorkerProducer};
use crate::time::Clock;
use crate::topology::BuiltTopology;

/// Makes a worker's producer, again after it was fenced.
pub(crate) type ProducerFactory = Box<dyn Fn() -> Result<Producer> + Send>;

/// What a worker is given.
pub(crate) struct WorkerEnvironment {
    pub(crate) index: usize,
    pub(crate) topology: Arc<BuiltTopology>,
    pub(crate) settings: Arc<RuntimeSettings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) handlers: Handlers,
    pub(crate) uncaught: UncaughtErrorHandler,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) tokens: Arc<TokenCell>,
    pub(crate) committer: Arc<dyn OffsetCommitter>,
    pub(crate) purge: Arc<PurgePositions>,
    pub(crate) global_stores: Arc<[Arc<dyn SharedStore>]>,
    pub(crate) make_producer: ProducerFactory,
    pub(crate) commands: Receiver<WorkerCommand>,
    pub(crate) events: Sender<ControlEvent>,
}

/// A worker's state. Made and dropped on its own thread.
pub(crate) struct Worker {
    pub(super) environment: WorkerEnvironment,
    pub(super) consumer: DataConsumer,
    pub(super) producer: Rc<WorkerProducer>,
    pub(super) memory: Rc<WorkerMemory>,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) routes: HashMap<TopicPartition, (TaskId, usize)>,
    pub(super) paused: HashSet<TopicPartition>,
    pub(super) polled: Vec<Polled>,
    pub(super) last_commit: Duration,
    /// Since when commits fail for reasons that may pass.
    pub(super) failing_since: Option<Duration>,
    pub(super) last_upkeep: Duration,
    pub(super) last_full_commit: Duration,
    /// Whether a task may have something to do at once.
    pub(super) has_buffered: bool,
    /// When a task that waits for another partition goes on at the latest.
    pub(super) wait_until: Option<Duration>,
    /// Uncommitted writes exceed the memory budget.
    pub(super) must_commit_early: bool,
    pub(super) unflushed_since: HashMap<(TaskId, String), Duration>,
}

/// What the loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Continue,
    End,
}

impl Worker {
    /// Connects the worker's clients; waits for the cluster.
    ///
    /// # Errors
    /// When the clients cannot be made, or the cluster does not answer for `task.timeout.ms`.
    pub(crate) fn new(environment: WorkerEnvironment, consumer: DataConsumer) -> Result<Self> {
        let producer = (environment.make_producer)()?;
        let transactional = environment.settings.guarantee == ProcessingGuarantee::ExactlyOnceV2;
        let now = environment.clock.monotonic();
        Ok(Self {
            producer: WorkerProducer::new(producer, transactional, environment.settings.request_timeout),
            memory: Rc::new(WorkerMemory::new(Arc::clone(&environment.budget))),
            environment,
            consumer,
            tasks: BTreeMap::new(),
            routes: HashMap::new(),
            paused: HashSet::new(),
            polled: Vec::new(),
            last_commit: now,
            failing_since: None,
            last_upkeep: now,
            last_full_commit: now,
            has_buffered: false,
            wait_until: None,
            must_commit_early: false,
            unflushed_since: HashMap::new(),
        })
    }

    /// Runs until it is told to close or fails; says how it ended.
    pub(crate) fn run(mut self) {
        let failure = loop {
            let step = catch_unwind(AssertUnwindSafe(|| self.step())).unwrap_or_else(|panic| Err(panicked(&*panic)));
            match step {
                Ok(Next::Continue) => {}
                Ok(Next::End) => break None,
                Err(error) => {
                    let reaction = catch_unwind(AssertUnwindSafe(|| self.react(error))).unwrap_or_else(|panic| Err(panicked(&*panic)));
                    if let Err(error) = reaction {
                        break Some(error);
                    }
                }
            }
        };
        let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
        let failure = failure.map(|error| {
            tracing::error!(worker = self.environment.index, %error, "the worker stops");
            let ended = catch_unwind(AssertUnwindSafe(|| self.end_dirty()));
            if let Err(panic) = ended {
                tracing::error!(error = %panicked(&*panic), "closing the tasks of a failed worker panicked");
            }
            let handler = Arc::clone(&self.environment.uncaught);
            let response = catch_unwind(AssertUnwindSafe(|| handler(&error))).unwrap_or(crate::handler::UncaughtResponse::ShutdownClient);
            (error, response)
        });
        let (index, events) = (self.environment.index, self.environment.events.clone());
        // Stores and clients are closed before anybody may open them again.
        drop(self);
        if events.send(ControlEvent::Stopped(WorkerStopped { worker: index, failure, tasks })).is_err() {
            tracing::debug!(worker = index, "the control thread is gone");
        }
    }

    fn step(&mut self) -> Result<Next> {
        if self.take_commands()? == Next::End {
            return Ok(Next::End);
        }
        self.poll()?;
        self.process_slice()?;
        if self.is_commit_due() {
            self.commit_all()?;
        }
        self.upkeep()?;
        self.environment.tokens.note_progress(self.environment.index, self.environment.clock.monotonic());
        Ok(Next::Continue)
    }

    fn take_commands(&mut self) -> Result<Next> {
        loop {
            match self.environment.commands.try_recv() {
                Ok(WorkerCommand::Start(task)) => self.start(*task)?,
                Ok(WorkerCommand::Revoke(tasks)) => self.revoke(&tasks)?,
                Ok(WorkerCommand::Lose(tasks)) => self.lose(&tasks)?,
                Ok(WorkerCommand::Fail(error)) => return Err(error),
                Ok(WorkerCommand::Close) | Err(TryRecvError::Disconnected) => {
                    self.end_clean();
                    return Ok(Next::End);
                }
                Err(TryRecvError::Empty) => return Ok(Next::Continue),
            }
        }
    }

    fn start(&mut self, prepared: PreparedTask) -> Result<()> {
        let id = prepared.id;
        let topology = &self.environment.topology;
        let subtopology = topology.subtopology(id.subtopology).ok_or_else(|| Error::internal("the task's sub-topology does not exist"))?;
        let task = Task::start(
            prepared,
            &TaskEnvironment {
                topology,
                subtopology,
                outgoing: Rc::clone(&self.producer) as Rc<dyn Outgoing>,
                memory: &self.memory,
                handlers: &self.environment.handlers,
                clock: &self.environment.clock,
                max_task_idle_ms: self.environment.settings.max_task_idle_ms,
                emit_intervals: self.environment.settings.emit_intervals,
                global_stores: &self.environment.global_stores,
            },
        );
        // The task is this worker's from now on, also when it fails to start: the handler's answer is about it.
        let task = match task {
            Ok(task) => task,
            Err(error) => {
                self.tell(ControlEvent::Running { worker: self.environment.index, tasks: vec![id] });
                return Err(error);
            }
        };
        let mut positions = Vec::new();
        for (slot, (partition, offset)) in task.inputs().enumerate() {
            self.routes.insert(partition.clone(), (id, slot));
            positions.push((partition.clone(), offset));
        }
        self.tasks.insert(id, task);
        self.consumer.assign(&positions).at(|| format!("task {id}"))?;
        tracing::info!(task = %id, worker = self.environment.index, "running");
        self.tell(ControlEvent::Running { worker: self.environment.index, tasks: vec![id] });
        Ok(())
    }

    /// Commits all tasks when one of these has something to commit (trap T125), then gives these up.
    fn revoke(&mut self, ids: &[TaskId]) -> Result<()> {
        kill_point(KillPoint::RevokeBeforeCommit);
        let needs_commit = ids.iter().filter_map(|id| self.tasks.get(id)).any(|task| task.is_touched() || task.has_moved());
        if needs_commit && let Err(error) = self.commit_tasks(!is_seeded(SeededFault::NoDrainAtRevocation)) {
            tracing::warn!(worker = self.environment.index, %error, "the commit before giving up tasks failed; they go on elsewhere from what was committed before");
            // An open transaction must not live on: the next commit would hold what these tasks wrote, without their positions.
            let is_transactional = self.environment.settings.guarantee == ProcessingGuarantee::ExactlyOnceV2;
            let repeats = is_transactional && error.kind() == ErrorKind::Retriable;
            self.react(if repeats { error.with_kind(ErrorKind::Abortable) } else { error })?;
        }
        kill_point(KillPoint::RevokeAfterCommit);
        for id in ids {
            if let Some(task) = self.take_task(*id) {
                for store in task.stores() {
                    // What is not flushed is in the changelog: no reason to keep the group waiting.
                    if let Err(error) = self.flush_store(*id, &**store) {
                        tracing::warn!(task = %id, %error, "a store could not be flushed before its task was given up");
                    }
                }
                drop(task.close());
            }
        }
        self.tell(ControlEvent::Released { tasks: ids.to_vec() });
        Ok(())
    }

    /// These belong to others already: what was not committed is given up, also of the tasks that shared the transaction.
    fn lose(&mut self, ids: &[TaskId]) -> Result<()> {
        let is_touched = ids.iter().any(|id| self.tasks.get(id).is_some_and(Task::is_touched));
        let is_usable = !is_touched || self.abort();
        for id in ids {
            if let Some(task) = self.take_task(*id) {
                drop(task.close());
            }
        }
        self.tell(ControlEvent::Released { tasks: ids.to_vec() });
        if is_touched {
            let others: Vec<TaskId> = self.tasks.keys().copied().collect();
            self.restart(&others, is_usable, false)?;
        }
        Ok(())
    }

    /// The end that the program asked for: commits and flushes what it can, and never waits for a new producer.
    fn end_clean(&mut self) {
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        if let Err(error) = self.commit_tasks(!is_seeded(SeededFault::NoDrainAtRevocation)) {
            tracing::warn!(worker = self.environment.index, %error, "the last commit failed; the tasks go on from what was committed before");
            self.abort();
        }
        for id in ids {
            if let Some(task) = self.take_task(id) {
                for store in task.stores() {
                    if let Err(error) = self.flush_store(id, &**store) {
                        tracing::warn!(task = %id, %error, "the last flush failed; a restart reads the rest from the changelog");
                    }
                }
                drop(task.close());
            }
        }
    }

    /// Commits all tasks that have something to commit.
    pub(super) fn commit_all(&mut self) -> Result<()> {
        self.commit_tasks(true)
    }

    fn commit_tasks(&mut self, drain: bool) -> Result<()> {
        let settings = &self.environment.settings;
        let mut participants: Vec<&mut Task> = self.tasks.values_mut().filter(|task| task.is_touched() || task.has_moved()).collect();
        let environment = CommitEnvironment {
            guarantee: settings.guarantee,
            producer: &self.producer,
            tokens: &self.environment.tokens,
            committer: &*self.environment.committer,
            clock: &*self.environment.clock,
            timeout: settings.commit_timeout,
            drain,
        };
        commit(&mut participants, &environment)?;
        if !self.environment.purge.is_empty() {
            let purge = &self.environment.purge;
            for task in &participants {
                purge.note(task.committed_positions(&|topic| purge.covers(topic)));
            }
        }
        self.last_commit = self.environment.clock.monotonic();
        self.failing_since = None;
        self.flush_due()
    }

    /// What an error asks for. An error that comes back ends the worker.
    fn react(&mut self, error: Error) -> Result<()> {
        let now = self.environment.clock.monotonic();
        match error.kind() {
            ErrorKind::Retriable => {
                let since = *self.failing_since.get_or_insert(now);
                if now.saturating_sub(since) >= self.environment.settings.task_timeout {
                    return Err(error.at(format_args!(
                        "no progress for {} ms (`task.timeout.ms`)",
                        self.environment.settings.task_timeout.as_millis()
                    )));
                }
                tracing::warn!(worker = self.environment.index, %error, "trying again");
                self.last_commit = now;
                Ok(())
            }
            ErrorKind::Abortable => {
                tracing::warn!(worker = self.environment.index, %error, "rolling back to what was committed");
                self.roll_back(false)
            }
            ErrorKind::Fenced => {
                tracing::warn!(worker = self.environment.index, %error, "rolling back to what was committed, with a new producer");
                self.roll_back(true)
            }
            ErrorKind::Corrupted => {
                tracing::warn!(worker = self.environment.index, %error, "opening the stores anew");
                let is_usable = self.abort();
                let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
                self.restart(&ids, is_usable, true)
            }
            _ => Err(error),
        }
    }

    fn roll_back(&mut self, replace_producer: bool) -> Result<()> {
        if self.environment.settings.guarantee == ProcessingGuarantee::AtLeastOnce {
            // Changelog records on their way must be in the log before its end is read, or a store would miss them.
            if let Err(error) = self.producer.producer().flush(self.environment.settings.commit_timeout) {
                tracing::warn!(worker = self.environment.index, %error, "records that were sent before are not acknowledged yet");
            }
        }
        let is_usable = !replace_producer && self.abort();
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        self.restart(&ids, is_usable, false)
    }

    /// Aborts the open transaction. `false`: the producer cannot be used any more.
    fn abort(&mut self) -> bool {
        if !self.producer.is_in_transaction() {
            return true;
        }
        let aborted = self.producer.producer().abort_transaction(self.environment.settings.commit_timeout);
        self.producer.transaction_ended();
        if let Err(error) = &aborted {
            tracing::warn!(worker = self.environment.index, %error, "the transaction could not be aborted");
        }
        aborted.is_ok()
    }

    /// The new producer ends what the old one left undecided (rule R1).
    fn replace_producer(&mut self) -> Result<()> {
        let producer = (self.environment.make_producer)()?;
        self.producer.replace(producer);
        Ok(())
    }

    /// Sends tasks back to the restore thread: they start again from what was committed.
    ///
    /// In this order: they are closed while their producer is still there, since their delivery slots are its own; then a producer that
    /// cannot be used is replaced, which decides what it left undecided (rule R1); only then may their positions be read.
    fn restart(&mut self, ids: &[TaskId], is_producer_usable: bool, drop_stores: bool) -> Result<()> {
        let mut revived = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(task) = self.take_task(*id) {
                let mut prepared = task.close();
                if drop_stores {
                    prepared.stores.clear();
                }
                revived.push(prepared);
            }
        }
        if !is_producer_usable {
            self.replace_producer()?;
        }
        if !revived.is_empty() {
            self.tell(ControlEvent::Revived { tasks: revived });
        }
        Ok(())
    }

    /// Removes a task and stops fetching for it.
    fn take_task(&mut self, id: TaskId) -> Option<Task> {
        let task = self.tasks.remove(&id)?;
        let partitions: Vec<TopicPartition> = task.inputs().map(|(partition, _)| partition.clone()).collect();
        for partition in &partitions {
            self.routes.remove(partition);
            self.paused.remove(partition);
        }
        self.unflushed_since.retain(|(task, _), _| *task != id);
        if let Err(error) = self.consumer.unassign(&partitions) {
            tracing::warn!(task = %id, %error, "the inputs of a closed task could not be unassigned");
        }
        Some(task)
    }

    /// After a failure: nothing is committed, everything is closed.
    fn end_dirty(&mut self) {
        self.abort();
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in ids {
            if let Some(task) = self.take_task(id) {
                drop(task.close());
            }
        }
    }

    pub(super) fn tell(&self, event: ControlEvent) {
        if self.environment.events.send(event).is_err() {
            tracing::debug!(worker = self.environment.index, "the control thread is gone");
        }
    }
}
