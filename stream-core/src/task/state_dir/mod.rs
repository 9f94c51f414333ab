//! The state directory of a process.
//!
//! ```text
//! <state.dir>/<application.id>/
//!     .lock                            held (flock) while the process runs; its pid
//!     kafka-streams-process-metadata   who the process is, kept over restarts
//!     kstreams-format                  which format, of which application
//!     0_1/rocksdb/<store>/             one task
//!     0_1/rocksdb/<store>.corrupt-<ms>/  a store that was damaged, kept for a week
//!     0_1.deleting-<ms>/               a task that nobody owned, being deleted
//!     global/rocksdb/<store>/          a global store
//!     global/.checkpoint               how far the topics of the global stores were applied
//! ```
//!
//! Nothing here is deleted because of a crash: what a task left is behind what was committed at most, and is restored from there.

mod cleanup;
mod disk;
mod format;
mod lock;
mod process_metadata;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use self::lock::DirectoryLock;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TaskId;

/// The tasks whose directories are in use in this process.
#[derive(Debug, Default)]
struct Claims(Mutex<BTreeSet<TaskId>>);

impl Claims {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of `state.dir` that belongs to this process as long as it runs.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    application_id: String,
    directory: PathBuf,
    process_id: Uuid,
    claims: Arc<Claims>,
    /// `None` when no store keeps anything on disk: nothing is written then.
    lock: Option<DirectoryLock>,
}

/// A task's directory in the hands of the task. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct TaskDirectoryLock {
    task: TaskId,
    directory: PathBuf,
    claims: Arc<Claims>,
}

impl StateDirectory {
    /// Takes the directory of an application. Without a store that keeps data on disk, nothing is read or written, and the process is
    /// a new one at each start.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when another process has it, or its contents are not this application's or not this version's;
    /// [`ErrorKind::Storage`] when the disk fails.
    pub(crate) fn open(state_dir: &Path, application_id: &str, is_persistent: bool) -> Result<Self> {
        let directory = state_dir.join(application_id);
        let opened = |lock, process_id| Self {
            application_id: application_id.to_owned(),
            directory: directory.clone(),
            process_id,
            claims: Arc::default(),
            lock,
        };
        if !is_persistent {
            return Ok(opened(None, Uuid::new_v4()));
        }
        fs::create_dir_all(&directory).map_err(|error| disk::error("the state directory could not be created", &directory, error))?;
        // Before anything is read: whoever has the lock may be writing.
        let lock = DirectoryLock::take(&directory)?;
        format::check_or_mark(&directory, application_id)?;
        let process_id = process_metadata::read_or_create(&directory)?;
        cleanup::finish(&directory)?;
        Ok(opened(Some(lock), process_id))
    }

    /// The id of this process: the same after a restart on the same directory.
    #[cfg(test)]
    pub(crate) fn process_id(&self) -> Uuid {
        self.process_id
    }

    /// The `transactional.id` of a worker. A restarted process takes over its own ids, which ends what its former self left open at once,
    /// not at the transaction's timeout.
    pub(crate) fn transactional_id(&self, worker: usize) -> String {
        format!("{}-{}-{worker}", self.application_id, self.process_id)
    }

    /// Where a global store keeps its data.
    pub(crate) fn global_store_directory(&self, store: &str) -> PathBuf {
        self.directory.join("global").join("rocksdb").join(store)
    }

    /// The file of the positions that the global stores on disk have reached.
    pub(crate) fn global_positions(&self) -> PathBuf {
        self.directory.join("global").join(".checkpoint")
    }

    /// Takes a task's directory.
    ///
    /// # Errors
    /// [`ErrorKind::Retriable`] while another thread of this process still has it; [`ErrorKind::Storage`] when the disk fails.
    pub(crate) fn lock_task(&self, task: TaskId) -> Result<TaskDirectoryLock> {
        let directory = self.directory.join(task.to_string());
        if !self.claims.lock().insert(task) {
            return Err(Error::new(
                ErrorKind::Retriable,
                format!("the directory {} of task {task} is still in use by this process", directory.display()),
            ));
        }
        let lock = TaskDirectoryLock { task, directory, claims: Arc::clone(&self.claims) };
        if self.lock.is_some() {
            fs::create_dir_all(&lock.directory).map_err(|error| {
                disk::error("the directory of a task could not be created", &lock.directory, error).at(format_args!("task {task}"))
            })?;
        }
        Ok(lock)
    }

    /// Deletes the directories of tasks that nobody of this process uses or is about to use (`kept`) and that were not used for `delay`
    /// (`state.cleanup.delay.ms`), and stores that were set aside as damaged a week ago.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the disk fails; the next clean-up goes on.
    pub(crate) fn clean_up(&self, delay: Duration, kept: &BTreeSet<TaskId>, now_ms: i64) -> Result<()> {
        if self.lock.is_none() {
            return Ok(());
        }
        // Held while directories are renamed, so that no task takes one meanwhile.
        let claims = self.claims.lock();
        let trash = cleanup::set_aside(&self.directory, delay, now_ms, |task| !kept.contains(&task) && !claims.contains(&task))?;
        drop(claims);
        trash.iter().try_for_each(|directory| cleanup::delete(directory))?;
        cleanup::expire_quarantined(&self.directory, now_ms)
    }
}

impl TaskDirectoryLock {
    /// Where a store of the task keeps its data.
    pub(crate) fn store_directory(&self, store: &str) -> PathBuf {
        self.directory.join("rocksdb").join(store)
    }
}

impl Drop for TaskDirectoryLock {
    fn drop(&mut self) {
        // The age of an unused directory counts from here. What is written below it does not touch its own time.
        let touched = fs::File::open(&self.directory).and_then(|directory| directory.set_modified(SystemTime::now()));
        if let Err(error) = touched
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!(task = %self.task, %error, "the time of a task's directory could not be set");
        }
        self.claims.lock().remove(&self.task);
    }
}
