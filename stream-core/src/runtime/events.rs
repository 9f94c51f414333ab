//! What the threads tell each other.

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
    /// A worker runs these now.
    Running { worker: usize, tasks: Vec<TaskId> },
    /// These were given up, committed or not; nobody in this process touches them any more.
    Released { tasks: Vec<TaskId> },
    /// These were rolled back and must be prepared again.
    Revived { tasks: Vec<PreparedTask> },
    /// A worker ended.
    Stopped(WorkerStopped),
    /// The application asks for the end.
    Close,
}

/// How a worker ended.
pub(crate) struct WorkerStopped {
    pub(crate) worker: usize,
    /// The error that ended it, with the answer of the uncaught-error handler; `None` after [`WorkerCommand::Close`].
    pub(crate) failure: Option<(Error, UncaughtResponse)>,
    /// The tasks that it had.
    pub(crate) tasks: Vec<TaskId>,
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
