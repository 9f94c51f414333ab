//! The control thread: membership, plan, placement.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::global::{self, GlobalEvent, GlobalHandle};
use super::launch::{WorkerHandle, start_restorer, start_worker};
use super::placement::Placement;
use super::{ControlEvent, PurgePositions, RevivedTask, RuntimeSettings, Shared, State, WorkerCommand, WorkerStopped, internal_topics};
use crate::application::ApplicationContext;
use crate::client::{Admin, ClientContext};
use crate::config::{ClientRole, StreamsConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{KillPoint, fail_point};
use crate::handler::{Handlers, UncaughtErrorHandler, UncaughtResponse};
use crate::id::TaskId;
use crate::membership::Membership;
use crate::restore::{PrepareTask, RestoreCommand, RestoreEvent};
use crate::store::MemoryBudget;
use crate::task::{PreparedTask, StateDirectory};
use crate::time::{Clock, Retry};
use crate::topology::{BuiltTopology, PartitionPlan};

/// How long one look at the group takes at most.
const GROUP_POLL: Duration = Duration::from_millis(20);

/// Between looks at the topics while they cannot be read. The look blocks this thread, so not too often.
const TOPICS_BACKOFF: Duration = Duration::from_secs(10);

/// The log target of the reason why the application ends, given once: a program that prints `KafkaStreams::failure` itself leaves it out.
const FAILURE: &str = "kstreams::failure";

/// What the control thread is given.
pub(crate) struct ControlEnvironment {
    pub(crate) topology: Arc<BuiltTopology>,
    pub(crate) config: Arc<StreamsConfig>,
    pub(crate) settings: Arc<RuntimeSettings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) handlers: Handlers,
    pub(crate) application: Arc<ApplicationContext>,
    pub(crate) uncaught: UncaughtErrorHandler,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) context: Arc<dyn ClientContext>,
    pub(crate) directory: Arc<StateDirectory>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sender: Sender<ControlEvent>,
    pub(crate) events: Receiver<ControlEvent>,
}

impl ControlEnvironment {
    /// A client for admin requests that waits for no answer any more when the program asks for the end.
    pub(super) fn admin(&self, name: &str) -> Result<Admin> {
        let admin = Admin::new(&self.config.client_properties(ClientRole::Admin), name, &self.context)?;
        let ending = Arc::clone(self.shared.ending());
        Ok(admin.given_up_when(Arc::new(move || ending.is_asked())))
    }
}

/// The control thread's state once the plan is made.
pub(crate) struct Control {
    pub(super) environment: ControlEnvironment,
    admin: Admin,
    pub(super) plan: PartitionPlan,
    pub(super) membership: Box<dyn Membership>,
    pub(super) placement: Placement,
    pub(super) workers: BTreeMap<usize, WorkerHandle>,
    restorer: Sender<RestoreCommand>,
    restore_thread: Option<JoinHandle<()>>,
    global: Option<GlobalHandle>,
    purge: Arc<PurgePositions>,
    /// Asked back by the group, until all of them are released.
    pub(super) revoking: Option<BTreeSet<TaskId>>,
    pub(super) is_lost: bool,
    pub(super) has_joined: bool,
    pub(super) closing: Option<Closing>,
    next_look_at_topics: Duration,
    /// The internal topics of a new plan, while they cannot be made.
    new_topics: Retry,
    last_purge: Duration,
    last_cleanup: Duration,
}

/// Why the process ends.
pub(super) struct Closing {
    failure: Option<Error>,
}

