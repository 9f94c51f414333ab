//! A worker: the thread that runs tasks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use super::failing::Failing;
use super::recovery::Restart;
use super::{ControlEvent, PurgePositions, RuntimeSettings, WorkerCommand};
use crate::application::ApplicationContext;
use crate::client::{DataConsumer, Polled, Producer};
use crate::commit::{CommitEnvironment, commit};
use crate::config::ProcessingGuarantee;
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::fault::{KillPoint, SeededFault, fail_point, is_seeded, kill_point};
use crate::handler::Handlers;
use crate::id::{TaskId, TopicPartition};
use crate::membership::{OffsetCommitter, TokenCell};
use crate::node::TaskWaker;
use crate::store::{MemoryBudget, SharedStore, WorkerMemory};
use crate::task::{Outgoing, PreparedTask, Task, TaskEnvironment, WorkerProducer};
use crate::time::{Clock, Ending};
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
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) tokens: Arc<TokenCell>,
    pub(crate) committer: Arc<dyn OffsetCommitter>,
    pub(crate) purge: Arc<PurgePositions>,
    pub(crate) global_stores: Arc<[Arc<dyn SharedStore>]>,
    pub(crate) application: Arc<ApplicationContext>,
    /// Lets this worker look at its tasks.
    pub(crate) waker: TaskWaker,
    pub(crate) make_producer: ProducerFactory,
    pub(crate) ending: Arc<Ending>,
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
    pub(super) failing: Failing,
    pub(super) last_upkeep: Duration,
    pub(super) last_full_commit: Duration,
    pub(super) last_renewal: Duration,
    /// Whether a task may have something to do at once.
    pub(super) has_buffered: bool,
    /// When a task that waits for another partition goes on at the latest.
    pub(super) wait_until: Option<Duration>,
    /// Uncommitted writes exceed the memory budget.
    pub(super) must_commit_early: bool,
    pub(super) unflushed_since: HashMap<(TaskId, String), Duration>,
}

/// What the loop does next.
enum Next {
    Continue,
    /// Everything is closed; with the first failure in closing it.
    End(Result<()>),
    /// One of the worker's tasks cannot be prepared. Whatever the error's kind: everything that could be tried was.
    Fail(Error),
}

