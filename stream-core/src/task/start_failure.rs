//! [`StartFailure`]: a task that did not start, and what is left of it.

use super::prepared::PreparedTask;
use crate::error::Error;

/// Why a task does not run.
pub(crate) struct StartFailure {
    /// What can be prepared again: all of the task, once it was wired.
    pub(crate) task: Option<Box<PreparedTask>>,
    pub(crate) error: Error,
}

impl From<StartFailure> for Error {
    fn from(failure: StartFailure) -> Self {
        failure.error
    }
}
