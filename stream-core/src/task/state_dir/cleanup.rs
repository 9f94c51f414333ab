//! Deletes what nobody uses: first renamed, then deleted, so that a crash in between leaves no half of a task that looks like a whole one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::disk;
use crate::error::Result;
use crate::id::TaskId;

const DELETING: &str = ".deleting-";
const CORRUPT: &str = ".corrupt-";
/// How long a store that was set aside is kept for whoever wants to know why.
const QUARANTINE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The task directories, in the order of their names.
pub(super) fn tasks(directory: &Path) -> Result<Vec<(TaskId, PathBuf)>> {
    let mut tasks: Vec<(TaskId, PathBuf)> = names(directory)?
        .into_iter()
        .filter_map(|name| Some((task_of(&name)?, directory.join(name))))
        .filter(|(_, path)| path.is_dir())
        .collect();
    tasks.sort();
    Ok(tasks)
}

/// Renames the directories of unused tasks that are older than `delay`; returns the new names.
pub(super) fn set_aside(directory: &Path, delay: Duration, now_ms: i64, is_unused: impl Fn(TaskId) -> bool) -> Result<Vec<PathBuf>> {
    let mut trash = Vec::new();
    for (task, path) in tasks(directory)? {
        let failed = |error| disk::error("the directory of an unused task could not be set aside", &path, error);
        let modified_ms = match fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(modified) => modified.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        let age = Duration::from_millis(u64::try_from(now_ms.saturating_sub(modified_ms)).unwrap_or(0));
        if is_unused(task) && age >= delay {
            let target = directory.join(format!("{task}{DELETING}{now_ms}"));
            fs::rename(&path, &target).map_err(failed)?;
            tracing::info!(%task, ?age, "deleting the directory of a task that this process has not owned for `state.cleanup.delay.ms`");
            trash.push(target);
        }
    }
    Ok(trash)
}

/// Deletes a directory that was set aside.
pub(super) fn delete(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(disk::error("the directory of an unused task could not be deleted", directory, error))
        }
        _ => Ok(()),
    }
}

/// Deletes stores that were set aside as damaged long ago, also of tasks that are in use.
pub(super) fn expire_quarantined(directory: &Path, now_ms: i64) -> Result<()> {
    for (_, path) in tasks(directory)? {
        let stores = path.join("rocksdb");
        if !stores.is_dir() {
            continue;
        }
        let oldest_kept = now_ms.saturating_sub(i64::try_from(QUARANTINE.as_millis()).unwrap_or(i64::MAX));
        names(&stores)?
            .iter()
            .filter(|name| name.rsplit_once(CORRUPT).and_then(|(_, ms)| ms.parse::<i64>().ok()).is_some_and(|ms| ms < oldest_kept))
            .try_for_each(|name| delete(&stores.join(name)))?;
    }
    Ok(())
}

/// Finishes what a crash interrupted.
pub(super) fn finish(directory: &Path) -> Result<()> {
    names(directory)?
        .iter()
        .filter(|name| name.split_once(DELETING).is_some_and(|(task, _)| task_of(task).is_some()))
        .try_for_each(|name| delete(&directory.join(name)))
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let failed = |error| disk::error("the state directory could not be read", directory, error);
    let entries = fs::read_dir(directory).map_err(failed)?.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// The task of that directory name; none for `0_01` and the like, which this library never writes.
fn task_of(name: &str) -> Option<TaskId> {
    name.parse().ok().filter(|task: &TaskId| task.to_string() == name)
}