/// Why a worker ended that was not to end, or not so.
pub(crate) enum WorkerFailure {
    /// It failed: the uncaught-error handler decides.
    Uncaught(Error),
    /// It failed while it closed, as it was told to: there is nothing left to decide.
    AtClose(Error),
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
            failing: Failing::default(),
            last_upkeep: now,
            last_full_commit: now,
            last_renewal: now,
            has_buffered: false,
            wait_until: None,
            must_commit_early: false,
            unflushed_since: HashMap::new(),
        })
    }

    /// Runs until it is told to close or fails.
    pub(crate) fn run(mut self) -> Option<WorkerFailure> {
        loop {
            let step = catch_unwind(AssertUnwindSafe(|| self.step())).unwrap_or_else(|panic| Err(Error::panicked(&*panic)));
            let failure = match step {
                Ok(Next::Continue) => continue,
                Ok(Next::End(closed)) => return closed.err().map(WorkerFailure::AtClose),
                Ok(Next::Fail(error)) => error,
                Err(error) => {
                    match catch_unwind(AssertUnwindSafe(|| self.react(error))).unwrap_or_else(|panic| Err(Error::panicked(&*panic))) {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
            };
            self.end_dirty();
            return Some(WorkerFailure::Uncaught(failure));
        }
    }

    fn step(&mut self) -> Result<Next> {
        match self.take_commands()? {
            Next::Continue => {}
            end => return Ok(end),
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
                Ok(WorkerCommand::Fail(error)) => return Ok(Next::Fail(error)),
                Ok(WorkerCommand::Close) | Err(TryRecvError::Disconnected) => return Ok(Next::End(self.end_clean())),
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
                application: &self.environment.application,
                waker: Arc::clone(&self.environment.waker),
                global_stores: &self.environment.global_stores,
            },
        );
        let task = match task {
            Ok(task) => task,
            Err(failure) => return self.not_started(failure),
        };
        self.failing.started(id, self.environment.clock.monotonic(), &self.environment.settings.retry);
        let mut positions = Vec::new();
        for (slot, (partition, offset)) in task.inputs().enumerate() {
            self.routes.insert(partition.clone(), (id, slot));
            positions.push((partition.clone(), offset));
        }
        self.tasks.insert(id, task);
        self.consumer.assign(&positions).at(|| format!("task {id}"))?;
        tracing::info!(task = %id, worker = self.environment.index, "running");
        self.tell(ControlEvent::Running { worker: self.environment.index, task: id });
        Ok(())
    }

    /// Commits all tasks when one of these has something to commit (trap T125), then gives these up.
    fn revoke(&mut self, ids: &[TaskId]) -> Result<()> {
        kill_point(KillPoint::RevokeBeforeCommit);
        let leaving = || ids.iter().filter_map(|id| self.tasks.get(id));
        let needs_commit = leaving().any(|task| task.is_touched() || task.has_moved());
        let failed = if leaving().any(Task::is_touched) { fail_point(KillPoint::RevokeBeforeCommit, ErrorKind::Retriable) } else { Ok(()) };
        let drains = !is_seeded(SeededFault::NoDrainAtRevocation);
        if needs_commit && let Err(error) = failed.and_then(|()| self.commit_tasks(drains)) {
            tracing::warn!(worker = self.environment.index, %error, "the commit before giving up tasks failed; they go on elsewhere from what was committed before");
            // An open transaction must not live on: the next commit would hold what these tasks wrote, without their positions.
            let is_transactional = self.environment.settings.guarantee == ProcessingGuarantee::ExactlyOnceV2;
            let repeats = is_transactional && error.kind() == ErrorKind::Retriable && !is_seeded(SeededFault::OpenTransactionAtRevocation);
            self.react(if repeats { error.with_kind(ErrorKind::Abortable) } else { error })?;
        }
        kill_point(KillPoint::RevokeAfterCommit);
        self.give_up(ids)
    }

    /// These belong to others already: what was not committed is given up, also of the tasks that shared the transaction.
    fn lose(&mut self, ids: &[TaskId]) -> Result<()> {
        let is_touched = ids.iter().any(|id| self.tasks.get(id).is_some_and(Task::is_touched));
        let is_usable = !is_touched || self.abort();
        let closed = self.give_up(ids);
        if is_touched {
            self.restart(is_usable, Restart::default())?;
        }
        closed
    }

    /// Closes tasks that leave. Their stores are flushed elsewhere: what is not flushed is in the changelog, no reason to keep the group waiting.
    ///
    /// # Errors
    /// The first panic of a processor that was being closed. All are closed nevertheless.
    fn give_up(&mut self, ids: &[TaskId]) -> Result<()> {
        let (mut closed, mut tasks) = (Ok(()), Vec::with_capacity(ids.len()));
        for id in ids {
            if let Some(task) = self.take_task(*id) {
                let (prepared, result) = task.close();
                tasks.push(prepared);
                closed = closed.and(result);
            }
            self.failing.forget(*id);
        }
        self.tell(ControlEvent::Closed { ids: ids.to_vec(), tasks });
        closed
    }

    /// The end that the program asked for: commits and flushes what it can, and never waits for a new producer.
    ///
    /// # Errors
    /// The first panic of a processor that was being closed. All are closed nevertheless.
    fn end_clean(&mut self) -> Result<()> {
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        if let Err(error) = self.commit_tasks(!is_seeded(SeededFault::NoDrainAtClose)) {
            tracing::warn!(worker = self.environment.index, %error, "the last commit failed; the tasks go on from what was committed before");
            self.abort();
        }
        let mut closed = Ok(());
        for id in ids {
            if let Some(task) = self.take_task(id) {
                for store in task.stores() {
                    if let Err(error) = self.flush_store(id, &**store) {
                        tracing::warn!(task = %id, %error, "the last flush failed; a restart reads the rest from the changelog");
                    }
                }
                closed = closed.and(task.close().1);
            }
        }
        closed
    }

    /// Commits all tasks that have something to commit.
    pub(super) fn commit_all(&mut self) -> Result<()> {
        self.commit_tasks(true)
    }

    fn commit_tasks(&mut self, drain: bool) -> Result<()> {
        let settings = &self.environment.settings;
        let mut participants: Vec<&mut Task> = self.tasks.values_mut().filter(|task| task.is_touched() || task.has_moved()).collect();
        let with_records = participants.iter().any(|task| task.is_touched());
        let environment = CommitEnvironment {
            guarantee: settings.guarantee,
            producer: &self.producer,
            tokens: &self.environment.tokens,
            committer: &*self.environment.committer,
            clock: &*self.environment.clock,
            timeout: settings.commit_timeout,
            ending: &self.environment.ending,
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
        self.failing.committed(with_records);
        self.flush_due()
    }

    /// Removes a task and stops fetching for it.
    pub(super) fn take_task(&mut self, id: TaskId) -> Option<Task> {
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

    pub(super) fn tell(&self, event: ControlEvent) {
        if self.environment.events.send(event).is_err() {
            tracing::debug!(worker = self.environment.index, "the control thread is gone");
        }
    }
}
