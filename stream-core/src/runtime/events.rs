//! What the threads tell each other.

use std::time::Duration;

use super::global::GlobalEvent;
use crate::error::Error;
use crate::handler::UncaughtResponse;
use crate::id::TaskId;
use crate::restore::RestoreEvent;
use crate::task::PreparedTask;

/// To the control thread.
pub(crate) enum ControlEvent {
    /// From the restore thread.
    Restore(RestoreEvent),
    /// From the global thread.
    Global(GlobalEvent),
    /// A worker runs this task now.
    Running { worker: usize, task: TaskId },
    /// A worker gave up what it was asked for, committed or not: others may run it. `tasks` are those of them that it had, with stores
    /// still to be flushed and closed.
    Closed { ids: Vec<TaskId>, tasks: Vec<PreparedTask> },
    /// These were rolled back and must be prepared again.
    Revived { tasks: Vec<RevivedTask> },
    /// The restore thread ended by a panic.
    RestorationFailed(Error),
    /// A worker ended.
    Stopped(WorkerStopped),
    /// The application asks for the end.
    Close,
}

/// A task that starts again.
pub(crate) struct RevivedTask {
    pub(crate) task: PreparedTask,
    /// How long to wait before.
    pub(crate) backoff: Duration,
}

/// How a worker ended.
pub(crate) struct WorkerStopped {
    pub(crate) worker: usize,
    /// The error that ended it, with the answer of the uncaught-error handler; `None` after [`WorkerCommand::Close`].
    pub(crate) failure: Option<(Error, UncaughtResponse)>,
}

/// To a worker.
pub(crate) enum WorkerCommand {
    /// Run this task.
    Start(Box<PreparedTask>),
    /// Commit and give these up.
    Revoke(Vec<TaskId>),
    /// These belong to somebody else already: give them up, uncommitted.
    Lose(Vec<TaskId>),
    /// A task of yours could not be prepared.
    Fail(Error),
    /// Commit, give up everything, end.
    Close,
}
