//! What a worker does about an error: try again, roll back, or end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::failing::Attempt;
use super::rebalance::list;
use super::worker::Worker;
use super::{ControlEvent, RevivedTask};
use crate::config::ProcessingGuarantee;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TaskId;
use crate::task::{StartFailure, Task};

/// How long an abort is waited for when the application ends.
const ABORT_AT_THE_END: Duration = Duration::from_millis(1_500);

/// How tasks start again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Restart {
    /// Whether their stores are opened anew, which finds out what is wrong with them.
    pub(super) drops_stores: bool,
    /// The task that failed, if it was one. Only that one waits.
    pub(super) failed: Option<TaskId>,
    /// How long.
    pub(super) backoff: Duration,
}

impl Worker {
    /// What an error asks for. An error that comes back ends the worker.
    pub(super) fn react(&mut self, error: Error) -> Result<()> {
        let (worker, kind, failed) = (self.environment.index, error.kind(), error.task());
        match kind {
            ErrorKind::Retriable => tracing::warn!(worker, %error, "trying again"),
            ErrorKind::Abortable => tracing::warn!(worker, %error, "rolling back to what was committed"),
            ErrorKind::Fenced => tracing::warn!(worker, %error, "rolling back to what was committed, with a new producer"),
            ErrorKind::Corrupted => tracing::warn!(worker, %error, "opening the stores anew"),
            _ => return Err(error),
        }
        if failed.is_none() {
            let is_touched = self.tasks.values().any(Task::is_touched);
            self.failing.is_of_records(is_touched);
        }
        let backoff = self.note_failure(failed, Attempt::Commit, error).map_err(|error| match failed {
            Some(_) => error,
            None => error.at(format_args!("worker {worker}, tasks {}", list(self.tasks.keys()))),
        })?;
        match kind {
            ErrorKind::Retriable => Ok(()),
            ErrorKind::Corrupted => {
                let is_usable = self.abort();
                self.restart(is_usable, Restart { drops_stores: true, failed, backoff })
            }
            _ => self.roll_back(kind == ErrorKind::Fenced, Restart { drops_stores: false, failed, backoff }),
        }
    }

    /// How long to wait until a thing that failed is tried again; the failure, when it has lasted too long.
    pub(super) fn note_failure(&mut self, task: Option<TaskId>, attempt: Attempt, error: Error) -> Result<Duration> {
        let now = self.environment.clock.monotonic();
        self.failing.failed(task, attempt, error, now, &self.environment.settings.retry)
    }

    /// A task whose start failed for a reason that may pass is prepared again; the others of the worker have nothing to do with it.
    pub(super) fn not_started(&mut self, failure: StartFailure) -> Result<()> {
        let StartFailure { task, error } = failure;
        let (Some(mut task), ErrorKind::Retriable | ErrorKind::Abortable | ErrorKind::Corrupted) = (task, error.kind()) else {
            return Err(error);
        };
        tracing::warn!(worker = self.environment.index, %error, "the task could not start; trying again");
        if error.kind() == ErrorKind::Corrupted {
            task.stores.clear();
        }
        let backoff = self.note_failure(Some(task.id), Attempt::Start, error)?;
        self.tell(ControlEvent::Revived { tasks: vec![RevivedTask { task: *task, backoff }] });
        Ok(())
    }

    fn roll_back(&mut self, replace_producer: bool, restart: Restart) -> Result<()> {
        if self.environment.settings.guarantee == ProcessingGuarantee::AtLeastOnce {
            // Changelog records on their way must be in the log before its end is read, or a store would miss them.
            if let Err(error) = self.producer.producer().flush(self.environment.settings.commit_timeout) {
                tracing::warn!(worker = self.environment.index, %error, "records that were sent before are not acknowledged yet");
            }
        }
        let is_usable = !replace_producer && self.abort();
        self.restart(is_usable, restart)
    }

    /// Aborts the open transaction. `false`: the producer cannot be used any more.
    pub(super) fn abort(&mut self) -> bool {
        if !self.producer.is_in_transaction() {
            return true;
        }
        let aborted = self.producer.producer().abort_transaction(self.abort_timeout());
        self.producer.transaction_ended();
        if let Err(error) = &aborted {
            tracing::warn!(worker = self.environment.index, %error, "the transaction could not be aborted");
        }
        aborted.is_ok()
    }

    /// At the end of the application a coordinator that does not answer is not waited for: it ends the transaction by itself after
    /// `transaction.timeout.ms`, or earlier, when a producer of the same id comes.
    fn abort_timeout(&self) -> Duration {
        let timeout = self.environment.settings.commit_timeout;
        if self.environment.ending.is_asked() { timeout.min(ABORT_AT_THE_END) } else { timeout }
    }

    /// The new producer ends what the old one left undecided (rule R1).
    fn replace_producer(&mut self) -> Result<()> {
        let producer = (self.environment.make_producer)()?;
        self.producer.replace(producer);
        Ok(())
    }

    /// Sends all tasks back to the restore thread: they start again from what was committed.
    ///
    /// In this order: they are closed while their producer is still there, since their delivery slots are its own; then a producer that
    /// cannot be used is replaced, which decides what it left undecided (rule R1); only then may their positions be read.
    pub(super) fn restart(&mut self, is_producer_usable: bool, restart: Restart) -> Result<()> {
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        let mut revived = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(task) = self.take_task(id) {
                let (mut task, closed) = task.close();
                closed?;
                if restart.drops_stores {
                    task.stores.clear();
                }
                let waits = restart.failed.is_none_or(|failed| failed == id);
                revived.push(RevivedTask { task, backoff: if waits { restart.backoff } else { Duration::ZERO } });
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

    /// After a failure: nothing is committed, everything is closed, whatever user code does meanwhile.
    pub(super) fn end_dirty(&mut self) {
        let worker = self.environment.index;
        self.abort();
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        for id in ids {
            if let Some(task) = self.take_task(id) {
                let closed = catch_unwind(AssertUnwindSafe(|| task.close().1)).unwrap_or_else(|panic| Err(Error::panicked(&*panic)));
                if let Err(error) = closed {
                    tracing::error!(worker, task = %id, %error, "a task of a failed worker could not be closed");
                }
            }
        }
    }
}