impl Control {
    /// Runs the process until it is closed or fails. Sets the application's final state.
    pub(crate) fn run(environment: ControlEnvironment) {
        let shared = Arc::clone(&environment.shared);
        shared.set_state(State::Rebalancing);
        let ended = catch_unwind(AssertUnwindSafe(|| match Self::start(environment) {
            Ok(Some(mut control)) => {
                control.run_loop();
                control.end()
            }
            Ok(None) => None,
            // What it waited for was given up, because it is not needed any more.
            Err(error) if error.kind() == ErrorKind::Closed && shared.ending().is_asked() => None,
            Err(error) => {
                tracing::error!(target: FAILURE, %error, "the application cannot start");
                Some(error)
            }
        }));
        // Whoever closes the application waits for a final state. The other threads end when this one does not listen any more.
        let failure = ended.unwrap_or_else(|panic| {
            let error = Error::panicked(&*panic).with_kind(ErrorKind::Internal).at("the control thread");
            tracing::error!(target: FAILURE, %error, "the application ends");
            Some(error)
        });
        match failure {
            None => {
                shared.set_state(State::PendingShutdown);
                shared.set_state(State::NotRunning);
            }
            Some(error) => {
                shared.set_failure(error);
                shared.set_state(State::PendingError);
                shared.set_state(State::Error);
            }
        }
    }

    /// Plans, makes the internal topics, starts the threads and joins the group. `None`: closed meanwhile.
    fn start(environment: ControlEnvironment) -> Result<Option<Self>> {
        let ControlEnvironment { topology, config, settings, clock, context, .. } = &environment;
        let admin = environment.admin("control")?;
        let mut wait =
            |timeout| !matches!(environment.events.recv_timeout(timeout), Ok(ControlEvent::Close) | Err(RecvTimeoutError::Disconnected));
        let Some(plan) =
            internal_topics::wait_for_plan(&admin, topology, &**clock, settings.admin_timeout, settings.source_topic_timeout, &mut wait)?
        else {
            return Ok(None);
        };
        let mut new_topics = Retry::default();
        while let Err(error) =
            internal_topics::ensure(&admin, topology, &plan, &settings.internal_topics, settings.replication_factor, settings.admin_timeout)
        {
            if error.kind() != ErrorKind::Retriable {
                return Err(error);
            }
            tracing::warn!(%error, "the internal topics are not ready");
            if !wait(new_topics.failed(error, clock.monotonic(), &settings.retry)?) {
                return Ok(None);
            }
        }
        // Tasks may read the global stores from their first record on.
        let global = global::start(&environment)?;
        if let Some(global) = &global {
            match environment.events.recv() {
                Ok(ControlEvent::Global(GlobalEvent::Ready)) => {
                    tracing::debug!(stores = global.stores.len(), "the global stores are ready")
                }
                Ok(ControlEvent::Global(GlobalEvent::Failed(error))) => return Err(error),
                _ => return Ok(None),
            }
        }
        if topology.subtopologies().is_empty() {
            // Every process keeps the global stores for itself: there is no work to share, and no group.
            environment.shared.set_state(State::Running);
            return match environment.events.recv() {
                Ok(ControlEvent::Global(GlobalEvent::Failed(error))) => Err(error),
                _ => Ok(None),
            };
        }
        let membership = crate::membership::join(config, context, clock, membership_plan(&plan))?;
        let purge = Arc::new(PurgePositions::new(
            topology.subtopologies().iter().flat_map(|subtopology| subtopology.repartition_topics.iter().cloned()),
        ));
        let (restorer, restore_thread) = start_restorer(&environment)?;
        let now = clock.monotonic();
        let mut control = Self {
            admin,
            plan,
            membership,
            placement: Placement::default(),
            workers: BTreeMap::new(),
            restorer,
            restore_thread: Some(restore_thread),
            global,
            purge,
            revoking: None,
            is_lost: false,
            has_joined: false,
            closing: None,
            next_look_at_topics: now + environment.settings.metadata_interval,
            new_topics: Retry::default(),
            last_purge: now,
            last_cleanup: now,
            environment,
        };
        for index in 0..control.environment.settings.workers {
            if let Err(error) = control.start_worker(index) {
                // Those that run end in order.
                control.close_with(Some(error));
                break;
            }
        }
        Ok(Some(control))
    }

