//! What the application handle sees of the threads.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::State;
use crate::error::Error;
use crate::id::TaskId;
use crate::metrics::{Counter, TaskMetrics};
use crate::time::Ending;

/// Sums over all tasks that a process had since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Records taken from source topics.
    pub consumed: u64,
    /// Records sent to topics other than changelogs.
    pub produced: u64,
    /// Records sent to changelogs.
    pub changelogged: u64,
    /// Records that operators, extractors or handlers left out.
    pub dropped: u64,
    /// Records read from changelogs before tasks ran.
    pub restored: u64,
    /// Commits, counted per task.
    pub commits: u64,
    /// Punctuator calls.
    pub punctuations: u64,
    /// Records processed although another partition was empty for `max.task.idle.ms`.
    pub enforced: u64,
}

/// A task that runs in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskDescription {
    /// Its id.
    pub id: TaskId,
}

/// State, counters and tasks, shared by the handle and the threads.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
    ending: Arc<Ending>,
}

struct Inner {
    state: State,
    watchers: Vec<UnboundedSender<State>>,
    metrics: BTreeMap<TaskId, Arc<TaskMetrics>>,
    tasks: Vec<TaskId>,
    failure: Option<String>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let inner = Inner { state: State::Created, watchers: Vec::new(), metrics: BTreeMap::new(), tasks: Vec::new(), failure: None };
        Self { inner: Mutex::new(inner), changed: Condvar::new(), ending: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the program asked for the end, and how much time that has.
    pub(crate) fn ending(&self) -> &Arc<Ending> {
        &self.ending
    }

    pub(crate) fn state(&self) -> State {
        self.lock().state
    }

    /// Whether the application is on its way to a final state, or there.
    pub(crate) fn is_ending(&self) -> bool {
        self.state().is_ending()
    }

    /// Moves to a state, if it may follow the one now; tells the watchers.
    pub(crate) fn set_state(&self, state: State) {
        let mut inner = self.lock();
        if !inner.state.may_become(state) {
            return;
        }
        tracing::info!(from = %inner.state, to = %state, "state");
        inner.state = state;
        inner.watchers.retain(|watcher| watcher.unbounded_send(state).is_ok());
        if state.is_final() {
            inner.watchers.clear();
        }
        drop(inner);
        self.changed.notify_all();
    }

    pub(crate) fn watch(&self) -> UnboundedReceiver<State> {
        let (sender, receiver) = unbounded();
        let mut inner = self.lock();
        let is_open = sender.unbounded_send(inner.state).is_ok();
        if is_open && !inner.state.is_final() {
            inner.watchers.push(sender);
        }
        receiver
    }

    /// Waits until `condition` holds for the state, or the time is over; says which.
    pub(crate) fn wait(&self, timeout: Duration, condition: impl Fn(State) -> bool) -> bool {
        // `Duration::MAX` is a way to say: as long as it takes.
        let deadline = Instant::now().checked_add(timeout);
        let mut inner = self.lock();
        while !condition(inner.state) {
            inner = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return false,
                Some(remaining) => self.changed.wait_timeout(inner, remaining).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
        }
        true
    }

    pub(crate) fn set_failure(&self, error: Error) {
        self.lock().failure = Some(error.to_string());
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// The counters of a task, kept when it leaves, so that sums never go back.
    pub(crate) fn task_metrics(&self, task: TaskId) -> Arc<TaskMetrics> {
        Arc::clone(self.lock().metrics.entry(task).or_default())
    }

    pub(crate) fn set_tasks(&self, tasks: Vec<TaskId>) {
        let mut inner = self.lock();
        if inner.tasks != tasks {
            inner.tasks = tasks;
        }
    }

    pub(crate) fn tasks(&self) -> Vec<TaskDescription> {
        self.lock().tasks.iter().map(|id| TaskDescription { id: *id }).collect()
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let inner = self.lock();
        let sum = |counter: fn(&TaskMetrics) -> &Counter| inner.metrics.values().map(|task| counter(task).get()).sum();
        Metrics {
            consumed: sum(|task| &task.consumed),
            produced: sum(|task| &task.produced),
            changelogged: sum(|task| &task.changelogged),
            dropped: sum(|task| &task.dropped),
            restored: sum(|task| &task.restored),
            commits: sum(|task| &task.commits),
            punctuations: sum(|task| &task.punctuations),
            enforced: sum(|task| &task.enforced),
        }
    }
}
