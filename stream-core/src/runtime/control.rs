//! The control thread: membership, plan, placement.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::global::{self, GlobalEvent, GlobalHandle};
use super::launch::{WorkerHandle, start_restorer, start_worker};
use super::placement::{Place, Placement};
use super::{ControlEvent, PurgePositions, RuntimeSettings, Shared, State, WorkerCommand, WorkerStopped, internal_topics};
use crate::client::{Admin, ClientContext};
use crate::config::{ClientRole, StreamsConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Handlers, UncaughtErrorHandler, UncaughtResponse};
use crate::id::TaskId;
use crate::membership::Membership;
use crate::restore::{PrepareTask, RestoreCommand, RestoreEvent};
use crate::store::MemoryBudget;
use crate::task::{PreparedTask, StateDirectory};
use crate::time::Clock;
use crate::topology::{BuiltTopology, PartitionPlan};

/// How long one look at the group takes at most.
const GROUP_POLL: Duration = Duration::from_millis(20);

/// What the control thread is given.
pub(crate) struct ControlEnvironment {
    pub(crate) topology: Arc<BuiltTopology>,
    pub(crate) config: Arc<StreamsConfig>,
    pub(crate) settings: Arc<RuntimeSettings>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) handlers: Handlers,
    pub(crate) uncaught: UncaughtErrorHandler,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) context: Arc<dyn ClientContext>,
    pub(crate) directory: Arc<StateDirectory>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) sender: Sender<ControlEvent>,
    pub(crate) events: Receiver<ControlEvent>,
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
    last_metadata: Duration,
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
        let failure = match Self::start(environment) {
            Ok(Some(mut control)) => {
                control.run_loop();
                control.end()
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        match failure {
            None => {
                shared.set_state(State::PendingShutdown);
                shared.set_state(State::NotRunning);
            }
            Some(error) => {
                tracing::error!(%error, "the application ended with an error");
                shared.set_failure(error);
                shared.set_state(State::PendingError);
                shared.set_state(State::Error);
            }
        }
    }

    /// Plans, makes the internal topics, starts the threads and joins the group. `None`: closed meanwhile.
    fn start(environment: ControlEnvironment) -> Result<Option<Self>> {
        let ControlEnvironment { topology, config, settings, clock, context, .. } = &environment;
        let admin = Admin::new(&config.client_properties(ClientRole::Admin), "control", context)?;
        let mut wait =
            |timeout| !matches!(environment.events.recv_timeout(timeout), Ok(ControlEvent::Close) | Err(RecvTimeoutError::Disconnected));
        let Some(plan) =
            internal_topics::wait_for_plan(&admin, topology, &**clock, settings.admin_timeout, settings.source_topic_timeout, &mut wait)?
        else {
            return Ok(None);
        };
        let started = clock.monotonic();
        while let Err(error) =
            internal_topics::ensure(&admin, topology, &plan, &settings.internal_topics, settings.replication_factor, settings.admin_timeout)
        {
            if error.kind() != ErrorKind::Retriable || clock.monotonic().saturating_sub(started) >= settings.task_timeout {
                return Err(error);
            }
            tracing::warn!(%error, "the internal topics are not ready");
            if !wait(Duration::from_millis(100)) {
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
            last_metadata: now,
            last_purge: now,
            last_cleanup: now,
            environment,
        };
        for index in 0..control.environment.settings.workers {
            control.start_worker(index)?;
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
        if let Some(global) = self.global.take() {
            global.close();
        }
        if let Err(error) = self.membership.leave() {
            tracing::warn!(%error, "the group could not be left; it notices after `session.timeout.ms`");
        }
        self.environment.shared.set_tasks(Vec::new());
        self.closing.and_then(|closing| closing.failure)
    }

    fn close_with(&mut self, failure: Option<Error>) {
        if self.closing.is_some() {
            return;
        }
        let shared = &self.environment.shared;
        match &failure {
            Some(error) => {
                tracing::error!(%error, "closing");
                shared.set_state(State::PendingError);
            }
            None => shared.set_state(State::PendingShutdown),
        }
        self.closing = Some(Closing { failure });
        let preparing: Vec<TaskId> =
            self.placement.all().into_iter().filter(|task| matches!(self.placement.place(*task), Some(Place::Preparing { .. }))).collect();
        self.tell_restorer(RestoreCommand::Cancel(preparing));
        for worker in self.workers.values() {
            if !worker.tell(WorkerCommand::Close) {
                tracing::debug!("a worker is gone already");
            }
        }
    }

    fn handle(&mut self, event: ControlEvent) -> Result<()> {
        match event {
            ControlEvent::Restore(RestoreEvent::Prepared(task)) => self.prepared(task),
            ControlEvent::Restore(RestoreEvent::Failed { task, error }) => {
                // The task is nowhere now; whoever would have run it lets the uncaught-error handler decide.
                let worker = self.placement.place(task).map(Place::worker);
                self.placement.released(task);
                match worker.and_then(|worker| self.workers.get(&worker)) {
                    Some(worker) if !worker.tell(WorkerCommand::Fail(error)) => {
                        tracing::debug!("a worker is gone already")
                    }
                    Some(_) => {}
                    None => return Err(Error::internal("a task could not be prepared, and its worker does not exist")),
                }
            }
            ControlEvent::Running { worker, tasks } => {
                for task in tasks {
                    self.placement.set(task, Place::Running { worker });
                }
            }
            ControlEvent::Released { tasks } | ControlEvent::Restore(RestoreEvent::Released(tasks)) => {
                for task in tasks {
                    self.placement.released(task);
                }
                self.place_missing();
            }
            ControlEvent::Revived { tasks } => self.revived(tasks),
            ControlEvent::Stopped(stopped) => self.worker_stopped(stopped)?,
            ControlEvent::Global(GlobalEvent::Ready) => {}
            ControlEvent::Global(GlobalEvent::Failed(error)) => return Err(error),
            ControlEvent::Close => self.close_with(None),
        }
        Ok(())
    }

    fn prepared(&mut self, task: Box<PreparedTask>) {
        let id = task.id;
        let worker = match self.placement.place(id) {
            Some(place) if self.placement.is_wanted(id) && self.closing.is_none() => place.worker(),
            _ => {
                // Given up while it was restored.
                self.placement.released(id);
                drop(task);
                return;
            }
        };
        self.placement.set(id, Place::Starting { worker });
        let is_sent = self.workers.get(&worker).is_some_and(|handle| handle.tell(WorkerCommand::Start(task)));
        if !is_sent {
            self.placement.released(id);
        }
    }

    fn revived(&mut self, tasks: Vec<PreparedTask>) {
        let mut again = Vec::new();
        for task in tasks {
            let id = task.id;
            match self.placement.place(id) {
                Some(place) if self.placement.is_wanted(id) && self.closing.is_none() => {
                    self.placement.set(id, Place::Preparing { worker: place.worker() });
                    again.push(PrepareTask {
                        id,
                        inputs: self.wanted_inputs(id),
                        stores: task.stores,
                        metrics: task.metrics,
                        directory: task.directory,
                    });
                }
                _ => {
                    drop(task);
                    self.placement.released(id);
                }
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
        let lost: Vec<TaskId> = self
            .placement
            .all()
            .into_iter()
            .filter(|task| {
                self.placement.place(*task).is_some_and(
                    |place| matches!(place, Place::Starting { worker } | Place::Running { worker } if worker == stopped.worker),
                )
            })
            .collect();
        for task in stopped.tasks.into_iter().chain(lost) {
            self.placement.released(task);
        }
        let Some((error, response)) = stopped.failure else {
            return Ok(());
        };
        match response {
            UncaughtResponse::ReplaceThread if self.closing.is_none() => {
                tracing::warn!(worker = stopped.worker, %error, "replacing the worker");
                self.start_worker(stopped.worker)?;
                self.place_missing();
            }
            UncaughtResponse::ReplaceThread => {}
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
        if now.saturating_sub(self.last_metadata) >= settings.metadata_interval {
            self.last_metadata = now;
            self.replan()?;
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
        self.last_metadata = self.environment.clock.monotonic().saturating_sub(self.environment.settings.metadata_interval);
    }

    /// Looks whether topics appeared or grew.
    fn replan(&mut self) -> Result<()> {
        let plan = match internal_topics::plan(&self.admin, &self.environment.topology, self.environment.settings.admin_timeout) {
            Ok(Ok(plan)) => plan,
            Ok(Err(error)) if error.is_missing_topics() => {
                tracing::warn!(%error, "a source topic is gone");
                return Ok(());
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "the topics could not be read");
                return Ok(());
            }
        };
        if plan.fingerprint() == self.plan.fingerprint() {
            return Ok(());
        }
        PartitionPlan::check_growth(&self.plan, &plan)?;
        let settings = &self.environment.settings;
        internal_topics::ensure(
            &self.admin,
            &self.environment.topology,
            &plan,
            &settings.internal_topics,
            settings.replication_factor,
            settings.admin_timeout,
        )?;
        tracing::info!("the topics changed: joining the group with the new plan");
        self.membership.replan(membership_plan(&plan))?;
        self.plan = plan;
        Ok(())
    }

    fn show_state(&self) {
        let shared = &self.environment.shared;
        shared.set_tasks(self.placement.running().collect());
        shared.set_state(if self.has_joined && self.placement.is_settled() { State::Running } else { State::Rebalancing });
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