    fn run_loop(&mut self) {
        while !(self.closing.is_some() && self.workers.is_empty()) {
            while let Ok(event) = self.environment.events.try_recv() {
                if let Err(error) = self.handle(event) {
                    self.close_with(Some(error));
                }
            }
            match self.membership.poll(GROUP_POLL) {
                Ok(Some(event)) => {
                    if let Err(error) = self.group_changed(event) {
                        self.close_with(Some(error));
                    }
                }
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Retriable => tracing::warn!(%error, "the group cannot be reached"),
                Err(error) => self.close_with(Some(error)),
            }
            self.finish_revocation();
            if self.closing.is_none() {
                if let Err(error) = self.tick() {
                    self.close_with(Some(error));
                }
                self.show_state();
            }
        }
    }

    /// Leaves the group and waits for the threads. Returns the error that ended the process.
    fn end(mut self) -> Option<Error> {
        if self.restorer.send(RestoreCommand::Close).is_err() {
            tracing::debug!("the restore thread is gone");
        }
        if let Some(Err(_)) = self.restore_thread.take().map(JoinHandle::join) {
            tracing::error!("the restore thread panicked");
        }
        drop(self.global.take());
        if let Err(error) = self.membership.leave(self.environment.shared.ending().remaining()) {
            tracing::warn!(%error, "the group could not be left; it notices after `session.timeout.ms`");
        }
        self.environment.shared.set_tasks(Vec::new());
        self.closing.and_then(|closing| closing.failure)
    }

    fn close_with(&mut self, failure: Option<Error>) {
        if self.closing.is_some() {
            if let Some(error) = failure {
                tracing::warn!(%error, "something else fails while the application closes");
            }
            return;
        }
        let shared = &self.environment.shared;
        match &failure {
            Some(error) => {
                tracing::error!(target: FAILURE, %error, "the application closes");
                shared.set_state(State::PendingError);
            }
            None => shared.set_state(State::PendingShutdown),
        }
        self.closing = Some(Closing { failure });
        self.tell_restorer(RestoreCommand::Cancel(self.placement.all_preparing().collect()));
        // A broker that does not answer holds up the end for no longer than a transaction's.
        let shared = &self.environment.shared;
        self.membership.committer().leaves(shared.ending().limit_commit(self.environment.settings.commit_timeout));
        for worker in self.workers.values() {
            if !worker.tell(WorkerCommand::Close) {
                tracing::debug!("a worker is gone already");
            }
        }
    }

    fn handle(&mut self, event: ControlEvent) -> Result<()> {
        match event {
            ControlEvent::Restore(RestoreEvent::Prepared(task)) => self.prepared(task),
            ControlEvent::Restore(RestoreEvent::Failed { task, error }) => self.not_prepared(task, error),
            ControlEvent::Running { worker, task } => self.placement.running(task, worker),
            ControlEvent::Closed { ids, tasks } => self.closed(ids, tasks),
            ControlEvent::Restore(RestoreEvent::Released(tasks)) => {
                for task in tasks {
                    self.placement.released(task);
                }
                self.place_missing();
            }
            ControlEvent::Revived { tasks } => self.revived(tasks),
            ControlEvent::RestorationFailed(error) => return Err(error),
            ControlEvent::Stopped(stopped) => self.worker_stopped(stopped)?,
            ControlEvent::Global(GlobalEvent::Ready) => {}
            ControlEvent::Global(GlobalEvent::Failed(error)) => return Err(error),
            ControlEvent::Close => self.close_with(None),
        }
        Ok(())
    }

    fn prepared(&mut self, mut task: Box<PreparedTask>) {
        // Given up while it was restored, it ends here, unless its worker is told to end anyway.
        let Some(worker) = self.placement.prepared(task.id).filter(|_| self.closing.is_none()) else {
            return;
        };
        task.membership = self.membership.tokens().membership();
        if !self.workers.get(&worker).is_some_and(|handle| handle.tell(WorkerCommand::Start(task))) {
            // It is placed again when the worker's end is heard of.
            tracing::debug!(worker, "a worker is gone already");
        }
    }

