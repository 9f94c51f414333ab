#![doc = include_str!("README.md")]

use std::time::Duration;

use crate::client::CommitOffset;
use crate::config::ProcessingGuarantee;
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::fault::{KillPoint, SeededFault, fail_point, is_seeded, kill_point};
use crate::id::TaskId;
use crate::membership::{OffsetCommitter, TokenCell};
use crate::task::{Task, WorkerProducer};
use crate::time::{Clock, Ending};

/// How long one call of the commit takes; it is resumed by the next. Between them the end of the application is heard of.
const COMMIT_STEP: Duration = Duration::from_secs(1);

/// What a commit needs beside the tasks.
pub(crate) struct CommitEnvironment<'a> {
    pub(crate) guarantee: ProcessingGuarantee,
    pub(crate) producer: &'a WorkerProducer,
    pub(crate) tokens: &'a TokenCell,
    pub(crate) committer: &'a dyn OffsetCommitter,
    pub(crate) clock: &'a dyn Clock,
    /// How long the transaction may take from here: below `transaction.timeout.ms`.
    pub(crate) timeout: Duration,
    /// Gives it up earlier, where the application ends.
    pub(crate) ending: &'a Ending,
    /// Whether operators forward what they hold back: always, but for a seeded mistake.
    pub(crate) drain: bool,
}

/// Commits `tasks`, which are all of the worker's tasks that take part in the open transaction.
///
/// # Errors
/// By kind: `Retriable`: call again, nothing is lost (only at least once); `Abortable`: the transaction must be aborted; `Fenced`:
/// the producer must be replaced, or the tasks are not owned any more; else as the failing part says.
pub(crate) fn commit(tasks: &mut [&mut Task], environment: &CommitEnvironment<'_>) -> Result<()> {
    let span = tracing::debug_span!("commit", tasks = tasks.len());
    let _entered = span.enter();
    if environment.drain {
        for task in tasks.iter_mut() {
            task.drain()?;
        }
    }
    let seeded_order = is_seeded(SeededFault::OffsetsBeforeChangelog);
    let mut offsets: Vec<Vec<CommitOffset>> = tasks.iter().map(|task| task.offsets()).collect();
    if seeded_order {
        commit_offsets(tasks, &offsets, environment)?;
    }
    // Only where there is something to log is this a step of its own.
    let has_changes = tasks.iter().any(|task| task.has_changes());
    if has_changes {
        kill_point(KillPoint::BeforeChangelogSend);
    }
    for task in tasks.iter() {
        task.log_changes()?;
    }
    if has_changes {
        kill_point(KillPoint::AfterChangelogSend);
    }
    if is_seeded(SeededFault::StoreBeforeCommit) {
        take_into_committed_layers(tasks, &offsets)?;
    }
    flush(environment)?;
    kill_point(KillPoint::AfterProducerFlush);
    if has_changes {
        fail_point(KillPoint::AfterProducerFlush, ErrorKind::Abortable)?;
    }
    if seeded_order {
        offsets.iter_mut().for_each(Vec::clear);
    }
    commit_offsets(tasks, &offsets, environment)?;
    kill_point(KillPoint::AfterCommit);
    take_into_committed_layers(tasks, &offsets)?;
    kill_point(KillPoint::AfterStoreCommit);
    Ok(())
}

fn take_into_committed_layers(tasks: &mut [&mut Task], offsets: &[Vec<CommitOffset>]) -> Result<()> {
    tasks.iter_mut().zip(offsets).try_for_each(|(task, offsets)| task.committed(offsets))
}

/// Waits for the acknowledgement of every record. One that failed is never committed over: the tasks replay it.
fn flush(environment: &CommitEnvironment<'_>) -> Result<()> {
    let producer = environment.producer.producer();
    let flushed = producer.flush(environment.timeout);
    let lost = producer.take_failure().map_or(flushed, Err);
    match lost {
        // At least once the records are still on their way, and the flush can be repeated. A transaction would expire meanwhile.
        Err(error) if error.kind() == ErrorKind::Retriable && environment.guarantee == ProcessingGuarantee::ExactlyOnceV2 => {
            Err(error.with_kind(ErrorKind::Abortable))
        }
        other => other,
    }
    .at(|| "flush of the producer")
}

fn commit_offsets(tasks: &[&mut Task], offsets: &[Vec<CommitOffset>], environment: &CommitEnvironment<'_>) -> Result<()> {
    let all: Vec<CommitOffset> = offsets.iter().flatten().cloned().collect();
    // A task without an offset has nothing in this commit; those with one must be owned.
    let owned: Vec<&Task> = tasks.iter().zip(offsets).filter(|(_, offsets)| !offsets.is_empty()).map(|(task, _)| &**task).collect();
    let ids: Vec<TaskId> = owned.iter().map(|task| task.id()).collect();
    if all.is_empty() {
        return match environment.producer.is_in_transaction() && !is_seeded(SeededFault::OffsetsBeforeChangelog) {
            // Only offsets are checked against the group: without them it could hold what others process, too.
            true => Err(Error::new(ErrorKind::Abortable, "a transaction without an offset cannot be committed: nothing would fence it")),
            false => Ok(()),
        };
    }
    let lease = environment.tokens.lease(if is_seeded(SeededFault::NewestToken) { &[] } else { &ids })?;
    // The group may have given a task away and back before this worker heard of it: its token would pass, but others had the task meanwhile.
    let is_checked = !is_seeded(SeededFault::NewestToken) && !is_seeded(SeededFault::EarlierMembership);
    if let Some(task) = owned.iter().find(|task| is_checked && task.membership() != lease.membership()) {
        return Err(Error::new(ErrorKind::Fenced, format!("task {} was lost, and came back under another membership", task.id())));
    }
    match environment.guarantee {
        ProcessingGuarantee::AtLeastOnce => {
            environment.committer.commit(&lease, &all).at(|| "commit of the offsets")?;
        }
        ProcessingGuarantee::ExactlyOnceV2 => {
            environment.producer.ensure_transaction()?;
            let started = environment.clock.monotonic();
            if !all.is_empty() {
                retry(environment, started, |remaining| environment.producer.producer().send_offsets(&all, lease.token(), remaining))
                    .at(|| "offsets of the transaction")?;
            }
            kill_point(KillPoint::AfterOffsetsSent);
            retry(environment, started, |remaining| environment.producer.producer().commit_transaction(remaining.min(COMMIT_STEP)))
                .at(|| "commit of the transaction")?;
            environment.producer.transaction_ended();
        }
    }
    drop(lease);
    Ok(())
}

/// Repeats a call while the client says that repeating it resumes it, and time remains. After that the outcome is unknown (rule R1).
fn retry(environment: &CommitEnvironment<'_>, started: Duration, mut call: impl FnMut(Duration) -> Result<()>) -> Result<()> {
    loop {
        let remaining = environment.timeout.saturating_sub(environment.clock.monotonic().saturating_sub(started));
        let remaining = environment.ending.limit_commit(remaining);
        match call(remaining) {
            Err(error) if error.kind() == ErrorKind::Retriable && !remaining.is_zero() => {
                tracing::debug!(%error, "the transaction is not through yet");
            }
            Err(error) if error.kind() == ErrorKind::Retriable => {
                return Err(Error::new(ErrorKind::Fenced, "the outcome of the transaction is unknown").with_source(error));
            }
            other => return other,
        }
    }
}
