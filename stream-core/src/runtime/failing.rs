//! What fails on a worker and is tried again: since when, and how long to wait.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::id::TaskId;
use crate::time::{Retry, RetryPolicy};

/// Without an attempt for so long, at least, tasks were away. To be prepared again takes less.
const ABSENCE: Duration = Duration::from_secs(60);

/// What of a task is tried again. Each has its own proof of success: a task that starts well each time, only to be rolled back for the
/// same record, makes no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attempt {
    /// Its start: succeeds when it runs.
    Start,
    /// Reading a record that a serde cannot read yet: succeeds with the next record.
    Read,
    /// Processing up to a commit: succeeds with a commit of records that were processed since the last roll-back.
    Commit,
}

/// The failures of a worker and its tasks that were not followed by a success yet.
#[derive(Debug, Default)]
pub(super) struct Failing {
    tasks: BTreeMap<(TaskId, Attempt), Failures>,
    /// Failures that concern no task more than others: of the producer, of the commit as a whole.
    worker: Retry,
    /// Whether the last of them was of a commit of processed records: then only such a commit proves that it is over.
    is_of_records: bool,
}

#[derive(Debug, Default)]
struct Failures {
    retry: Retry,
    /// Whether records were processed since the last failure.
    has_processed: bool,
}

impl Failing {
    /// Notes a failure, and returns how long to wait before the next attempt. Without a task it is the worker's.
    ///
    /// # Errors
    /// The failure, when it has been coming back for `task.timeout.ms`.
    pub(super) fn failed(
        &mut self,
        task: Option<TaskId>,
        attempt: Attempt,
        error: Error,
        now: Duration,
        policy: &RetryPolicy,
    ) -> Result<Duration> {
        match task {
            Some(task) => {
                let failures = self.tasks.entry((task, attempt)).or_default();
                failures.has_processed = false;
                failures.retry.failed(error, now, policy)
            }
            None => {
                if is_old(&self.worker, now, policy) {
                    self.worker.succeeded();
                }
                self.worker.failed(error, now, policy)
            }
        }
    }

    /// The task runs. What was last tried long ago has not been failing all the time: the tasks were elsewhere meanwhile.
    pub(super) fn started(&mut self, task: TaskId, now: Duration, policy: &RetryPolicy) {
        self.tasks.retain(|&attempt, failures| attempt != (task, Attempt::Start) && !is_old(&failures.retry, now, policy));
        if is_old(&self.worker, now, policy) {
            self.worker.succeeded();
        }
    }

    /// The task has processed records, or punctuations.
    pub(super) fn processed(&mut self, task: TaskId) {
        if self.tasks.is_empty() {
            return;
        }
        self.tasks.remove(&(task, Attempt::Read));
        if let Some(failures) = self.tasks.get_mut(&(task, Attempt::Commit)) {
            failures.has_processed = true;
        }
    }

    /// Says of a failure of the worker whether records were processed that it has not committed.
    pub(super) fn is_of_records(&mut self, is_of_records: bool) {
        self.is_of_records = is_of_records;
    }

    /// A commit of all tasks succeeded, with processed records or only with positions that moved past markers. After a roll-back there is
    /// nothing to commit at first, and that succeeds each time.
    pub(super) fn committed(&mut self, with_records: bool) {
        if with_records || !self.is_of_records {
            self.worker.succeeded();
        }
        self.tasks.retain(|(_, attempt), failures| *attempt != Attempt::Commit || !failures.has_processed);
    }

    /// The task is not this worker's any more.
    pub(super) fn forget(&mut self, task: TaskId) {
        self.tasks.retain(|(failing, _), _| *failing != task);
    }

    /// When a commit that failed is to be made again.
    pub(super) fn next_commit(&self) -> Option<Duration> {
        self.worker.is_failing().then(|| self.worker.due())
    }

    /// When a record that could not be read is to be tried again.
    pub(super) fn next_read(&self, task: TaskId) -> Option<Duration> {
        self.tasks.get(&(task, Attempt::Read)).map(|failures| failures.retry.due())
    }
}