    /// The worker that would have run the task ends, and the uncaught-error handler decides.
    fn not_prepared(&mut self, task: TaskId, error: Error) {
        match self.placement.not_prepared(task).filter(|_| self.closing.is_none()) {
            Some(worker) => {
                if !self.workers.get(&worker).is_some_and(|handle| handle.tell(WorkerCommand::Fail(error))) {
                    tracing::debug!(worker, "a worker is gone already");
                }
            }
            None => tracing::debug!(%task, %error, "a task that is given up could not be prepared"),
        }
    }

    fn revived(&mut self, tasks: Vec<RevivedTask>) {
        let mut again = Vec::new();
        for RevivedTask { task, backoff } in tasks {
            let id = task.id;
            if self.closing.is_none() && self.placement.revived(id) {
                again.push(PrepareTask {
                    id,
                    inputs: self.wanted_inputs(id),
                    stores: task.stores,
                    metrics: task.metrics,
                    directory: task.directory,
                    backoff,
                });
            }
        }
        if !again.is_empty() {
            self.tell_restorer(RestoreCommand::Prepare(again));
        }
    }

    fn worker_stopped(&mut self, stopped: WorkerStopped) -> Result<()> {
        if let Some(handle) = self.workers.remove(&stopped.worker) {
            if handle.thread.join().is_err() {
                tracing::error!(worker = stopped.worker, "the worker panicked outside user code");
            }
        }
        self.membership.tokens().forget_worker(stopped.worker);
        self.placement.worker_ended(stopped.worker);
        let Some((error, response)) = stopped.failure else {
            return Ok(());
        };
        if let Some(closing) = &mut self.closing
            && response != UncaughtResponse::ReplaceThread
            && closing.failure.is_none()
        {
            // The end that was asked for did not go as asked.
            tracing::error!(target: FAILURE, %error, "the application does not end as it was asked to");
            self.environment.shared.set_state(State::PendingError);
            closing.failure = Some(error);
            return Ok(());
        }
        match response {
            UncaughtResponse::ReplaceThread if self.closing.is_none() => {
                tracing::error!(worker = stopped.worker, %error, "the worker failed; another takes its place");
                self.start_worker(stopped.worker)?;
                self.place_missing();
            }
            UncaughtResponse::ReplaceThread => {
                tracing::warn!(worker = stopped.worker, %error, "a worker failed while the application closes")
            }
            UncaughtResponse::ShutdownClient => self.close_with(Some(error)),
            UncaughtResponse::ShutdownApplication => {
                if let Err(error) = self.membership.shut_down_application() {
                    tracing::warn!(%error, "the other processes could not be told to stop");
                }
                self.close_with(Some(error));
            }
        }
        Ok(())
    }

    pub(super) fn tell_restorer(&self, command: RestoreCommand) {
        if self.restorer.send(command).is_err() {
            tracing::error!("the restore thread is gone");
        }
    }

    /// What is done from time to time: look at the topics, purge repartition topics, clean up the state directory.
    fn tick(&mut self) -> Result<()> {
        let settings = Arc::clone(&self.environment.settings);
        let now = self.environment.clock.monotonic();
        if now >= self.next_look_at_topics {
            let wait = self.look_at_topics()?;
            self.next_look_at_topics = self.environment.clock.monotonic() + wait;
        }
        if !self.purge.is_empty() && now.saturating_sub(self.last_purge) >= settings.purge_interval {
            self.last_purge = now;
            let positions = self.purge.take();
            if !positions.is_empty() {
                // A failure is of no consequence: the next purge goes further.
                match self.admin.delete_records(&positions, settings.admin_timeout) {
                    Ok(_) => tracing::debug!(partitions = positions.len(), "purged repartition topics"),
                    Err(error) => tracing::debug!(%error, "a purge of repartition topics failed"),
                }
            }
        }
        if now.saturating_sub(self.last_cleanup) >= settings.cleanup_delay.clamp(Duration::from_secs(1), Duration::from_secs(60)) {
            self.last_cleanup = now;
            let kept = self.placement.all();
            if let Err(error) = self.environment.directory.clean_up(settings.cleanup_delay, &kept, self.environment.clock.now_ms()) {
                tracing::warn!(%error, "the state directory could not be cleaned up");
            }
        }
        Ok(())
    }

    /// The next tick reads the topics again.
    pub(super) fn look_at_topics_soon(&mut self) {
        self.next_look_at_topics = self.environment.clock.monotonic();
    }

    /// Looks whether topics appeared or grew; says when to look again. What passes by itself does not end an application that runs.
    ///
    /// # Errors
    /// When the topics do not fit together any more, or the internal ones of the new plan cannot be made for `task.timeout.ms`.
    fn look_at_topics(&mut self) -> Result<Duration> {
        let settings = Arc::clone(&self.environment.settings);
        let plan = match internal_topics::plan(&self.admin, &self.environment.topology, settings.admin_timeout) {
            Ok(Ok(plan)) => plan,
            Ok(Err(error)) if error.is_missing_topics() => {
                tracing::warn!(%error, "a source topic is gone");
                return Ok(settings.metadata_interval);
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the topics could not be read");
                return Ok(settings.metadata_interval.min(TOPICS_BACKOFF));
            }
        };
        if plan.fingerprint() == self.plan.fingerprint() {
            return Ok(settings.metadata_interval);
        }
        PartitionPlan::check_growth(&self.plan, &plan)?;
        let ensured = fail_point(KillPoint::NewPlan, ErrorKind::Retriable).and_then(|()| {
            let (topology, topics) = (&self.environment.topology, &settings.internal_topics);
            internal_topics::ensure(&self.admin, topology, &plan, topics, settings.replication_factor, settings.admin_timeout)
        });
        match ensured {
            Err(error) if error.kind() == ErrorKind::Retriable => {
                tracing::warn!(%error, "the topics changed, and the internal ones cannot be made yet; trying again");
                return self.new_topics.failed(error, self.environment.clock.monotonic(), &settings.retry);
            }
            ensured => ensured?,
        }
        self.new_topics.succeeded();
        tracing::info!("the topics changed: joining the group with the new plan");
        self.membership.replan(membership_plan(&plan))?;
        self.plan = plan;
        Ok(settings.metadata_interval)
    }

    fn show_state(&self) {
        let shared = &self.environment.shared;
        shared.set_tasks(self.placement.all_running().collect());
        // A process that was lost owns nothing, and so nothing moves; but it runs nothing, either.
        shared.set_state(if self.has_joined && !self.is_lost && self.placement.is_settled() { State::Running } else { State::Rebalancing });
    }

    fn start_worker(&mut self, index: usize) -> Result<()> {
        let (tokens, committer) = (self.membership.tokens(), self.membership.committer());
        let global_stores = self.global.as_ref().map(|global| Arc::clone(&global.stores)).unwrap_or_default();
        let worker = start_worker(&self.environment, index, tokens, committer, Arc::clone(&self.purge), global_stores)?;
        self.workers.insert(index, worker);
        Ok(())
    }
}

/// What the group must know of a plan.
fn membership_plan(plan: &PartitionPlan) -> crate::membership::Plan {
    let anchors = plan.anchors().into_iter().filter_map(|(subtopology, topic)| Some((subtopology, (topic, plan.task_count(subtopology)?))));
    crate::membership::Plan { anchors: anchors.collect(), fingerprint: plan.fingerprint().to_owned() }
}