/// Whether what failed was last tried so long ago that it has not been failing all the time.
fn is_old(retry: &Retry, now: Duration, policy: &RetryPolicy) -> bool {
    now.saturating_sub(retry.due()) >= policy.timeout.max(ABSENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: TaskId = TaskId::new(0, 0);
    const OTHER: TaskId = TaskId::new(0, 1);
    const POLICY: RetryPolicy =
        RetryPolicy { backoff: Duration::from_millis(100), longest_backoff: Duration::from_secs(1), timeout: Duration::from_secs(10) };

    fn fail(failing: &mut Failing, task: Option<TaskId>, attempt: Attempt, second: u64) -> Result<Duration> {
        failing.failed(task, attempt, Error::retriable("not now"), Duration::from_secs(second), &POLICY)
    }

    #[test]
    fn commits_of_other_tasks_do_not_stop_the_clock_of_one_that_is_rolled_back_again_and_again() {
        let mut failing = Failing::default();
        for second in 0..10 {
            assert!(fail(&mut failing, Some(TASK), Attempt::Commit, second).is_ok());
            failing.started(TASK, Duration::from_secs(second), &POLICY);
            failing.processed(OTHER);
            failing.committed(true);
        }
        assert!(fail(&mut failing, Some(TASK), Attempt::Commit, 10).is_err());
    }

    #[test]
    fn what_a_task_processed_counts_only_when_it_is_committed() {
        let mut failing = Failing::default();
        assert!(fail(&mut failing, Some(TASK), Attempt::Commit, 0).is_ok());
        // Up to the record for which it fails, it processes the same ones each time.
        failing.processed(TASK);
        assert!(fail(&mut failing, Some(TASK), Attempt::Commit, 5).is_ok());
        failing.committed(true);
        assert!(fail(&mut failing, Some(TASK), Attempt::Commit, 10).is_err());

        failing.processed(TASK);
        failing.committed(true);
        assert!(fail(&mut failing, Some(TASK), Attempt::Commit, 10).is_ok());
    }

    #[test]
    fn the_worker_s_clock_runs_on_while_its_tasks_are_prepared_again_and_not_while_it_has_none() {
        let mut failing = Failing::default();
        for second in 0..10 {
            assert!(fail(&mut failing, None, Attempt::Commit, second).is_ok());
            failing.started(TASK, Duration::from_secs(second), &POLICY);
        }
        failing.started(TASK, Duration::from_secs(3_600), &POLICY);
        assert!(fail(&mut failing, None, Attempt::Commit, 3_601).is_ok());
        failing.started(TASK, Duration::from_secs(3_602), &POLICY);
        assert!(fail(&mut failing, None, Attempt::Commit, 3_611).is_err());
    }

    #[test]
    fn a_commit_without_records_does_not_prove_that_those_with_records_succeed() {
        let mut failing = Failing::default();
        for second in 0..10 {
            failing.is_of_records(true);
            assert!(fail(&mut failing, None, Attempt::Commit, second).is_ok());
            failing.committed(false);
        }
        assert!(fail(&mut failing, None, Attempt::Commit, 10).is_err());

        failing.is_of_records(false);
        failing.committed(false);
        assert!(failing.next_commit().is_none());
    }

    #[test]
    fn a_failure_long_after_the_last_is_the_first() {
        let mut failing = Failing::default();
        failing.is_of_records(true);
        assert!(fail(&mut failing, None, Attempt::Commit, 0).is_ok());
        assert!(fail(&mut failing, None, Attempt::Commit, 3_600).is_ok());
    }

    #[test]
    fn each_attempt_has_its_own_success() {
        let mut failing = Failing::default();
        let attempts = [(Some(TASK), Attempt::Start), (Some(TASK), Attempt::Read), (None, Attempt::Commit)];
        for (task, attempt) in attempts {
            assert!(fail(&mut failing, task, attempt, 0).is_ok());
        }
        failing.started(TASK, Duration::from_secs(1), &POLICY);
        failing.processed(TASK);
        failing.committed(true);
        for (task, attempt) in attempts {
            assert!(fail(&mut failing, task, attempt, 60).is_ok());
        }
        for (task, attempt) in attempts {
            assert!(fail(&mut failing, task, attempt, 70).is_err());
        }
    }
}
